// Reads each level of the memory hierarchy with the machine's widest loads.
#include "tools/bench/bandwidth.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/cpu/isa.h"
#include "core/error.h"
#include "core/tensor.h"

namespace shiftadd::tools {
namespace {

// Each reads `bytes`, a multiple of a page, `passes` times. Eight chains, although two loads a
// cycle and one cycle of latency need but two: with fewer the compiler spends its slots on copies.
constexpr int kReads = 8;
#if defined(__x86_64__)
__attribute__((target("avx512f"))) int64_t read_avx512(const uint8_t* data, int64_t bytes,
                                                       int64_t passes) {
  __m512i sums[kReads] = {};
  for (int64_t pass = 0; pass < passes; ++pass)
    for (int64_t at = 0; at < bytes; at += kReads * 64)
#pragma GCC unroll 8
      for (int i = 0; i < kReads; ++i)
        sums[i] = _mm512_or_si512(sums[i], _mm512_load_si512(data + at + 64 * i));
  for (int i = 1; i < kReads; ++i) sums[0] = _mm512_or_si512(sums[0], sums[i]);
  alignas(64) int64_t lanes[8];
  _mm512_store_si512(lanes, sums[0]);
  return lanes[0];
}

__attribute__((target("avx2"))) int64_t read_avx2(const uint8_t* data, int64_t bytes,
                                                  int64_t passes) {
  __m256i sums[kReads] = {};
  for (int64_t pass = 0; pass < passes; ++pass)
    for (int64_t at = 0; at < bytes; at += kReads * 32)
#pragma GCC unroll 8
      for (int i = 0; i < kReads; ++i)
        sums[i] = _mm256_or_si256(
            sums[i], _mm256_load_si256(reinterpret_cast<const __m256i*>(data + at + 32 * i)));
  for (int i = 1; i < kReads; ++i) sums[0] = _mm256_or_si256(sums[0], sums[i]);
  return _mm256_extract_epi64(sums[0], 0);
}
#endif

int64_t read_plain(const uint8_t* data, int64_t bytes, int64_t passes) {
  using Vector = int64_t __attribute__((vector_size(16), may_alias));  // every 64-bit CPU has them
  Vector sums[kReads] = {};
  const auto* const vectors = reinterpret_cast<const Vector*>(data);
  for (int64_t pass = 0; pass < passes; ++pass)
    for (int64_t at = 0; at < bytes / 16; at += kReads)
#pragma GCC unroll 8
      for (int i = 0; i < kReads; ++i) sums[i] |= vectors[at + i];
  for (int i = 1; i < kReads; ++i) sums[0] |= sums[i];
  return sums[0][0];
}

auto best_read() {
#if defined(__x86_64__)
  if (supported(Isa::kAvx512)) return read_avx512;
  if (supported(Isa::kAvx2)) return read_avx2;
#endif
  return read_plain;
}

// GB/s read from levels[index] by plan.threads threads together, each from a buffer of its own.
double read_bandwidth(const std::vector<MemoryLevel>& levels, std::size_t index,
                      const PeakPlan& plan) {
  const int64_t own = levels[index].bytes, above = index ? levels[index - 1].bytes : 0;
  const int64_t bytes =
      index + 1 == levels.size() ? std::max<int64_t>(2 * above, 64 << 20) / plan.threads
      : index == 2  // shared: too much for the level above, no more than a part of its own
          ? std::clamp(own / 2 / plan.threads, 2 * above, 4 * above)
          : own / 2;
  constexpr int64_t kPage = 4096, kLeast = 4 << 20;  // of a run: longer than the clock's grain
  const int64_t pages = std::max<int64_t>(1, bytes / kPage);
  const int64_t passes = std::max<int64_t>(1, kLeast / (pages * kPage));
  const Tensor buffers({plan.threads, pages * kPage}, DType::kU8);
  // Written to, for pages that were not are all the system's one page of zeros.
  std::fill_n(buffers.data<uint8_t>(), buffers.numel(), uint8_t{1});
  const auto work = static_cast<double>(pages * kPage * passes);
  const auto read = best_read();
  return best_rate(plan, work, [&](int thread) {
    [[maybe_unused]] const volatile int64_t sink =
        read(buffers.data<uint8_t>() + thread * pages * kPage, pages * kPage, passes);
  });
}

}  // namespace

std::vector<MemoryLevel> memory_levels() {
  std::vector<MemoryLevel> levels;
  for (const auto& [name, key] :
       {std::pair{"L1", _SC_LEVEL1_DCACHE_SIZE}, std::pair{"L2", _SC_LEVEL2_CACHE_SIZE},
        std::pair{"L3", _SC_LEVEL3_CACHE_SIZE}})
    if (const int64_t bytes = sysconf(key); bytes > 0)
      levels.push_back({name, bytes});
    else
      break;
  levels.push_back({"DRAM", std::numeric_limits<int64_t>::max()});
  return levels;
}

std::vector<double> read_bandwidths(const std::vector<MemoryLevel>& levels, const PeakPlan& plan) {
  std::vector<double> bandwidths;
  for (std::size_t i = 0; i < levels.size(); ++i)
    bandwidths.push_back(read_bandwidth(levels, i, plan));
  return bandwidths;
}

std::string read_key(const MemoryLevel& level) { return concat("read_", level.name, "_gb_per_s"); }

}  // namespace shiftadd::tools
