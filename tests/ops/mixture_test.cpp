// mixture and route: golden values, the router's gradient, dispatch, threads, errors.
#include "autograd/mixture.h"

#include <algorithm>
#include <memory>

#include "tests/ops/kernels_test.h"
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using namespace autograd;

namespace {

constexpr Gate kGates[] = {Gate::kProbability, Gate::kStraightThrough};

// A router over two linear experts, and all it is made of.
struct Small {
  Variable x, router, router_bias, w0, b0, w1, b1;
  explicit Small(int64_t tokens = 31, int64_t in = 5, int64_t out = 7)
      : x(variable({tokens, in}, 1)),
        router(variable({2, in}, 2)),
        router_bias(variable({2}, 3)),
        w0(variable({out, in}, 4)),
        b0(variable({out}, 5)),
        w1(variable({out, in}, 6)),
        b1(variable({out}, 7)) {}
  std::vector<Expert> experts() const {
    return {[this](const Variable& in) { return linear(in, w0, b0); },
            [this](const Variable& in) { return gelu(linear(in, w1, b1)); }};
  }
  Routing routing() const { return route(x, router, router_bias); }
  Variable forward(Gate gate) const { return mixture(x, routing(), gate, experts()); }
};

Tensor cotangent(const Variable& y) { return random_normal(y.shape(), 77).to(DType::kF32); }

double largest(const Tensor& gradient) {
  double result = 0;
  if (gradient.defined())
    for (float g : gradient.span<float>()) result = std::max<double>(result, std::abs(g));
  return result;
}

// The task's gradient at the router, through nothing but the gate.
double router_gradient(Gate gate) {
  const Small net;
  const Variable y = net.forward(gate);
  y.backward(cotangent(y));
  return std::min(largest(net.router.grad()), largest(net.router_bias.grad()));
}

void check_golden(const std::string& name) {
  INFO(name);
  GoldenCase golden(name);
  const nlohmann::json& attributes = golden.attributes();
  const double sigma = attributes.at("sigma").get<double>();
  const auto alpha = attributes.at("alpha").get<std::vector<double>>();
  const Gate gate =
      attributes.at("gate") == "probability" ? Gate::kProbability : Gate::kStraightThrough;
  const Variable x = golden.leaf("x");
  const Routing routing =
      route(x, golden.leaf("gate_w"), golden.leaf("gate_b"), golden.tensor("in.noise"), sigma);
  const Variable mult_w = golden.leaf("mult_w"), mult_b = golden.leaf("mult_b");
  const Variable shift_w = golden.leaf("shift_w"), shift_b = golden.leaf("shift_b");
  const Variable y = mixture(x, routing, gate,
                             {[&](const Variable& in) { return linear(in, mult_w, mult_b); },
                              [&](const Variable& in) {
                                return shift_linear(in, shift_w, shift_b, {ShiftFormat::k5Bit});
                              }});
  const BalanceLoss balance = balance_loss(routing, alpha, sigma);

  check_close(y.value(), golden.tensor("out.y"), 1e-5, "out.y");
  check_close(balance.loss.value(), golden.tensor("out.loss"), 1e-5, "out.loss");
  for (int i = 0; i < 2; ++i) {
    CHECK(balance.importance[i] ==
          doctest::Approx(golden.tensor("out.importance").data<float>()[i]).epsilon(1e-5));
    CHECK(balance.load[i] ==
          doctest::Approx(golden.tensor("out.load").data<float>()[i]).epsilon(1e-5));
  }
  for (std::size_t t = 0; t < routing.choice.size(); ++t)
    CHECK(routing.choice[t] == golden.tensor("out.choice").data<int64_t>()[t]);

  const Variable task = sum(multiply(y, Variable(golden.tensor("cot.y"))));
  add(task, multiply(balance.loss, Variable(golden.tensor("cot.loss")))).backward();
  for (const char* leaf : {"x", "gate_w", "gate_b", "mult_w", "mult_b", "shift_w", "shift_b"})
    check_close(golden.leaf(leaf).grad(), golden.tensor(concat("grad.", leaf)), 1e-4, leaf, 1e-6);
}

}  // namespace

TEST_CASE("mixture: golden") {
  for (const std::string& name : golden_cases("moe_linear_")) check_golden(name);
}

TEST_CASE("mixture: the router learns from the task, through either gate, and not without one") {
  for (Gate gate : kGates) CHECK(router_gradient(gate) > 1e-3);
  CHECK(router_gradient(Gate::kNone) == 0);
}

TEST_CASE("mixture: values of the gates") {
  const Small net;
  const Routing routing = net.routing();
  const std::vector<float> plain = values(net.forward(Gate::kNone).value());
  CHECK(values(net.forward(Gate::kStraightThrough).value()) == plain);
  const std::vector<float> p = values(softmax(routing.logits).value());
  const std::vector<float> gated = values(net.forward(Gate::kProbability).value());
  const std::vector<float> first = values(linear(net.x, net.w0, net.b0).value());
  const std::vector<float> second = values(gelu(linear(net.x, net.w1, net.b1)).value());
  for (int64_t t = 0; t < 31; ++t) {
    const int64_t e = routing.choice[t];
    CHECK(p[2 * t + e] >= 0.5f);
    for (int64_t j = 0; j < 7; ++j) {
      CHECK(plain[7 * t + j] == (e == 0 ? first : second)[7 * t + j]);
      CHECK(gated[7 * t + j] == doctest::Approx(p[2 * t + e] * plain[7 * t + j]));
    }
  }
}

TEST_CASE("mixture: the gate probability is differentiable between ties") {
  const auto run = [](const std::vector<Variable>& in) {
    const Routing routing = route(in[0], in[1], in[2]);
    return mixture(in[0], routing, Gate::kProbability,
                   {[&](const Variable& t) { return linear(t, in[3], in[4]); },
                    [&](const Variable& t) { return gelu(linear(t, in[5], in[6])); },
                    [&](const Variable& t) { return linear(gelu(t), in[3], in[4]); }},
                   in[7]);
  };
  check_gradients(run, {{3, 5, 4}, {3, 4}, {3}, {2, 4}, {2}, {2, 4}, {2}, {3, 5, 2}});
}

TEST_CASE("mixture: the straight-through gate's surrogate") {
  // d/dlogits as with the gate probability; the experts' as with no gate.
  const auto run = [](Gate gate) {
    auto net = std::make_unique<Small>();
    const Variable x(net->x.value().clone());  // the router alone sees a gradient through logits
    const Routing routing = route(x, net->router, net->router_bias);
    const Variable y = mixture(net->x, routing, gate, net->experts());
    y.backward(cotangent(y));
    return net;
  };
  const auto through = run(Gate::kStraightThrough), product = run(Gate::kProbability),
             plain = run(Gate::kNone);
  check_close(through->router.grad(), product->router.grad(), 1e-6, "router");
  check_close(through->router_bias.grad(), product->router_bias.grad(), 1e-6, "router bias");
  CHECK(values(through->x.grad()) == values(plain->x.grad()));
  CHECK(values(through->w0.grad()) == values(plain->w0.grad()));
  CHECK(values(through->w1.grad()) == values(plain->w1.grad()));
}

TEST_CASE("mixture: an expert sees its tokens alone") {
  const Small net(64);
  const Routing routing = net.routing();
  int64_t seen[2] = {};
  const auto count = [&](int expert) {
    return [&, expert](const Variable& in) {
      seen[expert] += in.dim(0);
      return in;
    };
  };
  const Variable y = mixture(net.x, routing, Gate::kNone, {count(0), count(1)});
  const int64_t second = std::count(routing.choice.begin(), routing.choice.end(), 1);
  CHECK(second > 0);
  CHECK(second < 64);
  CHECK(seen[0] == 64 - second);
  CHECK(seen[1] == second);
  CHECK(values(y.value()) == values(net.x.value()));
}

TEST_CASE("mixture: all tokens to one expert") {
  for (Gate gate : kGates)
    for (int64_t chosen : {0, 1}) {
      Small net;
      net.router_bias.value().data<float>()[chosen] = 30;
      const std::vector<Expert> experts = net.experts();
      const auto never = [](const Variable& in) {
        FAIL("an expert without tokens was called");
        return in;
      };
      const Routing routing = net.routing();
      const Variable y = mixture(net.x, routing, gate,
                                 chosen == 0 ? std::vector<Expert>{experts[0], never}
                                             : std::vector<Expert>{never, experts[1]});
      y.backward(cotangent(y));
      CHECK(net.w0.grad().defined() == (chosen == 0));
      CHECK(net.w1.grad().defined() == (chosen == 1));
      CHECK(net.router.grad().defined());
      const RoutingStatistics statistics = routing_statistics(routing);
      CHECK(statistics.share[chosen] == 1);
      CHECK(statistics.entropy < 1e-6);
      CHECK(std::isfinite(
          balance_loss(routing, std::vector<double>{0.6, 0.4}, 0.5).loss.value().data<float>()[0]));
    }
}

TEST_CASE("mixture: 1 and 2 threads give the same bits") {
  const auto run = [](int threads, Gate gate) {
    const Threads set(threads);
    const Small net(997, 33, 35);
    const Routing routing =
        route(net.x, net.router, net.router_bias, routing_noise(997, 2, 5, 9), 0.5);
    const Variable y = mixture(net.x, routing, gate, net.experts(), variable({997, 35}, 8));
    y.backward(cotangent(y));
    return join({values(y.value()), values(net.x.grad()), values(net.router.grad()),
                 values(net.w0.grad()), values(net.w1.grad())});
  };
  for (Gate gate : kGates) CHECK(same_bits(run(1, gate), run(2, gate)));
}

TEST_CASE("route: noise decides in training only") {
  const Small net(1000);
  const Tensor noise = routing_noise(1000, 2, 5, 9);
  const Routing quiet = net.routing();
  const Routing noisy = route(net.x, net.router, net.router_bias, noise, 0.5);
  CHECK(values(quiet.logits.value()) == values(noisy.logits.value()));
  CHECK(values(quiet.noisy) == values(quiet.logits.value()));
  CHECK(quiet.choice != noisy.choice);
  for (int64_t i = 0; i < 2000; ++i)
    CHECK(noisy.noisy.data<float>()[i] ==
          doctest::Approx(noisy.logits.value().data<float>()[i] + 0.5f * noise.data<float>()[i]));
  // Shares are those without noise.
  CHECK(routing_statistics(noisy).share == routing_statistics(quiet).share);
  const double share = routing_statistics(quiet).share[1];
  CHECK(share == std::count(quiet.choice.begin(), quiet.choice.end(), 1) / 1000.0);

  double mean = 0, square = 0;
  for (float n : noise.span<float>()) {
    mean += n / 2000;
    square += n * n / 2000;
  }
  CHECK(std::abs(mean) < 0.1);
  CHECK(std::abs(square - 1) < 0.15);
  CHECK(values(noise) == values(routing_noise(1000, 2, 5, 9)));
  CHECK(values(noise) != values(routing_noise(1000, 2, 5, 10)));
}

TEST_CASE("mixture: a split that no router made") {
  const Small net(10);
  Routing routing;
  for (int64_t t = 0; t < 10; ++t) routing.choice.push_back(t % 2);
  const Variable y = mixture(net.x, routing, Gate::kNone, net.experts());
  y.backward(cotangent(y));
  CHECK(net.w0.grad().defined());
  CHECK(!net.router.grad().defined());
}

TEST_CASE("mixture: errors") {
  const Small net;
  const Routing routing = net.routing();
  const auto experts = net.experts();
  const auto narrow = [](const Variable& in) { return in; };
  check_error(
      [&] {
        mixture(net.x, routing, Gate::kProbability, {experts[0], narrow});
      },
      concat("[mixture] an expert's output is (",
             std::count(routing.choice.begin(), routing.choice.end(), 1), ", 5): expected (",
             std::count(routing.choice.begin(), routing.choice.end(), 1), ", 7)"));
  check_error(
      [&] {
        mixture(variable({30, 5}), routing, Gate::kNone, experts);
      },
      "[mixture] 31 choices for 30 tokens");
  check_error(
      [&] {
        mixture(net.x, routing, Gate::kNone, experts, variable({31, 8}));
      },
      "[mixture] residual is (31, 8): expected (31, 7)");
  check_error(
      [&] {
        mixture(net.x, routing, Gate::kProbability, {experts[0], experts[1], experts[0]});
      },
      "[mixture] logits is (31, 2): expected (31, 3)");
  Routing broken = routing;
  broken.choice[3] = 2;
  check_error([&] { mixture(net.x, broken, Gate::kNone, experts); },
              "[mixture] a token goes to expert 2: expected 0..1");
  broken = {};
  broken.choice.resize(31);
  check_error([&] { mixture(net.x, broken, Gate::kStraightThrough, experts); },
              "[mixture] logits is undefined");
  check_error(
      [&] {
        mixture(variable({0, 5}), {}, Gate::kNone, experts);
      },
      "[mixture] input has no tokens");

  check_error(
      [&] {
        route(net.x, variable({1, 5}), {});
      },
      "[route] weight is (1, 5): expected at least two experts");
  check_error([&] { route(net.x, net.router, net.router_bias, {}, 0.5); },
              "[route] sigma is 0.5 and noise is undefined: expected noise (31, 2), or sigma 0");
  check_error([&] { route(net.x, net.router, net.router_bias, routing_noise(31, 3, 1, 1), 0.5); },
              "[route] noise is (31, 3): expected (31, 2)");
  check_error([&] { route(net.x, net.router, net.router_bias, {}, std::nan("")); },
              "[route] sigma is nan: expected a finite number >= 0");
}

}  // namespace shiftadd::test
