// Attention: softmax, and the two forms of ShiftAddViT (You et al. 2023) whose queries and keys are
// binary codes.
#pragma once

#include <cstdint>

namespace shiftadd {

/// out = softmax(q k^T scale) v for each image and head, the N x M scores never kept beyond one
/// head. Strides in elements: element (b, n, h, j) of q is q[b*q_batch + n*q_row + h*q_head + j];
/// likewise k, v, out. So a fused qkv tensor (B, N, 3, H, d) is read in place. scale > 0. A row of
/// q or k is code_dim numbers, one of v or out head_dim.
struct AttentionShape {
  int64_t batch, heads, queries, keys, code_dim, head_dim;
  int64_t q_batch, q_row, q_head;
  int64_t k_batch, k_row, k_head;
  int64_t v_batch, v_row, v_head;
  int64_t o_batch, o_row, o_head;
};
template <class T>
struct AttentionArgs {
  AttentionShape shape;
  double scale;
  const T *q, *k, *v;
  T* out;
  T* log_sum_exp;  // (B, H, queries), or null: what backward needs to recompute the scores
};
/// dq, dk, dv have the strides of q, k, v and are assigned.
template <class T>
struct AttentionBackwardArgs {
  AttentionShape shape;
  double scale;
  const T *q, *k, *v, *out, *log_sum_exp, *dout;
  T *dq, *dk, *dv;
};

/// What stands for a row x of q or k: x^ = x / sqrt(sum x^2 + 1e-12) or binary codes of it, each
/// with its straight-through estimator. A gradient through x^ goes on through the normalisation.
///   kNone       x^                                       exact gradient
///   kSign       -1 where x < 0, else +1                  passes where |x| <= 1
///   kUnitHead   1[x^ > mean of x^ over the tokens and    passes where 0 <= x^ <= 1
///               channels of this image and head]
///   kUnitBatch  1[x^ > one mean over the whole batch]    passes where 0 <= x^ <= 1
///   kBipolar2   two bits: level(x) / sqrt(5), the level  passes times 2 / (t sqrt(5)), t =
///               one of -3, -1, 1, 3 as x lies below -t,  kBipolarStep, where |x| <= 1.5 t
///               below 0, below t, or not
enum class Codes : uint8_t { kNone, kSign, kUnitHead, kUnitBatch, kBipolar2 };

/// Codes of 0 and 1, told by a mean.
constexpr bool is_unit(Codes codes) {
  return codes == Codes::kUnitHead || codes == Codes::kUnitBatch;
}
/// Codes that are whole numbers times a magnitude: signs and levels.
constexpr bool is_whole(Codes codes) { return codes == Codes::kSign || codes == Codes::kBipolar2; }

/// Near the best step for two bits of normal values with the root mean square that surgery gives q
/// and k.
inline constexpr float kBipolarStep = 0.7f, kBipolarEdge = 3 * (kBipolarStep / 2);
/// The mean square of four levels: what a product of two bipolar2 codes is divided by.
inline constexpr int kBipolarSquare = 5;
/// The level of x: -3, -1, 1 or 3.
template <class T>
constexpr int level_of(T x) {
  if (x < 0) return x < -T(kBipolarStep) ? -3 : -1;
  return x < T(kBipolarStep) ? 1 : 3;
}

/// What softmax multiplies q k^T by: `given`, or, where that is 0, 1 / sqrt(width of a row of q).
inline double score_scale(double given, int64_t width) {
  return given > 0 ? given : 1 / __builtin_sqrt(static_cast<double>(width));
}

/// Patches on a raster of grid_h x grid_w, the tokens from `first` on.
struct PatchGrid {
  int64_t grid_h = 0, grid_w = 0, first = 0;

  int64_t tokens() const { return first + grid_h * grid_w; }
  /// The most keys that the window of a patch has.
  int64_t widest_window() const { return first + 9; }
  /// How many keys the window of token `query` has: all, of a token before the patches.
  int64_t window_size(int64_t query) const {
    if (query < first) return tokens();
    int64_t size = 0;
    for_window(query, [&size](int64_t) { ++size; });
    return size;
  }
  /// body(key), ascending, for each key in the window of token `query`, a patch.
  template <class Body>
  void for_window(int64_t query, Body body) const {
    for (int64_t key = 0; key < first; ++key) body(key);
    const int64_t y = (query - first) / grid_w, x = (query - first) % grid_w;
    for (int64_t row = y > 0 ? y - 1 : 0; row < grid_h && row <= y + 1; ++row)
      for (int64_t column = x > 0 ? x - 1 : 0; column < grid_w && column <= x + 1; ++column)
        body(first + row * grid_w + column);
  }
};

/// A head's learned temperature counts at least so much, so that it stays positive.
inline constexpr float kLeastTemperature = 0x1p-10f;

/// kInt8: v becomes s round(v / s), half to even, with one s = max(max |v|, 1e-12) / 127 for each
/// image and head; the gradient passes unchanged.
enum class ValueFormat : uint8_t { kFloat, kInt8 };

/// A depthwise filter of odd sizes, at most kMaxLocalKernel, for each head, zero padding keeps the
/// size: the tokens from `first` on form a grid_h x grid_w raster; those before it stay outside
/// and get nothing. Along the token axis the grid is 1 x N and the filter 1 x taps.
inline constexpr int64_t kMaxLocalKernel = 9;
struct LocalShape {
  int64_t kernel_h = 0, kernel_w = 0, grid_h = 0, grid_w = 0, first = 0;
};

/// Codes of x (B, N, heads, head_dim), every row of head_dim numbers on its own; y alike. Signs,
/// and levels / sqrt(5), are divided by sqrt(head_dim). thresholds (B, heads): the means that unit
/// codes compare with, written by the forward kernel (T* null for other codes).
template <class T>
struct CodesArgs {
  int64_t batch, tokens, heads, head_dim;
  Codes codes;
  const T* x;
  T* thresholds;
  T* y;
};
template <class T>
struct CodesBackwardArgs {  // dx may equal dy
  int64_t batch, tokens, heads, head_dim;
  Codes codes;
  const T *x, *dy;
  T* dx;
};

/// Linear-angular attention (You et al. 2023, Castling-ViT; arXiv 2211.10526), for each image and
/// head, v in its format, token n < queries:
///   a = v_n / 2 + (1/pi) q_n (k^T v)       q, k as codes; sign codes divided by sqrt(code_dim)
///   out_n = a / sqrt(sum a^2 + 1e-12) + local filter of v at n
/// q has `keys` rows too (unit codes take their mean over all of them) and query n is token n.
/// With sign codes and int8 v both products are sums of integers: exact while
/// 127 keys code_dim < 2^24.
template <class T>
struct LinearAngularArgs {
  AttentionShape shape;
  Codes codes;
  ValueFormat value;
  LocalShape local;
  const T *q, *k, *v;
  const T* local_weight;  // (heads, kernel_h, kernel_w), or null
  T* thresholds;          // (2, B, heads), q's then k's: written; null unless unit codes
  T* out;
};
/// dq (all `keys` rows; zero beyond the queries), dk, dv have the strides of q, k, v and are
/// assigned.
template <class T>
struct LinearAngularBackwardArgs {
  AttentionShape shape;
  Codes codes;
  ValueFormat value;
  LocalShape local;
  const T *q, *k, *v, *local_weight;
  const T* thresholds;  // what forward wrote
  const T* dout;
  T *dq, *dk, *dv;
  T* dlocal_weight;  // accumulated, or null
};

/// What the scores of attention on codes are made of beside q and k: score(n, m) =
/// scale max(temperature, kLeastTemperature) code(q_n) . code(k_m), the head's temperature.
template <class T>
struct ScoreArgs {
  Codes codes = Codes::kSign;      // +-1, or levels / sqrt(5)
  double scale = 0;                // > 0
  const T* temperature = nullptr;  // (heads), or null: 1
};

/// Quadratic attention on codes: out = softmax(scores) v.
template <class T>
struct SoftmaxAddArgs {
  AttentionShape shape;
  ScoreArgs<T> scores;
  ValueFormat value;
  const T *q, *k, *v;
  T* out;
  T* log_sum_exp;  // (B, H, queries), or null
};
/// dq, dk, dv have the strides of q, k, v and are assigned. So is dtemperature (B, heads), an
/// image's part of the gradient in each row.
template <class T>
struct SoftmaxAddBackwardArgs {
  AttentionShape shape;
  ScoreArgs<T> scores;
  ValueFormat value;
  const T *q, *k, *v, *out, *log_sum_exp, *dout;
  T *dq, *dk, *dv;
  T* dtemperature = nullptr;  // null where there is none
};

/// Linear attention on codes that looks at what is near as softmax does. A patch's window is the
/// patches at most one row and one column away and all tokens before the patches; these tokens' own
/// window is everything. With s the scores of a query, N the keys outside of its window, and mean
/// that of their scores:
///   weight = exp(s) inside, 1 + s - mean outside (softmax's expansion to first order)
///   out = sum of weight v / sum of weight, which is that of exp(s) inside plus N
/// What lies outside is everything less the window, and everything is q (k^T v). Products of codes
/// and, of int8 values, of codes with values are sums of whole numbers: exact while
/// 9 127 keys code_dim < 2^24. Query n is token n; shape.keys is the number of tokens of the grid.
template <class T>
struct WindowAttentionArgs {
  AttentionShape shape;
  ScoreArgs<T> scores;
  ValueFormat value;
  PatchGrid grid;
  const T *q, *k, *v;
  T* out;
};
/// As SoftmaxAddBackwardArgs: dq of the rows that ask, dk and dv of all keys.
template <class T>
struct WindowAttentionBackwardArgs {
  AttentionShape shape;
  ScoreArgs<T> scores;
  ValueFormat value;
  PatchGrid grid;
  const T *q, *k, *v, *out, *dout;
  T *dq, *dk, *dv;
  T* dtemperature = nullptr;
};

template <class T>
struct AttentionKernels {
  void (*attention)(const AttentionArgs<T>&);
  void (*attention_backward)(const AttentionBackwardArgs<T>&);
  void (*attention_codes)(const CodesArgs<T>&);
  void (*attention_codes_backward)(const CodesBackwardArgs<T>&);
  void (*linear_angular)(const LinearAngularArgs<T>&);
  void (*linear_angular_backward)(const LinearAngularBackwardArgs<T>&);
  /// The values of linear_angular with sign codes, bit for bit: its products only add and subtract,
  /// told by the packed signs of q and k.
  void (*add_attention)(const LinearAngularArgs<T>&);
  void (*softmax_add)(const SoftmaxAddArgs<T>&);
  void (*softmax_add_backward)(const SoftmaxAddBackwardArgs<T>&);
  /// The values of softmax_add, bit for bit: the product of two signs is code_dim - 2
  /// popcount(signs of q xor signs of k); of two codes of two bits b0 + 2 b1 it is four of these,
  /// times 1, 2, 2, 4.
  void (*popcount_attention)(const SoftmaxAddArgs<T>&);
  void (*window_attention)(const WindowAttentionArgs<T>&);
  void (*window_attention_backward)(const WindowAttentionBackwardArgs<T>&);
};

}  // namespace shiftadd
