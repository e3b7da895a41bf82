// Matrix product and column sums, by definition; a packed weight is a copy.
#include <algorithm>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {

namespace {

// A factor of a product, through its activation and rounding.
template <class T>
double factor(T x, Activation activation, bool bf16) {
  const T active = activation == Activation::kGelu ? static_cast<T>(gelu_of(x)) : x;
  return operand(active, bf16);
}

}  // namespace

template <class T>
void gemm(const GemmArgs<T>& g) {
  const auto a_at = [&](int64_t i, int64_t p) {
    return g.transpose_a ? g.a[p * g.lda + i] : g.a[i * g.lda + p];
  };
  for (int64_t i = 0; i < g.m; ++i) {
    double total = 0;
    for (int64_t p = 0; g.a_sums && p < g.k; ++p) total += a_at(i, p);
    if (g.a_sums) g.a_sums[i] = static_cast<T>(g.a_sums[i] + total);
    for (int64_t j = 0; j < g.n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < g.k; ++p) {
        const T b = g.transpose_b ? g.b[j * g.ldb + p] : g.b[p * g.ldb + j];
        sum += factor(a_at(i, p), g.a_activation, g.bf16) * factor(b, g.b_activation, g.bf16);
      }
      T& c = g.c[i * g.ldc + j];
      if (g.accumulate) {
        c = static_cast<T>(c + sum);
        continue;
      }
      if (g.row_scale) sum *= g.row_scale[i];
      if (g.bias) sum += g.bias[j];
      if (g.activation == Activation::kGelu) sum = gelu_of(sum);
      if (g.gelu_input) sum *= gelu_slope(g.gelu_input[i * g.ldc + j]);
      if (g.residual) sum += g.residual[i * g.ldr + j];
      c = static_cast<T>(sum);
    }
  }
}

int64_t packed_size(int64_t n, int64_t k) { return n * k; }

template <class T>
void pack(const PackArgs<T>& args) {
  for (int64_t j = 0; j < args.n; ++j)
    std::copy_n(args.weight + j * args.ldw, args.k, args.packed + j * args.k);
}

template <class T>
void gemm_packed(const GemmArgs<T>& args) {
  GemmArgs<T> g = args;
  g.transpose_a = g.accumulate = false;
  g.transpose_b = true;
  g.ldb = g.k;
  gemm(g);
}

template <class T>
void column_sum(const ColumnSumArgs<T>& args) {
  for (int64_t j = 0; j < args.columns; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < args.rows; ++i) sum += args.x[i * args.columns + j];
    args.out[j] = static_cast<T>(args.out[j] + sum);
  }
}

template void gemm(const GemmArgs<float>&);
template void gemm(const GemmArgs<double>&);
template void pack(const PackArgs<float>&);
template void pack(const PackArgs<double>&);
template void gemm_packed(const GemmArgs<float>&);
template void gemm_packed(const GemmArgs<double>&);
template void column_sum(const ColumnSumArgs<float>&);
template void column_sum(const ColumnSumArgs<double>&);

}  // namespace shiftadd::reference
