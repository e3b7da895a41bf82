// A matrix product of another library, for shiftadd-bench to compare with.
#pragma once

#include <cstdint>

namespace shiftadd::tools {

/// c (m, n) = a (m, k) weight (n, k)^T by Eigen, compiled for AVX-512: only for CPUs that have it.
void eigen_product_avx512(int64_t m, int64_t n, int64_t k, const float* a, const float* weight,
                          float* c);

}  // namespace shiftadd::tools
