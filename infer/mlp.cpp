// Runs the two layers of an MLP on all rows or, where both are in integers, on a few at a time.
#include "infer/mlp.h"

#include <algorithm>

#include "core/parallel.h"

namespace shiftadd::infer {
namespace {

// What lies between the layers is nobody else's: it is rounded in place.
void run_rows(const MlpLayers& mlp, const float* x, int64_t rows, float* y, const float* residual,
              float* hidden, const LinearScratch& scratch) {
  apply(mlp.fc1, x, rows, hidden, scratch, {.activation = Activation::kGelu});
  apply(mlp.fc2, hidden, rows, y, {scratch.quantized, hidden}, {.residual = residual});
}

}  // namespace

void run_mlp(const MlpLayers& mlp, const float* x, int64_t rows, float* y, const float* residual,
             float* hidden, const LinearScratch& scratch) {
  if (!mlp.in_integers()) return run_rows(mlp, x, rows, y, residual, hidden, scratch);
  const int64_t in = mlp.fc1.inputs(), between = mlp.fc1.outputs(), out = mlp.fc2.outputs();
  const int64_t widest = std::max(in, between);
  parallel_chunks(rows, kExpertRows, [&](int64_t begin, int64_t end) {
    const QuantizedRows own = {scratch.quantized.values + begin * widest,
                               scratch.quantized.scales + begin};
    run_rows(mlp, x + begin * in, end - begin, y + begin * out,
             residual ? residual + begin * out : nullptr, hidden + begin * between, {own});
  });
}

void run_expert(const MlpLayers& mlp, const QuantizedRows& tokens, const int32_t* order,
                int64_t rows, float* y, float* hidden, const QuantizedRows& scratch) {
  apply_quantized(mlp.fc1, tokens, order, rows, hidden, {.activation = Activation::kGelu});
  apply(mlp.fc2, hidden, rows, y, {scratch});
}

}  // namespace shiftadd::infer
