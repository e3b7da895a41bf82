// The small operations of a network: each number by itself, or a column of an image's rows.
#pragma once

#include "core/kernels/activation.h"
#include "cuda/operands.h"

namespace shiftadd::cuda {

inline constexpr int kElementThreads = 256;

/// out = function(in), rows of `width` numbers; of swiglu, in has twice as many. Grid: numbers /
/// 256.
enum class Function : uint8_t { kGelu, kGeluTanh, kQuickGelu, kRelu, kSwiGlu, kTanh };
constexpr Function function_of(HiddenActivation kind) { return static_cast<Function>(kind); }
struct MapArgs {
  RowsAt<const float> in;
  RowsAt<float> out;
  int32_t rows = 0, width = 0;
  Function function = Function::kGelu;
};

/// out = factors in + residual, one rounding; or factors in. Grid: numbers / 256.
struct ScaleArgs {
  RowsAt<const float> in, residual;
  RowsAt<float> out;
  const float* factors = nullptr;  // (width)
  int32_t rows = 0, width = 0;
};

/// out (a row an image) = the mean of each image's rows. Grid: (width / 256, images).
struct MeanArgs {
  RowsAt<const float> in;
  RowsAt<float> out;
  int32_t rows = 0, width = 0, images = 0;  // rows of an image
};

/// The numbers under each place of a convolution as one row (channel, y, x), 0 outside. Grid:
/// numbers / 256.
struct GatherArgs {
  // Number (channel, y, x) of image i: i image_step + channel channel_step + (y width + x)
  // pixel_step.
  const float* in = nullptr;
  const uint8_t* pixels = nullptr;  // in place of `in`: bytes, which `levels` has the numbers of
  const float* levels = nullptr;    // (channels, kByteValues)
  int64_t image_step = 0, channel_step = 0, pixel_step = 0;
  int32_t channels = 0, height = 0, width = 0, kernel = 0, stride = 0, padding = 0;
  int32_t places_down = 0, places_across = 0, images = 0;
  float* out = nullptr;  // (images, places, channels kernel kernel)
};

}  // namespace shiftadd::cuda
