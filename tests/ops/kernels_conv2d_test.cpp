// Convolutions against the reference.
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

Conv2dShape shape_of(int64_t batch, int64_t in, int64_t size, int64_t out, int64_t kernel,
                     int64_t stride, int64_t padding, bool tokens) {
  return {batch, in, size, size + 2, out, kernel, kernel, stride, padding, tokens};
}

template <class Forward, class Backward>
void check_conv(const std::string& name, const Conv2dShape& s, int64_t filter_channels,
                Forward forward, Backward backward) {
  const Numbers x = normals(s.batch * s.in_channels * s.height * s.width, 1);
  const Numbers weight = normals(s.out_channels * filter_channels * s.kernel_h * s.kernel_w, 2);
  const Numbers bias = normals(s.out_channels, 3);
  const int64_t outputs = s.batch * s.out_channels * s.out_height() * s.out_width();
  const Numbers dy = normals(outputs, 4);
  const std::string what =
      concat(name, " k", s.kernel_h, " s", s.stride, " p", s.padding, " tokens ", s.tokens);
  for (bool with_bias : {false, true})
    check_kernel(what, 1e-5, [&](const KernelTable<float>& kernels) {
      Numbers y(outputs);
      (kernels.*forward)({s, x.data(), weight.data(), with_bias ? bias.data() : nullptr, y.data()});
      return y;
    });
  check_kernel(what + " dx", 1e-5, [&](const KernelTable<float>& kernels) {
    Numbers dx(x.size(), 9.f), dweight(weight.size());
    (kernels.*
     backward)({s, x.data(), weight.data(), dy.data(), dx.data(), dweight.data(), nullptr});
    return dx;
  });
  check_kernel(what + " dweight", 2e-5, [&](const KernelTable<float>& kernels) {
    Numbers dweight = weight, dbias = bias;
    (kernels.*
     backward)({s, x.data(), weight.data(), dy.data(), nullptr, dweight.data(), dbias.data()});
    return join({dweight, dbias});
  });
}

struct Window {
  int64_t kernel, stride, padding;
};
constexpr Window kWindows[] = {{1, 1, 0}, {2, 2, 0}, {3, 1, 1}, {3, 2, 1},
                               {4, 4, 0}, {7, 4, 3}, {3, 1, 4}};

TEST_CASE("kernels: conv2d") {
  for (Window w : kWindows)
    for (bool tokens : {false, true})
      check_conv("conv2d", shape_of(3, 3, 13, 17, w.kernel, w.stride, w.padding, tokens), 3,
                 &KernelTable<float>::conv2d, &KernelTable<float>::conv2d_backward);
}

TEST_CASE("kernels: conv2d over more images than one group of patches holds") {
  // 56 * 58 pixels of 3 * 7 * 7 taps are 477,456 numbers: two images a group.
  check_conv("conv2d groups", shape_of(3, 3, 56, 2, 7, 1, 3, true), 3, &KernelTable<float>::conv2d,
             &KernelTable<float>::conv2d_backward);
}

TEST_CASE("kernels: depthwise_conv2d") {
  for (Window w : kWindows)
    for (bool tokens : {false, true})
      check_conv("depthwise_conv2d", shape_of(3, 5, 13, 5, w.kernel, w.stride, w.padding, tokens),
                 1, &KernelTable<float>::depthwise_conv2d,
                 &KernelTable<float>::depthwise_conv2d_backward);
}

}  // namespace
}  // namespace shiftadd::test
