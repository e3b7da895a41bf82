// Drives each arithmetic unit of the machine with independent chains, as fast as it can go.
#include "tools/bench/peak.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cstdint>

#include "core/cpu/bf16.h"
#include "core/cpu/int8.h"

namespace shiftadd::tools {
#if defined(__x86_64__)
namespace {

// Independent chains: 4 cycles of latency times 2 units is 8; 16 leaves room.
constexpr int kChains = 16, kYmmChains = 12;  // 16 ymm registers less two operands
constexpr int kTileChains = 6;                // 8 tile registers less two operands
constexpr int64_t kPeakSteps = 20'000;        // under 0.1 ms: some sample runs undisturbed
constexpr int64_t kTileSteps = 2'000;

__attribute__((target("avx512f"))) float fma_chains_avx512(float seed) {
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

__attribute__((target("avx2,fma"))) float fma_chains_avx2(float seed) {
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

__attribute__((target("avx512f,avx512bf16"))) float dot_chains_bf16(float seed) {
  __m512 sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(seed + static_cast<float>(i));
  const __m512 ones = _mm512_set1_ps(seed);
  const __m512bh a = _mm512_cvtne2ps_pbh(ones, ones);
  for (int64_t step = 0; step < kPeakSteps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], a, a);
  __m512 total = sums[0];
  for (int i = 1; i < kChains; ++i) total = _mm512_add_ps(total, sums[i]);
  return _mm512_cvtss_f32(total);
}

__attribute__((target("avx512f,avx512vnni"))) int dot_chains_avx512(int seed) {
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

// Tiles 0 .. 5 are sums, 6 and 7 operands; step() multiplies once into each of the six. Nothing is
// loaded meanwhile.
template <class Step>
__attribute__((target("amx-tile"))) void tile_chains(Step step) {
  alignas(64) static constexpr struct {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } kConfig;
  alignas(64) static constexpr uint16_t kOperand[16 * 32] = {0x3f80, 0x3f80};  // ones in bf16
  _tile_loadconfig(&kConfig);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_loadd(6, kOperand, 64);
  _tile_loadd(7, kOperand, 64);
  for (int64_t i = 0; i < kTileSteps; ++i) step();
  _tile_release();
}

}  // namespace

double peak_gflops(Isa isa, const PeakPlan& plan) {
  if (isa == Isa::kGeneric) return 0;
  const volatile float seed = 0.999f;
  if (isa == Isa::kAvx2)
    return best_rate(plan, 2.0 * kPeakSteps * 8 * kYmmChains, [&](int) {
      [[maybe_unused]] const volatile float sink = fma_chains_avx2(seed);
    });
  return best_rate(plan, 2.0 * kPeakSteps * 16 * kChains, [&](int) {
    [[maybe_unused]] const volatile float sink = fma_chains_avx512(seed);
  });
}

double peak_bf16_gflops(const PeakPlan& plan) {
  if (!supported(Bf16Unit::kAvx512)) return 0;
  const volatile float seed = 0.999f;
  return best_rate(plan, 2.0 * kPeakSteps * 32 * kChains, [&](int) {
    [[maybe_unused]] const volatile float sink = dot_chains_bf16(seed);
  });
}

double peak_int8_gops(const PeakPlan& plan) {
  if (!supported(Int8Unit::kVnni)) return 0;
  const volatile int seed = 1;
  return best_rate(plan, 2.0 * kPeakSteps * 64 * kChains, [&](int) {
    [[maybe_unused]] const volatile int sink = dot_chains_avx512(seed);
  });
}

double peak_int8_tile_gops(const PeakPlan& plan) {
  if (!supported(Int8Unit::kAmx)) return 0;
  return best_rate(plan, 2.0 * kTileSteps * kTileChains * 16 * 16 * 64, [](int) {
    tile_chains([] {
      _tile_dpbssd(0, 6, 7);
      _tile_dpbssd(1, 6, 7);
      _tile_dpbssd(2, 6, 7);
      _tile_dpbssd(3, 6, 7);
      _tile_dpbssd(4, 6, 7);
      _tile_dpbssd(5, 6, 7);
    });
  });
}

double peak_bf16_tile_gflops(const PeakPlan& plan) {
  if (!supported(Bf16Unit::kAmx)) return 0;
  return best_rate(plan, 2.0 * kTileSteps * kTileChains * 16 * 16 * 32, [](int) {
    tile_chains([] {
      _tile_dpbf16ps(0, 6, 7);
      _tile_dpbf16ps(1, 6, 7);
      _tile_dpbf16ps(2, 6, 7);
      _tile_dpbf16ps(3, 6, 7);
      _tile_dpbf16ps(4, 6, 7);
      _tile_dpbf16ps(5, 6, 7);
    });
  });
}
#else
double peak_gflops(Isa, const PeakPlan&) { return 0; }
double peak_bf16_gflops(const PeakPlan&) { return 0; }
double peak_int8_gops(const PeakPlan&) { return 0; }
double peak_int8_tile_gops(const PeakPlan&) { return 0; }
double peak_bf16_tile_gflops(const PeakPlan&) { return 0; }
#endif

}  // namespace shiftadd::tools
