// A network's weights as its publisher names and shapes them.
#pragma once

#include <string>

#include "core/tensor.h"
#include "model/model_spec.h"

namespace shiftadd {

/// `weights`, those of parameters_of(spec), under the names of a dialect of known_dialects(), or
/// "origin": those that `names` (ModelFile::names) says they had. Bytes stay as they are; a zero
/// bias that the publisher leaves out is dropped. Throws Error (user) for a network that these
/// names cannot describe.
NamedTensors under_names_of(const std::string& to, const std::string& names, const ModelSpec& spec,
                            const NamedTensors& weights);

}  // namespace shiftadd
