// The two layers of an MLP in a row, on all rows or on a few at a time.
#pragma once

#include "infer/linear.h"

namespace shiftadd::infer {

struct MlpLayers {
  const Linear &fc1, &fc2;
  bool in_integers() const { return fc1.in_integers() && fc2.in_integers(); }
};

/// y (rows, width) = fc2(gelu(fc1(x))) + residual; residual (rows, width) may be y, or null; y may
/// be x where there is none. hidden (rows, hidden width); scratch of the wider layer; rounded,
/// where there is need of it, of fc1's input. Where both layers multiply integers, kExpertRows go
/// through both at a time, so that what lies between them stays in the cache.
void run_mlp(const MlpLayers& mlp, const float* x, int64_t rows, float* y, const float* residual,
             float* hidden, const LinearScratch& scratch);

/// y (rows, width) = mlp(tokens), all in integers: row i is that of order[i] of the quantised
/// `tokens`. hidden (rows, hidden width), scratch of (rows, hidden width); on the calling thread.
void run_expert(const MlpLayers& mlp, const QuantizedRows& tokens, const int32_t* order,
                int64_t rows, float* y, float* hidden, const QuantizedRows& scratch);
inline constexpr int64_t kExpertRows = 64;  // a task of int8_gemm; 192 KiB of 768 floats

}  // namespace shiftadd::infer
