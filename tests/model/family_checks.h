// What every family of networks must do, whatever it looks like: train, pack, run, be drawn.
#pragma once

#include <cmath>
#include <cstring>
#include <memory>

#include "autograd/ops.h"
#include "core/random.h"
#include "infer/cpu_engine.h"
#include "layers/surgery.h"
#include "model/op_count.h"
#include "tests/support/support.h"
#include "tools/report/routing_picture.h"
#include "train/calibrate.h"
#include "train/optimizer.h"
#include "train/transfer.h"

namespace shiftadd::test {

using autograd::Variable;

inline Variable images_for(const Network& network, int64_t count) {
  Tensor pixels({count, network.channels, network.image.height, network.image.width});
  Random random(3, 1);
  for (float& x : pixels.span<float>()) x = static_cast<float>(random.normal());
  return Variable(pixels);
}

inline Variable loss_of(const layers::Model& model) {
  return autograd::cross_entropy(model.forward(images_for(model.network(), 4), {}),
                                 std::vector<int64_t>{0, 3, 1, 4});
}

// Three steps of AdamW; the loss must fall.
inline void train_three_steps(layers::Model& model) {
  train::Optimizer optimizer({}, model.named_parameters(), parameters_of(model.network()));
  const float before = *loss_of(model).value().data<float>();
  for (int i = 0; i < 3; ++i) {
    loss_of(model).backward();
    optimizer.step(2e-3);
    optimizer.zero_grad();
  }
  CHECK(*loss_of(model).value().data<float>() < before);
}

// The loss moves along its gradient as the gradient says.
inline void check_gradient(const layers::Model& model) {
  loss_of(model).backward();
  for (auto& [name, parameter] : model.named_parameters()) {
    CAPTURE(name);
    REQUIRE(parameter.grad().defined());
    const Tensor start = parameter.value().clone(), gradient = parameter.grad();
    double square = 0;
    for (const float g : gradient.span<float>()) square += static_cast<double>(g) * g;
    const auto moved = [&](double step) {
      for (int64_t i = 0; i < start.numel(); ++i)
        parameter.value().data<float>()[i] = static_cast<float>(
            start.data<float>()[i] + step * gradient.data<float>()[i] / std::sqrt(square));
      return static_cast<double>(*loss_of(model).value().data<float>());
    };
    CHECK((moved(0.01) - moved(-0.01)) / 0.02 == doctest::Approx(std::sqrt(square)).epsilon(0.03));
    parameter.value().copy_from(start);
  }
}

// The expert of an image's token, of 3 images; where only some of its tokens are routed, the first.
inline uint8_t choice_of(const autograd::Routing& routing, int64_t image, int64_t token) {
  const auto tokens = static_cast<int64_t>(routing.choice.size()) / 3;
  return token < tokens ? static_cast<uint8_t>(
                              routing.choice[static_cast<std::size_t>(image * tokens + token)])
                        : infer::kNotRouted;
}

// Enough images for several chunks of rows: each has the bits that it has alone.
inline void check_any_batch(infer::CpuEngine& engine, const Network& network) {
  constexpr int64_t kImages = 11;
  const Tensor pixels = images_for(network, kImages).value();
  const int64_t outputs = network.outputs();
  const Tensor together({kImages, outputs}), alone({kImages, outputs});
  engine.run(pixels.data<float>(), kImages, together.data<float>());
  for (int64_t i = 0; i < kImages; ++i)
    engine.run(pixels.data<float>() + i * network.image_values(), 1,
               alone.data<float>() + i * outputs);
  CHECK(std::memcmp(together.raw(), alone.raw(), together.bytes()) == 0);
}

// Packed in float32 the engine gives the graph's bits and choices, in int8 nearly its logits.
inline void check_engine(const layers::Model& model,
                         const std::vector<std::string>& formats = {"float32", "int8"}) {
  const Network& network = model.network();
  std::vector<autograd::Routing> routings;
  layers::Context context;
  context.routings = &routings;
  const Tensor expected = model.forward(images_for(network, 3), context).value(),
               logits(expected.shape());
  std::vector<uint8_t> graph_choices;
  const std::vector<Router> routers = routers_of(network);
  for (int64_t image = 0; image < 3; ++image)
    for (std::size_t r = 0; r < routers.size(); ++r)
      for (int64_t t = 0; t < routers[r].tokens; ++t)
        graph_choices.push_back(choice_of(routings[r], image, t));
  for (const std::string& format : formats) {
    const PackSpec pack = pack_in(format);
    infer::CpuEngine engine(
        network, pack,
        pack_weights(parameters_of(network), network.options, model.state_dict(), pack));
    std::vector<uint8_t> choices(static_cast<std::size_t>(3 * routed_tokens(routers)));
    engine.run(images_for(network, 3).value().data<float>(), 3, logits.data<float>(),
               choices.data());
    check_any_batch(engine, network);
    const bool exact = pack.multiply == MultiplyFormat::kFloat32;
    check_close(logits, expected, exact ? 0 : 0.05, format);
    if (!exact || routers.empty()) continue;
    CHECK(choices == graph_choices);
    choices.resize(static_cast<std::size_t>(routed_tokens(routers)));
    const data::Image picture = tools::draw_routing(
        {tools::make_canvas(network.image.width, network.image.height, {9, 9, 9}), routers, choices,
         "toy", 0.5});
    CHECK(picture.height > 0);
  }
}

// Multiplications of two halves of hidden values, which are no multiply-accumulates.
inline int64_t gate_products(const Network& network) {
  int64_t count = 0;
  for (int64_t i = 0; i < network.depth(); ++i) {
    const BlockSpec& block = block_at(network, i);
    if (block.mlp.activation == HiddenActivation::kSwiGlu)
      count += block.tokens() * block.mlp.fc2.in;
  }
  return count;
}

// Each stage as a run does it: weights carried over, attention rescaled and transferred, routers
// calibrated. transfer_lr: lower where the new attention of random weights starts close already.
inline void check_stages(const Network& plain, const Network& adds, const Network& mixed,
                         double transfer_lr = 1e-2) {
  layers::Model dense(plain, {}, 1);
  check_gradient(dense);
  train_three_steps(dense);
  check_engine(dense);
  CHECK(count_operations(plain).total.multiplications ==
        count_macs(plain).total() + gate_products(plain));

  const auto next_images = [&] { return images_for(plain, 4).value(); };
  const auto converted = [](const layers::Model& from, const Network& to, NamedTensors weights) {
    auto model = std::make_unique<layers::Model>(to, layers::ModelOptions{}, 1);
    model->load_state_dict(layers::carry_weights(from.network(), to, weights, 1));
    return model;
  };
  NamedTensors weights = dense.state_dict();
  CHECK(!layers::rescale_attention(plain, adds, next_images(), weights).empty());
  const auto first = converted(dense, adds, weights);
  const auto transfers = train::transfer_attention(
      *first, dense, next_images, {.steps = 20, .lr = transfer_lr}, std::atomic<bool>(false));
  REQUIRE(transfers.has_value());
  CHECK(static_cast<int64_t>(transfers->size()) == plain.depth());
  for (const train::BlockTransfer& each : *transfers) CHECK(each.after < each.before);
  train_three_steps(*first);
  check_engine(*first);

  const auto second = converted(*first, mixed, first->state_dict());
  train_three_steps(*second);
  const std::vector<Router> routers = routers_of(mixed);
  const auto calibrated = train::calibrate_shares(*second, next_images, 1, 0.5);
  REQUIRE(calibrated.size() == routers.size());
  for (const train::CalibratedShare& each : calibrated)
    CHECK(each.after == doctest::Approx(0.5).epsilon(0.1));
  check_engine(*second);
  CHECK(count_operations(mixed, std::vector<double>(routers.size(), 0.5)).total.multiplications <
        count_operations(adds).total.multiplications);
}

}  // namespace shiftadd::test
