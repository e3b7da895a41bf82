// AdamW against the golden steps, SGD against its formula, groups, norm, clipping, saved state.
#include "train/optimizer.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "core/parallel.h"
#include "core/random.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::train;
using autograd::Variable;

namespace {

Tensor noise(Shape shape, uint64_t stream) {
  const Tensor x(std::move(shape));
  const RandomStream random(5, stream);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = static_cast<float>(random.normal(i));
  return x;
}

// Parameters, and what a network says of them.
struct Described {
  NamedParameters variables;
  std::vector<Parameter> parameters;
  void add(const std::string& name, const Variable& variable, Role role = Role::kMatrix,
           int64_t depth = 0) {
    variables.emplace_back(name, variable);
    parameters.push_back({.name = name,
                          .shape = variable.shape(),
                          .role = role,
                          .id = {},
                          .layer = name,
                          .depth = depth});
  }
  Optimizer optimizer(const OptimizerConfig& config = {}) const {
    return Optimizer(config, variables, parameters);
  }
};

}  // namespace

TEST_CASE("AdamW makes the golden steps") {
  const TensorFile file = test::golden_operator("adamw");
  const auto attributes = parse_json(test::attributes(file));
  OptimizerConfig config;
  config.beta1 = attributes.at("betas").at(0);
  config.beta2 = attributes.at("betas").at(1);
  config.eps = attributes.at("eps");
  config.weight_decay = attributes.at("weight_decay");
  Variable parameter(file.at("param.initial").clone(), true);
  Described described;
  described.add("head.weight", parameter, Role::kHead);
  Optimizer optimizer = described.optimizer(config);
  int64_t step = 0;
  for (; file.find("in.grad" + std::to_string(step)); ++step) {
    parameter.set_grad(file.at("in.grad" + std::to_string(step)).clone());
    optimizer.step(attributes.at("lr"));
    const std::string name = "out.param" + std::to_string(step);
    test::check_close(parameter.value(), file.at(name), 1e-5, name);
  }
  CHECK(step > 1);
}

TEST_CASE("SGD follows its formula, with and without Nesterov") {
  for (const bool nesterov : {false, true}) {
    OptimizerConfig config;
    config.kind = OptimizerConfig::Kind::kSgd;
    config.weight_decay = 0.1;
    config.momentum = 0.8;
    config.nesterov = nesterov;
    Variable parameter(noise({3, 17}, 0), true);
    const Tensor expected = parameter.value().clone();
    std::vector<double> buffer(51);
    Described described;
    described.add("head.weight", parameter, Role::kHead);
    Optimizer optimizer = described.optimizer(config);
    for (int step = 0; step < 3; ++step) {
      const Tensor gradient = noise({3, 17}, 1 + step);
      parameter.set_grad(gradient.clone());
      optimizer.step(0.05, 0.5);
      for (int64_t i = 0; i < 51; ++i) {
        float& p = expected.data<float>()[i];
        const double g = gradient.data<float>()[i] * 0.5 + 0.1 * p;
        buffer[i] = 0.8 * buffer[i] + g;
        p -= static_cast<float>(0.05 * (nesterov ? g + 0.8 * buffer[i] : buffer[i]));
      }
    }
    test::check_close(parameter.value(), expected, 1e-5, nesterov ? "nesterov" : "sgd");
  }
}

TEST_CASE("norms, biases, positions and class token do not decay, whatever they are called") {
  const auto decays_as = [](const Shape& shape, Role role) {
    return decays({.name = "x", .shape = shape, .role = role, .id = {}, .layer = "x"});
  };
  CHECK(decays_as({9, 3}, Role::kMatrix));
  CHECK(decays_as({3, 3, 4, 4}, Role::kMatrix));
  CHECK(decays_as({3, 1, 9, 1}, Role::kFilter));
  CHECK(decays_as({9, 3}, Role::kShiftSign));
  CHECK(decays_as({2, 3}, Role::kRouter));
  CHECK_FALSE(decays_as({2}, Role::kRouter));
  CHECK_FALSE(decays_as({9}, Role::kBias));
  CHECK_FALSE(decays_as({3}, Role::kNorm));
  CHECK_FALSE(decays_as({1, 5, 3}, Role::kPositions));
  CHECK_FALSE(decays_as({1, 1, 3}, Role::kToken));
}

TEST_CASE("layer-wise decay counts from the head") {
  std::map<std::string, int64_t> depths;
  for (const Parameter& each : parameters_of(named_spec("deit_tiny_patch16_224")))
    depths[each.name] = each.depth;
  CHECK(depths.at("pos_embed") == 0);
  CHECK(depths.at("cls_token") == 0);
  CHECK(depths.at("patch_embed.proj.bias") == 0);
  CHECK(depths.at("blocks.0.norm1.weight") == 1);
  CHECK(depths.at("blocks.11.mlp.fc2.bias") == 12);
  CHECK(depths.at("norm.weight") == 13);
  CHECK(depths.at("head.bias") == 13);
  OptimizerConfig config;
  config.layer_decay = 0.5;
  Described described;
  described.add("x", Variable(noise({1, 1, 3}, 0), true), Role::kToken, 0);
  described.add("y", Variable(noise({3, 3}, 0), true), Role::kMatrix, 2);
  described.add("z", Variable(noise({3, 3}, 0), true), Role::kHead, 3);
  const Optimizer optimizer = described.optimizer(config);
  CHECK(optimizer.lr_scale(0) == 0.125);
  CHECK(optimizer.lr_scale(1) == 0.5);
  CHECK(optimizer.lr_scale(2) == 1);
}

TEST_CASE("frozen parameters and those without a gradient stay as they are") {
  const Tensor before = noise({3, 3}, 0);
  Described described;
  described.add("a.weight", Variable(before.clone(), false));
  described.add("b.weight", Variable(before.clone(), true));
  const NamedParameters& parameters = described.variables;
  Optimizer optimizer = described.optimizer();
  CHECK(optimizer.parameters().size() == 1);
  optimizer.step(0.1);
  test::check_close(parameters[0].second.value(), before, 0, "frozen");
  test::check_close(parameters[1].second.value(), before, 0, "no gradient");
}

TEST_CASE("the gradient norm is one norm over all parameters, equal for any number of threads") {
  Described described;
  described.add("a", Variable(noise({197, 769}, 0), true));
  described.add("b", Variable(noise({17}, 1), true), Role::kBias);
  described.add("without", Variable(noise({3}, 2), true), Role::kBias);
  NamedParameters& parameters = described.variables;
  double expected = 0;
  for (int i = 0; i < 2; ++i) {
    parameters[i].second.set_grad(parameters[i].second.value().clone());
    for (const float value : parameters[i].second.value().span<float>())
      expected += static_cast<double>(value) * value;
  }
  const Optimizer optimizer = described.optimizer();
  set_num_threads(1);
  const double one = optimizer.gradient_norm();
  set_num_threads(2);
  CHECK(one == optimizer.gradient_norm());
  CHECK(one == doctest::Approx(std::sqrt(expected)).epsilon(1e-12));
}

TEST_CASE("clipping scales only what is too long") {
  CHECK(clip_factor(10, 0) == 1);
  CHECK(clip_factor(0.5, 1) == 1);
  CHECK(clip_factor(10, 1) == doctest::Approx(0.1));
  CHECK(clip_factor(0, 1) == 1);
}

TEST_CASE("saved state continues bit for bit; a foreign state is refused") {
  const auto make = [] {
    Described described;
    described.add("a.weight", Variable(noise({3, 17}, 0), true));
    return described;
  };
  Described made = make(), again = make();
  NamedParameters &first = made.variables, &second = again.variables;
  Optimizer one = made.optimizer(), two = again.optimizer();
  const auto step = [](Optimizer& optimizer, NamedParameters& parameters, uint64_t stream) {
    parameters[0].second.set_grad(noise({3, 17}, stream));
    optimizer.step(0.01);
  };
  step(one, first, 7);
  second[0].second.value().copy_from(first[0].second.value());
  two.load_state(one.state(), one.steps());
  step(one, first, 8);
  step(two, second, 8);
  CHECK(two.steps() == 2);
  test::check_close(second[0].second.value(), first[0].second.value(), 0, "parameter");
  CHECK_THROWS_WITH_AS(one.load_state({}, 1), doctest::Contains("optimizer.m.a.weight"), Error);
  NamedTensors wrong = one.state();
  wrong[1].second = Tensor::zeros({17, 3});
  CHECK_THROWS_WITH_AS(one.load_state(wrong, 1), doctest::Contains("(17, 3)"), Error);
}
