// Fills in sizes and preprocessing that a configuration leaves out; head.cpp plans the head.
#include "train/start.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>

namespace shiftadd::train {
namespace {

struct Source {
  ModelSpec spec;
  Preprocess preprocess;
};

struct Inherited {
  const char* key;
  void (*take)(TrainConfig& config, const Source& from);
};

template <auto kMember>
void take_model(TrainConfig& config, const Source& from) {
  config.model.*kMember = from.spec.*kMember;
}
template <auto kMember>
void take_preprocess(TrainConfig& config, const Source& from) {
  config.data.preprocess.*kMember = from.preprocess.*kMember;
}

// The crop keeps the same share of the image.
int64_t scaled_resize(const Source& from, const Preprocess& to) {
  return static_cast<int64_t>(
      std::llround(static_cast<double>(from.preprocess.resize * to.crop_side()) /
                   static_cast<double>(from.preprocess.crop_side())));
}
void take_resize(TrainConfig& config, const Source& from) {
  config.data.preprocess.crop = config.model.image_size;
  config.data.preprocess.resize = scaled_resize(from, config.data.preprocess);
}

// image_size and resize_mode stand before resize, which depends on them.
constexpr Inherited kInherited[] = {
    {"model.name", take_model<&ModelSpec::name>},
    {"model.image_size", take_model<&ModelSpec::image_size>},
    {"model.patch_size", take_model<&ModelSpec::patch_size>},
    {"model.in_channels", take_model<&ModelSpec::in_channels>},
    {"model.width", take_model<&ModelSpec::width>},
    {"model.depth", take_model<&ModelSpec::depth>},
    {"model.heads", take_model<&ModelSpec::heads>},
    {"model.mlp_hidden", take_model<&ModelSpec::mlp_hidden>},
    {"model.norm_eps", take_model<&ModelSpec::norm_eps>},
    {"model.class_token", take_model<&ModelSpec::class_token>},
    {"model.distillation", take_model<&ModelSpec::distillation>},
    {"model.registers", take_model<&ModelSpec::registers>},
    {"model.positions", take_model<&ModelSpec::positions>},
    {"model.position_resize", take_model<&ModelSpec::position_resize>},
    {"model.patch_bias", take_model<&ModelSpec::patch_bias>},
    {"model.embedding_norm", take_model<&ModelSpec::embedding_norm>},
    {"model.qkv_bias", take_model<&ModelSpec::qkv_bias>},
    {"model.attention_scale", take_model<&ModelSpec::attention_scale>},
    {"model.activation", take_model<&ModelSpec::activation>},
    {"model.layer_scale", take_model<&ModelSpec::layer_scale>},
    {"model.post_norm", take_model<&ModelSpec::post_norm>},
    {"model.final_norm", take_model<&ModelSpec::final_norm>},
    {"model.pooling", take_model<&ModelSpec::pooling>},
    {"model.fc_norm", take_model<&ModelSpec::fc_norm>},
    {"model.pre_logits", take_model<&ModelSpec::pre_logits>},
    {"model.projection", take_model<&ModelSpec::projection>},
    {"data.preprocess.resize_mode", take_preprocess<&Preprocess::resize_mode>},
    {"data.preprocess.resize", take_resize},
    {"data.preprocess.interpolation", take_preprocess<&Preprocess::interpolation>},
    {"data.preprocess.mean", take_preprocess<&Preprocess::mean>},
    {"data.preprocess.std", take_preprocess<&Preprocess::std>},
    {"data.preprocess.exif_orientation", take_preprocess<&Preprocess::exif_orientation>},
};

void fill(TrainConfig& config, const Source& from) {
  for (const Inherited& each : kInherited)
    if (std::find(config.inherits.begin(), config.inherits.end(), each.key) !=
        config.inherits.end())
      each.take(config, from);
  config.inherits.clear();
  ModelSpec spec = config.model;
  spec.classes = std::max<int64_t>(spec.classes, 1);
  try {
    validate(spec);
  } catch (const Error& error) {
    throw error.under("model");
  }
  settle_preprocess(config);
}

/// `path` is init.checkpoint, or a checkpoint to resume.
Source read_source(const std::string& path) {
  if (!std::filesystem::exists(path))
    throw user_error(path,
                     ": no such file: init.checkpoint names the model file to start from; "
                     "shiftadd-convert makes one of a .pth or .safetensors of weights");
  ModelFile file = load_model(path);
  return {std::move(file.spec), file.preprocess};
}

std::string text_of(const std::vector<float>& channels) {
  std::string text;
  for (const float each : channels) text += concat(text.empty() ? "" : " ", shortest_decimal(each));
  return text;
}

std::string resize_text(int64_t resize, ResizeMode mode) {
  if (resize == 0) return "none";
  return concat(resize, mode == ResizeMode::kSquash ? " (squash)" : "");
}

}  // namespace

std::vector<std::string> inheritable_keys() {
  std::vector<std::string> keys;
  for (const Inherited& each : kInherited) keys.emplace_back(each.key);
  return keys;
}

const TrainConfig* maker_of(const TrainConfig& config, std::size_t index, const std::string& path) {
  for (std::size_t i = 0; i < index; ++i)
    if (path == config.stages[i].out + "/model.safetensors") return &config.stages[i];
  return nullptr;
}

TrainConfig with_start(const TrainConfig& config, const std::string& resume) {
  namespace fs = std::filesystem;
  TrainConfig filled = config;
  for (std::size_t i = 0; i < filled.stages.size(); ++i) {
    TrainConfig& stage = filled.stages[i];
    if (stage.inherits.empty()) continue;
    const std::string last = stage.out + "/last.safetensors";
    if (const TrainConfig* before = maker_of(filled, i, stage.init.checkpoint))
      fill(stage, {before->model, before->data.preprocess});
    else  // what was started once does not need its start's file again
      fill(stage, read_source(!resume.empty() && fs::exists(last) ? last : stage.init.checkpoint));
  }
  if (!filled.stages.empty()) {
    filled.inherits.clear();
  } else if (!filled.inherits.empty()) {
    fill(filled, read_source(resume.empty() ? filled.init.checkpoint : resume));
  }
  return filled;
}

std::string describe_preprocess(const TrainConfig& config, const ModelFile& file) {
  const Preprocess &ours = config.data.preprocess, &theirs = file.preprocess;
  std::string same, other;
  const auto add = [&](const std::string& what, const std::string& value,
                       const std::string& there) {
    std::string& list = value == there ? same : other;
    list += concat(list.empty() ? "" : ", ", what, " ", value);
    if (value != there) list += concat(" (there ", there, ")");
  };
  add("resize", resize_text(ours.resize, ours.resize_mode),
      resize_text(scaled_resize({file.spec, theirs}, ours), theirs.resize_mode));
  add("interpolation", name_of(ours.interpolation), name_of(theirs.interpolation));
  add("mean", text_of(ours.mean), text_of(theirs.mean));
  add("std", text_of(ours.std), text_of(theirs.std));
  return concat("preprocessing", same.empty() ? "" : concat(" of ", config.init.checkpoint, ": "),
                same, same.empty() || other.empty() ? "" : ";",
                other.empty() ? "" : concat(" of the configuration: ", other));
}

}  // namespace shiftadd::train
