// What sets two networks apart, in words for an error: the keys that differ, and only those.
#include <map>
#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "model/model_spec.h"

namespace shiftadd {
namespace {

std::string text_of(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : json_text(value);
}

// {0, 1, 2, 5} as "0-2,5".
std::string ranges(const std::vector<int64_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t first = i;
    while (i + 1 < numbers.size() && numbers[i + 1] == numbers[i] + 1) ++i;
    text += concat(text.empty() ? "" : ",", numbers[first]);
    if (i > first) text += concat("-", numbers[i]);
  }
  return text;
}

// Every block written out, also those of a plain network.
nlohmann::json conversion_of(const ModelSpec& spec) {
  ShiftAddSpec full = spec.shift_add;
  full.blocks.clear();
  for (int64_t i = 0; i < spec.depth; ++i) full.blocks.push_back(spec.block(i));
  return to_json(full);
}

}  // namespace

std::string spec_difference(const ModelSpec& given, const ModelSpec& expected) {
  std::string text;
  const auto compare = [&](const std::string& key, const nlohmann::json& a,
                           const nlohmann::json& b) {
    if (a == b) return;
    text += concat(text.empty() ? "" : ", ", key, " ", text_of(a), " instead of ", text_of(b));
  };
  const nlohmann::json sizes = to_json(given), other_sizes = to_json(expected);
  for (const auto& [key, value] : sizes.items())
    if (key != "name" && key != "shift_add") compare(key, value, other_sizes.at(key));

  const nlohmann::json ours = conversion_of(given), theirs = conversion_of(expected);
  if (given.converted() && expected.converted())
    for (const auto& [key, value] : ours.items())
      if (key != "blocks") compare("shift_add." + key, value, theirs.at(key));
  const auto common = static_cast<std::size_t>(std::min(given.depth, expected.depth));
  for (const char* layer : {"attention", "qkv", "proj", "mlp"}) {
    std::map<std::pair<nlohmann::json, nlohmann::json>, std::vector<int64_t>> blocks;
    for (std::size_t i = 0; i < common; ++i)
      blocks[{ours.at("blocks")[i].at(layer), theirs.at("blocks")[i].at(layer)}].push_back(
          static_cast<int64_t>(i));
    for (const auto& [kinds, numbers] : blocks)
      compare(concat("blocks.", ranges(numbers), ".", layer), kinds.first, kinds.second);
  }
  return text;
}

}  // namespace shiftadd
