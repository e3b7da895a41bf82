// shiftadd-infer --eval: a model on a labelled set.
#pragma once

#include "tools/infer/run.h"

namespace shiftadd::tools {

/// --eval: how often the model is right on a labelled set. Returns the exit status.
int evaluate(const InferOptions& options, Outputs& outputs);

}  // namespace shiftadd::tools
