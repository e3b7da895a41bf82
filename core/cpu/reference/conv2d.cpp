// Convolutions (cross-correlation with zero padding), full and depthwise, by definition.
#include <algorithm>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// Calls body(x index, weight index) for each tap of output (b, o, oh, ow) that lies inside the
// image.
template <class Body>
void for_each_tap(const Conv2dShape& s, bool depthwise, int64_t b, int64_t o, int64_t oh,
                  int64_t ow, Body body) {
  const int64_t channels = depthwise ? 1 : s.in_channels;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < s.kernel_h; ++i)
      for (int64_t j = 0; j < s.kernel_w; ++j) {
        const int64_t h = oh * s.stride - s.padding + i, w = ow * s.stride - s.padding + j;
        if (h < 0 || h >= s.height || w < 0 || w >= s.width) continue;
        const int64_t in = depthwise ? o : c;
        body(((b * s.in_channels + in) * s.height + h) * s.width + w,
             ((o * channels + c) * s.kernel_h + i) * s.kernel_w + j);
      }
}

// Calls body(b, o, oh, ow, y index) for each output.
template <class Body>
void for_each_output(const Conv2dShape& s, Body body) {
  const int64_t height = s.out_height(), width = s.out_width();
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t o = 0; o < s.out_channels; ++o)
      for (int64_t oh = 0; oh < height; ++oh)
        for (int64_t ow = 0; ow < width; ++ow) {
          const int64_t pixel = oh * width + ow, pixels = height * width;
          body(b, o, oh, ow,
               s.tokens ? (b * pixels + pixel) * s.out_channels + o
                        : (b * s.out_channels + o) * pixels + pixel);
        }
}

template <class T>
void forward(const Conv2dArgs<T>& args, bool depthwise) {
  const bool bf16 = args.shape.bf16 && !depthwise;
  for_each_output(args.shape, [&](int64_t b, int64_t o, int64_t oh, int64_t ow, int64_t y) {
    double sum = args.bias ? args.bias[o] : 0;
    for_each_tap(args.shape, depthwise, b, o, oh, ow, [&](int64_t x, int64_t w) {
      sum += static_cast<double>(operand(args.x[x], bf16)) * operand(args.weight[w], bf16);
    });
    args.y[y] = static_cast<T>(sum);
  });
}

template <class T>
void backward(const Conv2dBackwardArgs<T>& args, bool depthwise) {
  const Conv2dShape& s = args.shape;
  const bool bf16 = s.bf16 && !depthwise;
  if (args.dx) std::fill_n(args.dx, s.batch * s.in_channels * s.height * s.width, T{0});
  for_each_output(s, [&](int64_t b, int64_t o, int64_t oh, int64_t ow, int64_t y) {
    const T dy = args.dy[y];
    if (args.dbias) args.dbias[o] += dy;
    const T factor = operand(dy, bf16);
    for_each_tap(s, depthwise, b, o, oh, ow, [&](int64_t x, int64_t w) {
      args.dweight[w] += factor * operand(args.x[x], bf16);
      if (args.dx) args.dx[x] += factor * operand(args.weight[w], bf16);
    });
  });
}

}  // namespace

template <class T>
void conv2d(const Conv2dArgs<T>& args) {
  forward(args, false);
}
template <class T>
void conv2d_backward(const Conv2dBackwardArgs<T>& args) {
  backward(args, false);
}
template <class T>
void depthwise_conv2d(const DepthwiseConv2dArgs<T>& args) {
  forward(args, true);
}
template <class T>
void depthwise_conv2d_backward(const DepthwiseConv2dBackwardArgs<T>& args) {
  backward(args, true);
}

template void conv2d(const Conv2dArgs<float>&);
template void conv2d(const Conv2dArgs<double>&);
template void conv2d_backward(const Conv2dBackwardArgs<float>&);
template void conv2d_backward(const Conv2dBackwardArgs<double>&);
template void depthwise_conv2d(const DepthwiseConv2dArgs<float>&);
template void depthwise_conv2d(const DepthwiseConv2dArgs<double>&);
template void depthwise_conv2d_backward(const DepthwiseConv2dBackwardArgs<float>&);
template void depthwise_conv2d_backward(const DepthwiseConv2dBackwardArgs<double>&);

}  // namespace shiftadd::reference
