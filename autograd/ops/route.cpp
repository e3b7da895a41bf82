// Computes the logits of a router, with noise, and the expert that each token goes to.
#include <algorithm>
#include <cmath>

#include "autograd/mixture.h"
#include "autograd/ops.h"
#include "autograd/ops/support.h"
#include "core/parallel.h"
#include "core/random.h"

namespace shiftadd::autograd {
namespace {

// The first of the largest.
template <class T>
std::vector<int64_t> choices(const Tensor& scores) {
  std::vector<int64_t> result(scores.dim(0));
  const int64_t n = scores.dim(1);
  for (std::size_t t = 0; t < result.size(); ++t) {
    const T* row = scores.data<T>() + t * n;
    result[t] = std::max_element(row, row + n) - row;
  }
  return result;
}

}  // namespace

Tensor routing_noise(int64_t tokens, int64_t experts, uint64_t seed, uint64_t stream) {
  const Tensor noise({tokens, experts});
  const RandomStream random(seed, stream);
  parallel_chunks(noise.numel(), 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      noise.data<float>()[i] = static_cast<float>(random.normal(i));
  });
  return noise;
}

Routing route(const Variable& x, const Variable& weight, const Variable& bias, const Tensor& noise,
              double sigma) {
  check_min_rank("route", "input", x, 1);
  check_rank("route", "weight", weight, 2);
  const int64_t experts = weight.dim(0), tokens = rows_of(x.value());
  if (experts < 2)
    throw user_error("[route] weight is ", weight.shape(), ": expected at least two experts");
  if (!(sigma >= 0 && std::isfinite(sigma)))
    throw user_error("[route] sigma is ", sigma, ": expected a finite number >= 0");
  if (sigma > 0 && !noise.defined())
    throw user_error("[route] sigma is ", sigma, " and noise is undefined: expected noise ",
                     Shape{tokens, experts}, ", or sigma 0");
  if (noise.defined()) check_shape("route", "noise", noise.shape(), {tokens, experts});

  Routing routing;
  const Bf16Guard precise(false);  // a rounded logit sends tokens elsewhere
  routing.logits =
      linear(x.value().rank() == 2 ? x : reshape(x, {tokens, x.dim(-1)}), weight, bias);
  routing.noisy = routing.logits.value();
  dispatch(x.dtype(), [&]<class T>() {
    if (sigma > 0) {
      const Tensor typed = noise.to(x.dtype());
      routing.noisy = routing.noisy.clone();
      kernels<T>().scale({typed.numel(), sigma, typed.data<T>(), routing.noisy.data<T>(), true});
    }
    routing.choice = choices<T>(routing.noisy);
  });
  return routing;
}

RoutingStatistics routing_statistics(const Routing& routing) {
  check_rank("routing_statistics", "logits", routing.logits, 2);
  const Tensor& logits = routing.logits.value();
  const int64_t tokens = logits.dim(0), experts = logits.dim(1);
  RoutingStatistics result;
  result.share.resize(experts);
  if (tokens == 0) return result;
  dispatch(logits.dtype(), [&]<class T>() {
    for (int64_t choice : choices<T>(logits)) result.share[choice] += 1;
    const Tensor p(logits.shape(), logits.dtype());
    kernels<T>().softmax({tokens, experts, logits.data<T>(), p.data<T>()});
    for (T probability : p.span<T>())
      if (probability > 0)
        result.entropy -= static_cast<double>(probability) * std::log(probability);
  });
  for (double& share : result.share) share /= static_cast<double>(tokens);
  result.entropy /= static_cast<double>(tokens);
  return result;
}

}  // namespace shiftadd::autograd
