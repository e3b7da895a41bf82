// The matrix products on any CPU: Eigen, one tile of fixed size at a time.
//
// Eigen's edge kernels add in another order than its full ones, so operands are copied into tiles
// padded with zeros: every element then takes the same path, and its bits depend on its operands
// alone.
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/cpu/gemm.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

// A multiple of each register block of Eigen's (12 x 4 with 4 lanes).
constexpr int64_t kTile = 48;

using Matrix = Eigen::Map<Eigen::Matrix<float, kTile, Eigen::Dynamic>>;  // one column for each k
using Tile = Eigen::Map<Eigen::Matrix<float, kTile, kTile>>;

// out[p * kTile + r] = x[r * row + p * step] for r < rows, 0 for the others.
void pack_tile(const float* x, int64_t row, int64_t step, int64_t rows, int64_t k, float* out) {
  for (int64_t p = 0; p < k; ++p)
    for (int64_t r = 0; r < kTile; ++r) out[p * kTile + r] = r < rows ? x[r * row + p * step] : 0;
}

// The bits of the table's gelu (the reference), so that a fused one rounds alike.
float gelu(double x) {
  return static_cast<float>(x / 2 * (1 + std::erf(x * std::numbers::sqrt2 / 2)));
}

float finish(float x, const GemmArgs<float>& g, int64_t i, int64_t j) {
  if (g.row_scale)
    x = static_cast<float>(static_cast<double>(x) * g.row_scale[i] + (g.bias ? g.bias[j] : 0));
  else if (g.bias)
    x += g.bias[j];
  if (g.activation == Activation::kGelu) x = gelu(x);
  if (g.gelu_input) {
    const double at = g.gelu_input[i * g.ldc + j];
    const double cdf = (1 + std::erf(at * std::numbers::sqrt2 / 2)) / 2;
    const double pdf = std::exp(-at * at / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
    x = static_cast<float>(x * (cdf + at * pdf));
  }
  return g.residual ? x + g.residual[i * g.ldr + j] : x;
}

// packed_b: null, or tiles of k x kTile columns.
void multiply(const GemmArgs<float>& g, const float* packed_b) {
  const int64_t row_tiles = (g.m + kTile - 1) / kTile, column_tiles = (g.n + kTile - 1) / kTile;
  parallel_for(column_tiles, [&](int64_t tj) {
    const int64_t j = tj * kTile, columns = std::min(kTile, g.n - j);
    float* const a = scratch(Scratch::kPackA, kTile * g.k);
    float* const c = scratch(Scratch::kTile, kTile * kTile);
    float* b = const_cast<float*>(packed_b ? packed_b + j * g.k : nullptr);
    if (!b) {
      b = scratch(Scratch::kPackB, kTile * g.k);
      if (g.transpose_b)
        pack_tile(g.b + j * g.ldb, g.ldb, 1, columns, g.k, b);
      else
        pack_tile(g.b + j, 1, g.ldb, columns, g.k, b);
    }
    for (int64_t ti = 0; ti < row_tiles; ++ti) {
      const int64_t i = ti * kTile, rows = std::min(kTile, g.m - i);
      if (g.transpose_a)
        pack_tile(g.a + i, 1, g.lda, rows, g.k, a);
      else
        pack_tile(g.a + i * g.lda, g.lda, 1, rows, g.k, a);
      Tile(c, kTile, kTile).noalias() = Matrix(b, kTile, g.k) * Matrix(a, kTile, g.k).transpose();
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t s = 0; s < columns; ++s) {
          float& out = g.c[(i + r) * g.ldc + j + s];
          const float x = c[r * kTile + s];
          out = g.accumulate ? out + x : finish(x, g, i + r, j + s);
        }
    }
  });
}

void gemm(const GemmArgs<float>& g) { multiply(g, nullptr); }

int64_t packed_size(int64_t n, int64_t k) { return (n + kTile - 1) / kTile * kTile * k; }

void pack(const float* weight, int64_t ldw, int64_t n, int64_t k, float* packed) {
  for (int64_t j = 0; j < n; j += kTile)
    pack_tile(weight + j * ldw, ldw, 1, std::min(kTile, n - j), k, packed + j * k);
}

void gemm_packed(const GemmArgs<float>& g) { multiply(g, g.b); }

}  // namespace

const GemmFunctions& gemm_functions_generic() {
  static constexpr GemmFunctions functions = {gemm, packed_size, pack, gemm_packed};
  return functions;
}

}  // namespace shiftadd
