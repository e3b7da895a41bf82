// The micro-kernel of the matrix product: one tile of C in registers, and what packs its operands.
//
// AVX-512: 14 x 32. 28 accumulators + 2 vectors of B + 1 broadcast of A fill 31 of 32 registers;
// per step of k it issues 28 FMAs for 16 loads, so that neither loads nor latency (28 chains) bind.
// AVX2: 6 x 16, 12 + 2 + 1 of 16. Generic: 4 x 8, since SSE2 needs registers for the products, too.
// A row count below the full height has its own instance: M = 197
// is cut into tiles of 13 and 14 rows instead of 14 fourteens and a one.
#pragma once

#include <utility>

#include "core/cpu/simd/math.h"
#if !defined(__AVX2__) && !defined(__FP_FAST_FMAF)
#include "core/cpu/simd/gemm_tile_doubles.h"
#endif
#include "core/kernels.h"

namespace shiftadd {
namespace {

constexpr int kTileColumns = 2 * kWidth;
#if defined(__AVX512F__)
constexpr int kTileRows = 14;
#elif defined(__AVX2__)
constexpr int kTileRows = 6;
#else
constexpr int kTileRows = 4;
#endif

// Where a tile goes: c = act(row_scale sum + bias) + residual, or c += sum.
struct TileOut {
  float* c;
  int64_t ldc;
  int columns;  // valid ones, 1 .. kTileColumns
  bool accumulate = false;
  const float* bias = nullptr;  // of these columns, or null
  Activation activation = Activation::kNone;
  const float* residual = nullptr;
  int64_t ldr = 0;
  const float* row_scale = nullptr;   // of these rows, or null
  const float* gelu_input = nullptr;  // of these rows and columns, leading dimension ldc, or null
};

// The tile of g whose first element is (i, j).
SHIFTADD_INLINE TileOut tile_out(const GemmArgs<float>& g, int64_t i, int64_t j, int columns) {
  return {.c = g.c + i * g.ldc + j,
          .ldc = g.ldc,
          .columns = columns,
          .accumulate = g.accumulate,
          .bias = g.bias ? g.bias + j : nullptr,
          .activation = g.activation,
          .residual = g.residual ? g.residual + i * g.ldr + j : nullptr,
          .ldr = g.ldr,
          .row_scale = g.row_scale ? g.row_scale + i : nullptr,
          .gelu_input = g.gelu_input ? g.gelu_input + i * g.ldc + j : nullptr};
}

struct PlainStore {
  template <class Lanes>
  SHIFTADD_INLINE void operator()(float* c, Vec x, Lanes lanes) const {
    store(c, x, lanes);
  }
};

// sum: rows of kTileColumns, in L1. Read before c is written: residual may be c itself.
template <class Store = PlainStore>
SHIFTADD_INLINE void write_tile(const float* sum, int rows, const TileOut& out, Store put = {}) {
  for (int r = 0; r < rows; ++r, sum += kTileColumns) {
    float* c = out.c + r * out.ldc;
    const float* residual = out.residual ? out.residual + r * out.ldr : nullptr;
    for_vectors(
        0, out.columns, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          Vec x = load(sum + j);
          if (out.accumulate) x = x + load(c + j, lanes);
          if (out.row_scale)
            x = fma(x, set1(out.row_scale[r]), out.bias ? load(out.bias + j, lanes) : zero());
          else if (out.bias)
            x = x + load(out.bias + j, lanes);
          if (out.activation == Activation::kGelu) x = gelu(x);
          if (out.gelu_input)
            x = x * gelu_derivative(load(out.gelu_input + r * out.ldc + j, lanes));
          if (residual) x = x + load(residual + j, lanes);
          put(c + j, x, lanes);
        });
  }
}

// a: element (r, p) at a[r * lda + p], or, packed, at a[p * kTileRows + r]. b: packed, b[p *
// kTileColumns + j]. Each element is one chain of FMAs over p from zero: its bits are the same in
// every instance. kVectors 1 leaves out the second half of a panel that has at most kWidth columns.
template <int kRows, int kVectors, bool kPackedA>
void tile(int64_t k, const float* a, int64_t lda, const float* b, float* out) {
#if !defined(__AVX2__) && !defined(__FP_FAST_FMAF)
  if (tile_in_doubles<kRows, kVectors>(k, a, kPackedA ? 1 : lda, kPackedA ? kTileRows : 1, b, out))
    return;
#endif
  Vec sum[kRows][kVectors];
#pragma GCC unroll 14
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sum[r][v] = zero();
  // Three rows share a pointer: p, p + lda and p + 2 lda are addressing modes, 14 pointers are
  // spills.
  constexpr int kGroups = (kRows + 2) / 3;
  const float* row[kGroups];
#pragma GCC unroll 5
  for (int g = 0; g < kGroups; ++g) row[g] = kPackedA ? a : a + 3 * g * lda;
  for (int64_t p = 0; p < k; ++p, b += kTileColumns) {
    Vec column[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) column[v] = load(b + v * kWidth);
#pragma GCC unroll 14
    for (int r = 0; r < kRows; ++r) {
      const Vec x = set1(kPackedA ? a[p * kTileRows + r] : row[r / 3][(r % 3) * lda + p]);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sum[r][v] = fma(x, column[v], sum[r][v]);
    }
  }
#pragma GCC unroll 14
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) store(out + r * kTileColumns + v * kWidth, sum[r][v]);
}

using TileFunction = void (*)(int64_t k, const float* a, int64_t lda, const float* b, float* out);

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
inline void run_tile(int rows, bool packed_a, int64_t k, const float* a, int64_t lda,
                     const float* b, const TileOut& out) {
  alignas(64) float sum[kTileRows * kTileColumns];
  kTiles.of[out.columns > kWidth][packed_a][rows](k, a, lda, b, sum);
  write_tile(sum, rows, out);
}

// kSquare rows of kSquare, transposed: out[j * ldo + i] = in[i * ldi + j].
#if defined(__AVX2__)
constexpr int kSquare = 8;
SHIFTADD_INLINE void transpose(const float* in, int64_t ldi, float* out, int64_t ldo) {
  __m256 r[8], t[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(in + i * ldi);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(out + i * ldo, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * ldo, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}
#else
constexpr int kSquare = 4;
SHIFTADD_INLINE void transpose(const float* in, int64_t ldi, float* out, int64_t ldo) {
  for (int j = 0; j < kSquare; ++j)
    store(out + j * ldo, Vec{in[j], in[ldi + j], in[2 * ldi + j], in[3 * ldi + j]});
}
#endif

/// One panel of B, k x kTileColumns, columns beyond `columns` zero. b: (k, n) rows, or (n, k) when
/// transposed.
SHIFTADD_INLINE void pack_panel(const float* b, int64_t ldb, bool transposed, int64_t k,
                                int columns, float* panel) {
  if (!transposed) {
    const int n0 = columns < kWidth ? columns : kWidth, n1 = columns - n0;
    for (int64_t p = 0; p < k; ++p, b += ldb, panel += kTileColumns) {
      store(panel, load(b, n0));
      store(panel + kWidth, load(b + kWidth, n1));
    }
    return;
  }
  for (int j = 0; j < kTileColumns; j += kSquare) {
    int64_t p = 0;
    if (j + kSquare <= columns)
      for (; p + kSquare <= k; p += kSquare)
        transpose(b + j * ldb + p, ldb, panel + p * kTileColumns + j, kTileColumns);
    for (; p < k; ++p)
      for (int i = j; i < j + kSquare; ++i)
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
