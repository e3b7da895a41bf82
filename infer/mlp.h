// The two layers of an MLP in a row, on all rows or on a few at a time.
#pragma once

#include "infer/linear.h"

namespace shiftadd::infer {

struct MlpLayers {
  const Linear &fc1, &fc2;
  HiddenActivation activation;

  bool in_integers() const { return fc1.in_integers() && fc2.in_integers(); }
};

/// Memory for what lies between the layers, a row for each token.
struct MlpScratch {
  float* hidden;        // (rows, outputs of fc1)
  float* gated;         // (rows, inputs of fc2), used where these are fewer
  LinearScratch input;  // of the wider layer; `rounded`, where there is need of it, of fc1's input
};

/// y (rows, width) = fc2(activation(fc1(x))) + residual; residual (rows, width) may be y, or null;
/// y may be x where there is none. Where both layers multiply integers, kExpertRows go through both
/// at a time, so that what lies between them stays in the cache.
void run_mlp(const MlpLayers& mlp, const float* x, int64_t rows, float* y, const float* residual,
             const MlpScratch& scratch);

/// y (rows, width) = mlp(tokens), all in integers: row i is that of order[i] of the quantised
/// `tokens`. The scratch's `input` is of fc2's; on the calling thread.
void run_expert(const MlpLayers& mlp, const QuantizedRows& tokens, const int32_t* order,
                int64_t rows, float* y, const MlpScratch& scratch);
inline constexpr int64_t kExpertRows = 64;  // a task of int8_gemm; 192 KiB of 768 floats

}  // namespace shiftadd::infer
