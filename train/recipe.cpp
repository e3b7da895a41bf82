// Parses a line of a surgery recipe into its blocks and the new kinds of their layers.
#include "train/recipe.h"

#include <charconv>

#include "core/error.h"
#include "core/names.h"

namespace shiftadd::train {
namespace {

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

int64_t block_number(const std::string& text, const std::string& line) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < 0)
    throw user_error("\"", line, "\": blocks are '", text,
                     "': expected all, a number, or a range such as 2-5");
  return number;
}

void read_blocks(const std::string& blocks, const std::string& line, layers::SurgeryStep& step) {
  if (blocks == "all") return;
  const std::size_t dash = blocks.find('-');
  step.first = block_number(trimmed(blocks.substr(0, dash)), line);
  step.last =
      dash == std::string::npos ? step.first : block_number(trimmed(blocks.substr(dash + 1)), line);
  if (step.last < step.first)
    throw user_error("\"", line, "\": blocks are '", blocks,
                     "': expected the lower number first, as in 2-5");
}

}  // namespace

layers::SurgeryStep parse_recipe_line(const std::string& line) {
  layers::SurgeryStep step;
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos)
    throw user_error("\"", line, "\": expected BLOCKS: LAYER=KIND, as in \"all: mlp=mixture\"");
  read_blocks(trimmed(line.substr(0, colon)), line, step);
  std::string rest = line.substr(colon + 1);
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string change = trimmed(rest.substr(0, comma));
    const std::size_t equals = change.find('=');
    if (equals == std::string::npos)
      throw user_error("\"", line, "\": '", change, "': expected LAYER=KIND");
    const std::string layer = trimmed(change.substr(0, equals)),
                      kind = trimmed(change.substr(equals + 1));
    const std::string where = concat("\"", line, "\": ", layer);
    const auto set = [&where](auto& chosen, auto becomes) {
      if (chosen) throw user_error(where, " stands twice: expected one kind for each layer");
      chosen = becomes;
    };
    if (layer == "attention")
      set(step.attention, kind_of<AttentionKind>(kind, where));
    else if (layer == "qkv")
      set(step.qkv, kind_of<LayerKind>(kind, where));
    else if (layer == "proj")
      set(step.proj, kind_of<LayerKind>(kind, where));
    else if (layer == "mlp")
      set(step.mlp, kind_of<LayerKind>(kind, where));
    else
      throw user_error("\"", line, "\": no layer '", layer,
                       "': expected attention, qkv, proj or mlp",
                       did_you_mean(layer, {"attention", "qkv", "proj", "mlp"}));
    if (comma == std::string::npos) return step;
    rest = rest.substr(comma + 1);
  }
}

}  // namespace shiftadd::train
