// Matrix product and column sums, by definition.
#include <cmath>
#include <numbers>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {

template <class T>
void gemm(const GemmArgs<T>& g) {
  for (int64_t i = 0; i < g.m; ++i) {
    for (int64_t j = 0; j < g.n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < g.k; ++p) {
        const T a = g.transpose_a ? g.a[p * g.lda + i] : g.a[i * g.lda + p];
        const T b = g.transpose_b ? g.b[j * g.ldb + p] : g.b[p * g.ldb + j];
        sum += static_cast<double>(operand(a, g.bf16)) * operand(b, g.bf16);
      }
      T& c = g.c[i * g.ldc + j];
      if (g.accumulate) {
        c = static_cast<T>(c + sum);
        continue;
      }
      if (g.row_scale) sum *= g.row_scale[i];
      if (g.bias) sum += g.bias[j];
      if (g.activation == Activation::kGelu)
        sum = sum / 2 * (1 + std::erf(sum * std::numbers::sqrt2 / 2));
      if (g.residual) sum += g.residual[i * g.ldr + j];
      c = static_cast<T>(sum);
    }
  }
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
template void column_sum(const ColumnSumArgs<float>&);
template void column_sum(const ColumnSumArgs<double>&);

}  // namespace shiftadd::reference
