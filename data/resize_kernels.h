// The two inner loops of resize, plain and in AVX2, with equal bits.
#pragma once

#include <cstdint>
#include <vector>

#include "data/image.h"

namespace shiftadd::data {

/// Weights have 22 fraction bits: a sum of 8-bit pixels times weights then fits 32 bits with sign
/// and overshoot.
constexpr int kWeightBits = 22;
constexpr int32_t kWeightHalf = 1 << (kWeightBits - 1);

/// Which source elements make each output element along one axis, and with what weights. Rows of
/// `weights` are `stride` wide, a multiple of 4, filled with zeros beyond `count`.
struct ResizeTaps {
  std::vector<int32_t> first, count, weights;
  int64_t stride = 0;
};

/// One row of RGB pixels to another: out[x] = sum over taps of in[first[x] + k] * weight[x][k],
/// rounded, clamped.
using HorizontalKernel = void (*)(const uint8_t* in, const ResizeTaps& taps, uint8_t* out,
                                  int64_t width);
void resize_row_plain(const uint8_t* in, const ResizeTaps& taps, uint8_t* out, int64_t width);
/// Reads up to kRowSlack bytes behind the last pixel used (their weight is 0).
void resize_row_avx2(const uint8_t* in, const ResizeTaps& taps, uint8_t* out, int64_t width);
constexpr int64_t kRowSlack = 16;

/// out[i] = sum over k < count of in[k * stride + i] * weights[k], for `bytes` bytes.
using VerticalKernel = void (*)(const uint8_t* in, int64_t stride, const int32_t* weights,
                                int64_t count, uint8_t* out, int64_t bytes);
void resize_column_plain(const uint8_t* in, int64_t stride, const int32_t* weights, int64_t count,
                         uint8_t* out, int64_t bytes);
void resize_column_avx2(const uint8_t* in, int64_t stride, const int32_t* weights, int64_t count,
                        uint8_t* out, int64_t bytes);

}  // namespace shiftadd::data
