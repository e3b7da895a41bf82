// Reads and writes model files: weights, architecture, class names and preprocessing.
#include "model/model_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/config/node.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/torch_file.h"

namespace shiftadd {
namespace {

constexpr const char* kFormat = "1";
constexpr int kMostProblemsShown = 8;  // a file of another architecture has hundreds

std::vector<std::string> names_under(const TensorFile& file, const char* key, int64_t expected) {
  std::vector<std::string> names;
  const auto entry = file.metadata.find(key);
  if (entry == file.metadata.end()) return names;
  const ConfigNode list = parse_config_node(entry->second, key);
  if (list.kind != ConfigNode::Kind::kArray) throw user_error(key, ": expected an array of names");
  for (const ConfigNode& name : list.items) {
    if (name.kind != ConfigNode::Kind::kString) throw user_error(key, ": expected only strings");
    names.push_back(name.text);
  }
  if (!names.empty() && static_cast<int64_t>(names.size()) != expected)
    throw user_error(key, " has ", names.size(), " names, the network ", expected, " classes");
  return names;
}

// A NaN or infinity would make every answer one.
void require_finite(const std::string& name, const Tensor& values) {
  if (const int64_t bad = count_not_finite(values))
    throw user_error(name, " has ", bad, " values that are not finite: training had diverged");
}

struct Wanted {
  std::string name;
  Shape shape;
  std::optional<DType> dtype;  // else any floating one
};

std::vector<Wanted> wanted_tensors(const ModelSpec& spec, const std::optional<PackSpec>& pack) {
  std::vector<Wanted> wanted;
  if (pack)
    for (const StoredTensor& each : stored_tensors(spec, *pack))
      wanted.push_back({each.name, each.shape, each.dtype});
  else
    for (const Parameter& each : parameters_of(spec))
      wanted.push_back({each.name, each.shape, std::nullopt});
  return wanted;
}

// The tensors of `model` in order; throws Error listing each that is missing or does not fit.
NamedTensors select_weights(const ModelFile& model, const NamedTensors& tensors,
                            const std::map<std::string, std::string>& unread = {}) {
  const ModelSpec& spec = model.spec;
  std::map<std::string, const Tensor*> by_name;
  for (const auto& [name, tensor] : tensors) by_name.emplace(name, &tensor);
  NamedTensors weights;
  std::string problems;
  int count = 0;
  const auto problem = [&](const std::string& text) {
    if (++count <= kMostProblemsShown) problems += "\n  " + text;
  };
  for (const Wanted& wanted : wanted_tensors(spec, model.pack)) {
    const auto found = by_name.find(wanted.name);
    if (found == by_name.end()) {
      const auto skipped = unread.find(wanted.name);
      problem(skipped == unread.end()
                  ? concat(wanted.name, " is missing: expected shape ", wanted.shape)
                  : concat(wanted.name, " has dtype ", skipped->second, ", which is not read"));
      continue;
    }
    const Tensor& tensor = *found->second;
    if (tensor.shape() != wanted.shape) {
      problem(concat(wanted.name, " has shape ", tensor.shape(), ": expected ", wanted.shape));
    } else if (wanted.dtype ? tensor.dtype() != *wanted.dtype : !is_floating(tensor.dtype())) {
      problem(concat(wanted.name, " has dtype ", tensor.dtype(), ": expected ",
                     wanted.dtype ? name_of(*wanted.dtype) : "a floating one"));
    } else {
      weights.emplace_back(wanted.name, tensor);
    }
  }
  if (count > kMostProblemsShown)
    problems += concat("\n  and ", count - kMostProblemsShown, " more");
  if (count)
    throw user_error("the weights do not fit the architecture '", spec.name, "' (width ",
                     spec.width, ", depth ", spec.depth, ", image ", spec.image_size, ", patch ",
                     spec.patch_size, ", ", spec.classes, " classes):", problems);
  return weights;
}

ModelFile model_from(const TensorFile& file) {
  const auto format = file.metadata.find("shiftadd.format");
  if (format == file.metadata.end() || !file.metadata.contains("shiftadd.model"))
    throw user_error(
        "holds no shiftadd.model: not a model file of this program; convert it with "
        "shiftadd-convert IN --arch NAME --out MODEL.safetensors");
  if (format->second != kFormat)
    throw user_error("has format '", format->second.substr(0, 40), "', this program reads '",
                     kFormat, "': it was written by a newer version");
  ModelFile model;
  model.spec = parse_model_spec(file.metadata.at("shiftadd.model"), "shiftadd.model");
  model.classes = names_under(file, "shiftadd.classes", model.spec.classes);
  model.class_ids = names_under(file, "shiftadd.class_ids", model.spec.classes);
  const auto preprocess = file.metadata.find("shiftadd.preprocess");
  if (preprocess != file.metadata.end())
    model.preprocess = parse_preprocess(preprocess->second, preprocess->first);
  const auto names = file.metadata.find("shiftadd.names");
  if (names != file.metadata.end()) model.names = names->second;
  // Every parameter takes room in the file: a spec that asks for more blocks than there are tensors
  // is not worth a list of its parameters.
  if (model.spec.depth > static_cast<int64_t>(file.tensors.size()))
    throw user_error("shiftadd.model has depth ", model.spec.depth, ", the file only ",
                     file.tensors.size(), " tensors");
  const auto pack = file.metadata.find("shiftadd.pack");
  if (pack != file.metadata.end()) model.pack = parse_pack_spec(pack->second, pack->first);
  model.weights = select_weights(model, file.tensors, file.unread);
  return model;
}

ModelFile trainable(ModelFile model, const std::string& path) {
  if (model.pack)
    throw user_error(path,
                     ": a packed model, which can only be run (shiftadd-infer): expected the "
                     "model file it was packed from");
  return model;
}

}  // namespace

ModelFile any_model_in(const TensorFile& file, const std::string& path) {
  try {
    ModelFile model = model_from(file);
    for (auto& [name, tensor] : model.weights) {
      if (!model.pack) tensor = tensor.to(DType::kF32);
      if (is_floating(tensor.dtype())) require_finite(name, tensor);
    }
    return model;
  } catch (const Error& problem) {
    throw Error(problem.kind(), path + ": " + problem.what());
  }
}

ModelFile load_any_model(const std::string& path) {
  const MappedFile content = map_file(path);
  if (looks_like_torch(content.data, content.size))
    throw user_error(path, ": a PyTorch checkpoint, not a model file: convert it with ",
                     "shiftadd-convert IN --arch NAME --out MODEL.safetensors");
  return any_model_in(read_safetensors(path), path);
}

ModelFile load_model(const std::string& path) { return trainable(load_any_model(path), path); }

ModelFile model_in(const TensorFile& file, const std::string& path) {
  return trainable(any_model_in(file, path), path);
}

void save_model(const std::string& path, const ModelFile& model) {
  TensorFile file;
  try {
    validate(model.spec);
    file.tensors = select_weights(model, model.weights);
  } catch (const Error& problem) {
    throw Error(problem.kind(), path + ": cannot be written: " + problem.what());
  }
  file.metadata = metadata_of(model);
  write_safetensors(path, file);
}

ModelFile without_head(ModelFile model) {
  if (model.spec.distillation)
    throw user_error("'", model.spec.name, "' is distilled: its two heads read two tokens, and ",
                     "neither alone is its features");
  model.spec.classes = 0;
  model.classes.clear();
  model.class_ids.clear();
  model.weights = select_weights(model, model.weights);
  return model;
}

std::map<std::string, std::string> metadata_of(const ModelFile& model) {
  if (!model.classes.empty() && static_cast<int64_t>(model.classes.size()) != model.spec.classes)
    throw user_error("[model] ", model.classes.size(), " class names for a network of ",
                     model.spec.classes, " classes");
  std::map<std::string, std::string> metadata = {
      {"shiftadd.format", kFormat},
      {"shiftadd.model", json_text(to_json(model.spec))},
      {"shiftadd.classes", json_text(nlohmann::json(model.classes))},
      {"shiftadd.preprocess", json_text(to_json(model.preprocess))}};
  if (!model.names.empty()) metadata["shiftadd.names"] = model.names;
  if (model.pack) metadata["shiftadd.pack"] = json_text(to_json(*model.pack));
  if (!model.class_ids.empty())
    metadata["shiftadd.class_ids"] = json_text(nlohmann::json(model.class_ids));
  return metadata;
}

void require_deployable(const ModelSpec& spec) {
  const auto& blocks = spec.shift_add.blocks;
  if (spec.shift_add.codes == Codes::kUnitBatch &&
      std::any_of(blocks.begin(), blocks.end(), [](const BlockKinds& block) {
        return block.attention == AttentionKind::kLinearAdd;
      }))
    throw user_error("[model] '", spec.name,
                     "' has codes unit_batch, whose threshold is a mean over the whole batch: an "
                     "image's answer would depend on its neighbours; train with codes sign or "
                     "unit_head");
}

}  // namespace shiftadd
