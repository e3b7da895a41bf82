// Reads sizes and parts off the names and shapes of tensors.
#include "model/detect_spec.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/io/json_text.h"
#include "model/leftovers.h"

namespace shiftadd {
namespace {

constexpr int64_t kUsualHead = 64;  // channels of a head in every published ViT

std::string key_of(const std::string& setting) { return SpecSetting{setting, ""}.key(); }

bool mentions(const std::vector<std::string>& settings, const std::string& key) {
  return std::any_of(settings.begin(), settings.end(),
                     [&](const std::string& setting) { return key_of(setting) == key; });
}

// What the shapes of tensors say: no setting can say otherwise.
constexpr const char* kToldByShapes[] = {
    "patch_size",  "in_channels", "width",      "depth",          "mlp_hidden",   "classes",
    "class_token", "registers",   "patch_bias", "embedding_norm", "distillation", "layer_scale",
    "final_norm",  "fc_norm",     "pre_logits", "projection"};

std::string value_text(const ModelSpec& spec, const std::string& key) {
  const nlohmann::json values = to_json(spec);
  const nlohmann::json& value = values.at(key);
  return value.is_string() ? value.get<std::string>() : json_text(value);
}

// The side of a square of so many tokens; 0: they are none.
int64_t side_of(int64_t tokens) {
  if (tokens < 1) return 0;
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(tokens))));
  return side * side == tokens ? side : 0;
}

class Detector {
 public:
  Detector(const Translation& translation, const std::vector<SpecSetting>& given)
      : translation_(translation), given_(given) {
    for (const TranslatedTensor& tensor : translation.tensors)
      if (tensor.note.empty() && !tensor.is_beside) shapes_.emplace(tensor.name, tensor.shape());
  }

  DetectedSpec run() {
    result_.problems = translation_.problems;
    if (refuse_unsupported()) return std::move(result_);
    for (const std::string& setting : translation_.dialect.spec) set(setting);
    for (const char* name : {"patch_embed.proj.weight", "pos_embed", "blocks.0.attn.qkv.weight",
                             "blocks.0.mlp.fc2.weight"})
      if (!has(name)) missing(name, "a vision transformer has it");
    require_numbers();
    if (!result_.problems.empty()) return std::move(result_);
    read_blocks();
    read_embedding();
    read_head();
    for (const std::string& setting : translation_.told) set(setting);
    take_given();
    read_positions();
    read_heads();
    require_pairs();
    for (const NameMap::Pattern& each : translation_.dialect.needs)
      if (!has(each.text))
        missing(each.text, concat(translation_.dialect.description, " always has it"));
    list_assumed();
    if (source_of("name").empty()) spec().name = usual_name(spec());
    return std::move(result_);
  }

 private:
  bool has(const std::string& name) const { return shapes_.contains(name); }
  bool has_part(const std::string& name) const { return has(name + ".weight"); }
  // 0 where there is no such dimension.
  int64_t dim(const std::string& name, std::size_t axis) const {
    const auto found = shapes_.find(name);
    return found == shapes_.end() || axis >= found->second.size() ? 0 : found->second[axis];
  }
  void problem(const std::string& text) { result_.problems.push_back(text); }
  void missing(const std::string& name, const std::string& why) {
    problem(concat(name, " is missing: ", why));
  }
  void set(const std::string& setting) { spec() = with_setting(spec(), setting); }
  ModelSpec& spec() { return result_.spec; }
  std::string source_of(const std::string& key) const {
    std::string source;
    for (const SpecSetting& each : given_)
      if (key_of(each.setting) == key) source = each.source;
    return source;
  }

  bool refuse_unsupported() {
    for (const TranslatedTensor& tensor : translation_.tensors) {
      if (!tensor.note.empty() || tensor.is_beside || is_parameter_name(tensor.name) ||
          harmless_leftover(tensor.name))
        continue;
      if (const char* part = unsupported_part(tensor.name)) {
        result_.problems = {unsupported_text(tensor.source(), part)};
        return true;
      }
    }
    return false;
  }

  // Sizes are read off the shapes: none of them is 0.
  void require_numbers() {
    for (const auto& [name, shape] : shapes_)
      if (is_parameter_name(name) && element_count(shape) < 1)
        problem(concat(name, " has shape ", shape, ": expected dimensions of at least 1"));
  }

  // What the shapes tell may be said once more, but not otherwise.
  void take_given() {
    for (const SpecSetting& each : given_) {
      const ModelSpec said = with_setting(spec(), each);
      const bool is_told = std::find(std::begin(kToldByShapes), std::end(kToldByShapes),
                                     each.key()) != std::end(kToldByShapes);
      if (is_told && said != spec())
        problem(concat(each.source, ": the tensors tell ", each.key(), " ",
                       value_text(spec(), each.key())));
      else
        spec() = said;
    }
  }

  // Every part of a block must be in all of them.
  void read_blocks() {
    std::map<int64_t, std::set<std::string>> parts;
    std::set<std::string> all;
    for (const auto& [name, shape] : shapes_) {
      if (!name.starts_with("blocks.") || !is_parameter_name(name)) continue;
      const std::size_t dot = name.find('.', 7);
      if (dot > 7 + 9) continue;
      const std::string part = name.substr(dot + 1);
      parts[std::stoll(name.substr(7))].insert(part);
      all.insert(part);
    }
    spec().depth = parts.rbegin()->first + 1;
    if (spec().depth > static_cast<int64_t>(shapes_.size()))
      return problem(concat("blocks.", spec().depth - 1, " is there, most before it are not"));
    for (int64_t i = 0; i < spec().depth; ++i)
      for (const std::string& part : all)
        if (!parts[i].contains(part))
          missing(concat("blocks.", i, ".", part), "other blocks have it");
    spec().qkv_bias = all.contains("attn.qkv.bias") ? QkvBias::kAll : QkvBias::kNone;
    spec().layer_scale = all.contains("ls1.gamma") || all.contains("ls2.gamma");
    spec().mlp_hidden = dim("blocks.0.mlp.fc2.weight", 1);
    const int64_t rows = dim("blocks.0.mlp.fc1.weight", 0);
    if (rows && rows == 2 * spec().mlp_hidden) spec().activation = HiddenActivation::kSwiGlu;
  }

  void read_embedding() {
    const std::string patches = "patch_embed.proj.weight";
    if (shapes_.at(patches).size() != 4 || dim(patches, 2) != dim(patches, 3))
      return problem(concat(patches, " has shape ", shapes_.at(patches),
                            ": expected (width, channels, patch, patch), of square patches"));
    spec().width = dim(patches, 0);
    spec().in_channels = dim(patches, 1);
    spec().patch_size = dim(patches, 2);
    spec().patch_bias = has("patch_embed.proj.bias");
    spec().class_token = has("cls_token");
    spec().distillation = has("dist_token") || has_part("head_dist");
    const int64_t rows = has("reg_token") ? element_count(shapes_.at("reg_token")) : 0;
    if (spec().width) spec().registers = rows / spec().width;
    spec().embedding_norm = has_part("norm_pre");
  }

  void read_head() {
    spec().final_norm = has_part("norm");
    spec().fc_norm = has_part("fc_norm");
    spec().pre_logits = dim("pre_logits.fc.weight", 0);
    spec().projection = dim("projection.weight", 0);
    spec().classes = dim("head.weight", 0);
    const int64_t read = dim("head.weight", 1);
    const bool is_plain = !spec().pre_logits && !spec().projection;
    if (spec().fc_norm || (!spec().class_token && spec().classes == 0))
      spec().pooling = Pooling::kMean;
    else if (is_plain && read == 2 * spec().width)
      spec().pooling = Pooling::kClassTokenAndMean;
  }

  void read_positions() {
    const Shape& shape = shapes_.at("pos_embed");
    const int64_t rows = spec().width ? element_count(shape) / spec().width : 0;
    const int64_t tokens = int64_t{spec().class_token} + int64_t{spec().distillation};
    struct Candidate {
      PositionScope scope;
      int64_t before;
    };
    std::vector<Candidate> candidates = {{PositionScope::kNoRegisters, tokens},
                                         {PositionScope::kPatches, 0},
                                         {PositionScope::kAll, tokens + spec().registers}};
    if (spec().registers == 0) candidates[0].scope = PositionScope::kAll;
    const bool is_given = mentions(translation_.told, "positions") ||
                          mentions(translation_.dialect.spec, "positions") ||
                          !source_of("positions").empty();
    for (const Candidate& each : candidates) {
      if (is_given && each.scope != spec().positions) continue;
      const bool is_sized = !source_of("image_size").empty();
      const int64_t side = side_of(rows - each.before);
      if (is_sized ? spec().grid().count() != rows - each.before : side == 0) continue;
      spec().positions = each.scope;
      if (!is_sized) spec().image_size = side * spec().patch_size;
      require_class_token();
      return;
    }
    const std::string size = source_of("image_size");
    const std::string expected =
        size.empty() ? "expected those of a square grid. Is a token missing? Of images that are no "
                       "squares: --set image_size=[HEIGHT,WIDTH]"
                     : concat("expected those of ", spec().grid(), " patches, as ", size, " says");
    problem(concat("pos_embed has ", rows, " positions, with ", tokens,
                   " class and distillation tokens and ", spec().registers,
                   " registers in front of the patches: ", expected));
  }
  // A network without a class token tells it: it has a mean's norm.
  void require_class_token() {
    if (!spec().class_token && !spec().fc_norm && source_of("class_token").empty() &&
        source_of("pooling").empty())
      missing("cls_token",
              "only a network whose mean has a norm (fc_norm) may do without it; --set "
              "class_token=false --set pooling=mean says that this one does");
  }

  void read_heads() {
    if (!source_of("heads").empty()) return;
    if (spec().width % kUsualHead == 0) {
      spec().heads = spec().width / kUsualHead;
      return;
    }
    spec().heads = 1;
    problem(concat("heads cannot be told: width ", spec().width, " is no multiple of ", kUsualHead,
                   ", the usual width of a head. Say how many: --set heads=N"));
  }

  // A weight comes with its bias, and what is scaled is scaled in both places.
  void require_pairs() {
    for (const auto& [name, shape] : shapes_) {
      if (!is_parameter_name(name)) continue;
      if (name.ends_with(".bias")) {
        const std::string weight = name.substr(0, name.size() - 5) + ".weight";
        if (!has(weight)) missing(weight, concat(name, " is there"));
      }
      if (name.ends_with(".weight") && name != "patch_embed.proj.weight" &&
          name != "projection.weight" && !name.ends_with(".attn.qkv.weight")) {
        const std::string bias = name.substr(0, name.size() - 7) + ".bias";
        if (!has(bias)) missing(bias, concat(name, " is there"));
      }
    }
  }

  // What nobody would notice if it were wrong: known where it was given, else assumed.
  void list_assumed() {
    const std::string publisher = translation_.dialect.description;
    const auto add = [&](const std::string& key, const std::string& text, const std::string& why) {
      const std::string source = source_of(key);
      const bool is_known = !source.empty();
      std::vector<std::string>& lines = is_known ? result_.known : result_.assumed;
      lines.push_back(concat(key, " ", text, " (", is_known ? source : why, ")"));
    };
    const auto add_usual = [&](const std::string& key) {
      add(key, value_text(spec(), key),
          mentions(translation_.dialect.spec, key) ? publisher : "the usual one");
    };
    add("heads", concat(spec().heads), "width / 64");
    add_usual("norm_eps");
    if (spec().activation != HiddenActivation::kSwiGlu) add_usual("activation");
    const bool is_scaled = spec().attention_scale > 0;
    add("attention_scale",
        is_scaled ? value_text(spec(), "attention_scale") : "1 / sqrt(width / heads)",
        "the usual one");
    if (spec().class_token && spec().pooling != Pooling::kClassTokenAndMean &&
        (!spec().fc_norm || spec().final_norm))
      add("pooling", value_text(spec(), "pooling"),
          spec().fc_norm ? "an fc_norm is usually the mean's" : "the usual one");
    add("post_norm", value_text(spec(), "post_norm"), "norms stand before attention and MLP");
    add_usual("position_resize");
    list_absent();
  }

  // Parts that may be absent without a trace.
  void list_absent() {
    const auto none = [&](bool is_there, const char* part, const char* tensor) {
      if (!is_there) result_.known.push_back(concat(part, " none (no ", tensor, ")"));
    };
    none(spec().class_token, "class_token", "cls_token");
    none(spec().registers > 0, "registers", "reg_token");
    none(spec().patch_bias, "patch_bias", "patch_embed.proj.bias");
    none(spec().qkv_bias != QkvBias::kNone, "qkv_bias", "blocks.N.attn.qkv.bias");
    none(spec().final_norm, "final_norm", "norm.weight");
    if (spec().classes == 0)
      result_.assumed.push_back("no head: the answer is features (no head.* tensor)");
  }

  const Translation& translation_;
  const std::vector<SpecSetting>& given_;
  std::map<std::string, Shape> shapes_;
  DetectedSpec result_;
};

}  // namespace

std::string usual_name(const ModelSpec& spec) {
  for (const std::string& name : spec_names()) {
    ModelSpec known = named_spec(name);
    known.position_resize = spec.position_resize;
    known.name = spec.name;
    if (known == spec) return name;
  }
  return concat("vit_width", spec.width, "_depth", spec.depth, "_patch", spec.patch_size, "_",
                grid_text(spec.image_size));
}

DetectedSpec detect_spec(const Translation& translation, const std::vector<SpecSetting>& given) {
  DetectedSpec detected = Detector(translation, given).run();
  if (!detected.problems.empty()) return detected;
  try {
    validate(detected.spec);
  } catch (const Error& error) {
    detected.problems.push_back(error.what());
  }
  return detected;
}

}  // namespace shiftadd
