// What the kernels of attention share: rows of a head, their codes and int8 numbers in shared
// memory, and tiles of int8 products.
//
// Every function is called by all threads of a block, or by all lanes of a warp where it says so.
#pragma once

#include "cuda/attention.h"
#include "cuda/attention_layout.h"
#include "cuda/math.h"

namespace shiftadd::cuda {
namespace {

constexpr unsigned kAllLanes = 0xffffffffU;
// Rows that a warp reads at once: as many loads are on their way, and four int8 numbers are a word.
constexpr int kRowsAtOnce = 4;

__device__ __forceinline__ int lane_index() { return static_cast<int>(threadIdx.x) & 31; }
__device__ __forceinline__ int warp_index() { return static_cast<int>(threadIdx.x) >> 5; }
__device__ __forceinline__ int lesser(int a, int b) { return a < b ? a : b; }

/// The rows of one head of one image.
struct HeadRows {
  const float* at;
  int stride, count, width;

  __device__ __forceinline__ bool has(int row, int column) const {
    return row < count && column < width;
  }
  /// Beyond the rows and their numbers 0.
  __device__ __forceinline__ float load(int row, int column) const {
    return has(row, column) ? at[row * stride + column] : 0.0F;
  }
};

/// What one block works on: head blockIdx.y of image blockIdx.z.
struct HeadOf {
  HeadRows q, k, v;
  float* out;
  int out_stride, head;

  __device__ __forceinline__ explicit HeadOf(const AttendArgs& args) {
    const AttentionShape& s = args.shape;
    const int64_t image = blockIdx.z;
    head = static_cast<int>(blockIdx.y);
    q = {args.q + image * s.q_batch + head * s.q_head, static_cast<int>(s.q_row),
         static_cast<int>(s.queries), static_cast<int>(s.code_dim)};
    k = {args.k + image * s.k_batch + head * s.k_head, static_cast<int>(s.k_row),
         static_cast<int>(s.keys), static_cast<int>(s.code_dim)};
    v = {args.v + image * s.v_batch + head * s.v_head, static_cast<int>(s.v_row),
         static_cast<int>(s.keys), static_cast<int>(s.head_dim)};
    out = args.out + image * s.o_batch + head * s.o_head;
    out_stride = static_cast<int>(s.o_row);
  }
};

/// Of a product of codes: the head's temperature in it (core/cpu/simd/scores.h).
__device__ __forceinline__ float head_factor(const AttendArgs& args, int head) {
  if (!args.temperature) return args.factor;
  const float given = args.temperature[head];
  return args.factor * (given < kLeastTemperature ? kLeastTemperature : given);
}

/// The largest of a warp's lanes.
__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int step = 16; step; step /= 2) x = max(x, __shfl_xor_sync(kAllLanes, x, step));
  return x;
}

/// The largest |v| of a head, at least 1e-12. `tops`: room for a number of each warp. Floats that
/// are not negative are ordered as their bits are.
template <int kWidth>
__device__ __forceinline__ float largest_magnitude(const HeadRows& v, int* tops) {
  int top = __float_as_int(1e-12F);
  for (int first = warp_index() * kRowsAtOnce; first < v.count;
       first += kAttentionWarps * kRowsAtOnce)
#pragma unroll
    for (int i = 0; i < kRowsAtOnce; ++i)
#pragma unroll
      for (int column = lane_index(); column < kWidth; column += 32) {
        const int bits = __float_as_int(fabsf(v.load(first + i, column)));
        top = bits > top ? bits : top;
      }
  top = __reduce_max_sync(kAllLanes, top);
  if (lane_index() == 0) tops[warp_index()] = top;
  __syncthreads();
  for (int warp = 0; warp < kAttentionWarps; ++warp) top = tops[warp] > top ? tops[warp] : top;
  return __int_as_float(top);
}

/// A number of q or k as int8: a sign, a level or, times `inverse`, rounded.
__device__ __forceinline__ int code_of(Codes codes, float x, float inverse) {
  if (codes == Codes::kSign) return x < 0 ? -1 : 1;
  if (codes == Codes::kBipolar2) return level_of(x);
  return __float2int_rn(x * inverse);
}

/// Rows [first, first + count) of x as int8 in shared memory, `line` bytes apart, and to `scales`
/// (or null) what each is multiplied by; 0 beyond the rows and their numbers. count: a multiple of
/// kRowsAtOnce.
template <int kWidth>
__device__ __forceinline__ void encode_rows(Codes codes, const HeadRows& x, int first, int count,
                                            int8_t* rows, int line, float* scales) {
  constexpr int kParts = kWidth / 32;
  const int lane = lane_index();
  for (int at = warp_index() * kRowsAtOnce; at < count; at += kAttentionWarps * kRowsAtOnce) {
    float values[kRowsAtOnce][kParts];
#pragma unroll
    for (int i = 0; i < kRowsAtOnce; ++i)
#pragma unroll
      for (int part = 0; part < kParts; ++part)
        values[i][part] = x.load(first + at + i, part * 32 + lane);
#pragma unroll
    for (int i = 0; i < kRowsAtOnce; ++i) {
      float inverse = 1, scale = 1;
      if (codes == Codes::kNone) {
        int top = __float_as_int(1e-12F);
#pragma unroll
        for (int part = 0; part < kParts; ++part) {
          const int bits = __float_as_int(fabsf(values[i][part]));
          top = bits > top ? bits : top;
        }
        const float largest = __int_as_float(__reduce_max_sync(kAllLanes, top));
        inverse = __fdiv_rn(127.0F, largest);
        scale = __fdiv_rn(largest, 127.0F);
      }
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        const int column = part * 32 + lane;
        const int code =
            x.has(first + at + i, column) ? code_of(codes, values[i][part], inverse) : 0;
        rows[(at + i) * line + column] = static_cast<int8_t>(code);
      }
      if (lane == 0 && scales) scales[at + i] = scale;
    }
  }
}

/// Four int8 numbers, the first lowest.
__device__ __forceinline__ uint32_t pack_bytes(const int (&x)[4]) {
  return (static_cast<uint32_t>(x[0]) & 255U) | (static_cast<uint32_t>(x[1]) & 255U) << 8 |
         (static_cast<uint32_t>(x[2]) & 255U) << 16 | static_cast<uint32_t>(x[3]) << 24;
}

/// Rows [first, first + count) of x, turned: column j is `count` int8 numbers at columns + j *
/// line. encode(row, column, number) makes one of them, 32 columns of a row by a warp; beyond the
/// rows and their numbers 0 takes its place. count: a multiple of kRowsAtOnce.
template <int kWidth, class Encode>
__device__ __forceinline__ void encode_columns(const HeadRows& x, int first, int count,
                                               int8_t* columns, int line, Encode encode) {
  constexpr int kParts = kWidth / 32;
  for (int at = warp_index() * kRowsAtOnce; at < count; at += kAttentionWarps * kRowsAtOnce) {
    float values[kParts][kRowsAtOnce];
#pragma unroll
    for (int part = 0; part < kParts; ++part)
#pragma unroll
      for (int i = 0; i < kRowsAtOnce; ++i)
        values[part][i] = x.load(first + at + i, part * 32 + lane_index());
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const int column = part * 32 + lane_index();
      int numbers[kRowsAtOnce];
#pragma unroll
      for (int i = 0; i < kRowsAtOnce; ++i) {
        const int number = encode(first + at + i, column, values[part][i]);
        numbers[i] = x.has(first + at + i, column) ? number : 0;
      }
      *reinterpret_cast<uint32_t*>(columns + column * line + at) = pack_bytes(numbers);
    }
  }
}

// --- tiles of 16 x 16, by all lanes of a warp

/// 16 rows of 32 bytes, `line` bytes apart.
__device__ __forceinline__ void load_left(uint32_t (&a)[4], const int8_t* rows, int line) {
  const int lane = lane_index();
  simt::ldmatrix_x4(a, rows + lane % 16 * line + lane / 16 * 16);
}

/// 16 columns of 32 bytes, `line` bytes apart: two operands of 8 columns.
__device__ __forceinline__ void load_right(uint32_t (&b)[2][2], const int8_t* columns, int line) {
  const int lane = lane_index();
  uint32_t four[4];
  simt::ldmatrix_x4(four, columns + (lane % 8 + lane / 16 * 8) * line + lane / 8 % 2 * 16);
  b[0][0] = four[0], b[0][1] = four[1], b[1][0] = four[2], b[1][1] = four[3];
}

/// sum += 16 rows times 16 columns, of 32 numbers each.
__device__ __forceinline__ void multiply_tile(int32_t (&sum)[2][4], const uint32_t (&a)[4],
                                              const int8_t* columns, int line) {
  uint32_t b[2][2];
  load_right(b, columns, line);
  simt::mma_s8(sum[0], a, b[0]);
  simt::mma_s8(sum[1], a, b[1]);
}

/// Where the lane's sums lie in a tile: sum[half][2 low + i] is row tile_row(low), column
/// tile_column(half) + i.
__device__ __forceinline__ int tile_row(int low) { return lane_index() / 4 + low * 8; }
__device__ __forceinline__ int tile_column(int half) { return half * 8 + lane_index() % 4 * 2; }

/// Whether two neighbouring numbers of the output, the first of an even column, may be written as
/// one.
__device__ __forceinline__ bool writes_pairs(const AttendArgs& args) {
  const AttentionShape& s = args.shape;
  return ((s.o_batch | s.o_row | s.o_head | s.head_dim) & 1) == 0 &&
         reinterpret_cast<uintptr_t>(args.out) % sizeof(float2) == 0;
}
__device__ __forceinline__ void store_pair(float* out, int column, int width, bool pairs, float x,
                                           float y) {
  if (pairs) {
    if (column < width) *reinterpret_cast<float2*>(out + column) = float2{x, y};
    return;
  }
  if (column < width) out[column] = x;
  if (column + 1 < width) out[column + 1] = y;
}

}  // namespace
}  // namespace shiftadd::cuda
