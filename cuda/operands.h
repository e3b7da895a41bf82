// What the kernels of products get: rows in device memory, weights, which rows an expert has, and
// what follows a product. Plain structs, made by the engine.
#pragma once

#include <cstdint>

#include "core/kernels/product.h"

namespace shiftadd::cuda {

/// Bytes of a row that one matrix instruction takes: rows of int8 and bf16 numbers are padded to a
/// multiple of it.
inline constexpr int kStepBytes = 32;

/// Rows [first, first + count) of every image, each of which has `step` rows: row i of all those
/// meant is row index(i) of the buffer. step 0: a table, the same for every image.
struct RowIndex {
  int32_t count = 1, step = 0, first = 0;

  constexpr int64_t index(int32_t i) const {
    return static_cast<int64_t>(i / count) * step + first + i % count;
  }
};

/// Rows of numbers, `stride` numbers apart.
template <class T>
struct RowsAt {
  T* data = nullptr;  // null: there are none
  RowIndex rows;
  int32_t stride = 0;

  constexpr T* at(int32_t i) const { return data + rows.index(i) * stride; }
};

/// int8 numbers with a scale a row; what pads a row is 0. `stride` bytes apart.
template <class Int8, class Float>
struct QuantizedRowsAt {
  Int8* values = nullptr;  // null: there are none
  Float* scales = nullptr;
  RowIndex rows;
  int32_t stride = 0;

  constexpr Int8* at(int32_t i) const { return values + rows.index(i) * stride; }
  constexpr Float* scale(int32_t i) const { return scales + rows.index(i); }
};
using QuantizedIn = QuantizedRowsAt<const int8_t, const float>;
using QuantizedOut = QuantizedRowsAt<int8_t, float>;

enum class WeightKind : uint8_t { kNibbles, kInt8, kBf16, kFloat32 };

/// A weight (outputs, inputs) as fragments.h lays it out, or row by row where it is float32.
struct WeightAt {
  const void* data = nullptr;
  const float* row_scales = nullptr;  // (outputs), of integers
  const float* bias = nullptr;        // (outputs)
  int32_t outputs = 0, inputs = 0;
  WeightKind kind = WeightKind::kFloat32;
};

/// What the numbers are that images in bytes stand for: of byte v of channel c number c kByteValues
/// + v.
inline constexpr int kByteValues = 256;

/// A number of a patch: where it lies behind the patch's first one, and where its channel's levels
/// begin.
struct alignas(8) PatchNumber {
  int32_t at, levels;
};

/// The places of an image under a convolution whose kernel is its stride, read from planes of
/// floats or from bytes, pixel by pixel with all channels of each.
struct PatchesAt {
  const float* planes = nullptr;
  const uint8_t* pixels = nullptr;       // both null: there are none
  const float* levels = nullptr;         // of pixels
  const PatchNumber* numbers = nullptr;  // (channels, kernel, kernel): divisions are slow
  int32_t channels = 0, height = 0, width = 0, kernel = 0;

  constexpr bool defined() const { return planes || pixels; }

  /// Where the first number of patch i lies, of all images one behind the other.
  constexpr int64_t first(int32_t i) const {
    const int32_t across = width / kernel, count = height / kernel * across;
    const int32_t y = i % count / across * kernel, x = i % count % across * kernel;
    const int64_t image = i / count;
    return pixels ? ((image * height + y) * width + x) * channels
                  : (image * channels * height + y) * width + x;
  }
};

/// The input of a product: one of the three.
struct ProductIn {
  QuantizedIn quantized;
  RowsAt<const float> floats;
  PatchesAt patches;
};

/// Which rows an expert has. order: of `rows` rows those of expert 0 from the front, those of
/// expert 1 from the back; counts: how many each got. Null: a product has all rows.
struct ExpertRows {
  const int32_t* order = nullptr;
  const int32_t* counts = nullptr;
  int32_t rows = 0;

  constexpr int32_t count(int32_t expert) const { return counts ? counts[expert] : rows; }
  /// Where in the order the expert's i-th row stands, and which row that is.
  constexpr int32_t place(int32_t expert, int32_t i) const {
    return expert == 0 ? i : rows - 1 - i;
  }
  constexpr int32_t row(int32_t place) const { return order ? order[place] : place; }
};

/// Where a router's decision goes.
struct RouteOut {
  int32_t* order = nullptr;       // as ExpertRows; null: there is no router
  int32_t* counts = nullptr;      // 0 before
  const float* weight = nullptr;  // (2, width); null: every second token, whatever it is
  const float* bias = nullptr;    // (2)
  float* gates = nullptr;         // (rows, 2): probabilities, or null
  uint8_t* choices = nullptr;     // of row i at (i / tokens) * choice_stride + i % tokens; or null
  int32_t choice_stride = 0, tokens = 1, rows = 0;
  double shift_share = -1;  // of all rows, whatever the logits say; below 0: as the router chooses
};

/// What becomes of a row y = act(W x + bias) of a product: gate y + residual is written to `out`;
/// its norm, if there is one, to `normed`, as int8 numbers to `quantized`, and to a router.
struct FinishRows {
  const float* gates = nullptr;  // (rows, 2), or null
  RowsAt<const float> residual;
  RowsAt<float> out;
  const float *gamma = nullptr, *beta = nullptr;  // null: no norm
  double eps = 0;
  RowsAt<float> normed;
  QuantizedOut quantized;  // of the norm, or of the row where there is none
  RouteOut route;
};

}  // namespace shiftadd::cuda
