// Products and attention by dot products of int8 numbers.
//
// What a packed network's linear layers run on: activations are int8 with a scale per token,
// weights are int8 with a scale per row: a Shift layer's {0, +-1, +-2 .. +-64} with a power
// of two, or any integers of +-127 with the scale of their row. Sums are exact int32.
#pragma once

#include <cstdint>

#include "core/kernels/attention.h"
#include "core/kernels/product.h"

namespace shiftadd {

/// Where an int8 matrix lies for dot products: panels of 16 outputs, an even number of them; a
/// panel is groups of 64 inputs, 1 KiB each: byte [q][r][i] of group g of panel P is the weight of
/// output 16 P + r and input 64 g + 4 q + i, plus 128. What lies beyond the matrix is 128.
inline constexpr int64_t kDotPanel = 16, kDotGroup = 64;
inline constexpr int kDotOffset = 128;
inline int64_t dot_groups(int64_t inputs) { return (inputs + kDotGroup - 1) / kDotGroup; }
inline int64_t dot_panels(int64_t outputs) {
  return (outputs + 2 * kDotPanel - 1) / (2 * kDotPanel) * 2;
}
inline int64_t dot_bytes(int64_t outputs, int64_t inputs) {
  return dot_panels(outputs) * dot_groups(inputs) * kDotPanel * kDotGroup;
}

/// Inputs up to which no int32 sum of int8 products overflows.
inline constexpr int64_t kMostDotInputs = 1 << 16;

/// Bytes of a row of 4-bit codes as a model file stores them: two inputs a byte, the low nibble
/// first, padded to 64 bytes. A nibble: 8 when negative, plus 1 + k for a magnitude of 2^k, or 0.
inline int64_t nibble_stride(int64_t inputs) { return (inputs + 127) / 128 * 64; }

/// Nibbles, as stored, to panels.
struct ExpandNibblesArgs {
  int64_t outputs, inputs;
  const uint8_t* nibbles;  // (outputs, nibble_stride(inputs))
  uint8_t* panels;         // dot_bytes(outputs, inputs)
};

/// y[i, r] = act(row_scale_r scale_t sum_j x[t, j] weight[r, j] + bias_r) + residual[i, r], t =
/// rows[i] or i: the sum in int32, times its row scale, then the scale and bias in one rounding.
/// inputs <= kMostDotInputs. For sums below 2^24 these are the bits of the float product: gemm with
/// row_scale, on QuantizeTokensArgs::integers and weights that are row scale times integer. An
/// element's bits depend on its operands alone.
template <class T>
struct Int8GemmArgs {
  int64_t tokens, outputs, inputs;
  const int8_t* x;  // tokens, or as many rows as `rows` refers to; (.., inputs)
  const T* scales;  // of the rows of x
  const uint8_t* panels;
  const T* row_scales;            // (outputs)
  const int32_t* rows = nullptr;  // (tokens), or null
  const T* bias = nullptr;        // (outputs), or null
  Activation activation = Activation::kNone;
  const T* residual = nullptr;  // (tokens, outputs), may be y; or null
  T* y;                         // (tokens, outputs)
};

inline constexpr int64_t kMostInt8Keys = 1024;
/// Softmax attention in integers: out = softmax(q k^T scale) v, every row of q and k in int8 with
/// its own scale (max(max |x|, 1e-12) / 127) where scores.codes is kNone, else scores as attention
/// on codes has them; v in int8 with one scale for
/// each image and head; a row's probabilities as whole numbers of its largest's 16383rd. keys <=
/// kMostInt8Keys, so that no sum overflows; |out| differs from that of exact probabilities by at
/// most keys / 16383 of the largest |v|.
template <class T>
struct Int8AttentionArgs {
  AttentionShape shape;
  ScoreArgs<T> scores;
  const T *q, *k, *v;
  T* out;
};

template <class T>
struct Int8Kernels {
  void (*expand_nibbles)(const ExpandNibblesArgs&);
  void (*int8_gemm)(const Int8GemmArgs<T>&);
  /// The values of linear_angular with sign codes and int8 v, bit for bit: less work than
  /// add_attention where a machine has dot products.
  void (*dot_attention)(const LinearAngularArgs<T>&);
  /// The values of window_attention with int8 v, bit for bit where the sums of both are exact
  /// (WindowAttentionArgs).
  void (*dot_window_attention)(const WindowAttentionArgs<T>&);
  void (*int8_attention)(const Int8AttentionArgs<T>&);
};

}  // namespace shiftadd
