// shiftadd-infer --features: what the head reads of each image.
#pragma once

#include "tools/infer/run.h"

namespace shiftadd::tools {

/// Prints them: a line "FILE<TAB>numbers" an image, or a JSON array of {"file": ..., "features":
/// [...]}, each number as the shortest text that reads back to the same float32. Returns the exit
/// status.
int print_features(const InferOptions& options, Outputs& outputs);

}  // namespace shiftadd::tools
