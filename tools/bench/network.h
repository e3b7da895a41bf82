// The network that a word on the command line stands for: a model file, or an architecture.
#pragma once

#include <string>

#include "model/model_file.h"

namespace shiftadd::tools {

/// The architecture of a name, a JSON file or a model file.
ModelSpec open_spec(const std::string& name);

/// A model file, or random weights for the name or JSON of an architecture.
ModelFile open_or_make(const std::string& name);

/// Weights as a trained network's in size: unit-gain matrices, norms of 1.
ModelFile random_model(const ModelSpec& spec);

}  // namespace shiftadd::tools
