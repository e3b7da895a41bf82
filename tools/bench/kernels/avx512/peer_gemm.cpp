// Multiplies two matrices with Eigen, compiled for AVX-512. Eigen picks its instruction set at
// compile time, and its templates would be merged with those of files compiled for other sets:
// hence a namespace name of its own.
#pragma GCC diagnostic ignored "-Wuninitialized"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 warns inside its own intrinsics
#endif
#define Eigen EigenPeerAvx512
#include <Eigen/Core>

#include "tools/bench/peer_gemm.h"

namespace shiftadd::tools {

void eigen_product_avx512(int64_t m, int64_t n, int64_t k, const float* a, const float* weight,
                          float* c) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<Matrix> product(c, m, n);
  product.noalias() =
      Eigen::Map<const Matrix>(a, m, k) * Eigen::Map<const Matrix>(weight, n, k).transpose();
}

}  // namespace shiftadd::tools
