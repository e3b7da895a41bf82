// What shiftadd-bench holds the matrix kernels against: the measured peak of the arithmetic units, and Eigen.
#pragma once

#include <immintrin.h>

// Everything Eigen includes comes first, so that only Eigen itself is compiled for AVX-512.
#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <climits>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iosfwd>
#include <limits>
#include <memory>
#include <sstream>
#include <thread>
#include <utility>

#include "core/cpu/isa.h"
#include "tools/bench_timer.h"

// Eigen picks its instruction set at compile time. The bench alone compiles it for AVX-512, and calls it only
// on CPUs that have it; the library's own Eigen code lives under another namespace name.
#define Eigen EigenAvx512
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#include <eigen3/Eigen/Core>
namespace shiftadd::tools {
inline void eigen_product(int64_t m, int64_t n, int64_t k, const float* a, const float* weight, float* c) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<Matrix> product(c, m, n);
  product.noalias() = Eigen::Map<const Matrix>(a, m, k) * Eigen::Map<const Matrix>(weight, n, k).transpose();
}
}  // namespace shiftadd::tools
#pragma GCC pop_options
#undef Eigen

namespace shiftadd::tools {

// Independent chains: 4 cycles of latency times 2 units is 8; 16 leaves room.
constexpr int kChains = 16;
constexpr int64_t kPeakSteps = 2'000'000;

__attribute__((target("avx512f"))) inline float fma_chains_avx512(float seed) {
  __m512 sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(seed + static_cast<float>(i));
  const __m512 a = _mm512_set1_ps(seed), b = _mm512_set1_ps(1e-9f);
  for (int64_t step = 0; step < kPeakSteps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_fmadd_ps(sums[i], a, b);
  __m512 total = sums[0];
  for (int i = 1; i < kChains; ++i) total = _mm512_add_ps(total, sums[i]);
  return _mm512_cvtss_f32(total);
}

__attribute__((target("avx2,fma"))) inline float fma_chains_avx2(float seed) {
  constexpr int kYmmChains = 12;  // 16 registers less a and b
  __m256 sums[kYmmChains];
  for (int i = 0; i < kYmmChains; ++i) sums[i] = _mm256_set1_ps(seed + static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(seed), b = _mm256_set1_ps(1e-9f);
  for (int64_t step = 0; step < kPeakSteps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < kYmmChains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], a, b);
  __m256 total = sums[0];
  for (int i = 1; i < kYmmChains; ++i) total = _mm256_add_ps(total, sums[i]);
  return _mm256_cvtss_f32(total);
}

/// Float multiply-adds at this moment, in GFLOP/s of one core: the best of several runs. 0 without AVX2.
inline double peak_gflops(Isa isa) {
  if (isa == Isa::kGeneric) return 0;
  volatile float sink = 0, seed = 0.999f;
  const bool wide = isa == Isa::kAvx512;
  const Timing timing = time_calls({.seconds = 0.3, .warm_up = 2, .min_runs = 8}, [&] {
    sink = wide ? fma_chains_avx512(seed) : fma_chains_avx2(seed);
  });
  const double flops = 2.0 * static_cast<double>(kPeakSteps) * (wide ? 16 * kChains : 8 * 12);
  return flops / (timing.min_ms * 1e6);
}

}  // namespace shiftadd::tools
