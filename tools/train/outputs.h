// What a training run reads and writes, held against each other before it begins.
#pragma once

#include <string>

#include "train/config.h"

namespace shiftadd::tools {

/// Throws what Outputs::check does for the run, or the stages, of a configuration read from `file`.
/// A stage may read what one before it writes, and a run its own copy of the measured latencies.
void check_outputs(const train::TrainConfig& config, const std::string& file);

}  // namespace shiftadd::tools
