// shiftadd-infer IMAGE...: predictions, and the picture of one image's routing.
#pragma once

#include "tools/infer/run.h"

namespace shiftadd::tools {

/// Predictions of the images named on the command line. Returns the exit status.
int classify(const InferOptions& options, Outputs& outputs);

}  // namespace shiftadd::tools
