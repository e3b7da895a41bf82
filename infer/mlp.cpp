// Runs the two layers of an MLP on all rows or, where both are in integers, on a few at a time.
#include "infer/mlp.h"

#include <algorithm>

#include "core/parallel.h"

namespace shiftadd::infer {
namespace {

// GELU is part of fc1's product, other activations follow it. Returns what fc2 takes.
Activation fused(const MlpLayers& mlp) {
  return mlp.activation == HiddenActivation::kGelu ? Activation::kGelu : Activation::kNone;
}
float* activated(const MlpLayers& mlp, int64_t rows, const MlpScratch& scratch) {
  if (mlp.activation == HiddenActivation::kGelu) return scratch.hidden;
  const bool gates = mlp.fc1.outputs() != mlp.fc2.inputs();
  float* result = gates ? scratch.gated : scratch.hidden;
  kernels<float>().activation({mlp.activation, rows, mlp.fc2.inputs(), scratch.hidden, result});
  return result;
}

// What lies between the layers is nobody else's: it is rounded in place.
void run_rows(const MlpLayers& mlp, const float* x, int64_t rows, float* y, const float* residual,
              const MlpScratch& scratch) {
  apply(mlp.fc1, x, rows, scratch.hidden, scratch.input, {.activation = fused(mlp)});
  float* between = activated(mlp, rows, scratch);
  apply(mlp.fc2, between, rows, y, {scratch.input.quantized, between}, {.residual = residual});
}

}  // namespace

void run_mlp(const MlpLayers& mlp, const float* x, int64_t rows, float* y, const float* residual,
             const MlpScratch& scratch) {
  if (!mlp.in_integers()) return run_rows(mlp, x, rows, y, residual, scratch);
  const int64_t in = mlp.fc1.inputs(), between = mlp.fc1.outputs(), out = mlp.fc2.outputs();
  const int64_t widest = std::max(in, mlp.fc2.inputs());
  parallel_chunks(rows, kExpertRows, [&](int64_t begin, int64_t end) {
    const QuantizedRows own = {scratch.input.quantized.values + begin * widest,
                               scratch.input.quantized.scales + begin};
    run_rows(mlp, x + begin * in, end - begin, y + begin * out,
             residual ? residual + begin * out : nullptr,
             {scratch.hidden + begin * between, scratch.gated + begin * mlp.fc2.inputs(), {own}});
  });
}

void run_expert(const MlpLayers& mlp, const QuantizedRows& tokens, const int32_t* order,
                int64_t rows, float* y, const MlpScratch& scratch) {
  apply_quantized(mlp.fc1, tokens, order, rows, scratch.hidden, {.activation = fused(mlp)});
  apply(mlp.fc2, activated(mlp, rows, scratch), rows, y, scratch.input);
}

}  // namespace shiftadd::infer
