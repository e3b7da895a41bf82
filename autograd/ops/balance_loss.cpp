// Computes the load-balancing loss of a mixture, with the experts' latencies as weights.
#include <algorithm>
#include <cmath>

#include "autograd/mixture.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

BalanceLoss balance_loss(const Routing& routing, std::span<const double> alpha, double sigma) {
  check_rank("balance_loss", "logits", routing.logits, 2);
  const Tensor& logits = routing.logits.value();
  const int64_t tokens = logits.dim(0), experts = logits.dim(1);
  if (tokens < 1 || experts < 2)
    throw user_error("[balance_loss] logits are ", logits.shape(),
                     ": expected at least one token and two experts");
  if (!routing.noisy.defined()) throw user_error("[balance_loss] noisy is undefined");
  check_shape("balance_loss", "noisy", routing.noisy.shape(), logits.shape());
  if (static_cast<int64_t>(alpha.size()) != experts)
    throw user_error("[balance_loss] ", alpha.size(), " alphas for ", experts, " experts");
  for (std::size_t i = 0; i < alpha.size(); ++i) {
    if (!(alpha[i] > 0 && std::isfinite(alpha[i])))
      throw user_error("[balance_loss] alpha of expert ", i, " is ", alpha[i],
                       ": expected a finite number above 0");
  }
  if (!(sigma >= 0 && std::isfinite(sigma)))
    throw user_error("[balance_loss] sigma is ", sigma, ": expected a finite number >= 0");

  BalanceLoss result;
  result.importance.resize(experts);
  result.load.resize(experts);
  double scv[2];
  Tensor loss({}, logits.dtype());
  const Tensor dlogits =
      will_record({routing.logits}) ? Tensor(logits.shape(), logits.dtype()) : Tensor();
  dispatch(logits.dtype(), [&]<class T>() {
    kernels<T>().balance({tokens, experts, alpha.data(), std::max(sigma, kLeastSigma),
                          logits.data<T>(), routing.noisy.data<T>(), loss.data<T>(),
                          pointer<T>(dlogits), result.importance.data(), result.load.data(), scv});
  });
  result.importance_scv = scv[0];
  result.load_scv = scv[1];
  result.loss = record_loss("balance_loss", std::move(loss), routing.logits, dlogits);
  return result;
}

std::vector<double> latency_alpha(std::span<const double> latencies) {
  double total = 0;
  for (std::size_t i = 0; i < latencies.size(); ++i) {
    if (!(latencies[i] > 0 && std::isfinite(latencies[i])))
      throw user_error("[latency_alpha] latency of expert ", i, " is ", latencies[i],
                       ": expected a finite number above 0");
    total += latencies[i];
  }
  std::vector<double> alpha(latencies.begin(), latencies.end());
  for (double& a : alpha) a /= total;
  return alpha;
}

}  // namespace shiftadd::autograd
