// The weights of a plan as this runtime's kernels take them: packed, laid out, quantised.
#pragma once

#include <vector>

#include "core/tensor.h"
#include "infer/linear.h"
#include "model/plan.h"

namespace shiftadd::infer {

struct Norm {
  Tensor gamma, beta;  // (width)
  double eps = 0;
};

struct Weights {
  /// `tensors`: those of stored_tensors of the network; each is released once it is laid out.
  /// Throws Error (user) naming one that is missing or has another shape or type.
  Weights(const Network& network, const PackSpec& pack, const Plan& plan, NamedTensors tensors);

  std::vector<Linear> matrices;  // by MatrixId
  std::vector<Norm> norms;       // by NormId
  std::vector<Tensor> tables;    // by TableId
};

}  // namespace shiftadd::infer
