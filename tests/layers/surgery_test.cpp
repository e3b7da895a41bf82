// Recipes, what is carried over, and how close the new attention starts.
#include "layers/surgery.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "autograd/ops.h"
#include "core/random.h"
#include "layers/linear.h"
#include "tests/support/support.h"

namespace shiftadd::layers {
namespace {

constexpr SurgeryStep kAttention{.attention = AttentionKind::kLinearAdd};
constexpr SurgeryStep kMixtures{
    .qkv = LayerKind::kShift, .proj = LayerKind::kShift, .mlp = LayerKind::kMixture};

NamedTensors lively_weights(const ModelSpec& spec) {
  Random random(5, 0);
  NamedTensors weights;
  for (const Parameter& info : parameters_of(spec)) {
    const Tensor value(info.shape);
    const bool norm = info.name.find("norm") != std::string::npos;
    const double fan =
        info.shape.size() > 1 ? static_cast<double>(value.numel() / info.shape[0]) : 4;
    for (float& x : value.span<float>())
      x = static_cast<float>(random.normal() / std::sqrt(fan) +
                             (norm && info.name.ends_with("weight")));
    weights.emplace_back(info.name, value);
  }
  return weights;
}

std::map<std::string, Tensor> by_name(const NamedTensors& weights) {
  return {weights.begin(), weights.end()};
}

Tensor images_for(const ModelSpec& spec, int64_t batch) {
  const Tensor images(spec.batch_shape(batch));
  Random random(9, 0);
  for (float& x : images.span<float>()) x = static_cast<float>(random.normal());
  return images;
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
    return "";
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
}

TEST_CASE("surgery: a recipe changes the blocks it names") {
  const ModelSpec plain = named_spec("vit_cifar");  // 6 blocks
  const ModelSpec first = apply_recipe(plain, {}, {kAttention});
  for (int64_t i = 0; i < 6; ++i) {
    CHECK(first.block(i).attention == AttentionKind::kLinearAdd);
    CHECK(first.block(i).mlp == LayerKind::kMultiply);
  }
  const ModelSpec hybrid = apply_recipe(
      first, {}, {{.first = 2, .last = 3, .attention = AttentionKind::kSoftmaxAdd}, kMixtures});
  CHECK(hybrid.block(1).attention == AttentionKind::kLinearAdd);
  CHECK(hybrid.block(2).attention == AttentionKind::kSoftmaxAdd);
  CHECK(hybrid.block(3).attention == AttentionKind::kSoftmaxAdd);
  CHECK(hybrid.block(4).attention == AttentionKind::kLinearAdd);
  CHECK(hybrid.block(5).mlp == LayerKind::kMixture);
  CHECK(refusal([&] {
          apply_recipe(plain, {}, {{.first = 4, .last = 6}});
        }).find("blocks 0 to 5") != std::string::npos);
  CHECK(refusal([&] { apply_recipe(plain, {}, {{.first = 3, .last = 2}}); }) != "");
  const std::string back = refusal(
      [&] { apply_recipe(hybrid, {}, {{.first = 2, .last = 2, .mlp = LayerKind::kShift}}); });
  CHECK_MESSAGE(back.find("surgery.recipe: ") == 0, back);
  CHECK_MESSAGE(back.find("blocks.2.mlp shift instead of mixture") != std::string::npos, back);
}

TEST_CASE("surgery: weights are carried through both stages") {
  const ModelSpec plain = named_spec("vit_micro");
  const NamedTensors start = lively_weights(plain);
  const ModelSpec first = apply_recipe(plain, {}, {kAttention});
  const NamedTensors middle = carry_weights(plain, first, start, 1);
  const ModelSpec second = apply_recipe(first, {}, {kMixtures});
  const auto end = by_name(carry_weights(first, second, middle, 1));
  const auto old = by_name(start);
  const auto same = [&](const std::string& name, const std::string& source) {
    test::check_close(end.at(name), old.at(source), 0, name);
  };
  same("blocks.1.attn.qkv.weight", "blocks.1.attn.qkv.weight");
  same("blocks.1.mlp.experts.0.fc1.weight", "blocks.1.mlp.fc1.weight");
  same("blocks.1.mlp.experts.1.fc1.weight", "blocks.1.mlp.fc1.weight");
  same("blocks.0.mlp.experts.1.fc2.bias", "blocks.0.mlp.fc2.bias");
  same("head.weight", "head.weight");
  for (const float x : end.at("blocks.0.attn.token_conv.weight").span<float>()) CHECK(x == 0);
  for (const float x : end.at("blocks.0.mlp.router.bias").span<float>()) CHECK(x == 0);
  double squares = 0;
  for (const float x : end.at("blocks.0.mlp.router.weight").span<float>()) squares += x * x;
  CHECK(std::sqrt(squares / 96) == doctest::Approx(0.02).epsilon(0.3));
  CHECK(end.size() == parameters_of(second).size());

  // The experts are copies: training one leaves the other alone.
  end.at("blocks.0.mlp.experts.0.fc1.weight").fill(7);
  CHECK(end.at("blocks.0.mlp.experts.1.fc1.weight").span<float>()[0] != 7);

  SUBCASE("form ps starts at the same Shift weights as form q") {
    ShiftAddSpec options;
    options.form = ShiftForm::kPs;
    options.format = ShiftFormat::k5Bit;
    const ModelSpec ps = apply_recipe(plain, options, {kMixtures});
    const auto latent = by_name(carry_weights(plain, ps, start, 1));
    const Tensor& shift = latent.at("blocks.0.attn.proj.shift");
    const Tensor& sign = latent.at("blocks.0.attn.proj.sign");
    const Tensor& weight = old.at("blocks.0.attn.proj.weight");
    for (int64_t i = 0; i < weight.numel(); ++i) {
      const float w = weight.data<float>()[i];
      CHECK(sign.data<float>()[i] == (w > 0 ? 1 : -1));
      CHECK(shift.data<float>()[i] ==
            doctest::Approx(std::clamp(std::log2(std::abs(w)), -14.0F, 0.0F)));
    }
  }
  SUBCASE("there is no way back, and sizes must agree") {
    CHECK(refusal([&] {
            carry_weights(second, plain, {end.begin(), end.end()}, 1);
          }).find("cannot become") != std::string::npos);
    CHECK(refusal([&] {
            carry_weights(plain, named_spec("vit_cifar"), start, 1);
          }).find("sizes differ") != std::string::npos);
  }
}

TEST_CASE("surgery: codes that follow float linear attention are scaled, routed layers too") {
  const ModelSpec plain = named_spec("vit_micro");
  const SurgeryStep warm{.attention = AttentionKind::kLinear, .qkv = LayerKind::kMixture};
  const ModelSpec first = apply_recipe(plain, {}, {warm});
  const ModelSpec second = apply_recipe(first, {}, {{.attention = AttentionKind::kLinearAdd}});
  NamedTensors weights = carry_weights(plain, first, lively_weights(plain), 1);
  const auto before = by_name(weights);
  REQUIRE(rescale_attention(first, second, images_for(plain, 3), weights).size() == 2);
  const auto after = by_name(weights);
  // q of head 0 in both experts by one factor; v and proj, whose input has norm 1 already, stay.
  const auto ratio = [&](const std::string& name, int64_t at) {
    return after.at(name).span<float>()[at] / before.at(name).span<float>()[at];
  };
  const std::string qkv = "blocks.0.attn.qkv.experts.";
  const float factor = ratio(qkv + "0.weight", 0);
  CHECK(factor != 1);
  CHECK(ratio(qkv + "1.weight", 48 * 15 + 47) == doctest::Approx(factor));
  CHECK(ratio(qkv + "0.weight", 48 * 96) == 1);
  CHECK(ratio("blocks.0.attn.proj.weight", 5) == 1);
}

TEST_CASE(
    "surgery: linear-angular attention that follows one with a window keeps the heads' norms") {
  const ModelSpec plain = named_spec("vit_micro");
  ShiftAddSpec levels, signs;
  levels.codes = Codes::kBipolar2;
  const ModelSpec first = apply_recipe(plain, levels, {kAttention});
  const ModelSpec second = apply_recipe(first, signs, {});
  REQUIRE(second.shift_add.codes == Codes::kSign);
  NamedTensors weights = carry_weights(plain, first, lively_weights(plain), 1);
  const auto before = by_name(weights);
  REQUIRE(rescale_attention(first, second, images_for(plain, 3), weights).size() == 2);
  const auto after = by_name(weights);
  for (const char* same : {"blocks.0.attn.qkv.weight", "blocks.1.attn.qkv.weight"})
    test::check_close(after.at(same), before.at(same), 0, same);
  // proj's 16 columns of a head by one factor, another for another head.
  const auto ratio = [&](int64_t at) {
    return after.at("blocks.0.attn.proj.weight").span<float>()[at] /
           before.at("blocks.0.attn.proj.weight").span<float>()[at];
  };
  CHECK(ratio(0) != 1);
  CHECK(ratio(48 * 7 + 15) == doctest::Approx(ratio(0)));
  CHECK(ratio(16) != doctest::Approx(ratio(0)));
}

TEST_CASE("surgery: rescaled attention has an RMS of 0.7 and the old heads' norms") {
  const ModelSpec plain = named_spec("vit_micro");
  const NamedTensors start = lively_weights(plain);
  NamedTensors scaled;
  for (const auto& [name, tensor] : start) scaled.emplace_back(name, tensor.clone());
  const ModelSpec first = apply_recipe(plain, {}, {kAttention});
  const Tensor images = images_for(plain, 3);
  CHECK(rescale_attention(plain, first, images, scaled).size() == 2);

  // The first block's input is the same in both networks.
  const autograd::NoGradGuard no_grad;
  const auto trace_of = [&](const ModelSpec& spec, const NamedTensors& weights) {
    Model model(spec, {}, 0);
    model.load_state_dict(weights);
    std::vector<AttentionTrace> traces;
    Context context;
    context.traces = &traces;
    model.forward(Variable(images), context);
    REQUIRE(traces.size() == 2);
    return traces[0];
  };
  const AttentionTrace before = trace_of(plain, start);
  const AttentionTrace after = trace_of(first, carry_weights(plain, first, scaled, 1));
  test::check_close(after.input, before.input, 0, "input");
  double squares = 0;
  for (int64_t row = 0; row < 3 * 17; ++row)
    for (int64_t j = 0; j < 16; ++j) {
      const float x = after.q.data<float>()[row * 144 + 48 + j];  // k of head 0
      squares += x * x;
    }
  CHECK(std::sqrt(squares / (3 * 17 * 16)) == doctest::Approx(0.7).epsilon(1e-4));
  const auto norm = [](const Tensor& x) {
    double sum = 0;
    for (const float value : x.span<float>()) sum += value * value;
    return std::sqrt(sum);
  };
  CHECK(norm(after.output) == doctest::Approx(norm(before.output)).epsilon(0.5));
}

TEST_CASE("surgery: what changes is said, with the share of multiplications left") {
  const ModelSpec plain = named_spec("vit_cifar");
  const auto lines = describe_surgery(plain, apply_recipe(plain, {}, {kAttention, kMixtures}), 0.6);
  REQUIRE(lines.size() == 7);
  CHECK(lines[0] ==
        "block 0: attention softmax -> linear_add, qkv multiply -> shift, proj multiply -> shift, "
        "mlp multiply -> mixture");
  CHECK(lines[6].ends_with(" of the multiplications left, at 60 % of tokens shifted"));
  CHECK(std::stod(lines[6]) < 40);
  CHECK(std::stod(lines[6]) > 10);
}

}  // namespace
}  // namespace shiftadd::layers
