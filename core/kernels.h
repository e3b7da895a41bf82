// The kernel table: one plain Args struct and one function pointer per kernel. Ops validate,
// kernels trust: pointers are valid, sizes agree, nothing overlaps unless a comment allows it.
//
// Conventions: matrices are row-major; "rows" counts vectors along the last axis; a kernel threads
// itself through core/parallel.h with a partition fixed by shape alone. Gradients of activations
// are ASSIGNED; gradients of parameters (weight, bias, gamma, beta) are ACCUMULATED. A null pointer
// where a comment says "or null" leaves that part out.
#pragma once

#include <cstdint>

#include "core/attention_args.h"
#include "core/cpu/isa.h"
#include "core/kernels_add.h"
#include "core/kernels_int8.h"
#include "core/kernels_shift.h"

namespace shiftadd {

/// c[m,n] = act(row_scale[m] op(a)[m,k] op(b)[k,n] + bias[n]) + residual[m,n], or c += op(a) op(b)
/// when accumulate (then row_scale, bias, activation and residual are unused). op transposes when
/// its flag is set: a is stored (m,k) with leading dimension lda, or (k,m) when transpose_a; b is
/// stored (k,n), or (n,k) when transpose_b. residual may equal c. An element's bits depend on k and
/// its operands alone, never on m, n, its position, or threads. bf16: a and b are rounded to bf16,
/// half to even, sums stay float32; bf16 numbers below the least normal one may count as 0.
template <class T>
struct GemmArgs {
  int64_t m, n, k;
  const T* a;
  int64_t lda;
  bool transpose_a;
  const T* b;
  int64_t ldb;
  bool transpose_b;
  T* c;
  int64_t ldc;
  bool accumulate = false;
  const T* bias = nullptr;
  Activation activation = Activation::kNone;
  const T* residual = nullptr;
  int64_t ldr = 0;
  const T* row_scale = nullptr;  // or null: 1. Scale and bias are one rounding
  bool bf16 = false;
  const T* gelu_input =
      nullptr;  // (m, n), leading dimension ldc, or null: c = sum gelu'(gelu_input)
  // With bf16 only. What a and b go through before they are rounded:
  Activation a_activation = Activation::kNone, b_activation = Activation::kNone;
  // (m) or null; with transpose_a and accumulate only. a_sums[i] += sum over k of a[k, i], float32:
  // with a = dy the gradient of a bias, in the sweep that makes the weight's.
  T* a_sums = nullptr;
};

/// out[j] += sum over rows of x[row, j]: the gradient of a bias. Fixed order over rows.
template <class T>
struct ColumnSumArgs {
  int64_t rows, columns;
  const T* x;
  T* out;
};

/// y = (x - mean) * rstd * gamma + beta over the last axis; biased variance, rstd = 1/sqrt(var +
/// eps).
template <class T>
struct LayerNormArgs {
  int64_t rows, columns;
  double eps;
  const T *x, *gamma, *beta;
  T* y;
  T *mean, *rstd;  // (rows), or null
};
template <class T>
struct LayerNormBackwardArgs {
  int64_t rows, columns;
  const T *x, *gamma, *mean, *rstd, *dy;
  const T* dresidual;  // (rows, columns) added into dx, or null
  T* dx;               // may equal dy
  T *dgamma, *dbeta;   // accumulated; or null
};

template <class T>
struct UnaryArgs {  // y = f(x); y may equal x
  int64_t n;
  const T* x;
  T* y;
};
template <class T>
struct UnaryBackwardArgs {  // dx = dy f'(x); dx may equal dy
  int64_t n;
  const T *x, *dy;
  T* dx;
};

/// Over the last axis; y may equal x.
template <class T>
struct SoftmaxArgs {
  int64_t rows, columns;
  const T* x;
  T* y;
};
/// dx = y (dy - sum(dy y)); dx may equal dy.
template <class T>
struct SoftmaxBackwardArgs {
  int64_t rows, columns;
  const T *y, *dy;
  T* dx;
};

/// x (B, C, H, W), weight (O, C, kh, kw), y (B, O, OH, OW) or, tokens = true, (B, OH*OW, O).
struct Conv2dShape {
  int64_t batch, in_channels, height, width, out_channels, kernel_h, kernel_w, stride, padding;
  bool tokens = false;
  bool bf16 = false;  // products as GemmArgs::bf16 says; depthwise ones never
  int64_t out_height() const { return (height + 2 * padding - kernel_h) / stride + 1; }
  int64_t out_width() const { return (width + 2 * padding - kernel_w) / stride + 1; }
};
template <class T>
struct Conv2dArgs {
  Conv2dShape shape;
  const T *x, *weight, *bias;  // bias or null
  T* y;
};
template <class T>
struct Conv2dBackwardArgs {
  Conv2dShape shape;
  const T *x, *weight, *dy;
  T* dx;               // assigned, or null
  T *dweight, *dbias;  // accumulated; dbias or null
};

/// One filter per channel: weight (C, 1, kh, kw), y (B, C, OH, OW). out_channels == in_channels.
template <class T>
using DepthwiseConv2dArgs = Conv2dArgs<T>;
template <class T>
using DepthwiseConv2dBackwardArgs = Conv2dBackwardArgs<T>;

/// Mean over rows of -sum_c target log_softmax(logits); rows weighted by weight (or null: 1),
/// divided by the sum of the weights.
template <class T>
struct CrossEntropyArgs {
  int64_t rows, classes;
  const T *logits, *target, *weight;
  T* loss;     // one number
  T* dlogits;  // gradient of the loss, or null
};
/// tau^2 sum over rows and classes of softmax(teacher/tau) (log_softmax(teacher/tau) -
/// log_softmax(logits/tau)), divided by rows * classes (the golden value's convention).
template <class T>
struct DistillArgs {
  int64_t rows, classes;
  double tau;
  const T *logits, *teacher;
  T* loss;
  T* dlogits;  // or null
};

template <class T>
struct BinaryArgs {  // out = f(a, b), all n long; out may equal a or b
  int64_t n;
  const T *a, *b;
  T* out;
};
/// out[i] = a[i] + b[i % period]: broadcast over leading axes (position embedding, bias).
template <class T>
struct AddBroadcastArgs {
  int64_t n, period;
  const T *a, *b;
  T* out;  // may equal a
};
template <class T>
struct ScaleArgs {  // y = alpha x, or y += alpha x when accumulate; y may equal x
  int64_t n;
  double alpha;
  const T* x;
  T* y;
  bool accumulate = false;
};
/// out = sum of x, in a fixed order, accumulated in double.
template <class T>
struct SumArgs {
  int64_t n;
  const T* x;
  double* out;
};

/// Kept with probability keep and divided by it, else 0. Element i belongs to group i / group: one
/// draw per group (group 1: dropout; group = elements of an image: drop path). Philox stream (seed,
/// stream). Linear: backward is the same call on dy. y may equal x.
template <class T>
struct DropArgs {
  int64_t n, group;
  double keep;
  uint64_t seed, stream;
  const T* x;
  T* y;
};

/// One AdamW step (Loshchilov and Hutter 2019), decoupled decay: p -= lr*decay*p; then Adam with
/// bias correction for `step` (1-based). gradient_scale multiplies the gradient first (clipping).
template <class T>
struct AdamWArgs {
  int64_t n;
  double lr, beta1, beta2, eps, weight_decay, gradient_scale;
  int64_t step;
  const T* gradient;
  T *parameter, *m, *v;
};
/// buffer = momentum*buffer + (g*gradient_scale + decay*p); p -= lr*(nesterov ? g + momentum*buffer
/// : buffer).
template <class T>
struct SgdArgs {
  int64_t n;
  double lr, momentum, weight_decay, gradient_scale;
  bool nesterov;
  const T* gradient;
  T *parameter, *buffer;
};

/// Every member must be set: a table is filled with designated initialisers and checked complete.
template <class T>
struct KernelTable {
  void (*gemm)(const GemmArgs<T>&);
  void (*column_sum)(const ColumnSumArgs<T>&);
  void (*layer_norm)(const LayerNormArgs<T>&);
  void (*layer_norm_backward)(const LayerNormBackwardArgs<T>&);
  void (*gelu)(const UnaryArgs<T>&);
  void (*gelu_backward)(const UnaryBackwardArgs<T>&);
  void (*softmax)(const SoftmaxArgs<T>&);
  void (*softmax_backward)(const SoftmaxBackwardArgs<T>&);
  void (*attention)(const AttentionArgs<T>&);
  void (*attention_backward)(const AttentionBackwardArgs<T>&);
  void (*attention_codes)(const CodesArgs<T>&);
  void (*attention_codes_backward)(const CodesBackwardArgs<T>&);
  void (*linear_angular)(const LinearAngularArgs<T>&);
  void (*linear_angular_backward)(const LinearAngularBackwardArgs<T>&);
  /// The values of linear_angular with sign codes, bit for bit: its products only add and subtract,
  /// told by the packed signs of q and k.
  void (*add_attention)(const LinearAngularArgs<T>&);
  /// Those values again, of int8 v, by int8 dot products: less work where a machine has them.
  void (*dot_attention)(const LinearAngularArgs<T>&);
  void (*softmax_add)(const SoftmaxAddArgs<T>&);
  void (*softmax_add_backward)(const SoftmaxAddBackwardArgs<T>&);
  /// The values of softmax_add, bit for bit: q k^T is code_dim - 2 popcount(signs of q xor signs of
  /// k).
  void (*popcount_attention)(const SoftmaxAddArgs<T>&);
  void (*int8_attention)(const Int8AttentionArgs<T>&);
  void (*mat_add_keys)(const MatAddKeysArgs&);
  void (*mat_add_queries)(const MatAddQueriesArgs&);
  void (*conv2d)(const Conv2dArgs<T>&);
  void (*conv2d_backward)(const Conv2dBackwardArgs<T>&);
  void (*depthwise_conv2d)(const DepthwiseConv2dArgs<T>&);
  void (*depthwise_conv2d_backward)(const DepthwiseConv2dBackwardArgs<T>&);
  void (*cross_entropy)(const CrossEntropyArgs<T>&);
  void (*distill)(const DistillArgs<T>&);
  void (*add)(const BinaryArgs<T>&);
  void (*multiply)(const BinaryArgs<T>&);
  void (*add_broadcast)(const AddBroadcastArgs<T>&);
  void (*scale)(const ScaleArgs<T>&);
  void (*sum)(const SumArgs<T>&);
  void (*drop)(const DropArgs<T>&);
  void (*adamw)(const AdamWArgs<T>&);
  void (*sgd)(const SgdArgs<T>&);
  void (*shift_quantize)(const ShiftQuantizeArgs<T>&);
  void (*shift_compose)(const ShiftComposeArgs<T>&);
  void (*quantize_tokens)(const QuantizeTokensArgs<T>&);
  void (*dequantize_tokens)(const DequantizeTokensArgs<T>&);
  void (*shift_gemm)(const ShiftGemmArgs<T>&);
  void (*expand_nibbles)(const ExpandNibblesArgs&);
  void (*int8_gemm)(const Int8GemmArgs<T>&);
  void (*balance)(const BalanceArgs<T>&);
};

/// The plain, readable definition of each kernel, for float and double: the oracle of the fast ones
/// and the arithmetic of gradient checks.
template <class T>
const KernelTable<T>& reference_kernels();
extern template const KernelTable<float>& reference_kernels<float>();
extern template const KernelTable<double>& reference_kernels<double>();

/// The fastest kernels this CPU runs, chosen once by core/cpu/isa.h
/// (SHIFTADD_ISA=generic|avx2|avx512 lowers the choice).
const KernelTable<float>& cpu_kernels();
/// Those of one instruction set; throws Error (user) when this CPU has it not.
const KernelTable<float>& cpu_kernels(Isa isa);

/// What an op calls: cpu_kernels() for float, reference_kernels<double>() for double.
template <class T>
const KernelTable<T>& kernels();
template <>
inline const KernelTable<float>& kernels<float>() {
  return cpu_kernels();
}
template <>
inline const KernelTable<double>& kernels<double>() {
  return reference_kernels<double>();
}

}  // namespace shiftadd
