// The int8 product in blocks of 32 tokens by 32 outputs: sums by a Unit (vectors of dot products or
// tiles), then scales, bias, activation and residual in float.
//
// A Unit is made by a task before its products, with
//   static void multiply(groups, rows, a, b, sum): sum (32, 32), its first `rows` rows, int32 =
//   rows of a (DotRows, `groups` groups of kDotGroup, 32 rows readable) times two panels of b (one
//   after the other, unsigned: each byte 128 more than the weight); static constexpr bool kOffset:
//   whether those 128 are in the sums.
#pragma once

#include "core/cpu/scratch.h"
#include "core/cpu/simd/ints.h"
#include "core/cpu/simd/math.h"
#include "core/kernels/int8.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

constexpr int64_t kDotBlock = 2 * kDotPanel;  // tokens and outputs of a block

/// Rows of int8 numbers, `row` bytes apart, in groups of kDotGroup, `group` bytes apart.
struct DotRows {
  const int8_t* at;
  int64_t row, group = kDotGroup;
  SHIFTADD_INLINE DotRows from(int64_t first) const { return {at + first * row, row, group}; }
  /// Inputs 4 q to 4 q + 3 of the first row.
  SHIFTADD_INLINE const int8_t* four(int64_t q) const {
    return at + q / (kDotGroup / 4) * group + q % (kDotGroup / 4) * 4;
  }
};
// Where there are few blocks of tokens, outputs are cut, too, but no finer than into 128.
constexpr int64_t kDotTasks = 8, kLeastPairs = 4;

// Tokens of a task: panels that are read from afar serve two blocks.
constexpr int64_t kTaskTokens = 2 * kDotBlock;

// Groups of a panel; two of them fill a third of a first-level cache.
constexpr int64_t kLongPanel = 8;

SHIFTADD_INLINE int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

#if defined(__AVX512VNNI__)
SHIFTADD_INLINE __m512i count_bytes(__m512i sums, __m512i x) {
  return _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), x);
}
#endif

// The sum of n int8 numbers, n a multiple of 64.
SHIFTADD_INLINE int32_t sum_bytes(const int8_t* x, int64_t n) {
#if defined(__AVX512VNNI__)
  __m512i sums = _mm512_setzero_si512();
  for (int64_t j = 0; j < n; j += 64) sums = count_bytes(sums, _mm512_loadu_si512(x + j));
  return _mm512_reduce_add_epi32(sums);
#else
  int32_t sum = 0;
  for (int64_t j = 0; j < n; ++j) sum += x[j];
  return sum;
#endif
}

// n bytes in groups of kDotGroup, `step` apart, the last one filled up with zeros; returns the sum
// of the int8 numbers.
SHIFTADD_INLINE int32_t copy_row(const int8_t* x, int64_t n, int8_t* to, int64_t step) {
#if defined(__AVX512VNNI__)
  __m512i sums = _mm512_setzero_si512();
  for (int64_t j = 0; j < n; j += kDotGroup, to += step) {
    const int64_t left = n - j;
    const __mmask64 within = left >= 64 ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
    const __m512i bytes = _mm512_maskz_loadu_epi8(within, x + j);
    _mm512_storeu_si512(to, bytes);
    sums = count_bytes(sums, bytes);
  }
  return _mm512_reduce_add_epi32(sums);
#else
  int32_t sum = 0;
  for (int64_t j = 0; j < n; j += kDotGroup, to += step) {
    const int64_t here = lesser(n - j, kDotGroup);
    __builtin_memcpy(to, x + j, static_cast<size_t>(here));
    __builtin_memset(to + here, 0, static_cast<size_t>(kDotGroup - here));
    sum += sum_bytes(to, kDotGroup);
  }
  return sum;
#endif
}

// A block of tokens by groups of inputs: what is multiplied together lies together. Zero beyond the
// last token and input; offsets: what `offset` more in each weight adds to every sum of a token.
SHIFTADD_INLINE DotRows gather_tokens(const Int8GemmArgs<float>& args, int64_t first, int count,
                                      int32_t offset, int32_t* offsets) {
  constexpr int64_t kStep = (kTaskTokens + 1) * kDotGroup;  // not 4 KiB: one set of the cache
  const int64_t groups = dot_groups(args.inputs);
  int8_t* a = reinterpret_cast<int8_t*>(scratch(Scratch::kTile, groups * kStep / 4));
  for (int i = 0; i < count; ++i) {
    const int64_t row = args.rows ? args.rows[first + i] : first + i;
    offsets[i] =
        offset * copy_row(args.x + row * args.inputs, args.inputs, a + i * kDotGroup, kStep);
  }
  for (int64_t g = 0; g < groups; ++g)
    __builtin_memset(a + g * kStep + count * kDotGroup, 0,
                     static_cast<size_t>((kTaskTokens - count) * kDotGroup));
  return {a, kDotGroup, kStep};
}

// What is read next: weights that may have to come from far, asked for row by row meanwhile.
struct Ahead {
  const uint8_t* from;
  int64_t lines_a_row;
  SHIFTADD_INLINE void fetch(int row) const {
    for (int64_t i = 0; i < lines_a_row; ++i)
      __builtin_prefetch(from + (row * lines_a_row + i) * 64);
  }
};

// Outputs [j, j + 32) of tokens [first, first + count).
template <bool kGelu, bool kResidual>
void write_block(const Int8GemmArgs<float>& args, int64_t first, int count, int64_t j,
                 const int32_t* sum, const int32_t* offsets, const Ahead& ahead) {
  constexpr int kVectors = kDotBlock / kWidth;
  const int columns = static_cast<int>(lesser(args.outputs - j, kDotBlock));
  Vec row_scale[kVectors], bias[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const int left = columns - v * kWidth, lanes = left < 0 ? 0 : left < kWidth ? left : kWidth;
    row_scale[v] = load(args.row_scales + j + v * kWidth, lanes);
    bias[v] = args.bias ? load(args.bias + j + v * kWidth, lanes) : zero();
  }
  const auto one = [&](int i, int v, auto lanes) __attribute__((always_inline)) {
    const int64_t row = args.rows ? args.rows[first + i] : first + i;
    const int64_t at = (first + i) * args.outputs + j + v * kWidth;
    const Ints exact = load_ints(sum + i * kDotBlock + v * kWidth) - offsets[i];
    Vec y = fma(to_floats(exact) * row_scale[v], set1(args.scales[row]), bias[v]);
    if (kGelu) y = gelu(y);
    if (kResidual) y = y + load(args.residual + at, lanes);
    store(args.y + at, y, lanes);
  };
  if (columns == kDotBlock) {
    for (int i = 0; i < count; ++i) {
      ahead.fetch(i);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) one(i, v, Full{});
    }
    return;
  }
  for (int i = 0; i < count; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const int left = columns - v * kWidth;
      if (left > 0) one(i, v, left < kWidth ? left : kWidth);
    }
}

template <class Unit>
void int8_gemm_kernel(const Int8GemmArgs<float>& args) {
  const int64_t groups = dot_groups(args.inputs), panel = groups * kDotPanel * kDotGroup;
  const int64_t blocks = (args.tokens + kTaskTokens - 1) / kTaskTokens;
  const int64_t pairs = dot_panels(args.outputs) / 2;
  int64_t cuts = blocks > 0 && blocks < kDotTasks ? (kDotTasks + blocks - 1) / blocks : 1;
  cuts = lesser(cuts, (pairs + kLeastPairs - 1) / kLeastPairs);
  const bool gelu = args.activation == Activation::kGelu;
  const auto write = gelu ? (args.residual ? write_block<true, true> : write_block<true, false>)
                          : (args.residual ? write_block<false, true> : write_block<false, false>);
  parallel_for(blocks * cuts, [&](int64_t task) {
    const int64_t first = task / cuts * kTaskTokens, cut = task % cuts;
    const int count = static_cast<int>(lesser(args.tokens - first, kTaskTokens));
    int32_t offsets[kTaskTokens];
    const DotRows rows = gather_tokens(args, first, count, Unit::kOffset ? kDotOffset : 0, offsets);
    alignas(64) int32_t sums[2][kDotBlock * kDotBlock];
    [[maybe_unused]] const Unit unit;
    const int64_t first_pair = pairs * cut / cuts, last = pairs * (cut + 1) / cuts;
    const int64_t blocks_here = (count + kDotBlock - 1) / kDotBlock;
    const int64_t steps = (last - first_pair) * blocks_here;
    // A block is written after the next one's product was begun: tiles multiply meanwhile.
    for (int64_t step = 0; step <= steps; ++step) {
      const int64_t pair = first_pair + step / blocks_here, block = step % blocks_here * kDotBlock;
      if (step < steps)
        Unit::multiply(groups, static_cast<int>(lesser(count - block, kDotBlock)), rows.from(block),
                       args.panels + 2 * pair * panel, sums[step % 2]);
      if (step == 0) continue;
      const int64_t done = (step - 1) % blocks_here * kDotBlock;
      // The next panels are asked for once, while there is a product left to wait for; not long
      // ones: they would push the tokens out of a first-level cache.
      const bool more = groups < kLongPanel && (block == 0 || step == 1) && pair + 1 < last;
      write(args, first + done, static_cast<int>(lesser(count - done, kDotBlock)),
            (first_pair + (step - 1) / blocks_here) * kDotBlock, sums[(step - 1) % 2],
            offsets + done, {args.panels + 2 * (pair + 1) * panel, more ? groups : 0});
    }
  });
}

}  // namespace
}  // namespace shiftadd
