// The micro-kernel of the matrix product: one tile of C in registers, and what packs its operands.
//
// AVX-512: 14 x 32. 28 accumulators + 2 vectors of B + 1 broadcast of A fill 31 of 32 registers; per step
// of k it issues 28 FMAs for 16 loads, so that neither loads nor latency (28 chains) bind. AVX2: 6 x 16,
// 12 + 2 + 1 of 16. A row count below the full height has its own instance: M = 197 is cut into tiles of
// 13 and 14 rows instead of 14 fourteens and a one.
#pragma once

#include <utility>

#include "core/cpu/simd/vec.h"

namespace shiftadd {
namespace {

constexpr int kTileColumns = 2 * kWidth;
#if defined(__AVX512F__)
constexpr int kTileRows = 14;
#else
constexpr int kTileRows = 6;
#endif

// Where a tile goes: c[r][j] = sum, or c += sum, or sum + bias[j] + residual[r][j].
struct TileOut {
  float* c;
  int64_t ldc;
  int columns;  // valid ones, 1 .. kTileColumns
  bool accumulate;
  const float* bias;  // of these columns, or null
  const float* residual;
  int64_t ldr;
};

template <int N, class Body>
SHIFTADD_INLINE void unrolled(Body body) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (body(std::integral_constant<int, i>{}), ...);
  }(std::make_integer_sequence<int, N>{});
}

template <int kVectors>
SHIFTADD_INLINE void write_row(const Vec* sum, const TileOut& out, int row) {
  unrolled<kVectors>([&](auto v) __attribute__((always_inline)) {
    const int at = v * kWidth;
    const int n = out.columns - at < kWidth ? out.columns - at : kWidth;
    if (n <= 0) return;
    float* c = out.c + row * out.ldc + at;
    Vec x = sum[v];
    if (n == kWidth) {
      if (out.accumulate) x = x + load(c);
      if (out.bias) x = x + load(out.bias + at);
      if (out.residual) x = x + load(out.residual + row * out.ldr + at);
      store(c, x);
    } else {
      if (out.accumulate) x = x + load(c, n);
      if (out.bias) x = x + load(out.bias + at, n);
      if (out.residual) x = x + load(out.residual + row * out.ldr + at, n);
      store(c, x, n);
    }
  });
}

// a: element (r, p) at a[r * lda + p], or, packed, at a[p * kTileRows + r]. b: packed, b[p * kTileColumns + j].
// Each element is one chain of FMAs over p from zero: its bits are the same in every instance. kVectors 1
// leaves out the second half of a panel that has at most kWidth columns.
template <int kRows, int kVectors, bool kPackedA>
void tile(int64_t k, const float* a, int64_t lda, const float* b, const TileOut& out) {
  Vec sum[kRows][kVectors];
  unrolled<kRows>([&](auto r) __attribute__((always_inline)) {
    unrolled<kVectors>([&](auto v) __attribute__((always_inline)) { sum[r][v] = zero(); });
  });
  // Three rows share a pointer: p, p + lda and p + 2 lda are addressing modes, 14 pointers are spills.
  constexpr int kGroups = (kRows + 2) / 3;
  const float* row[kGroups];
  if constexpr (!kPackedA)
    unrolled<kGroups>([&](auto g) __attribute__((always_inline)) { row[g] = a + 3 * g * lda; });
  for (int64_t p = 0; p < k; ++p) {
    Vec column[kVectors];
    unrolled<kVectors>([&](auto v) __attribute__((always_inline)) { column[v] = load(b + v * kWidth); });
    b += kTileColumns;
    unrolled<kRows>([&](auto r) __attribute__((always_inline)) {
      const Vec x = set1(kPackedA ? a[r] : row[r / 3][(r % 3) * lda]);
      unrolled<kVectors>([&](auto v) __attribute__((always_inline)) {
        sum[r][v] = fma(x, column[v], sum[r][v]);
      });
    });
    if constexpr (kPackedA)
      a += kTileRows;
    else
      unrolled<kGroups>([&](auto g) __attribute__((always_inline)) { ++row[g]; });
  }
  unrolled<kRows>([&](auto r) __attribute__((always_inline)) { write_row<kVectors>(sum[r], out, r); });
}

using TileFunction = void (*)(int64_t k, const float* a, int64_t lda, const float* b, const TileOut& out);

template <int kVectors, bool kPackedA, int... rows>
constexpr void fill_tiles(TileFunction* table, std::integer_sequence<int, rows...>) {
  ((table[rows + 1] = tile<rows + 1, kVectors, kPackedA>), ...);
}

struct TileTable {
  TileFunction of[2][2][kTileRows + 1] = {};  // by vectors - 1, packed a, number of rows
  constexpr TileTable() {
    constexpr auto rows = std::make_integer_sequence<int, kTileRows>{};
    fill_tiles<1, false>(of[0][0], rows);
    fill_tiles<1, true>(of[0][1], rows);
    fill_tiles<2, false>(of[1][0], rows);
    fill_tiles<2, true>(of[1][1], rows);
  }
};
constexpr TileTable kTiles;

/// The tile of `rows` rows, 1 .. kTileRows, at the operands described at tile().
SHIFTADD_INLINE void run_tile(int rows, bool packed_a, int64_t k, const float* a, int64_t lda, const float* b,
                              const TileOut& out) {
  kTiles.of[out.columns > kWidth][packed_a][rows](k, a, lda, b, out);
}

// Eight rows of eight, transposed: out[j * ldo + i] = in[i * ldi + j].
SHIFTADD_INLINE void transpose8(const float* in, int64_t ldi, float* out, int64_t ldo) {
  __m256 r[8], t[8];
  unrolled<8>([&](auto i) __attribute__((always_inline)) { r[i] = _mm256_loadu_ps(in + i * ldi); });
  unrolled<4>([&](auto i) __attribute__((always_inline)) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  });
  unrolled<2>([&](auto h) __attribute__((always_inline)) {
    r[4 * h] = _mm256_shuffle_ps(t[4 * h], t[4 * h + 2], 0x44);
    r[4 * h + 1] = _mm256_shuffle_ps(t[4 * h], t[4 * h + 2], 0xee);
    r[4 * h + 2] = _mm256_shuffle_ps(t[4 * h + 1], t[4 * h + 3], 0x44);
    r[4 * h + 3] = _mm256_shuffle_ps(t[4 * h + 1], t[4 * h + 3], 0xee);
  });
  unrolled<4>([&](auto i) __attribute__((always_inline)) {
    _mm256_storeu_ps(out + i * ldo, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * ldo, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  });
}

/// One panel of B, k x kTileColumns, columns beyond `columns` zero. b: (k, n) rows, or (n, k) when transposed.
SHIFTADD_INLINE void pack_panel(const float* b, int64_t ldb, bool transposed, int64_t k, int columns,
                                float* panel) {
  if (!transposed) {
    const int n0 = columns < kWidth ? columns : kWidth, n1 = columns - n0;
    for (int64_t p = 0; p < k; ++p, b += ldb, panel += kTileColumns) {
      store(panel, load(b, n0));
      store(panel + kWidth, load(b + kWidth, n1));
    }
    return;
  }
  for (int j = 0; j < kTileColumns; j += 8) {
    int64_t p = 0;
    if (j + 8 <= columns)
      for (; p + 8 <= k; p += 8)
        transpose8(b + j * ldb + p, ldb, panel + p * kTileColumns + j, kTileColumns);
    for (; p < k; ++p)
      for (int i = j; i < j + 8; ++i)
        panel[p * kTileColumns + i] = i < columns ? b[i * ldb + p] : 0;
  }
}

/// `rows` columns of a (k, m), beside one another: panel[p * kTileRows + r] = a[p * lda + r].
SHIFTADD_INLINE void pack_columns(const float* a, int64_t lda, int64_t k, int rows, float* panel) {
  const int n0 = rows < kWidth ? rows : kWidth;
  for (int64_t p = 0; p < k; ++p, a += lda, panel += kTileRows) store(panel, load(a, n0), n0);
}

}  // namespace
}  // namespace shiftadd
