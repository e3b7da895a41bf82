// Gradients checked against central differences, in float64.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace shiftadd::autograd {

struct GradcheckOptions {
  double step =
      1e-5;  // error of a central difference: step^2 f''' / 6 + rounding / step, about 1e-10 here
  double relative = 1e-6;  // of the largest gradient of an input
  double absolute = 1e-8;
  uint64_t seed = 1;  // of the random cotangent
};

/// Runs `function` on float64 leaves made of `inputs`, sends a random cotangent back, and compares
/// every element's gradient with central differences. Returns an empty string, or which input and
/// element is wrong, with both values. Every input must reach the output (an undefined gradient
/// counts as zero).
std::string gradcheck(const std::function<Variable(const std::vector<Variable>&)>& function,
                      const std::vector<Tensor>& inputs, const GradcheckOptions& options = {});

/// A float64 tensor of standard normal numbers, for gradient checks.
Tensor random_normal(Shape shape, uint64_t seed);

}  // namespace shiftadd::autograd
