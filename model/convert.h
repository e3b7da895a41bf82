// Fits the tensors of a foreign checkpoint to an architecture, and says what became of each.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/io/weights_file.h"
#include "core/preprocess.h"
#include "model/network.h"
#include "model/translate.h"

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
  NamedTensors weights;               // in the order of parameters_of(network), dtypes as found
  std::vector<TensorReport> report;   // the network's tensors, then the unused ones
  std::string prefix;                 // stripped from every name: "module."
  std::string dialect;                // whose names the file has
  std::string names;                  // Translation::names
  std::vector<std::string> problems;  // why the weights cannot be used; empty: they can

  std::size_t count(TensorStatus status) const;
};

/// Fits tensors under our names to a network, reshaped where only dimensions of 1 differ. Does not
/// throw for missing or misshapen tensors: they are in `problems`, with both shapes. So is a tensor
/// that is left over and neither ignored, nor part of another copy of the network, nor outside of
/// --prefix, nor on the list of harmless_leftover, nor of a type that is not read.
Conversion fit_weights(const WeightsFile& file, const Translation& translation,
                       const Network& network);
/// translate() for this network, and fit_weights().
Conversion convert_weights(const WeightsFile& file, const Network& network,
                           const std::vector<Dialect>& dialects = {},
                           const ConvertOptions& options = {});
Conversion convert_weights(const WeightsFile& file, const ModelSpec& spec,
                           const std::vector<Dialect>& dialects = {},
                           const ConvertOptions& options = {});

/// What published models of this image size were evaluated with: shorter side to image_size / share
/// (of its longer side), of which the crop is taken; no resize for images of up to 64 pixels;
/// ImageNet's colours or, of a network for gray images, the means of these.
Preprocess default_preprocess(const ModelSpec& spec, double share = 0.875);
/// The same with the share, the filter and the colours of a publisher; where it squashes images, of
/// any size, they are resized to the crop.
Preprocess preprocess_of(const ModelSpec& spec, const Dialect& dialect);

/// One line for each tensor and the counts.
std::string report_text(const Conversion& conversion);
nlohmann::ordered_json report_json(const Conversion& conversion);

}  // namespace shiftadd
