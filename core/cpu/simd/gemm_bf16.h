// The product of bf16 operands: both are rounded while they are packed, in blocks that serve tiles
// (AMX) and vectors (AVX512-BF16) alike.
//
// What multiplies is a Unit: made by a task before its products, with
//   static void multiply(blocks, a, b, sum): sum (32 x 32) = a panel of a times one of b, `blocks`
//   blocks deep.
// Row panels of a that is stored by rows are packed by the thread that
// multiplies them, so that they are read from its cache; everything else is packed before, in
// parallel.
#pragma once

#include "core/cpu/scratch.h"
#include "core/cpu/simd/gemm_tile.h"
#include "core/kernels/product.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

using Bf16 = uint16_t;

// A block is 16 lines (rows of op(a), columns of op(b)) by 32 steps of k: 1 KiB, one tile.
constexpr int64_t kLines = 16, kSteps = 32, kBlock = kLines * kSteps;
// A panel is two lines of blocks along k, one after the other. Lines and steps beyond the operand
// are zero.
constexpr int64_t kPanelLines = 2 * kLines;
static_assert(kPanelLines == kTileColumns);

// Numbers from a line of blocks to the next: one cache line more than the blocks, so that packing
// by steps, which writes to all lines in turn, does not write to the same set of the cache each
// time.
constexpr int64_t line_of(int64_t blocks) { return blocks * kBlock + kSteps; }

// Rows of a task: 64 rows of a at k = 768 are 96 KiB of bf16, which leaves room in L2 for b.
constexpr int64_t kTaskPanels = 2;
// Blocks of a slab of k where c is accumulated into: 512 steps of m = 768 and n = 192 are 0.9 MiB.
constexpr int64_t kSlabBlocks = 16;

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
SHIFTADD_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Sixteen rows of sixteen pairs, transposed.
SHIFTADD_INLINE void transpose16(__m512i (&r)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {  // r[i + j]: column 4 q + j of four rows, q the quarter
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {  // quarters 0 and 2, then 1 and 3, of rows 0..7 and 8..15
    t[j] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0x88);
    t[j + 4] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0xdd);
    t[j + 8] = _mm512_shuffle_i32x4(r[j + 8], r[j + 12], 0x88);
    t[j + 12] = _mm512_shuffle_i32x4(r[j + 8], r[j + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    r[j] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88);
    r[j + 8] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0xdd);
    r[j + 4] = _mm512_shuffle_i32x4(t[j + 4], t[j + 12], 0x88);
    r[j + 12] = _mm512_shuffle_i32x4(t[j + 4], t[j + 12], 0xdd);
  }
}

// An operand: number (line, step) is x[line * ld + step] or, by steps, x[step * ld + line].
struct Source {
  const float* x;
  int64_t ld;
  bool by_steps;
  int64_t lines;
  bool gelu;  // what is packed is gelu of it
};

template <bool kGelu>
SHIFTADD_INLINE Vec take(const float* x, __mmask16 valid) {
  const Vec value = _mm512_maskz_loadu_ps(valid, x);
  return kGelu ? gelu(value) : value;
}

SHIFTADD_INLINE __m512i* row_of(Bf16* block, int i) {
  return reinterpret_cast<__m512i*>(block + i * kSteps);
}

// The block of `steps` steps from x, of an operand stored by lines: 16 lines of 32 steps, or
// (kPairsFirst) 16 pairs of steps, each of 16 lines.
template <bool kPairsFirst, bool kGelu>
SHIFTADD_INLINE void pack_block(const float* x, int64_t ld, int lines, int steps, Bf16* out) {
  const __mmask16 low = first_lanes(steps < 16 ? steps : 16);
  const __mmask16 high = first_lanes(steps < 16 ? 0 : steps - 16);
  const auto row = [&](int i) __attribute__((always_inline)) {
    return i < lines ? (__m512i)_mm512_cvtne2ps_pbh(take<kGelu>(x + i * ld + 16, high),
                                                    take<kGelu>(x + i * ld, low))
                     : _mm512_setzero_si512();
  };
  if constexpr (kPairsFirst) {
    __m512i r[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) r[i] = row(i);
    transpose16(r);
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) _mm512_store_si512(row_of(out, i), r[i]);
  } else {
    for (int i = 0; i < 16; ++i) _mm512_store_si512(row_of(out, i), row(i));
  }
}

// Lines of blocks [first, last) of an operand stored by lines; line g is at out + g *
// line_of(blocks).
template <bool kPairsFirst, bool kGelu>
void pack_lines(const Source& s, int64_t steps, int64_t first, int64_t last, Bf16* out) {
  const int64_t blocks = ceil_div(steps, kSteps);
  for (int64_t g = first; g < last; ++g) {
    const int64_t left = s.lines - g * kLines;
    const int lines = static_cast<int>(left < 0 ? 0 : least(left, kLines));
    for (int64_t k = 0; k < blocks; ++k)
      pack_block<kPairsFirst, kGelu>(s.x + g * kLines * s.ld + k * kSteps, s.ld, lines,
                                     static_cast<int>(least(steps - k * kSteps, kSteps)),
                                     out + g * line_of(blocks) + k * kBlock);
  }
}

// Block k of each of `count` lines of blocks of an operand stored by steps, two steps at a time, so
// that memory is read as it lies. sums (or null): count * kLines sums over these steps.
template <bool kPairsFirst, bool kGelu>
void pack_steps(const Source& s, int64_t steps, int64_t k, int64_t count, Bf16* out, float* sums) {
  // Words of two steps become pairs, the first step in the low half.
  alignas(64) static constexpr uint16_t kPairs[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                      21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                      11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i pairs = _mm512_load_si512(kPairs);
  const int64_t line = line_of(ceil_div(steps, kSteps));
  Bf16* const block = out + k * kBlock;  // that of line g: g * line further on
  if (sums)
    for (int64_t g = 0; g < count; ++g) store(sums + g * kLines, zero());
  for (int i = 0; i < 16; ++i) {
    const int64_t even = k * kSteps + 2 * i;
    for (int64_t g = 0; g < count; ++g) {
      const int64_t left = s.lines - g * kLines;
      const __mmask16 valid = first_lanes(static_cast<int>(left < 0 ? 0 : least(left, kLines)));
      const float* x = s.x + even * s.ld + g * kLines;
      const Vec a = take<kGelu>(x, even < steps ? valid : __mmask16{0});
      const Vec b = take<kGelu>(x + s.ld, even + 1 < steps ? valid : __mmask16{0});
      if (sums) store(sums + g * kLines, load(sums + g * kLines) + a + b);
      const auto both = (__m512i)_mm512_cvtne2ps_pbh(b, a);
      _mm512_store_si512(row_of(block + g * line, i), _mm512_permutexvar_epi16(pairs, both));
    }
  }
  if constexpr (!kPairsFirst)
    for (int64_t g = 0; g < count; ++g) {
      __m512i r[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) r[i] = _mm512_load_si512(row_of(block + g * line, i));
      transpose16(r);
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) _mm512_store_si512(row_of(block + g * line, i), r[i]);
    }
}

// What packing before the products is cut into: a block of k where the operand is stored by steps,
// else a panel.
struct Chunks {
  const Source& s;
  int64_t panels, blocks;
  float* sums;  // by steps: of each block of k, those of all lines; or null
  int64_t count() const { return s.by_steps ? blocks : panels; }
  template <bool kPairsFirst, bool kGelu>
  void pack(int64_t chunk, int64_t steps, Bf16* out) const {
    if (s.by_steps)
      pack_steps<kPairsFirst, kGelu>(s, steps, chunk, 2 * panels, out,
                                     sums ? sums + chunk * panels * kPanelLines : nullptr);
    else
      pack_lines<kPairsFirst, kGelu>(s, steps, 2 * chunk, 2 * chunk + 2, out);
  }
  template <bool kPairsFirst>
  void pack(int64_t chunk, int64_t steps, Bf16* out) const {
    s.gelu ? pack<kPairsFirst, true>(chunk, steps, out)
           : pack<kPairsFirst, false>(chunk, steps, out);
  }
};

// Whole vectors go past the caches.
struct StreamStore {
  SHIFTADD_INLINE void operator()(float* c, Vec x, Full) const { _mm512_stream_ps(c, x); }
  SHIFTADD_INLINE void operator()(float* c, Vec x, int lanes) const { store(c, x, lanes); }
};

// Whether c is too large to be found in a cache again, and lies at whole cache lines.
SHIFTADD_INLINE bool streams(const GemmArgs<float>& g) {
  constexpr int64_t kBytes = 4 << 20;
  return !g.accumulate && g.m * g.n * 4 >= kBytes && g.ldc % kWidth == 0 &&
         reinterpret_cast<uintptr_t>(g.c) % 64 == 0;
}

// A tile of what its epilogue reads: rows too far apart for the hardware to see coming.
SHIFTADD_INLINE void prefetch(const float* x, int64_t ld, int rows) {
  if (!x) return;
  for (int r = 0; r < rows; ++r) {
    _mm_prefetch(reinterpret_cast<const char*>(x + r * ld), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(x + r * ld + kWidth), _MM_HINT_T0);
  }
}

// Products of `steps` steps of both operands, b packed; a, too, or (packed_a null) by each task.
template <class Unit>
void multiply_panels(const GemmArgs<float>& g, const Source& a, int64_t steps, const Bf16* packed_a,
                     const Bf16* packed_b) {
  const int64_t row_panels = ceil_div(g.m, kPanelLines), panels = ceil_div(g.n, kPanelLines);
  const int64_t blocks = ceil_div(steps, kSteps), panel = 2 * line_of(blocks);
  const bool stream = streams(g);
  const int64_t task_panels = packed_a ? 1 : kTaskPanels;
  parallel_for(ceil_div(row_panels, task_panels), [&](int64_t task) {
    const int64_t first = task * task_panels, last = least(first + task_panels, row_panels);
    const Bf16* rows_a = packed_a + first * panel;
    if (!packed_a) {
      Bf16* own = reinterpret_cast<Bf16*>(scratch(Scratch::kTile, task_panels * panel / 2));
      const Source rows = {a.x + first * kPanelLines * a.ld, a.ld, false,
                           a.lines - first * kPanelLines, a.gelu};
      const auto pack = rows.gelu ? pack_lines<false, true> : pack_lines<false, false>;
      pack(rows, steps, 0, 2 * (last - first), own);
      rows_a = own;
    }
    [[maybe_unused]] const Unit unit;
    alignas(64) float sum[kPanelLines * kPanelLines];
    for (int64_t pj = 0; pj < panels; ++pj)
      for (int64_t pi = first; pi < last; ++pi) {
        const int64_t i = pi * kPanelLines, j = pj * kPanelLines;
        const TileOut out = tile_out(g, i, j, static_cast<int>(least(g.n - j, kPanelLines)));
        const int valid = static_cast<int>(least(g.m - i, kPanelLines));
        prefetch(out.residual, out.ldr, valid);
        prefetch(out.gelu_input, out.ldc, valid);
        prefetch(out.accumulate ? out.c : nullptr, out.ldc, valid);
        Unit::multiply(blocks, rows_a + (pi - first) * panel, packed_b + pj * panel, sum);
        if (stream)
          write_tile(sum, valid, out, StreamStore{});
        else
          write_tile(sum, valid, out);
      }
    if (stream) _mm_sfence();  // before another thread reads c
  });
}

// Steps [from, from + steps) of k.
template <class Unit>
void multiply_slab(const GemmArgs<float>& g, int64_t from, int64_t steps, Bf16* packed_a,
                   Bf16* packed_b) {
  const int64_t row_panels = ceil_div(g.m, kPanelLines), panels = ceil_div(g.n, kPanelLines);
  const int64_t blocks = ceil_div(steps, kSteps);
  const Source a = {g.transpose_a ? g.a + from * g.lda : g.a + from, g.lda, g.transpose_a, g.m,
                    g.a_activation == Activation::kGelu};
  const Source b = {g.transpose_b ? g.b + from : g.b + from * g.ldb, g.ldb, !g.transpose_b, g.n,
                    g.b_activation == Activation::kGelu};
  const int64_t width = row_panels * kPanelLines;
  float* const sums = g.a_sums ? scratch(Scratch::kRows, blocks * width) : nullptr;
  const Chunks chunks_a = {a, row_panels, blocks, sums}, chunks_b = {b, panels, blocks, nullptr};
  const int64_t count_b = chunks_b.count();
  parallel_for(count_b + (packed_a ? chunks_a.count() : 0), [&](int64_t chunk) {
    if (chunk < count_b)
      chunks_b.pack<true>(chunk, steps, packed_b);
    else
      chunks_a.pack<false>(chunk - count_b, steps, packed_a);
  });
  for (int64_t k = 0; g.a_sums && k < blocks; ++k)
    for_vectors(
        0, g.m, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
          store(g.a_sums + i, load(g.a_sums + i, lanes) + load(sums + k * width + i, lanes), lanes);
        });
  multiply_panels<Unit>(g, a, steps, packed_a, packed_b);
}

template <class Unit>
void multiply_bf16(const GemmArgs<float>& g) {
  if (g.m == 0 || g.n == 0) return;
  const int64_t row_panels = ceil_div(g.m, kPanelLines), panels = ceil_div(g.n, kPanelLines);
  const int64_t slab = g.accumulate ? kSlabBlocks * kSteps : g.k;
  // Two lines of 16 bits: a panel's numbers take line_of floats.
  const int64_t blocks = ceil_div(least(slab, g.k), kSteps);
  const auto packed_in = [&](Scratch slot, int64_t count) {
    return reinterpret_cast<Bf16*>(scratch(slot, count * line_of(blocks)));
  };
  Bf16* const packed_b = packed_in(Scratch::kPackB, panels);
  Bf16* const packed_a = g.transpose_a ? packed_in(Scratch::kPackA, row_panels) : nullptr;
  int64_t from = 0;
  do {
    const int64_t steps = least(g.k - from, slab);
    multiply_slab<Unit>(g, from, steps, packed_a, packed_b);
    from += slab;
  } while (from < g.k);
}

template <class Unit>
void multiply_packed_bf16(const GemmArgs<float>& g) {
  if (g.m == 0 || g.n == 0) return;
  const Source a = {g.a, g.lda, false, g.m, g.a_activation == Activation::kGelu};
  multiply_panels<Unit>(g, a, g.k, nullptr, reinterpret_cast<const Bf16*>(g.b));
}

int64_t packed_size(int64_t n, int64_t k) {
  return ceil_div(n, kPanelLines) * line_of(ceil_div(k, kSteps));
}

void pack(const PackArgs<float>& args) {
  const int64_t panels = ceil_div(args.n, kPanelLines);
  const Source lines = {args.weight, args.ldw, false, args.n, false};
  pack_lines<true, false>(lines, args.k, 0, 2 * panels, reinterpret_cast<Bf16*>(args.packed));
}

template <class Unit>
constexpr ProductKernels<float> kProductKernels = {
    .gemm = multiply_bf16<Unit>,
    .packed_size = packed_size,
    .pack = pack,
    .gemm_packed = multiply_packed_bf16<Unit>,
};

}  // namespace
}  // namespace shiftadd
