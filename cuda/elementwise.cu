// One thread a number.
#include "cuda/elementwise.h"
#include "cuda/math.h"

namespace shiftadd::cuda {
namespace {

/// The number of this thread, counted over the grid.
__device__ __forceinline__ int64_t number() {
  return static_cast<int64_t>(blockIdx.x) * kElementThreads + threadIdx.x;
}

__device__ __forceinline__ float apply(Function function, float x) {
  switch (function) {
    case Function::kGelu:
      return gelu(x);
    case Function::kGeluTanh:
      return gelu_tanh(x);
    case Function::kQuickGelu:
      return quick_gelu(x);
    case Function::kRelu:
      return relu(x);
    case Function::kSwiGlu:
      return silu(x);
    case Function::kTanh:
      return tanh(x);
  }
  return x;
}

}  // namespace

__global__ void __launch_bounds__(kElementThreads, 1) map(const MapArgs args) {
  simt::wait_for_predecessor();
  const int64_t i = number();
  if (i >= static_cast<int64_t>(args.rows) * args.width) return;
  const auto row = static_cast<int>(i / args.width), j = static_cast<int>(i % args.width);
  const float* in = args.in.at(row);
  const float y = apply(args.function, in[j]);
  args.out.at(row)[j] = args.function == Function::kSwiGlu ? y * in[args.width + j] : y;
}
SIMT_KERNEL(map, MapArgs);

__global__ void __launch_bounds__(kElementThreads, 1) scale_rows(const ScaleArgs args) {
  simt::wait_for_predecessor();
  const int64_t i = number();
  if (i >= static_cast<int64_t>(args.rows) * args.width) return;
  const auto row = static_cast<int>(i / args.width), j = static_cast<int>(i % args.width);
  const float x = args.in.at(row)[j], factor = args.factors[j];
  args.out.at(row)[j] =
      args.residual.data ? __fmaf_rn(factor, x, args.residual.at(row)[j]) : factor * x;
}
SIMT_KERNEL(scale_rows, ScaleArgs);

__global__ void __launch_bounds__(kElementThreads, 1) mean_rows(const MeanArgs args) {
  simt::wait_for_predecessor();
  const auto j = static_cast<int>(number()), image = static_cast<int>(blockIdx.y);
  if (j >= args.width) return;
  float sum = 0;
  const float* in = args.in.at(image * args.rows) + j;  // an image's rows lie one behind the other
  for (int row = 0; row < args.rows; ++row, in += args.in.stride) sum += *in;
  args.out.at(image)[j] = __fdiv_rn(sum, static_cast<float>(args.rows));
}
SIMT_KERNEL(mean_rows, MeanArgs);

__global__ void __launch_bounds__(kElementThreads, 1) gather(const GatherArgs args) {
  simt::wait_for_predecessor();
  const int square = args.kernel * args.kernel, values = args.channels * square;
  const int places = args.places_down * args.places_across;
  const int64_t i = number();
  if (i >= static_cast<int64_t>(args.images) * places * values) return;
  const auto at = static_cast<int>(i % values), place = static_cast<int>(i / values % places);
  const int64_t image = i / values / places;
  const int y = place / args.places_across * args.stride - args.padding + at % square / args.kernel;
  const int x = place % args.places_across * args.stride - args.padding + at % args.kernel;
  const bool inside = y >= 0 && y < args.height && x >= 0 && x < args.width;
  const int channel = at / square;
  const int64_t from = image * args.image_step + channel * args.channel_step +
                       (static_cast<int64_t>(y) * args.width + x) * args.pixel_step;
  float number = 0;
  if (inside)
    number = args.pixels ? args.levels[channel * kByteValues + args.pixels[from]] : args.in[from];
  args.out[i] = number;
}
SIMT_KERNEL(gather, GatherArgs);

}  // namespace shiftadd::cuda
