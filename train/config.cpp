// Reads, checks and resolves a training config.
#include "train/config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/config/options.h"
#include "core/config/source.h"
#include "core/io/json_text.h"
#include "train/config_options.h"
#include "train/recipe.h"
#include "train/stage_keys.h"
#include "train/start.h"

namespace shiftadd::train {
namespace {

constexpr const char* kStages = "stages";
constexpr const char* kStagesAbout =
    "Runs one after the other: each object's options over the rest of the configuration. An object "
    "in place of the list changes stages of the file that is extended, by their names.";

ConfigListing listing_of(TrainConfig& config) {
  return [&config](ConfigVisitor& visitor) { list_options(visitor, config); };
}

/// `low` and `high` are keys of `where`.
void ordered(const ConfigReader& reader, const std::string& where, const char* low,
             double low_value, const char* high, double high_value) {
  if (low_value > high_value)
    reader.fail(where + "." + low,
                concat("expected at most ", high, ", which is ", high_value, ", got ", low_value));
}

void resolve_data(const ConfigReader& reader, TrainConfig& c) {
  DataConfig& d = c.data;
  if (d.synthetic) {
    const std::string& folder = d.synthetic->folder;
    if (folder.empty())
      reader.fail("data.synthetic.folder", "expected the folder to write the images to");
    const std::string train = folder + "/train", val = folder + "/val";
    if (!d.train.empty() && d.train != train)
      reader.fail("data.train", concat("leave it out beside data.synthetic, which writes ", train));
    if (!d.val.empty() && d.val != val)
      reader.fail("data.val", concat("leave it out beside data.synthetic, which writes ", val));
    d.train = train, d.val = val;
  }
  if (d.train.empty())
    reader.fail("data.train",
                "expected a folder with one folder of images per class, or a .tar of it");
  if (d.val.empty() && d.val_fraction == 0)
    reader.fail("data.val_fraction", "expected a number above 0, because data.val is not given");
  Preprocess& p = d.preprocess;
  if (!reader.has("data.preprocess.mean")) p.mean = imagenet_mean(c.model.in_channels);
  if (!reader.has("data.preprocess.std")) p.std = imagenet_std(c.model.in_channels);
  if (c.inherits.empty()) reader.checked("", [&] { settle_preprocess(c); });
  const auto weights = static_cast<int64_t>(d.class_weights.size());
  if (weights > 0 && c.model.classes > 0 && weights != c.model.classes)
    reader.fail("data.class_weights",
                concat("expected ", c.model.classes, " numbers (model.classes), got ", weights));
  if (weights > 0 && *std::max_element(d.class_weights.begin(), d.class_weights.end()) == 0)
    reader.fail("data.class_weights", "expected at least one number above 0");
}

/// What the start brings because the file does not say it; a base says all sizes.
std::vector<std::string> inherited_keys(const ConfigNode& root, const ConfigReader& reader,
                                        const TrainConfig& config) {
  std::vector<std::string> keys;
  if (config.init.checkpoint.empty()) return keys;
  const ConfigNode* model = root.find("model");
  const ConfigNode* base = model ? model->find("base") : nullptr;
  const bool has_base = base && !base->text.empty();
  for (const std::string& key : inheritable_keys())
    if (!reader.has(key) && !(has_base && key.starts_with("model."))) keys.push_back(key);
  return keys;
}

/// One run; `root` holds no stages.
TrainConfig read_run(const ConfigNode& root) {
  TrainConfig config = default_config();
  const ConfigReader reader =
      read_options(root, config, [](ConfigVisitor& v, TrainConfig& c) { list_options(v, c); });
  config.inherits = inherited_keys(root, reader, config);
  reader.checked("model", [&] {
    if (!config.inherits.empty()) return;  // with_start validates the whole
    ModelSpec spec = config.model;
    spec.classes = std::max<int64_t>(spec.classes, 1);
    validate(spec);
  });
  reader.checked("surgery.recipe", [&] {
    for (const std::string& line : config.surgery.recipe) parse_recipe_line(line);
  });
  reader.checked("surgery", [&] { validate(config.surgery.options); });
  if (config.regularisation.checkpoint_blocks &&
      std::any_of(
          config.surgery.recipe.begin(), config.surgery.recipe.end(),
          [](const std::string& line) { return line.find("mixture") != std::string::npos; }))
    reader.fail("model.checkpoint_blocks",
                "a mixture's blocks cannot be recomputed: set it to false");
  resolve_data(reader, config);
  const data::AugmentOptions& augment = config.data.augment;
  ordered(reader, "data.augment", "scale_min", augment.scale_min, "scale_max", augment.scale_max);
  ordered(reader, "data.augment", "ratio_min", augment.ratio_min, "ratio_max", augment.ratio_max);
  reader.checked("", [&] { data::validate(augment, "data.augment"); });
  if (config.name.empty()) reader.fail("name", "expected a name, got \"\"");
  if (config.out.empty()) config.out = "runs/" + config.name;
  return config;
}

/// Takes "stages" out of the root: objects, at most kMostStages.
std::vector<ConfigNode> take_stages(ConfigNode& root) {
  constexpr std::size_t kMostStages = 100;
  const ConfigNode* found = root.find(kStages);
  if (!found) return {};
  const std::string where = concat(found->location(), ": ", kStages, ": ");
  if (found->kind != ConfigNode::Kind::kArray || found->items.size() > kMostStages)
    throw user_error(where, "expected a list of objects, got ", found->described());
  std::vector<ConfigNode> stages = found->items;
  for (const ConfigNode& stage : stages) {
    const std::string at = concat(stage.location(), ": ", kStages, ": ");
    if (!stage.is_object())
      throw user_error(at, "expected an object of options, got ", stage.described());
    for (const char* key : {"out", "threads", kStages})
      if (const ConfigNode* option = stage.find(key))
        throw user_error(option->location(), ": ", kStages, ".", key,
                         ": belongs to all stages together, outside of the list");
  }
  std::erase_if(root.members, [](const ConfigMember& member) { return member.key == kStages; });
  return stages;
}

bool says(const ConfigNode& stage, const char* object, const char* key) {
  const ConfigNode* found = stage.find(object);
  return found && found->is_object() && found->find(key);
}

/// A name that is a folder's, and no other stage's.
void require_stage_name(const ConfigNode& stage, const TrainConfig& config,
                        const TrainConfig& run) {
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
  };
  if (!std::all_of(run.name.begin(), run.name.end(), fits))
    throw user_error(stage.location(), ": ", kStages,
                     ".name: expected letters, digits, - and _, got \"", run.name,
                     "\": it names the stage's folder");
  for (const TrainConfig& other : config.stages)
    if (other.name == run.name)
      throw user_error(stage.location(), ": ", kStages, ".name: two stages are called \"", run.name,
                       "\"");
}

TrainConfig from_node(ConfigNode root, const std::vector<std::string>& merged,
                      const std::vector<std::string>& overrides) {
  for (const std::string& each : overrides) apply_override(root, each);
  const std::vector<ConfigNode> stages = take_stages(root);
  TrainConfig config = read_run(root);
  for (const ConfigNode& stage : stages) {
    const std::size_t index = config.stages.size();
    ConfigNode merged = root;
    merge_config(merged, stage);
    TrainConfig run = read_run(merged);
    if (!stage.find("name")) run.name = concat("stage", index + 1);
    require_stage_name(stage, config, run);
    run.out = config.out + "/" + run.name;
    if (index > 0 && !says(stage, "init", "checkpoint")) {
      run.init.checkpoint = config.stages.back().out + "/model.safetensors";
      run.init.adapt = false;
      run.init.head = InitConfig::Head::kAuto;
    }
    if (run.train.teacher.checkpoint.empty()) run.train.teacher.checkpoint = config.init.checkpoint;
    config.stages.push_back(std::move(run));
  }
  config.notices = check_shared_keys(root, stages, config.stages, merged);
  for (const std::string& line : check_stage_rates(root, stages, config.stages))
    config.notices.push_back(line);
  return config;
}

}  // namespace

TrainConfig load_train_config(const std::string& path, const std::vector<std::string>& overrides) {
  std::vector<std::string> merged;
  ConfigNode root = load_config_node(path, &merged);
  return from_node(std::move(root), merged, overrides);
}

TrainConfig parse_train_config(std::string_view text, const std::string& name,
                               const std::vector<std::string>& overrides) {
  std::vector<std::string> merged;
  ConfigNode root = load_config_text(text, name, &merged);
  return from_node(std::move(root), merged, overrides);
}

void settle_preprocess(TrainConfig& config) {
  const int64_t channels = config.model.in_channels;
  if (channels != 1 && channels != 3)
    throw key_error("model.in_channels", "expected 3, which RGB images have, or 1 for gray, got ",
                    channels);
  Preprocess& p = config.data.preprocess;
  require_channels(p, channels, "data.preprocess");
  p.crop = config.model.image_size;
  if (p.resize < 0) p.resize = (p.crop_side() * 8 + 3) / 7;
  if (p.resize != 0 && p.resize < p.crop.shorter())
    throw key_error("data.preprocess.resize", "expected 0 or at least model.image_size, which is ",
                    p.crop.shorter(), ", got ", p.resize);
}

std::string to_text(const TrainConfig& config) {
  TrainConfig copy = config;
  std::string text = print_config(listing_of(copy));
  if (config.stages.empty() && config.inherits.empty()) return text;
  nlohmann::ordered_json json = parse_ordered_json(text);
  const auto leave_out = [&](const std::vector<std::string>& keys) {
    for (const std::string& key : keys) {
      const std::size_t dot = key.rfind('.');
      std::string pointer = "/" + key.substr(0, dot);
      std::replace(pointer.begin(), pointer.end(), '.', '/');
      json[nlohmann::ordered_json::json_pointer(pointer)].erase(key.substr(dot + 1));
    }
  };
  leave_out(config.inherits);
  for (const TrainConfig& stage : config.stages) {
    leave_out(stage.inherits);  // or the stage would be given what it is to inherit
    nlohmann::ordered_json options = parse_ordered_json(to_text(stage));
    for (const char* key : {"out", "threads"}) options.erase(key);
    json[kStages].push_back(std::move(options));
  }
  return json_text(json, 2) + "\n";
}

std::string train_schema() {
  TrainConfig config = default_config();
  const std::string one = config_schema(
      listing_of(config), "shiftadd-train config",
      "A training run. Paths of data, checkpoints and outputs are relative to the working "
      "directory, the path in \"extends\" to the file that holds it.");
  nlohmann::ordered_json schema = parse_ordered_json(one);
  schema["properties"][kStages] = {{"description", kStagesAbout},
                                   {"type", nlohmann::ordered_json::array({"array", "object"})},
                                   {"items", {{"$ref", "#"}}},
                                   {"additionalProperties", {{"$ref", "#"}}}};
  return json_text(schema, 2) + "\n";
}

std::string train_config_help() {
  TrainConfig config = default_config();
  return config_help(listing_of(config)) + kStages + " = [] (list of objects): " + kStagesAbout +
         "\n";
}

}  // namespace shiftadd::train
