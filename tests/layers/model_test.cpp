// The trainable vision transformer: names, golden logits, training, determinism, checkpointing,
// freezing.
#include "layers/model.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "autograd/ops.h"
#include "core/parallel.h"
#include "core/random.h"
#include "tests/support/support.h"

namespace shiftadd::layers {
namespace {

using State = NamedTensors;

std::vector<float> values(const Tensor& tensor) {
  const auto span = tensor.span<float>();
  return {span.begin(), span.end()};
}

Tensor random_images(const ModelSpec& spec, int64_t batch, uint64_t stream) {
  Tensor images(spec.batch_shape(batch));
  Random random(3, stream);
  for (float& x : images.span<float>()) x = static_cast<float>(random.normal());
  return images;
}

ModelSpec odd_spec() {
  ModelSpec spec = named_spec("vit_micro");
  spec.name = "odd";
  spec.image_size = 15;
  spec.patch_size = 5;
  spec.width = 21;
  spec.depth = 3;
  spec.heads = 7;
  spec.mlp_hidden = 17;
  spec.classes = 3;
  return spec;
}

// Loss and all gradients of one training step.
std::map<std::string, std::vector<float>> step(const Model& model, const Context& context,
                                               bool zero = true) {
  const std::vector<int64_t> labels{2, 0, 1};
  const Variable loss = autograd::cross_entropy(
      model.forward(Variable(random_images(model.spec(), 3, 1)), context), labels, 0.1);
  loss.backward();
  std::map<std::string, std::vector<float>> result{{"loss", values(loss.value())}};
  for (auto& [name, parameter] : model.named_parameters()) {
    if (parameter.grad().defined()) result[name] = values(parameter.grad());
    Variable handle = parameter;
    if (zero) handle.zero_grad();
  }
  return result;
}

TEST_CASE("vit: parameters have timm's names, shapes and order") {
  for (const char* name : {"vit_micro", "deit_tiny_patch16_224"}) {
    const ModelSpec spec = named_spec(name);
    const Model model(spec, {}, 1);
    const auto expected = parameters_of(spec);
    const auto actual = model.named_parameters();
    REQUIRE(actual.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(actual[i].first == expected[i].name);
      CHECK(actual[i].second.shape() == expected[i].shape);
    }
    CHECK(model.parameter_count() == count_parameters(spec));
  }
}

TEST_CASE("vit: golden logits") {
  const TensorFile golden = test::golden_model("vit_micro");
  State weights;
  for (const auto& [name, tensor] : golden.tensors) {
    if (name.rfind("golden.", 0) != 0) weights.emplace_back(name, tensor);
  }
  for (const bool checkpointed : {false, true}) {
    ModelOptions options;
    options.checkpoint_blocks = checkpointed;
    Model model(named_spec("vit_micro"), options, 1);
    model.load_state_dict(weights);
    const Variable logits = model.forward(Variable(golden.at("golden.in.image")), {});
    test::check_close(logits.value(), golden.at("golden.out.logits"), 1e-5, "logits");
  }
}

// The golden network with linear_add attention and mixtures of MLPs; `full` as it is deployed, with
// Shift qkv and proj and int8 activations and values.
ModelSpec golden_shift_add(bool full) {
  ModelSpec spec = named_spec("vit_micro");
  BlockKinds block{.attention = AttentionKind::kLinearAdd, .mlp = LayerKind::kMixture};
  if (full) {
    block.qkv = block.proj = LayerKind::kShift;
    spec.shift_add.int8_activations = true;
    spec.shift_add.values = ValueFormat::kInt8;
  } else {
    spec.shift_add.gate = GateKind::kProbability;
  }
  spec.shift_add.blocks.assign(static_cast<std::size_t>(spec.depth), block);
  return spec;
}

TEST_CASE("vit: a fixed split has no router and shifts every second token") {
  ModelSpec spec = named_spec("vit_micro");
  spec.shift_add.gate = GateKind::kFixedSplit;
  spec.shift_add.blocks.assign(static_cast<std::size_t>(spec.depth), {.mlp = LayerKind::kMixture});
  const Model model(spec, {}, 3);
  for (const auto& [name, parameter] : model.named_parameters())
    CHECK_MESSAGE(name.find("router") == std::string::npos, name);
  std::vector<autograd::Routing> routings;
  Context context;
  context.routings = &routings;
  const Tensor images = Tensor::full(spec.batch_shape(2), 0.25);
  model.forward(Variable(images), context);
  REQUIRE(routings.size() == static_cast<std::size_t>(spec.depth));
  const int64_t n = spec.tokens();
  REQUIRE(routings[0].choice.size() == static_cast<std::size_t>(2 * n));
  for (int64_t t = 0; t < 2 * n; ++t)
    CHECK(routings[0].choice[static_cast<std::size_t>(t)] == t % n % 2);
}

TEST_CASE("vit: golden logits of the ShiftAdd networks") {
  for (const bool full : {false, true}) {
    const TensorFile golden =
        test::golden_model(full ? "vit_micro_shiftadd_full" : "vit_micro_shiftadd");
    State weights;
    for (const auto& [name, tensor] : golden.tensors)
      if (name.rfind("golden.", 0) != 0) weights.emplace_back(name, tensor);
    Model model(golden_shift_add(full), {}, 1);
    model.load_state_dict(weights);
    const Variable images(golden.at("golden.in.image"));
    std::vector<autograd::Routing> routings;
    Context context;
    context.routings = &routings;
    const Variable logits = model.forward(images, context);
    test::check_close(logits.value(), golden.at("golden.out.logits"), 1e-5, "logits");
    CHECK(routings.size() == 2);
    CHECK(routings[0].choice.size() == 2 * 17);
    const autograd::NoGradGuard no_grad;  // evaluation: the kernels that only add
    test::check_close(model.forward(images, {}).value(), golden.at("golden.out.logits"), 1e-5,
                      "logits without recording");
  }
}

TEST_CASE("vit: a ShiftAdd network has the parameters of its spec, and all of them learn") {
  ModelSpec spec = golden_shift_add(true);
  spec.shift_add.blocks[0].qkv = spec.shift_add.blocks[1].proj = LayerKind::kMixture;
  for (const ShiftForm form : {ShiftForm::kQ, ShiftForm::kPs}) {
    spec.shift_add.form = form;
    spec.shift_add.format = form == ShiftForm::kQ ? ShiftFormat::k4Bit : ShiftFormat::k5Bit;
    const Model model(spec, {}, 1);
    const auto parameters = model.named_parameters();
    const auto expected = parameters_of(spec);
    REQUIRE(parameters.size() == expected.size());
    Context context{.training = true, .seed = 1, .stream = 2};
    context.router_noise = 0.5;
    const auto gradients = step(model, context);
    for (const Parameter& info : expected) {
      INFO(info.name);
      const auto found = std::find_if(parameters.begin(), parameters.end(),
                                      [&](const auto& each) { return each.first == info.name; });
      REQUIRE(found != parameters.end());
      CHECK(found->second.shape() == info.shape);
      REQUIRE(gradients.contains(info.name));
      const auto& gradient = gradients.at(info.name);
      // The last block's answer is its class token's, which the local convolution leaves out.
      const bool read = info.name != "blocks.1.attn.token_conv.weight";
      CHECK(std::any_of(gradient.begin(), gradient.end(), [](float g) { return g != 0; }) == read);
    }
  }
}

TEST_CASE("vit: initial weights depend on the seed alone") {
  const auto weights = [](uint64_t seed) {
    const Model model(odd_spec(), {}, seed);
    std::vector<std::vector<float>> all;
    for (const auto& [name, tensor] : model.state_dict()) all.push_back(values(tensor));
    return all;
  };
  CHECK(weights(1) == weights(1));
  CHECK(weights(1) != weights(2));
}

TEST_CASE("vit: initial weights as timm's") {
  const Model model(named_spec("deit_tiny_patch16_224"), {}, 1);
  for (const auto& [name, tensor] : model.state_dict()) {
    INFO(name);
    double sum = 0, squares = 0, largest = 0;
    for (float x : values(tensor))
      sum += x, squares += double{x} * x, largest = std::max(largest, std::abs(double{x}));
    const double mean = sum / tensor.numel(),
                 deviation = std::sqrt(squares / tensor.numel() - mean * mean);
    const double conv_bound = 1 / std::sqrt(3.0 * 16 * 16);
    if (name.rfind("patch_embed", 0) == 0) {
      CHECK(largest <= conv_bound);
      CHECK(largest > 0.9 * conv_bound);
    } else if (name.find("norm") != std::string::npos || name.find("bias") != std::string::npos) {
      CHECK(deviation == 0);
      CHECK(mean ==
            (name.find("norm") != std::string::npos && name.find("weight") != std::string::npos
                 ? 1
                 : 0));
    } else {
      CHECK(deviation == doctest::Approx(0.02).epsilon(0.2));  // 192 numbers in the class token
      CHECK(std::abs(mean) < 0.02 * 4 / std::sqrt(tensor.numel()));
    }
  }
}

TEST_CASE("vit: every parameter gets a gradient, the same for 1 and 2 threads") {
  const int before = num_threads();
  const ModelOptions options{0.2, 0.1, false};
  const auto with_threads = [&](int threads) {
    set_num_threads(threads);
    return step(Model(odd_spec(), options, 1), {true, 5, 6});
  };
  const auto one = with_threads(1), two = with_threads(2);
  set_num_threads(before);
  CHECK(one == two);
  CHECK(one.size() == parameters_of(odd_spec()).size() + 1);
  for (const auto& [name, gradient] : one) {
    INFO(name);
    CHECK(std::any_of(gradient.begin(), gradient.end(), [](float x) { return x != 0; }));
  }
}

TEST_CASE("vit: checkpointed blocks give bit-identical gradients") {
  for (const double drop : {0.0, 0.3}) {
    const Context context{true, 5, 6};
    CHECK(step(Model(odd_spec(), {drop, drop, true}, 1), context) ==
          step(Model(odd_spec(), {drop, drop, false}, 1), context));
  }
}

TEST_CASE("vit: random layers draw while training only, from seed and stream") {
  const Model model(odd_spec(), {0.3, 0.2, false}, 1);
  const Variable images(random_images(odd_spec(), 3, 1));
  const auto logits = [&](const Context& context) {
    return values(model.forward(images, context).value());
  };
  const Model plain(odd_spec(), {}, 1);
  CHECK(logits({}) == values(plain.forward(images, {}).value()));
  CHECK(logits({true, 1, 2}) == logits({true, 1, 2}));
  CHECK(logits({true, 1, 2}) != logits({true, 1, 3}));
  CHECK(logits({true, 1, 2}) != logits({true, 2, 2}));
  CHECK(logits({true, 1, 2}) != logits({}));
}

TEST_CASE("vit: logits do not depend on the batch") {
  const Model model(odd_spec(), {}, 1);
  const Tensor images = random_images(odd_spec(), 5, 1);
  const std::vector<float> all = values(model.forward(Variable(images), {}).value());
  for (int64_t i = 0; i < 5; ++i) {
    const std::vector<float> one =
        values(model.forward(Variable(images.slice(i, i + 1)), {}).value());
    CHECK(std::equal(one.begin(), one.end(), all.begin() + i * 3));
  }
}

TEST_CASE("vit: 30 steps of SGD reduce the loss") {
  const Model model(named_spec("vit_micro"), {}, 1);
  const Variable images(random_images(model.spec(), 8, 1));
  const std::vector<int64_t> labels{0, 1, 2, 3, 4, 5, 6, 0};
  float first = 0, last = 0;
  for (int i = 0; i < 30; ++i) {
    const Variable loss = autograd::cross_entropy(model.forward(images, {true, 1, 1}), labels);
    loss.backward();
    last = loss.value().data<float>()[0];
    if (i == 0) first = last;
    for (auto [name, parameter] : model.named_parameters()) {
      const auto p = parameter.value().span<float>(), g = parameter.grad().span<float>();
      for (std::size_t j = 0; j < p.size(); ++j) p[j] -= 0.1f * g[j];
      parameter.zero_grad();
    }
  }
  CHECK(first > 1.5f);
  CHECK(last < 0.5f * first);
}

TEST_CASE("vit: two backward passes accumulate") {
  const Model model(odd_spec(), {}, 1);
  const auto once = step(model, {}, false), twice = step(model, {}, false);
  for (const auto& [name, gradient] : twice) {
    if (name == "loss") continue;
    const Shape shape{static_cast<int64_t>(gradient.size())};
    std::vector<float> half = gradient;
    for (float& x : half) x /= 2;
    test::check_close(Tensor::from(half, shape), Tensor::from(once.at(name), shape), 1e-5, name,
                      1e-8);
  }
}

TEST_CASE("vit: frozen parameters get no gradient, the others the same bits") {
  const auto all = step(Model(odd_spec(), {}, 1), {});
  const auto with_frozen = [&](const std::function<bool(const std::string&)>& frozen) {
    const Model model(odd_spec(), {}, 1);
    for (auto [name, parameter] : model.named_parameters())
      parameter.set_requires_grad(!frozen(name));
    const auto some = step(model, {});
    for (const auto& [name, gradient] : all) {
      INFO(name);
      CHECK((some.count(name) == 0) == (name != "loss" && frozen(name)));
      if (some.count(name)) CHECK(some.at(name) == gradient);
    }
  };
  with_frozen([](const std::string& name) { return name.rfind("head", 0) != 0; });
  with_frozen([](const std::string& name) { return name.find("norm") != std::string::npos; });
  with_frozen([](const std::string& name) { return name.find("attn") != std::string::npos; });
  with_frozen([](const std::string& name) {
    return name == "patch_embed.proj.weight" || name == "cls_token";
  });
}

TEST_CASE("vit: its parts, and the attention of a block alone") {
  ModelSpec spec = odd_spec();
  spec.shift_add.blocks = {{}, {.attention = AttentionKind::kLinearAdd}, {}};
  const Model model(spec, {}, 3);
  const Variable images(random_images(spec, 2, 5));
  const autograd::NoGradGuard no_grad;
  std::vector<AttentionTrace> traces;
  Context context;
  context.traces = &traces;
  const Tensor logits = model.forward(images, context).value();
  REQUIRE(traces.size() == 3);
  for (int64_t i = 0; i < 3; ++i) {
    const Variable normed(traces[i].input);
    const Tensor all = model.attend(i, normed, autograd::kAllQueries, {}).value();
    CHECK(values(all) == values(traces[i].output));
    const Tensor first = model.attend(i, normed, 1, {}).value();
    CHECK(first.shape() == Shape{2, 1, 21});
    test::check_close(first.slice(1, 2).reshape({21}),
                      traces[i].output.slice(1, 2).reshape({10, 21}).slice(0, 1).reshape({21}),
                      1e-6, "class token");
  }

  Variable x = model.embed(images, {});
  CHECK(x.shape() == Shape{2, 10, 21});
  for (int64_t i = 0; i < 3; ++i) x = model.run_block(i, x, {});
  CHECK(x.shape() == Shape{2, 1, 21});  // nobody reads the last block's patches
  CHECK(model.answers(2) == 1);
  CHECK(model.answers(1) == spec.tokens());
  spec.shift_add.blocks[2].mlp = LayerKind::kMixture;
  CHECK(Model(spec, {}, 3).answers(2) == spec.tokens());
  CHECK(values(model.forward(images, {}).value()) == values(logits));
}

TEST_CASE("vit: errors") {
  const Model model(odd_spec(), {}, 1);
  const auto message = [&](const std::function<void()>& function) {
    try {
      function();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  CHECK(message([&] {
          model.forward(Variable(Tensor::zeros({2, 3, 15, 16})), {});
        }) == "[model] images are (2, 3, 15, 16): expected (2, 3, 15, 15)");
  CHECK(message([&] {
          Model(odd_spec(), {1.0, 0, false}, 1);
        }) == "[model] dropout is 0, drop_path is 1: expected 0 <= rate < 1");
  ModelSpec impossible = odd_spec();
  impossible.heads = 2;
  CHECK(message([&] { Model(impossible, {}, 1); }).find("width: 21 is not divisible by heads 2") !=
        std::string::npos);
}

}  // namespace
}  // namespace shiftadd::layers
