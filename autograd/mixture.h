// Mixture of experts over tokens: router, top-1 dispatch, gate, and the load-balancing loss (You et
// al. 2023, arXiv 2306.06446, section 4.3).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "autograd/variable.h"

namespace shiftadd::autograd {

/// What an expert's output is multiplied by; p = softmax(logits) of the chosen expert.
enum class Gate : uint8_t {
  kProbability,      // p
  kStraightThrough,  // 1 + p - detach(p): exactly 1, with the router's gradient of p
  kNone,             // 1: the router learns nothing from the task (a fixed split)
};

/// Where each of T tokens goes, of E experts.
struct Routing {
  Variable logits;              // (T, E); undefined for a split that no router made (Gate::kNone)
  Tensor noisy;                 // (T, E): logits + sigma noise
  std::vector<int64_t> choice;  // (T): the first largest of noisy
};

/// Standard normal numbers (tokens, experts), f32, of one random stream.
Tensor routing_noise(int64_t tokens, int64_t experts, uint64_t seed, uint64_t stream);

/// x (..., C), T tokens; weight (E, C), bias (E); noise (T, E) or, in evaluation, undefined. sigma
/// >= 0 is the noise's standard deviation. E >= 2.
Routing route(const Variable& x, const Variable& weight, const Variable& bias,
              const Tensor& noise = {}, double sigma = 0);

/// A function of tokens (n, C) -> (n, M), n >= 1.
using Expert = std::function<Variable(const Variable& tokens)>;
/// y (..., M): each token through the one expert it is routed to, times the gate, plus residual
/// (..., M) if defined. An expert is called with its tokens alone, and not at all when it has none.
Variable mixture(const Variable& x, const Routing& routing, Gate gate,
                 const std::vector<Expert>& experts, const Variable& residual = {});

struct RoutingStatistics {
  std::vector<double> share;  // (E) of the tokens, by the logits without noise
  double entropy = 0;         // mean over tokens of that of softmax(logits), in nats
};
RoutingStatistics routing_statistics(const Routing& routing);

struct BalanceLoss {
  Variable loss;                         // shape (): SCV(importance) + SCV(load)
  std::vector<double> importance, load;  // (E)
  double importance_scv = 0, load_scv = 0;
};
/// BalanceArgs' definition, differentiable in the routing's logits; noisy logits are constants, and
/// the load's sigma is at least kLeastSigma. alpha (E): > 0, one number for all (balance uniform)
/// or latency_alpha (balance latency); only their ratios matter.
inline constexpr double kLeastSigma = 0.05;
BalanceLoss balance_loss(const Routing& routing, std::span<const double> alpha, double sigma);
/// alpha_i = latency_i / sum of all; throws Error (user) unless all are finite and > 0.
std::vector<double> latency_alpha(std::span<const double> latencies);

}  // namespace shiftadd::autograd
