// Fits the tensors of a foreign checkpoint to an architecture, and says what became of each.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/io/weights_file.h"
#include "core/model/model_spec.h"
#include "core/model/name_map.h"
#include "core/model/preprocess.h"

namespace shiftadd {

enum class TensorStatus : uint8_t { kUsed, kRenamed, kReshaped, kMissing, kUnused };
const char* name_of(TensorStatus status);  // "used", ...

struct TensorReport {
  TensorStatus status;
  std::string name;    // in the network; of an unused tensor, in the source
  std::string source;  // in the source; empty when missing
  Shape shape;         // expected by the network; of an unused tensor, its own
  Shape source_shape;
  std::string note;  // why unused or wrong; may be empty
};

struct Conversion {
  std::vector<std::pair<std::string, Tensor>>
      weights;                        // in the order of parameters_of(spec), dtypes as found
  std::vector<TensorReport> report;   // the network's tensors, then the unused ones
  std::string prefix;                 // stripped from every name: "module."
  std::vector<std::string> problems;  // why the weights cannot be used; empty: they can

  std::size_t count(TensorStatus status) const;
};

/// Renames by `map`, strips the common prefix under which most parameters are found, reshapes where
/// only dimensions of 1 differ. Does not throw for missing or misshapen tensors: they are in
/// `problems`, with both shapes. Tensors of blocks the network does not have are a problem, too:
/// the checkpoint is of another one.
Conversion convert_weights(const WeightsFile& file, const ModelSpec& spec, const NameMap& map);

/// What published models of this image size were evaluated with: shorter side to image_size * 256 /
/// 224, bicubic, ImageNet's mean and deviation; no resize for images of up to 64 pixels.
Preprocess default_preprocess(const ModelSpec& spec);

/// One line for each tensor and the counts.
std::string report_text(const Conversion& conversion);
nlohmann::ordered_json report_json(const Conversion& conversion);

}  // namespace shiftadd
