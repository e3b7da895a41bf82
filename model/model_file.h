// A model file: one safetensors file that holds everything inference needs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "core/preprocess.h"
#include "model/network.h"
#include "model/pack.h"

namespace shiftadd {

/// Weights under their published names (float32 in memory), architecture, class names,
/// preprocessing. In the file's metadata: "shiftadd.format" ("1"), "shiftadd.model" (ModelSpec as
/// JSON), "shiftadd.classes" (JSON array), "shiftadd.class_ids" (JSON array, where known),
/// "shiftadd.preprocess" (JSON). Training checkpoints carry
/// the same keys and further tensors under "optimizer.", "ema." and so on, which load_model
/// ignores. A packed model has "shiftadd.pack" (PackSpec as JSON), one that was converted
/// "shiftadd.names" (the rules of a mapping file).
struct ModelFile {
  ModelSpec spec;
  Preprocess preprocess;
  std::vector<std::string> classes;             // size spec.classes, or empty: unnamed
  std::vector<std::string> class_ids;           // what folders of the classes are called, or empty
  std::string names = {};                       // Translation::names of a foreign one; else ""
  std::optional<PackSpec> pack = std::nullopt;  // a packed model's
  /// in the order of parameters_of(spec), of a packed model stored_tensors(spec, pack)
  NamedTensors weights;
};

/// Throws Error naming what is missing or has another shape: the file, the tensor, both shapes; a
/// file without shiftadd.model says to run shiftadd-convert.
/// A packed model is refused: it has no weights to train, and what it computes is rounded.
ModelFile load_model(const std::string& path);
/// A model file of either kind.
ModelFile load_any_model(const std::string& path);
/// load_model and load_any_model of a file that was read from `path`.
ModelFile model_in(const TensorFile& file, const std::string& path);
ModelFile any_model_in(const TensorFile& file, const std::string& path);
void save_model(const std::string& path, const ModelFile& model);
/// The same network, trained or packed, up to what its head reads: with 0 classes. Throws Error
/// (user) for a distilled network, whose two heads read two tokens.
ModelFile without_head(ModelFile model);
/// Throws Error (user) for a network whose answer to an image depends on the images beside it:
/// codes unit_batch, which can be trained and compared with, but not deployed.
void require_deployable(const ModelSpec& spec);
/// The metadata entries for `model`, for files that hold more than a model (checkpoints).
std::map<std::string, std::string> metadata_of(const ModelFile& model);

}  // namespace shiftadd
