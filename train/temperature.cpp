// Least squares between the products of codes and those of the floats that they stand for.
#include "train/temperature.h"

#include <algorithm>

#include "autograd/ops.h"
#include "core/parallel.h"

namespace shiftadd::train {
namespace {

using autograd::Variable;

// Columns [begin, begin + count) of every row of x (B, N, C), contiguous.
Tensor take_columns(const Tensor& x, int64_t begin, int64_t count) {
  const int64_t columns = x.dim(2), rows = x.dim(0) * x.dim(1);
  const Tensor y({x.dim(0), x.dim(1), count});
  for (int64_t row = 0; row < rows; ++row)
    std::copy_n(x.data<float>() + row * columns + begin, count, y.data<float>() + row * count);
  return y;
}

// Queries and keys of all heads.
struct Pair {
  Tensor q, k;  // (B, N, C), (B, M, C)
  double scale;
};

Pair floats_of(const AttentionSpec& attention, const layers::AttentionTrace& trace) {
  const int64_t width = attention.heads * attention.head_dim;
  return {take_columns(trace.q, 0, width), take_columns(trace.k, trace.k_column, width),
          score_scale(attention.scale, attention.codes.width)};
}

// Codes divided by the root of their number, so that their products are by that number too small.
Pair codes_of(const AttentionSpec& attention, const layers::AttentionTrace& trace) {
  Pair pair = floats_of(attention, trace);
  const autograd::NoGradGuard guard;
  for (Tensor* x : {&pair.q, &pair.k})
    *x = autograd::attention_codes(Variable(*x), attention.heads, attention.codes.kind).value();
  pair.scale *= static_cast<double>(attention.codes.width);
  return pair;
}

// Products of query n of an image with all keys, less their mean.
void centred_products(const Pair& pair, int64_t image, int64_t query, int64_t first, int64_t d,
                      std::vector<double>& out) {
  const int64_t width = pair.q.dim(2), keys = pair.k.dim(1);
  const float* q = pair.q.data<float>() + (image * pair.q.dim(1) + query) * width + first;
  const float* k = pair.k.data<float>() + image * keys * width + first;
  double mean = 0;
  for (int64_t m = 0; m < keys; ++m, k += width) {
    double sum = 0;
    for (int64_t j = 0; j < d; ++j) sum += static_cast<double>(q[j]) * k[j];
    out[static_cast<std::size_t>(m)] = sum * pair.scale;
    mean += sum * pair.scale / static_cast<double>(keys);
  }
  for (double& product : out) product -= mean;
}

}  // namespace

std::vector<double> fitted_temperatures(const AttentionSpec& attention,
                                        const layers::AttentionTrace& coded,
                                        const layers::AttentionTrace& dense) {
  const Pair codes = codes_of(attention, coded), floats = floats_of(attention, dense);
  const int64_t images = codes.q.dim(0), heads = attention.heads, d = attention.head_dim;
  const auto keys = static_cast<std::size_t>(codes.k.dim(1));
  struct Sums {
    double both = 0, codes = 0;
  };
  std::vector<Sums> sums(static_cast<std::size_t>(images * heads));
  parallel_for(images * heads, [&](int64_t task) {
    std::vector<double> c(keys), l(keys);
    Sums& of_task = sums[static_cast<std::size_t>(task)];
    for (int64_t n = 0; n < codes.q.dim(1); ++n) {
      centred_products(codes, task / heads, n, task % heads * d, d, c);
      centred_products(floats, task / heads, n, task % heads * d, d, l);
      for (std::size_t m = 0; m < keys; ++m) {
        of_task.both += c[m] * l[m];
        of_task.codes += c[m] * c[m];
      }
    }
  });
  std::vector<double> result;
  for (int64_t h = 0; h < heads; ++h) {
    Sums all;
    for (int64_t b = 0; b < images; ++b) {
      all.both += sums[static_cast<std::size_t>(b * heads + h)].both;
      all.codes += sums[static_cast<std::size_t>(b * heads + h)].codes;
    }
    const double best = all.codes > 0 ? all.both / all.codes : 1;
    result.push_back(std::max(best, double{kLeastTemperature}));
  }
  return result;
}

}  // namespace shiftadd::train
