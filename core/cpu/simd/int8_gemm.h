// The int8 product in blocks of 32 tokens by 32 outputs: sums by a Unit (vectors of dot products or
// tiles), then scales, bias, activation and residual in float.
//
// A Unit is made by a task before its products, with
//   static void multiply(groups, rows, a, lda, b, sum): sum (32, 32), its first `rows` rows, int32
//   = rows of a (int8, `groups` groups of kDotGroup, leading dimension lda, 32 rows readable) times
//   two panels of b (one after the other, unsigned: each byte 128 more than the weight); static
//   constexpr bool kOffset: whether those 128 are in the sums.
#pragma once

#include "core/cpu/gemm.h"
#include "core/cpu/simd/ints.h"
#include "core/cpu/simd/math.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

constexpr int64_t kDotBlock = 2 * kDotPanel;  // tokens and outputs of a block
// Where there are few blocks of tokens, outputs are cut, too, but no finer than into 128.
constexpr int64_t kDotTasks = 8, kLeastPairs = 4;

// Tokens of a task: panels that are read from afar serve two blocks.
constexpr int64_t kTaskTokens = 2 * kDotBlock;

SHIFTADD_INLINE int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

// The sum of n int8 numbers, n a multiple of 64.
SHIFTADD_INLINE int32_t sum_bytes(const int8_t* x, int64_t n) {
  Ints sums = set1i(0);
  for (int64_t j = 0; j < n; j += 4 * kWidth) {
    Ints four;  // numbers a lane, each shifted to its top in turn
    __builtin_memcpy(&four, x + j, sizeof four);
    sums += (four << 24 >> 24) + (four << 16 >> 24) + (four << 8 >> 24) + (four >> 24);
  }
  int32_t sum = 0;
  for (int lane = 0; lane < kWidth; ++lane) sum += sums[lane];
  return sum;
}

// A block of tokens beside one another, zero beyond the last token and input; offsets: what
// `offset` more in each weight adds to every sum of a token.
SHIFTADD_INLINE void gather_tokens(const Int8GemmArgs<float>& args, int64_t first, int count,
                                   int32_t offset, int8_t* a, int64_t lda, int32_t* offsets) {
  for (int i = 0; i < count; ++i) {
    const int64_t row = args.rows ? args.rows[first + i] : first + i;
    const int8_t* x = args.x + row * args.inputs;
    int8_t* to = a + i * lda;
    __builtin_memcpy(to, x, static_cast<size_t>(args.inputs));
    for (int64_t j = args.inputs; j < lda; ++j) to[j] = 0;
    offsets[i] = offset ? offset * sum_bytes(to, lda) : 0;
  }
  const int64_t rest = (kTaskTokens - count) * lda;
  __builtin_memset(a + count * lda, 0, static_cast<size_t>(rest));
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
  Vec unit[kVectors], bias[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const int left = columns - v * kWidth, lanes = left < 0 ? 0 : left < kWidth ? left : kWidth;
    unit[v] = load(args.units + j + v * kWidth, lanes);
    bias[v] = args.bias ? load(args.bias + j + v * kWidth, lanes) : zero();
  }
  const auto one = [&](int i, int v, auto lanes) __attribute__((always_inline)) {
    const int64_t row = args.rows ? args.rows[first + i] : first + i;
    const int64_t at = (first + i) * args.outputs + j + v * kWidth;
    const Ints exact = load_ints(sum + i * kDotBlock + v * kWidth) - offsets[i];
    Vec y = fma(to_floats(exact) * unit[v], set1(args.scales[row]), bias[v]);
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
void multiply_int8(const Int8GemmArgs<float>& args) {
  const int64_t groups = dot_groups(args.inputs), panel = groups * kDotPanel * kDotGroup;
  // One cache line more than the inputs, so that rows do not share a set of the cache.
  const int64_t lda = (groups + 1) * kDotGroup;
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
    int8_t* a = reinterpret_cast<int8_t*>(scratch(Scratch::kTile, kTaskTokens * lda / 4));
    int32_t offsets[kTaskTokens];
    gather_tokens(args, first, count, Unit::kOffset ? kDotOffset : 0, a, lda, offsets);
    alignas(64) int32_t sum[kDotBlock * kDotBlock];
    [[maybe_unused]] const Unit unit;
    const int64_t last = pairs * (cut + 1) / cuts;
    for (int64_t pair = pairs * cut / cuts; pair < last; ++pair)
      for (int block = 0; block < count; block += kDotBlock) {
        const int rows = count - block < kDotBlock ? count - block : static_cast<int>(kDotBlock);
        Unit::multiply(groups, rows, a + block * lda, lda, args.panels + 2 * pair * panel, sum);
        const bool more = block == 0 && pair + 1 < last;
        write(args, first + block, rows, pair * kDotBlock, sum, offsets + block,
              {args.panels + 2 * (pair + 1) * panel, more ? groups : 0});
      }
  });
}

}  // namespace
}  // namespace shiftadd
