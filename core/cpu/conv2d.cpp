// Convolution as a matrix product over patches (im2col).
//
// A patch is a row of C*kh*kw numbers, one row per output pixel. Images are taken in groups whose
// patches fit a scratch of a few MiB; groups are cut by shape alone.
#include <algorithm>

#include "core/cpu/kernels.h"
#include "core/cpu/scratch.h"
#include "core/cpu/targets.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

constexpr int64_t kPatchFloats = 1 << 20;  // 4 MiB: some images of a patch embedding

struct Patches {
  explicit Patches(const Conv2dShape& shape)
      : s(shape),
        pixels(s.out_height() * s.out_width()),
        size(s.in_channels * s.kernel_h * s.kernel_w),
        image(s.in_channels * s.height * s.width),
        group(std::clamp<int64_t>(kPatchFloats / std::max<int64_t>(1, pixels * size), 1, s.batch)) {
  }

  // The taps of column `ow` that lie inside the image: [begin, end) of 0 .. kernel_w.
  int64_t first_tap(int64_t ow) const { return std::max<int64_t>(0, s.padding - ow * s.stride); }
  int64_t last_tap(int64_t ow) const {
    return std::min(s.kernel_w, s.width + s.padding - ow * s.stride);
  }

  // Calls body(pixel, offset in the patch, offset in the image or -1, taps, first tap) for each
  // kernel row.
  template <class Body>
  void for_each_kernel_row(int64_t oh, Body body) const {
    for (int64_t c = 0; c < s.in_channels; ++c)
      for (int64_t i = 0; i < s.kernel_h; ++i) {
        const int64_t h = oh * s.stride - s.padding + i;
        const bool inside = h >= 0 && h < s.height;
        for (int64_t ow = 0; ow < s.out_width(); ++ow) {
          const int64_t first = first_tap(ow), taps = inside ? last_tap(ow) - first : 0;
          const int64_t at = (c * s.height + h) * s.width + ow * s.stride - s.padding + first;
          body(oh * s.out_width() + ow, (c * s.kernel_h + i) * s.kernel_w, at,
               std::max<int64_t>(0, taps), first);
        }
      }
  }

  // patches[(image, pixel)][tap] of `images` images.
  void gather(const float* x, int64_t images, float* patches) const {
    parallel_for(images * s.out_height(), [&](int64_t task) {
      const int64_t b = task / s.out_height();
      const float* from = x + b * image;
      for_each_kernel_row(task % s.out_height(),
                          [&](int64_t pixel, int64_t tap, int64_t at, int64_t taps, int64_t first) {
                            float* out = patches + (b * pixels + pixel) * size + tap;
                            if (taps < s.kernel_w) std::fill_n(out, s.kernel_w, 0.f);
                            std::copy_n(from + at, taps, out + first);
                          });
    });
  }

  // dx = sum of the patches that cover each pixel; one image a task, because patches overlap.
  void scatter(const float* patches, int64_t images, float* dx) const {
    parallel_for(images, [&](int64_t b) {
      float* to = dx + b * image;
      std::fill_n(to, image, 0.f);
      for (int64_t oh = 0; oh < s.out_height(); ++oh)
        for_each_kernel_row(
            oh, [&](int64_t pixel, int64_t tap, int64_t at, int64_t taps, int64_t first) {
              const float* in = patches + (b * pixels + pixel) * size + tap + first;
              for (int64_t j = 0; j < taps; ++j) to[at + j] += in[j];
            });
    });
  }

  const Conv2dShape& s;
  int64_t pixels, size, image, group;
};

template <Isa isa>
void conv2d(const Conv2dArgs<float>& args) {
  const Conv2dShape& s = args.shape;
  const Patches patches(s);
  float* columns = scratch(Scratch::kColumns, patches.group * patches.pixels * patches.size);
  for (int64_t b = 0; b < s.batch; b += patches.group) {
    const int64_t images = std::min(patches.group, s.batch - b), rows = images * patches.pixels;
    patches.gather(args.x + b * patches.image, images, columns);
    GemmArgs<float> g{};
    g.bf16 = s.bf16;
    g.k = patches.size;
    g.transpose_b = true;
    if (s.tokens) {  // y (rows, O) = patches weight^T
      g.m = rows;
      g.n = s.out_channels;
      g.a = columns;
      g.b = args.weight;
      g.c = args.y + b * patches.pixels * s.out_channels;
      g.bias = args.bias;
      g.lda = g.ldb = patches.size;
      g.ldc = s.out_channels;
      cpu_kernels(isa).gemm(g);
      continue;
    }
    for (int64_t i = 0; i < images; ++i) {  // y (O, pixels) = weight patches^T
      g.m = s.out_channels;
      g.n = patches.pixels;
      g.a = args.weight;
      g.b = columns + i * patches.pixels * patches.size;
      g.c = args.y + (b + i) * s.out_channels * patches.pixels;
      g.lda = g.ldb = patches.size;
      g.ldc = patches.pixels;
      cpu_kernels(isa).gemm(g);
      for (int64_t o = 0; args.bias && o < s.out_channels; ++o)
        for (int64_t j = 0; j < patches.pixels; ++j) g.c[o * patches.pixels + j] += args.bias[o];
    }
  }
}

template <Isa isa>
void conv2d_backward(const Conv2dBackwardArgs<float>& args) {
  const Conv2dShape& s = args.shape;
  const Patches patches(s);
  const int64_t outputs = s.out_channels * patches.pixels;
  float* columns = scratch(Scratch::kColumns, patches.group * patches.pixels * patches.size);
  for (int64_t b = 0; b < s.batch; b += patches.group) {
    const int64_t images = std::min(patches.group, s.batch - b);
    const float* dy = args.dy + b * outputs;
    // Tokens make one product of the group; planes one an image, with dy transposed: (O, pixels).
    const int64_t products = s.tokens ? 1 : images, rows = images * patches.pixels / products;
    patches.gather(args.x + b * patches.image, images, columns);
    for (int64_t i = 0; i < products; ++i) {  // dweight (O, size) += dy^T patches
      GemmArgs<float> g{};
      g.bf16 = s.bf16;
      g.m = s.out_channels;
      g.n = patches.size;
      g.k = rows;
      g.a = dy + i * outputs;
      g.lda = s.tokens ? s.out_channels : patches.pixels;
      g.transpose_a = s.tokens;
      g.b = columns + i * rows * patches.size;
      g.ldb = patches.size;
      g.c = args.dweight;
      g.ldc = patches.size;
      g.accumulate = true;
      cpu_kernels(isa).gemm(g);
    }
    for (int64_t i = 0; args.dx && i < products; ++i) {  // dpatches = dy weight
      GemmArgs<float> g{};
      g.bf16 = s.bf16;
      g.m = rows;
      g.n = patches.size;
      g.k = s.out_channels;
      g.a = dy + i * outputs;
      g.lda = s.tokens ? s.out_channels : patches.pixels;
      g.transpose_a = !s.tokens;
      g.b = args.weight;
      g.ldb = patches.size;
      g.c = columns + i * rows * patches.size;
      g.ldc = patches.size;
      cpu_kernels(isa).gemm(g);
    }
    if (args.dx) patches.scatter(columns, images, args.dx + b * patches.image);
  }
  if (!args.dbias) return;
  const int64_t step = s.tokens ? s.out_channels : 1;  // between the pixels of a channel
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t o = 0; o < s.out_channels; ++o) {
      const float* dy = args.dy + b * outputs + (s.tokens ? o : o * patches.pixels);
      double sum = 0;
      for (int64_t p = 0; p < patches.pixels; ++p) sum += dy[p * step];
      args.dbias[o] += static_cast<float>(sum);
    }
}

}  // namespace

template <Isa isa>
const ConvKernels<float>& conv_kernels() {
  static constexpr ConvKernels<float> kernels = {
      .conv2d = conv2d<isa>,
      .conv2d_backward = conv2d_backward<isa>,
      .depthwise_conv2d = depthwise_conv2d,
      .depthwise_conv2d_backward = depthwise_conv2d_backward,
  };
  return kernels;
}
template const ConvKernels<float>& conv_kernels<Isa::kGeneric>();
template const ConvKernels<float>& conv_kernels<Isa::kAvx2>();
template const ConvKernels<float>& conv_kernels<Isa::kAvx512>();

}  // namespace shiftadd
