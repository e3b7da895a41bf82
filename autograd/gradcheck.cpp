// Moves each element of each input a step up and down, and compares the slope of the output with
// the gradient that backward gives.
#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"

namespace shiftadd::autograd {
namespace {

// Returns sum(function(inputs) * cotangent) without recording.
double weighted_output(const std::function<Variable(const std::vector<Variable>&)>& function,
                       const std::vector<Variable>& inputs, const Tensor& cotangent) {
  const NoGradGuard guard;
  const Tensor out = function(inputs).value();
  double total = 0;
  for (int64_t i = 0; i < out.numel(); ++i)
    total += out.data<double>()[i] * cotangent.data<double>()[i];
  return total;
}

}  // namespace

Tensor random_normal(Shape shape, uint64_t seed) {
  Tensor result(std::move(shape), DType::kF64);
  Random random(seed, 0x6c);
  for (double& x : result.span<double>()) x = random.normal();
  return result;
}

std::string gradcheck(const std::function<Variable(const std::vector<Variable>&)>& function,
                      const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  std::vector<Variable> leaves;
  for (const Tensor& input : inputs) {
    if (input.dtype() != DType::kF64)
      throw user_error("[gradcheck] inputs must be f64, one is ", input.dtype());
    leaves.emplace_back(input.clone(), true);
  }
  const Variable output = function(leaves);
  const Tensor cotangent = random_normal(output.shape(), options.seed);
  output.backward(cotangent);
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    const Tensor& value = leaves[k].value();
    const Tensor& analytic = leaves[k].grad();
    std::vector<double> numeric(value.numel());
    double largest = 0;
    for (int64_t i = 0; i < value.numel(); ++i) {
      double& x = value.data<double>()[i];
      const double before = x;
      x = before + options.step;
      const double above = weighted_output(function, leaves, cotangent);
      x = before - options.step;
      const double below = weighted_output(function, leaves, cotangent);
      x = before;
      numeric[i] = (above - below) / (2 * options.step);
      largest = std::max(largest, std::abs(numeric[i]));
    }
    for (int64_t i = 0; i < value.numel(); ++i) {
      const double given = analytic.defined() ? analytic.data<double>()[i] : 0;
      // The condition is written so that a NaN fails.
      if (!(std::abs(given - numeric[i]) <= options.absolute + options.relative * largest))
        return concat("input ", k, " ", value.shape(), ", element ", i, ": backward gives ", given,
                      ", differences give ", numeric[i]);
    }
  }
  return "";
}

}  // namespace shiftadd::autograd
