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

SHIFTADD_INLINE int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

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
    int32_t sum = 0;
    Ints sums = set1i(0);
    int64_t j = 0;
    for (; j + kWidth <= args.inputs; j += kWidth) sums += load_int8(x + j, Full{});
    for (int lane = 0; lane < kWidth; ++lane) sum += sums[lane];
    for (; j < args.inputs; ++j) sum += x[j];
    offsets[i] = offset * sum;
  }
  for (int64_t i = count * lda; i < kDotBlock * lda; ++i) a[i] = 0;
}

// Outputs [j, j + 32) of tokens [first, first + count).
SHIFTADD_INLINE void write_block(const Int8GemmArgs<float>& args, int64_t first, int count,
                                 int64_t j, const int32_t* sum, const int32_t* offsets) {
  const int64_t columns = lesser(args.outputs - j, kDotBlock);
  for (int i = 0; i < count; ++i, sum += kDotBlock) {
    const int64_t row = args.rows ? args.rows[first + i] : first + i;
    const int64_t at = (first + i) * args.outputs + j;
    const Vec scale = set1(args.scales[row]);
    const Ints offset = set1i(offsets[i]);
    for_vectors(
        0, columns, [&](int64_t c, auto lanes) __attribute__((always_inline)) {
          const Vec x = to_floats(load_ints(sum + c) - offset) * load(args.units + j + c, lanes);
          Vec y = fma(x, scale, args.bias ? load(args.bias + j + c, lanes) : zero());
          if (args.activation == Activation::kGelu) y = gelu(y);
          if (args.residual) y = y + load(args.residual + at + c, lanes);
          store(args.y + at + c, y, lanes);
        });
  }
}

template <class Unit>
void multiply_int8(const Int8GemmArgs<float>& args) {
  const int64_t groups = dot_groups(args.inputs), panel = groups * kDotPanel * kDotGroup;
  // One cache line more than the inputs, so that rows do not share a set of the cache.
  const int64_t lda = (groups + 1) * kDotGroup;
  const int64_t blocks = (args.tokens + kDotBlock - 1) / kDotBlock;
  const int64_t pairs = dot_panels(args.outputs) / 2;
  int64_t cuts = blocks > 0 && blocks < kDotTasks ? (kDotTasks + blocks - 1) / blocks : 1;
  cuts = lesser(cuts, (pairs + kLeastPairs - 1) / kLeastPairs);
  parallel_for(blocks * cuts, [&](int64_t task) {
    const int64_t first = task / cuts * kDotBlock, cut = task % cuts;
    const int count = static_cast<int>(lesser(args.tokens - first, kDotBlock));
    int8_t* a = reinterpret_cast<int8_t*>(scratch(Scratch::kTile, kDotBlock * lda / 4));
    int32_t offsets[kDotBlock];
    gather_tokens(args, first, count, Unit::kOffset ? kDotOffset : 0, a, lda, offsets);
    alignas(64) int32_t sum[kDotBlock * kDotBlock];
    [[maybe_unused]] const Unit unit;
    for (int64_t pair = pairs * cut / cuts; pair < pairs * (cut + 1) / cuts; ++pair) {
      Unit::multiply(groups, count, a, lda, args.panels + 2 * pair * panel, sum);
      write_block(args, first, count, pair * kDotBlock, sum, offsets);
    }
  });
}

}  // namespace
}  // namespace shiftadd
