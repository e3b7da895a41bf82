// The matrix product: operands packed in panels, tiles handed out to threads.
//
// Each tile runs over the whole of k, so an element is one chain of FMAs. Only when c is
// accumulated into is k cut, at multiples of kDepth: a tall k (the gradient of a weight sums over
// all tokens) is packed a cache-sized slab at a time, and each slab's sum is added to c.
#pragma once

#include "core/cpu/scratch.h"
#include "core/cpu/simd/gemm_tile.h"
#include "core/cpu/targets.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

// Slab of k: (m + n) * 4 * 384 bytes are 1.1 MiB for m = 576, n = 192: the packed slab stays in L2.
constexpr int64_t kDepth = 384;
// Rows of a task: 112 rows of A at k = 768 are 336 KiB, which leave room in L2 for a panel of B.
constexpr int64_t kTaskRows = 112 / kTileRows * kTileRows;
// Rows of the unpacked operand that packing visits at a time: 32 rows of 4 panels are 16 KiB.
constexpr int64_t kPackRows = 32;
constexpr int64_t kPackPanels = 4;
// Multiply-adds worth a hand-out (about 10 us).
constexpr int64_t kTaskWork = 1 << 19;

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
// The i-th of `parts` nearly equal parts of n begins here.
constexpr int64_t part(int64_t n, int64_t parts, int64_t i) { return n * i / parts; }

inline int64_t packed_size(int64_t n, int64_t k) {
  return ceil_div(n, kTileColumns) * kTileColumns * k;
}

SHIFTADD_INLINE int valid_columns(int64_t n, int64_t panel) {
  const int64_t left = n - panel * kTileColumns;
  return static_cast<int>(left < kTileColumns ? left : kTileColumns);
}

// Panels [begin, end) of b, over k rows from row `from`. Rows are walked a few at a time over all
// the panels, so that each cache line and page of b is visited once.
void pack_panels(const GemmArgs<float>& g, int64_t from, int64_t k, int64_t begin, int64_t end,
                 float* packed) {
  for (int64_t p = 0; p < k; p += kPackRows)
    for (int64_t j = begin; j < end; ++j) {
      const float* b = g.transpose_b ? g.b + j * kTileColumns * g.ldb + from + p
                                     : g.b + (from + p) * g.ldb + j * kTileColumns;
      pack_panel(b, g.ldb, g.transpose_b, k - p < kPackRows ? k - p : kPackRows,
                 valid_columns(g.n, j), packed + (j * k + p) * kTileColumns);
    }
}

// One slab of k: a and packed panels in, tiles of c out.
struct Slab {
  const GemmArgs<float>& g;
  int64_t k;
  const float* a;         // first element of the slab in a, or packed row panels when transpose_a
  const float* packed_b;  // panels of k x kTileColumns
  bool packed_a;
  int64_t row_tiles = ceil_div(g.m, kTileRows), column_tiles = ceil_div(g.n, kTileColumns);

  // Row tiles have heights that differ by at most one.
  int64_t row(int64_t tile) const { return part(g.m, row_tiles, tile); }

  void tile_at(int64_t ti, int64_t tj) const {
    const int64_t i = row(ti), j = tj * kTileColumns;
    const int rows = static_cast<int>(row(ti + 1) - i), columns = valid_columns(g.n, tj);
    const TileOut out = tile_out(g, i, j, columns);
    run_tile(rows, packed_a, k, packed_a ? a + ti * kTileRows * k : a + i * g.lda, g.lda,
             packed_b + j * k, out);
  }

  // Row panels [begin, end) of a transposed a.
  void pack_rows(int64_t from, int64_t begin, int64_t end, float* packed) const {
    for (int64_t p = 0; p < k; p += kPackRows)
      for (int64_t t = begin; t < end; ++t)
        pack_columns(g.a + (from + p) * g.lda + row(t), g.lda,
                     k - p < kPackRows ? k - p : kPackRows, static_cast<int>(row(t + 1) - row(t)),
                     packed + (t * k + p) * kTileRows);
  }

  // Tasks are blocks of tiles, cut by shape alone.
  void multiply() const {
    const int64_t row_blocks = ceil_div(g.m, kTaskRows);
    const int64_t work = g.m * g.n * k / row_blocks;
    int64_t column_blocks = work / kTaskWork;
    column_blocks = column_blocks < 1              ? 1
                    : column_blocks > column_tiles ? column_tiles
                                                   : column_blocks;
    // With many blocks of rows, whole rows of c are the better task: a is then read once.
    if (row_blocks >= 16) column_blocks = 1;
    parallel_for(row_blocks * column_blocks, [&](int64_t task) {
      const int64_t bi = task / column_blocks, bj = task % column_blocks;
      const int64_t i0 = part(row_tiles, row_blocks, bi), i1 = part(row_tiles, row_blocks, bi + 1);
      const int64_t j1 = part(column_tiles, column_blocks, bj + 1);
      for (int64_t j = part(column_tiles, column_blocks, bj); j < j1; ++j)
        for (int64_t i = i0; i < i1; ++i) tile_at(i, j);
    });
  }
};

void gemm(const GemmArgs<float>& g) {
  if (g.m == 0 || g.n == 0) return;
  const int64_t column_tiles = ceil_div(g.n, kTileColumns), row_tiles = ceil_div(g.m, kTileRows);
  const int64_t slabs = g.accumulate && g.k > kDepth ? ceil_div(g.k, kDepth) : 1;
  const int64_t depth = slabs > 1 ? kDepth : g.k;
  float* packed_b = scratch(Scratch::kPackB, column_tiles * kTileColumns * depth);
  float* packed_a =
      g.transpose_a ? scratch(Scratch::kPackA, row_tiles * kTileRows * depth) : nullptr;
  for (int64_t s = 0; s < slabs; ++s) {
    const int64_t from = s * depth, k = g.k - from < depth ? g.k - from : depth;
    const Slab slab = {g, k, packed_a ? packed_a : g.a + from, packed_b, g.transpose_a};
    const int64_t chunks_b = ceil_div(column_tiles, kPackPanels);
    const int64_t chunks_a = packed_a ? ceil_div(row_tiles, 2 * kPackPanels) : 0;
    parallel_for(chunks_b + chunks_a, [&](int64_t chunk) {
      if (chunk < chunks_b)
        pack_panels(g, from, k, part(column_tiles, chunks_b, chunk),
                    part(column_tiles, chunks_b, chunk + 1), packed_b);
      else
        slab.pack_rows(from, part(row_tiles, chunks_a, chunk - chunks_b),
                       part(row_tiles, chunks_a, chunk - chunks_b + 1), packed_a);
    });
    slab.multiply();
  }
}

inline void pack(const PackArgs<float>& args) {
  GemmArgs<float> g{};
  g.n = args.n;
  g.b = args.weight;
  g.ldb = args.ldw;
  g.transpose_b = true;
  pack_panels(g, 0, args.k, 0, ceil_div(args.n, kTileColumns), args.packed);
}

inline void gemm_packed(const GemmArgs<float>& g) {
  if (g.m == 0 || g.n == 0) return;
  Slab{g, g.k, g.a, g.b, false}.multiply();
}

template <Isa isa>
void gemm_kernel(const GemmArgs<float>& g) {
  if (g.bf16)
    gemm_bf16(isa, g);
  else
    gemm(g);
}

}  // namespace
}  // namespace shiftadd
