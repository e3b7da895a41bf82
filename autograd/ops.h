// Every differentiable operation. Each validates its inputs and names itself in errors; float32 or
// float64 (then through the reference kernels). Forward and backward live together in
// autograd/ops/NAME.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "autograd/variable.h"
#include "core/kernels.h"

namespace shiftadd::autograd {

// --- products
/// x (..., in) weight (out, in) bias (out) or undefined -> (..., out); plus residual (..., out) if
/// defined.
Variable linear(const Variable& x, const Variable& weight, const Variable& bias,
                const Variable& residual = {});
/// linear(gelu(x)): keeps x only and recomputes gelu in backward. The second layer of every MLP.
Variable gelu_linear(const Variable& x, const Variable& weight, const Variable& bias,
                     const Variable& residual = {});
/// (..., m, k) (..., k, n) -> (..., m, n), equal leading axes.
Variable matmul(const Variable& a, const Variable& b);

// --- Shift layers: W = s 2^p from latent float parameters (You et al. 2023, arXiv 2306.06446)
struct ShiftLinearOptions {
  ShiftFormat format = ShiftFormat::k4Bit;
  bool int8_activations = false;         // the product's input goes through quantize_tokens
  Activation input = Activation::kNone;  // kGelu: of gelu(x), as gelu_linear
};
/// Form q: linear with W = KernelTable::shift_quantize(weight). x (..., in), weight (out, in), bias
/// (out) or undefined, residual (..., out) or undefined -> (..., out). Straight through: d/dweight
/// is d/dW, everywhere; dx is that of W. Backward makes W again and keeps, of int8 activations, the
/// int8. With int8 and 4bit, sums below 2^24 are exact: the bits of KernelTable::int8_gemm.
Variable shift_linear(const Variable& x, const Variable& weight, const Variable& bias,
                      const ShiftLinearOptions& options, const Variable& residual = {});
/// Form ps: W = KernelTable::shift_compose(shift, sign), both (out, in); 5bit only. Straight
/// through: d/dshift = d/dW W ln 2, d/dsign = d/dW, everywhere.
Variable shift_linear_ps(const Variable& x, const Variable& shift, const Variable& sign,
                         const Variable& bias, const ShiftLinearOptions& options,
                         const Variable& residual = {});
/// int8 with one scale per token (last axis), dequantised (KernelTable::quantize_tokens). Straight
/// through: dx = dy, everywhere.
Variable quantize_tokens(const Variable& x);

// --- normalisation, activations
/// Over the last axis; gamma, beta (last).
Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps);
Variable gelu(const Variable& x);
/// What lies between the layers of an MLP: (..., inputs_of(kind) C) -> (..., C). kGelu has the bits
/// of gelu. Keeps x.
Variable activate(const Variable& x, HiddenActivation kind);
Variable tanh(const Variable& x);     // keeps its result
Variable softmax(const Variable& x);  // last axis

// --- attention
/// qkv (B, N, 3 C), order q, k, v, each (heads, d) -> softmax(q k^T / sqrt(d)) v as (B, N, C).
/// Keeps qkv, the output and one number per row and head; backward recomputes the scores. With
/// `queries`, only the first so many tokens ask (all remain keys): (B, queries, C), what a last
/// block needs that is read at its class token alone. `scale`, finite and positive, stands for
/// 1 / sqrt(d).
inline constexpr int64_t kAllQueries = -1;
inline constexpr double kUsualScale = 0;
Variable softmax_attention(const Variable& qkv, int64_t heads, int64_t queries = kAllQueries,
                           double scale = kUsualScale);
/// Separate tensors (spatial-reduction attention): q (B, N, C), kv (B, M, 2 C) or k and v (B, M,
/// C).
Variable softmax_attention(const Variable& q, const Variable& kv, int64_t heads,
                           double scale = kUsualScale);
Variable softmax_attention(const Variable& q, const Variable& k, const Variable& v, int64_t heads,
                           double scale = kUsualScale);

// --- attention of ShiftAddViT, with codes for q and k: core/kernels/attention.h says the formulas
/// Codes of every head of x (B, N, C), C = heads * d. Sign codes are +-1 / sqrt(d). The
/// straight-through estimators:
///   kNone       x^ = x / sqrt(sum x^2 + 1e-12)          exact gradient
///   kSign       sign(x) / sqrt(d), sign(0) = +1         where |x| <= 1, times 1 / sqrt(d)
///   kUnitHead   1[x^ > its mean in this image and head] where 0 <= x^ <= 1, then through x^
///   kUnitBatch  1[x^ > its mean in the batch]           where 0 <= x^ <= 1, then through x^
///   kBipolar2   level(x) / sqrt(5 d)                    where |x| <= kBipolarEdge, times
///                                                       2 / (kBipolarStep sqrt(5 d)); level:
///                                                       core/kernels/attention.h
Variable attention_codes(const Variable& x, int64_t heads, Codes codes);

struct LinearAngularOptions {
  int64_t heads = 1;
  Codes codes = Codes::kSign;
  ValueFormat value = ValueFormat::kFloat;
  int64_t prefix = 0;              // tokens before the patches: outside the local filter
  int64_t grid_h = 0, grid_w = 0;  // patches, for a filter wider than one column
  int64_t queries = kAllQueries;   // as in softmax_attention
};
/// qkv (B, N, 3 C) -> (B, queries, C): linear-angular attention plus a local filter of v, weight
/// (heads, 1, taps, 1) along the tokens (token_conv) or (heads, 1, kh, kw) on the patch grid; odd
/// sizes up to kMaxLocalKernel; undefined for none. Keeps qkv; codes and quantised values are made
/// again in backward. Without recording, sign codes go through the kernel that only adds and
/// subtracts, which gives the same bits.
Variable linear_angular_attention(const Variable& qkv, const Variable& local_weight,
                                  const LinearAngularOptions& options);
/// q (B, N, C), kv (B, N, 2 C) -> (B, N, C).
Variable linear_angular_attention(const Variable& q, const Variable& kv,
                                  const Variable& local_weight,
                                  const LinearAngularOptions& options);
struct SoftmaxAddOptions {
  int64_t heads = 1;
  Codes codes = Codes::kSign;  // or kBipolar2
  ValueFormat value = ValueFormat::kFloat;
  int64_t queries = kAllQueries;  // as in softmax_attention, and so is scale
  double scale = kUsualScale;
  Variable temperature = {};  // (heads), or undefined
};
/// qkv (B, N, 3 C) -> (B, queries, C): softmax(scores) v, the scores those of ScoreArgs. The
/// gradient passes a sign where |x| <= 1, a level, times 2 / kBipolarStep, where |x| <=
/// kBipolarEdge. Without recording, the products are counted from packed bits.
Variable softmax_add_attention(const Variable& qkv, const SoftmaxAddOptions& options);
/// q (B, N, C), kv (B, M, 2 C) -> (B, N, C).
Variable softmax_add_attention(const Variable& q, const Variable& kv,
                               const SoftmaxAddOptions& options);

struct WindowAttentionOptions {
  int64_t heads = 1;
  ValueFormat value = ValueFormat::kFloat;
  int64_t queries = kAllQueries;  // as in softmax_attention, and so is scale
  double scale = kUsualScale;
  Variable temperature = {};  // (heads), or undefined
  PatchGrid grid = {};        // of the tokens
};
/// qkv (B, N, 3 C) -> (B, queries, C): linear attention with a window, WindowAttentionArgs', on
/// codes of two bits. The gradient passes codes as softmax_add_attention's does. Without recording,
/// and with int8 values, its products are counted or are sums of int8 numbers, which gives the same
/// bits. Backward takes as many steps as softmax attention's.
Variable window_attention(const Variable& qkv, const WindowAttentionOptions& options);
/// q (B, N, C), kv (B, N, 2 C) -> (B, N, C).
Variable window_attention(const Variable& q, const Variable& kv,
                          const WindowAttentionOptions& options);

/// Codes of q and k, v as it is: x (B, N, C) -> (B, N, C) where each of the first `coded` channels
/// is a number that has the same code, +-1 for a sign, a level times kBipolarStep / 2 for a level,
/// and that the estimator of the attention on these codes passes. The gradient is that of a smooth
/// step at each edge between two codes, atan(slope (x - edge)): slope / (1 + (slope (x - edge))^2),
/// windows without an edge.
Variable smooth_codes(const Variable& x, Codes codes, int64_t coded, double slope);

// --- convolution
/// x (B, I, H, W), weight (O, I, kh, kw), bias (O) or undefined -> (B, O, OH, OW).
Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias, int64_t stride,
                int64_t padding);
/// weight (C, 1, kh, kw).
Variable depthwise_conv2d(const Variable& x, const Variable& weight, const Variable& bias,
                          int64_t stride, int64_t padding);
/// The same as tokens (B, OH OW, O) in raster order.
Variable conv2d_tokens(const Variable& x, const Variable& weight, const Variable& bias,
                       int64_t stride, int64_t padding);

// --- elementwise, shape
Variable add(const Variable& a, const Variable& b);
Variable subtract(const Variable& a, const Variable& b);
Variable multiply(const Variable& a, const Variable& b);
Variable scale(const Variable& x, double alpha);
/// LayerScale (Touvron et al. 2021, arXiv 2103.17239): x (..., C), factors (C) -> factors x, plus
/// residual (..., C) where it is defined: then one rounding (fma), on every instruction set.
Variable scale_channels(const Variable& x, const Variable& factors, const Variable& residual = {});
/// Row i of weight (out, ...) times factors[i], factors (out): LayerScale folded into the weight,
/// or the bias, before it.
Variable scale_rows(const Variable& weight, const Variable& factors);
/// b's shape is a suffix of a's.
Variable add_broadcast(const Variable& a, const Variable& b);
Variable reshape(const Variable& x, Shape shape);
Variable transpose_last(const Variable& x);  // swaps the last two axes (copies)
/// token (1, 1, C) in front of x (B, N, C), plus positions (1, N+1, C): (B, N+1, C).
Variable prepend_token(const Variable& token, const Variable& x, const Variable& positions);
/// tokens (1, P, C) in front of x (B, N, C): (B, P+N, C).
Variable prepend_tokens(const Variable& tokens, const Variable& x);
/// Rows `first` to first + count - 1 of the middle axis: (B, N, C) -> (B, count, C).
Variable take_tokens(const Variable& x, int64_t first, int64_t count);
/// Row `index` of the middle axis: (B, N, C) -> (B, C).
Variable select_token(const Variable& x, int64_t index);
Variable mean_tokens(const Variable& x);  // (B, N, C) -> (B, C)
/// a (..., C), then b (..., D): (..., C + D).
Variable concat_channels(const Variable& a, const Variable& b);
/// rows[i] of x (T, C) -> (n, C); and its opposite: x (n, C) written (rows distinct) into zeros
/// (total, C).
Variable gather_rows(const Variable& x, std::vector<int64_t> rows);
Variable scatter_rows(const Variable& x, std::vector<int64_t> rows, int64_t total);

// --- reductions: shape ()
Variable sum(const Variable& x);
Variable mean(const Variable& x);

// --- regularisation; the random stream is explicit, so recomputation and resume draw the same
// numbers
Variable dropout(const Variable& x, double probability, uint64_t seed, uint64_t stream);
Variable drop_path(const Variable& x, double probability, uint64_t seed,
                   uint64_t stream);  // per image

// --- losses: shape ()
/// logits (B, classes), integer labels; label_smoothing spreads that mass evenly over all classes;
/// class_weights (classes) or undefined, divided by the sum of the labels' weights.
Variable cross_entropy(const Variable& logits, std::span<const int64_t> labels,
                       double label_smoothing = 0, const Tensor& class_weights = {});
/// targets (B, classes): rows are distributions (mixup, cutmix).
Variable soft_cross_entropy(const Variable& logits, const Tensor& targets);
/// KernelTable::distill's definition; teacher logits carry no gradient.
Variable distill(const Variable& logits, const Tensor& teacher_logits, double tau);

}  // namespace shiftadd::autograd
