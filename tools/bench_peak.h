// The measured peaks of the machine's float and int8 arithmetic: what matrix kernels are held
// against.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cstdint>

#include "core/cpu/int8.h"
#include "core/cpu/isa.h"
#include "tools/bench_timer.h"

namespace shiftadd::tools {

#if defined(__x86_64__)
// Independent chains: 4 cycles of latency times 2 units is 8; 16 leaves room.
constexpr int kChains = 16, kYmmChains = 12;  // 16 ymm registers less two operands
constexpr int64_t kPeakSteps = 20'000;        // under 0.1 ms: some sample runs undisturbed

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

/// Float multiply-adds at this moment, in GFLOP/s of one core: the best of many short runs. 0
/// without AVX2.
inline double peak_gflops(Isa isa) {
  if (isa == Isa::kGeneric) return 0;
  volatile float sink = 0, seed = 0.999f;
  const bool wide = isa == Isa::kAvx512;
  const Timing timing = time_calls({.seconds = 0.5, .warm_up = 100, .max_runs = 100'000}, [&] {
    sink = wide ? fma_chains_avx512(seed) : fma_chains_avx2(seed);
  });
  const double flops =
      2.0 * static_cast<double>(kPeakSteps) * (wide ? 16 * kChains : 8 * kYmmChains);
  return flops / (timing.min_ms * 1e6);
}

__attribute__((target("avx512f,avx512vnni"))) inline int dot_chains_avx512(int seed) {
  __m512i sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_epi32(seed + i);
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(2);
  for (int64_t step = 0; step < kPeakSteps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
  for (int i = 1; i < kChains; ++i) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
  alignas(64) int lanes[16];
  _mm512_store_si512(lanes, sums[0]);
  return lanes[0];
}

/// int8 dot products of vectors at this moment, in GOP/s of one core (2 a product and sum). 0
/// without AVX512-VNNI. What tiles (AMX) reach is above it.
inline double peak_int8_gops() {
  if (!supported(Int8Unit::kVnni)) return 0;
  volatile int sink = 0, seed = 1;
  const Timing timing = time_calls({.seconds = 0.5, .warm_up = 100, .max_runs = 100'000},
                                   [&] { sink = dot_chains_avx512(seed); });
  return 2.0 * static_cast<double>(kPeakSteps) * 64 * kChains / (timing.min_ms * 1e6);
}
#else
inline double peak_gflops(Isa) { return 0; }
inline double peak_int8_gops() { return 0; }
#endif

}  // namespace shiftadd::tools
