// Named networks, parameter lists, JSON form and counts of a ModelSpec.
#include "model/model_spec.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/not_weights.h"
#include "core/names.h"
#include "core/tensor.h"

namespace shiftadd {
namespace {

ModelSpec vit(std::string name, int64_t image, int64_t patch, int64_t width, int64_t depth,
              int64_t heads, int64_t classes) {
  ModelSpec spec;
  spec.name = std::move(name);
  spec.image_size = image;
  spec.patch_size = patch;
  spec.width = width;
  spec.depth = depth;
  spec.heads = heads;
  spec.mlp_hidden = 4 * width;
  spec.classes = classes;
  return spec;
}

const std::vector<ModelSpec>& known_specs() {
  static const std::vector<ModelSpec> specs = {
      vit("deit_tiny_patch16_224", 224, 16, 192, 12, 3, 1000),
      vit("deit_small_patch16_224", 224, 16, 384, 12, 6, 1000),
      vit("deit_base_patch16_224", 224, 16, 768, 12, 12, 1000),
      vit("vit_tiny_patch16_224", 224, 16, 192, 12, 3, 1000),
      vit("vit_small_patch16_224", 224, 16, 384, 12, 6, 1000),
      vit("vit_base_patch16_224", 224, 16, 768, 12, 12, 1000),
      vit("vit_cifar", 32, 4, 128, 6, 4, 10),      // 1.2 M parameters: the CIFAR-10 experiments
      vit("vit_cifar_192", 32, 4, 192, 6, 3, 10),  // the training benchmark's small network
      vit("vit_micro", 64, 16, 48, 2, 3, 7),       // the golden network
  };
  return specs;
}

// One list of the numeric keys serves reading and writing.
struct IntegerKey {
  const char* key;
  int64_t ModelSpec::*member;
};
constexpr IntegerKey kIntegerKeys[] = {
    {"image_size", &ModelSpec::image_size},
    {"patch_size", &ModelSpec::patch_size},
    {"in_channels", &ModelSpec::in_channels},
    {"width", &ModelSpec::width},
    {"depth", &ModelSpec::depth},
    {"heads", &ModelSpec::heads},
    {"mlp_hidden", &ModelSpec::mlp_hidden},
    {"classes", &ModelSpec::classes},
};

// A network that names no other to start from says all its sizes: any default would be wrong for
// most, and some (heads) no tensor would contradict.
std::string missing_sizes(const nlohmann::json& json) {
  std::string missing;
  if (json.contains("base")) return missing;
  for (const auto& [key, member] : kIntegerKeys)
    if (key != std::string_view("in_channels") && !json.contains(key))
      missing += concat(missing.empty() ? "" : ", ", key);
  if (missing.empty()) return missing;
  return concat("[model] ", missing, missing.find(',') == std::string::npos ? " is" : " are",
                " missing: give every size, or \"base\": NAME of a network to start from");
}

}  // namespace

std::vector<std::string> spec_names() {
  std::vector<std::string> names;
  for (const ModelSpec& spec : known_specs()) names.push_back(spec.name);
  return names;
}

ModelSpec named_spec(const std::string& name) {
  for (const ModelSpec& spec : known_specs())
    if (spec.name == name) return spec;
  std::string known;
  for (const std::string& each : spec_names()) known += (known.empty() ? "" : ", ") + each;
  const std::string guess = did_you_mean(name, spec_names());
  throw user_error("[model] unknown architecture '", name, "'", guess.empty() ? "." : guess,
                   " Known: ", known, " (--list-archs says more); or give a JSON file");
}

void validate(const ModelSpec& spec) {
  constexpr int64_t kMostSize = 1'000'000, kMostBlocks = 16'384;
  for (const auto& [key, member] : kIntegerKeys) {
    const int64_t value = spec.*member,
                  most = member == &ModelSpec::depth ? kMostBlocks : kMostSize;
    if (value < 1 || value > most)
      throw user_error("[model] ", key, " is ", value, ": expected 1 to ", most);
  }
  if (spec.width % spec.heads)
    throw user_error("[model] width ", spec.width, " is not divisible by heads ", spec.heads);
  if (spec.image_size % spec.patch_size)
    throw user_error("[model] image_size ", spec.image_size, " is not divisible by patch_size ",
                     spec.patch_size);
  if (!(spec.norm_eps > 0 && spec.norm_eps < 1))
    throw user_error("[model] norm_eps is ", spec.norm_eps,
                     ": expected a number above 0 and below 1");
  const auto blocks = static_cast<int64_t>(spec.shift_add.blocks.size());
  if (blocks != 0 && blocks != spec.depth)
    throw user_error("[model] shift_add.blocks has ", blocks, " entries: the network has depth ",
                     spec.depth);
  // Bounds the memory a spec from a foreign file can ask for.
  const double parameters =
      static_cast<double>(spec.depth) *
          (4.0 * spec.width * spec.width + 2.0 * spec.width * spec.mlp_hidden) +
      static_cast<double>(spec.tokens()) * spec.width +
      static_cast<double>(spec.classes) * spec.width +
      static_cast<double>(spec.in_channels) * spec.patch_size * spec.patch_size * spec.width;
  if (parameters > 2e10)
    throw user_error("[model] the network would have ", parameters,
                     " parameters: more than 2e10 are not supported");
}

ModelSpec spec_from_json(const nlohmann::json& json) {
  if (!json.is_object()) throw user_error("[model] expected a JSON object, got ", json.type_name());
  const auto text = [&](const char* key) {
    if (!json.at(key).is_string())
      throw user_error("[model] ", key, ": expected a string, got ", json_text(json.at(key)));
    return json.at(key).get<std::string>();
  };
  ModelSpec spec;
  if (json.contains("base")) spec = named_spec(text("base"));
  std::vector<std::string> keys = {"base", "family", "name", "norm_eps", "shift_add"};
  for (const auto& [key, member] : kIntegerKeys) keys.push_back(key);
  for (const auto& [key, value] : json.items())
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      throw user_error("[model] unknown key '", key, "'", did_you_mean(key, keys));
  if (json.contains("family") && text("family") != "vit")
    throw user_error("[model] family '", text("family"), "' is not known: expected 'vit'");
  if (json.contains("name")) spec.name = text("name");
  for (const auto& [key, member] : kIntegerKeys) {
    if (!json.contains(key)) continue;
    const auto& value = json.at(key);
    if (!value.is_number_integer())
      throw user_error("[model] ", key, ": expected a whole number, got ", json_text(value));
    spec.*member = value.get<int64_t>();
  }
  if (json.contains("norm_eps")) {
    if (!json.at("norm_eps").is_number())
      throw user_error("[model] norm_eps: expected a number, got ", json_text(json.at("norm_eps")));
    spec.norm_eps = json.at("norm_eps").get<double>();
  }
  if (json.contains("shift_add")) spec.shift_add = shift_add_spec_from_json(json.at("shift_add"));
  const std::string missing = missing_sizes(json);
  try {
    validate(spec);
  } catch (const Error& problem) {
    throw user_error(missing, missing.empty() ? "" : "; ", problem.what());
  }
  if (!missing.empty()) throw user_error(missing);
  return spec;
}

nlohmann::json to_json(const ModelSpec& spec) {
  nlohmann::json json = {{"family", "vit"}, {"name", spec.name}, {"norm_eps", spec.norm_eps}};
  for (const auto& [key, member] : kIntegerKeys) json[key] = spec.*member;
  if (!spec.shift_add.blocks.empty()) json["shift_add"] = to_json(spec.shift_add);
  return json;
}

ModelSpec load_spec(const std::string& name_or_path) {
  const auto names = spec_names();
  if (std::find(names.begin(), names.end(), name_or_path) != names.end())
    return named_spec(name_or_path);
  if (name_or_path.find('/') == std::string::npos && !name_or_path.ends_with(".json"))
    return named_spec(name_or_path);
  const std::string content = read_text(name_or_path);
  require_no_placeholder(content, name_or_path);
  try {
    return spec_from_json(parse_json(content));
  } catch (const nlohmann::json::exception& problem) {
    throw user_error(name_or_path, ": not valid JSON: ", problem.what());
  } catch (const Error& problem) {
    throw user_error(name_or_path, ": ", problem.what());
  }
}

}  // namespace shiftadd
