// Linear attention on codes with a window, backward: through every weight of every key, as softmax
// attention's, so by as many steps as tokens times tokens.
#pragma once

#include "core/cpu/simd/coded_backward.h"
#include "core/cpu/simd/window_attention.h"

namespace shiftadd {
namespace {

// A row of p: products of codes become weights that sum to 1; and of ds: the gradients of the
// weights become those of the products. along: sum over the output's channels of out dout.
struct WindowRows {
  const PatchGrid& grid;
  float factor;
  int64_t keys;

  void prefix(float along, float* p, float* ds) const {
    float largest;
    const float sum = exp_row(p, keys, factor, p, &largest);
    const Vec length = set1(1 / sum), back = set1(along), f = set1(factor);
    for_vectors(
        0, keys, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          const Vec weight = load(p + j, lanes) * length;
          store(p + j, weight, lanes);
          store(ds + j, weight * (load(ds + j, lanes) - back) * f, lanes);
        });
  }

  // near, near_ds, e: room for a window each.
  void patch(int64_t n, float along, float* near, float* near_ds, float* e, float* p,
             float* ds) const {
    int64_t count = 0;
    float inside = 0, window_ds = 0;
    grid.for_window(n, [&](int64_t key) {
      inside += near[count] = p[key];
      window_ds += near_ds[count++] = ds[key];
    });
    const auto sum_row = [&](const float* row) {
      return sum_terms(
          keys, [&](int64_t j, auto lanes)
                    __attribute__((always_inline)) { return load(row + j, lanes); });
    };
    const WindowWeights w = weigh_window(near, count, inside, sum_row(p), keys, factor, e);
    // Everything as what lies outside, then the window anew.
    const auto outside = static_cast<float>(keys - count);
    const float mean_ds = outside > 0 ? (sum_row(ds) - window_ds) / outside : 0;
    const float length = 1 / w.sum;
    const Vec weight = set1(w.far * length), f = set1(factor), rest = set1(1 - w.mean);
    for_vectors(
        0, keys, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          store(p + j, weight * fma(load(p + j, lanes), f, rest), lanes);
          store(ds + j, weight * (load(ds + j, lanes) - set1(mean_ds)) * f, lanes);
        });
    int64_t i = 0;
    grid.for_window(n, [&](int64_t key) {
      p[key] = e[i] * length;
      ds[key] = p[key] * (near_ds[i] - along) * factor;
      ++i;
    });
  }
};

void window_attention_backward_kernel(const WindowAttentionBackwardArgs<float>& args) {
  const int64_t window = line_padded(args.grid.widest_window());
  coded_backward(
      args, 3 * window,
      [&](int64_t, const HeadScores& scores, const AttentionBackwardHead& head, float* near) {
        const WindowRows rows = {args.grid, scores.factor, head.keys};
        attention_backward_rows(
            head, near + 3 * window, [&](int64_t row, float along, float* p, float* ds) {
              if (row < args.grid.first)
                rows.prefix(along, p, ds);
              else
                rows.patch(row, along, near, near + window, near + 2 * window, p, ds);
            });
      });
}

}  // namespace
}  // namespace shiftadd
