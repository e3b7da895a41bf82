// An MLP of a loaded network.
#pragma once

#include "infer/layer_times.h"
#include "infer/linear.h"
#include "infer/mixture.h"

namespace shiftadd::infer {

struct Mlp {
  Linear fc1, fc2;
  bool in_integers() const { return fc1.in_integers() && fc2.in_integers(); }
};

/// y (rows, width) = fc2(gelu(fc1(x))) + residual; residual (rows, width) may be y, or null. x is
/// overwritten where it is quantised. hidden: (rows, hidden width); room: of (rows, hidden width)
/// codes. Where both layers multiply integers, a few rows go through both at a time, so that what
/// lies between them stays in the cache.
void run_mlp(const Mlp& mlp, float* x, int64_t rows, float* y, const float* residual, float* hidden,
             const QuantizedRoom& room, PartSeconds* times);

/// y (rows, width) = expert(tokens), all in integers: row i is that of order[i] of the quantised
/// `tokens`. hidden (rows, hidden width), room of (rows, hidden width) codes; on the calling
/// thread.
void run_expert(const Mlp& expert, const QuantizedRoom& tokens, const int32_t* order, int64_t rows,
                float* y, float* hidden, const QuantizedRoom& room);
inline constexpr int64_t kExpertRows = 64;  // at a time: a task of int8_gemm; 192 KiB of 768 floats

/// x (rows, width) += the chosen expert's answer to each row of `normed`, both experts in integers:
/// run_mixture's, but that tokens are quantised once and read by index, and a few of an expert's go
/// through both layers and back to their places at a time. tokens: room for (rows, width) codes.
void run_routed_mlp(const Mixture<Mlp>& mlp, const float* normed, int64_t rows, GateKind gate,
                    double shift_share, float* x, float* hidden, const MixtureRoom& mixture,
                    const QuantizedRoom& tokens, const QuantizedRoom& room, const ChoiceSink& sink,
                    PartSeconds* times);

}  // namespace shiftadd::infer
