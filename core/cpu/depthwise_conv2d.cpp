// Depthwise convolution, one channel of an image at a time.
#include <algorithm>

#include "core/cpu/targets.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

// One (image, channel): where its numbers lie and which outputs a tap reaches.
struct Plane {
  const Conv2dShape& s;
  int64_t b, c;

  int64_t x() const { return (b * s.in_channels + c) * s.height * s.width; }
  int64_t weight() const { return c * s.kernel_h * s.kernel_w; }
  // y (b, oh, ow) is y[start + pixel * step].
  int64_t pixels() const { return s.out_height() * s.out_width(); }
  int64_t step() const { return s.tokens ? s.out_channels : 1; }
  int64_t y() const {
    return s.tokens ? b * pixels() * s.out_channels + c : (b * s.out_channels + c) * pixels();
  }
  // Outputs [first, last) along an axis whose input under tap i lies inside [0, size).
  int64_t first(int64_t i) const {
    return std::max<int64_t>(0, (s.padding - i + s.stride - 1) / s.stride);
  }
  int64_t last(int64_t i, int64_t size, int64_t outputs) const {
    const int64_t end = size + s.padding - i;  // oh * stride < end
    return end <= 0 ? 0 : std::min(outputs, (end + s.stride - 1) / s.stride);
  }

  // body(weight index, y index, x index, count): count outputs, step() apart, under inputs stride
  // apart.
  template <class Body>
  void for_each_run(Body body) const {
    for (int64_t i = 0; i < s.kernel_h; ++i)
      for (int64_t j = 0; j < s.kernel_w; ++j) {
        const int64_t ow = first(j), count = last(j, s.width, s.out_width()) - ow;
        if (count <= 0) continue;
        for (int64_t oh = first(i); oh < last(i, s.height, s.out_height()); ++oh)
          body(weight() + i * s.kernel_w + j, y() + (oh * s.out_width() + ow) * step(),
               x() + (oh * s.stride - s.padding + i) * s.width + ow * s.stride - s.padding + j,
               count);
      }
  }
};

}  // namespace

void depthwise_conv2d(const DepthwiseConv2dArgs<float>& args) {
  const Conv2dShape& s = args.shape;
  parallel_for(s.batch * s.in_channels, [&](int64_t task) {
    const Plane plane = {s, task / s.in_channels, task % s.in_channels};
    const int64_t step = plane.step();
    for (int64_t p = 0; p < plane.pixels(); ++p)
      args.y[plane.y() + p * step] = args.bias ? args.bias[plane.c] : 0.f;
    plane.for_each_run([&](int64_t w, int64_t y, int64_t x, int64_t count) {
      for (int64_t p = 0; p < count; ++p)
        args.y[y + p * step] += args.weight[w] * args.x[x + p * s.stride];
    });
  });
}

void depthwise_conv2d_backward(const DepthwiseConv2dBackwardArgs<float>& args) {
  const Conv2dShape& s = args.shape;
  if (args.dx) std::fill_n(args.dx, s.batch * s.in_channels * s.height * s.width, 0.f);
  // One channel a task: the gradient of its filter sums over the images in order.
  parallel_for(s.in_channels, [&](int64_t c) {
    for (int64_t b = 0; b < s.batch; ++b) {
      const Plane plane = {s, b, c};
      const int64_t step = plane.step();
      if (args.dbias) {
        double sum = 0;
        for (int64_t p = 0; p < plane.pixels(); ++p) sum += args.dy[plane.y() + p * step];
        args.dbias[c] += static_cast<float>(sum);
      }
      plane.for_each_run([&](int64_t w, int64_t y, int64_t x, int64_t count) {
        float sum = 0;
        for (int64_t p = 0; p < count; ++p) {
          const float dy = args.dy[y + p * step];
          sum += dy * args.x[x + p * s.stride];
          if (args.dx) args.dx[x + p * s.stride] += dy * args.weight[w];
        }
        args.dweight[w] += sum;
      });
    }
  });
}

}  // namespace shiftadd
