// The matrix product, and the product with a weight that is packed once.
#pragma once

#include <cstdint>

namespace shiftadd {

enum class Activation : uint8_t { kNone, kGelu };  // gelu: x/2 (1 + erf(x / sqrt 2))

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

/// packed = a weight (n, k) with leading dimension ldw, laid out for gemm_packed.
template <class T>
struct PackArgs {
  int64_t n, k;
  const T* weight;
  int64_t ldw;
  T* packed;  // packed_size(n, k) numbers
};

template <class T>
struct ProductKernels {
  void (*gemm)(const GemmArgs<T>&);
  /// Numbers that a packed weight (n, k) takes. Each table packs in its own way.
  int64_t (*packed_size)(int64_t n, int64_t k);
  void (*pack)(const PackArgs<T>&);
  /// The bits of gemm with transpose_b, on a packed weight b: transpose_a, ldb, transpose_b and
  /// accumulate are unused. The table of an instruction set multiplies numbers as they are, that of
  /// a bf16 unit rounded ones, whatever GemmArgs::bf16 says.
  void (*gemm_packed)(const GemmArgs<T>&);
};

}  // namespace shiftadd
