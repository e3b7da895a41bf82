// Attention transfer: what is trained, towards what, and that it is the same with any threads.
#include "train/transfer.h"

#include <cmath>
#include <functional>
#include <map>

#include "autograd/ops.h"
#include "core/random.h"
#include "data/synthetic.h"
#include "layers/surgery.h"
#include "tests/support/support.h"
#include "tests/train/tiny_spec.h"
#include "train/temperature.h"

using namespace shiftadd;
using namespace shiftadd::train;
using layers::SurgeryStep;
using test::tiny_spec;

namespace {

constexpr SurgeryStep kLinearAdd{.attention = AttentionKind::kLinearAdd};
const std::atomic<bool> kGoOn = false;

Tensor images_of(uint64_t stream, int64_t rows = 5) {
  const Tensor images({rows, 3, 8, 8});
  Random random(3, stream);
  for (float& x : images.span<float>()) x = static_cast<float>(random.normal());
  return images;
}

NextImages source() {
  return [stream = uint64_t{0}]() mutable { return images_of(stream++ % 3); };
}

NamedTensors lively_weights(const ModelSpec& spec) {
  Random random(5, 0);
  NamedTensors weights;
  for (const Parameter& info : parameters_of(spec)) {
    const Tensor value(info.shape);
    const bool scale = info.name.find("norm") != std::string::npos && info.name.ends_with("weight");
    for (float& x : value.span<float>()) x = static_cast<float>(0.3 * random.normal() + scale);
    weights.emplace_back(info.name, value);
  }
  return weights;
}

struct Networks {
  layers::Model dense, student;
  explicit Networks(const std::vector<SurgeryStep>& recipe, const ShiftAddSpec& options = {})
      : dense(tiny_spec(), {}, 1),
        student(layers::apply_recipe(tiny_spec(), options, recipe), {}, 1) {
    const NamedTensors weights = lively_weights(tiny_spec());
    dense.load_state_dict(weights);
    student.load_state_dict(layers::carry_weights(tiny_spec(), student.spec(), weights, 1));
  }
  std::vector<BlockTransfer> transfer(const TransferOptions& options = {.steps = 30}) {
    return *transfer_attention(student, dense, source(), options, kGoOn);
  }
  std::map<std::string, Tensor> state() const {
    std::map<std::string, Tensor> copies;
    for (const auto& [name, tensor] : student.state_dict()) copies.emplace(name, tensor.clone());
    return copies;
  }
};

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto x = a.span<float>(), y = b.span<float>();
  return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

std::vector<std::string> changed(const std::map<std::string, Tensor>& a,
                                 const std::map<std::string, Tensor>& b) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : a)
    if (!same_bits(tensor, b.at(name))) names.push_back(name);
  return names;
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

// What each of two linear_add blocks leaves to learn, on the dense activations or the student's
// own.
std::vector<double> errors_by_hand(const Networks& networks, bool own) {
  const autograd::NoGradGuard no_grad;
  const layers::Model& driver = own ? networks.student : networks.dense;
  std::vector<layers::AttentionTrace> traces, driven;
  layers::Context context, driving;
  context.traces = &traces;
  driving.traces = &driven;
  autograd::Variable x = networks.dense.embed(autograd::Variable(images_of(0)), {}), mine = x;
  std::vector<double> result;
  for (int64_t i = 0; i < 2; ++i) {
    const Tensor before = x.value(), before_own = mine.value();
    x = networks.dense.run_block(i, x, context);
    mine = driver.run_block(i, mine, driving);
    const autograd::Variable normed(driven[i].input);
    const Tensor y = networks.student.attend(i, normed, autograd::kAllQueries, {}).value();
    double error = 0, size = 0;
    for (int64_t k = 0; k < y.numel(); ++k) {
      if (i == 1 && k / 12 % 5 != 0) continue;  // the last block answers for the class token
      const double t =
          traces[i].output.data<float>()[k] + before.data<float>()[k] - before_own.data<float>()[k];
      error += (y.data<float>()[k] - t) * (y.data<float>()[k] - t);
      size += t * t;
    }
    result.push_back(error / size);
  }
  return result;
}

}  // namespace

TEST_CASE("transfer: the new attention comes nearer, and nothing else moves") {
  Networks networks({kLinearAdd});
  const auto before = networks.state();
  std::vector<double> errors;
  const auto result = *transfer_attention(
      networks.student, networks.dense, source(), {.steps = 60}, kGoOn, [&](const auto& progress) {
        CHECK(progress.step == static_cast<int64_t>(errors.size()) + 1);
        CHECK(progress.steps == 60);
        errors.push_back(progress.error);
      });
  REQUIRE(result.size() == 2);
  CHECK(errors.size() == 60);
  for (int i = 0; i < 2; ++i) {
    CHECK(result[i].block == i);
    CHECK(result[i].after < 0.7 * result[i].before);
  }
  const auto names = changed(before, networks.state());
  // Weight and bias of qkv and proj, twice; the local convolution leaves the class token out, which
  // is all that is read of the last block.
  CHECK(names.size() == 9);
  for (const std::string& name : names) CHECK(name.find(".attn.") != std::string::npos);
  for (const auto& [name, parameter] : networks.student.named_parameters()) {
    CHECK(parameter.requires_grad());
    if (!parameter.grad().defined()) continue;
    for (const float x : parameter.grad().span<float>()) CHECK(x == 0);
  }
  for (const auto& [name, parameter] : networks.dense.named_parameters())
    CHECK_FALSE(parameter.grad().defined());
  CHECK(to_text({.block = 2, .before = 1.23412, .after = 0.25}) ==
        "block 2: relative error of attention 1.234 -> 0.250");
}

TEST_CASE(
    "transfer: the error is against what the dense attention gives, of tokens that are read") {
  Networks networks({kLinearAdd});
  for (const bool own : {false, true}) {
    CAPTURE(own);
    const std::vector<double> expected = errors_by_hand(networks, own);
    std::vector<double> errors;
    const auto result = *transfer_attention(
        networks.student, networks.dense, [] { return images_of(0); },
        {.steps = 1, .lr = 1e-12, .own = own ? 1.0 : 0.0}, kGoOn,
        [&](const auto& progress) { errors.push_back(progress.error); });
    for (int i = 0; i < 2; ++i)
      CHECK(result[i].before == doctest::Approx(expected[i]).epsilon(1e-5));
    CHECK(errors[0] == doctest::Approx((result[0].before + result[1].before) / 2));
  }
}

TEST_CASE("transfer: the gradient is that of the error, by finite differences") {
  // With float codes, so that the attention is differentiable: AdamW's first step moves every
  // parameter by lr against the sign of its gradient.
  Networks networks({{.attention = AttentionKind::kLinear}});
  const auto before = networks.state();
  const auto error_of = [&] {
    return (*transfer_attention(
        networks.student, networks.dense, [] { return images_of(0); },
        {.steps = 1, .lr = 1e-12, .warm_up = 0}, kGoOn))[0]
        .before;
  };
  const std::string name = "blocks.0.attn.proj.weight";
  Tensor weight;
  for (const auto& [own, parameter] : networks.student.named_parameters())
    if (own == name) weight = parameter.value();
  std::vector<double> slopes;
  for (int64_t i = 0; i < 20; ++i) {
    const float old = weight.data<float>()[i];
    weight.data<float>()[i] = old + 1e-2F;
    const double above = error_of();
    weight.data<float>()[i] = old - 1e-2F;
    slopes.push_back(above - error_of());
    weight.data<float>()[i] = old;
  }
  networks.student.load_state_dict({before.begin(), before.end()});
  transfer_attention(
      networks.student, networks.dense, [] { return images_of(0); },
      {.steps = 1, .lr = 1e-3, .warm_up = 0}, kGoOn);
  for (int64_t i = 0; i < 20; ++i) {
    const float moved = weight.data<float>()[i] - before.at(name).data<float>()[i];
    if (std::abs(slopes[i]) > 1e-4) CHECK(moved * slopes[i] < 0);
  }
}

TEST_CASE("transfer: smooth codes learn through another slope, from the same start") {
  Networks window({{.attention = AttentionKind::kSoftmaxAdd}}),
      smooth({{.attention = AttentionKind::kSoftmaxAdd}});
  const auto with_window = window.transfer({.steps = 60}),
             with_slope = smooth.transfer({.steps = 60, .smooth_codes = true});
  for (std::size_t i = 0; i < with_slope.size(); ++i) {
    CHECK(with_slope[i].before == with_window[i].before);  // the forward pass is the same
    CHECK(with_slope[i].after < with_slope[i].before);
    CHECK(with_slope[i].after != with_window[i].after);
  }
}

TEST_CASE("transfer: temperatures start where they fit, frozen and learned ones stay") {
  ShiftAddSpec options;
  options.codes = Codes::kBipolar2;
  const SurgeryStep softmax_add{.attention = AttentionKind::kSoftmaxAdd};
  const TransferOptions once = {.steps = 1, .lr = 1e-12};
  const auto temperatures = [](const Networks& networks, int block) {
    const Tensor t = networks.state().at(concat("blocks.", block, ".attn.temperature"));
    return std::vector<float>(t.span<float>().begin(), t.span<float>().end());
  };
  Networks networks({softmax_add}, options), frozen({softmax_add}, options);
  const std::vector<float> ones = temperatures(frozen, 1);
  networks.transfer(once);
  for (auto& [name, parameter] : frozen.student.named_parameters())
    if (name == "blocks.1.attn.temperature") parameter.set_requires_grad(false);
  frozen.transfer(once);
  for (int block : {0, 1}) {
    // By the traces of both networks on the dense network's activations.
    const autograd::NoGradGuard guard;
    std::vector<layers::AttentionTrace> dense, coded;
    layers::Context of_dense, of_coded;
    of_dense.traces = &dense;
    of_coded.traces = &coded;
    autograd::Variable x = networks.dense.embed(autograd::Variable(images_of(0)), {});
    if (block == 1) x = networks.dense.run_block(0, x, {});
    networks.dense.run_block(block, x, of_dense);
    networks.student.run_block(block, x, of_coded);
    const std::vector<double> fitted = fitted_temperatures(
        block_at(networks.student.network(), block).attention, coded[0], dense[0]);
    const std::vector<float> actual = temperatures(networks, block);
    REQUIRE(actual.size() == fitted.size());
    for (std::size_t h = 0; h < fitted.size(); ++h)
      CHECK(actual[h] == doctest::Approx(fitted[h]).epsilon(1e-5));
    CHECK(actual != ones);
  }
  CHECK(temperatures(frozen, 0) == temperatures(networks, 0));
  CHECK(temperatures(frozen, 1) == ones);

  // Codes that take the place of codes have a temperature that was learned.
  const ModelSpec first =
      layers::apply_recipe(tiny_spec(), options, {{.attention = AttentionKind::kLinearAdd}});
  layers::Model start(first, {}, 1),
      next(layers::apply_recipe(first, options, {softmax_add}), {}, 1);
  const NamedTensors weights = start.state_dict();
  for (const auto& [name, tensor] : weights)
    if (name.ends_with("temperature")) tensor.fill(0.75F);
  next.load_state_dict(layers::carry_weights(first, next.spec(), weights, 1));
  REQUIRE(transfer_attention(next, start, source(), once, kGoOn)->size() == 2);
  for (const auto& [name, tensor] : next.state_dict())
    if (name.ends_with("temperature"))
      for (const float x : tensor.span<float>()) CHECK(x == doctest::Approx(0.75));
}

TEST_CASE("transfer: only blocks whose attention is of another kind") {
  Networks networks({{.first = 1, .last = 1, .attention = AttentionKind::kSoftmaxAdd},
                     {.first = 0, .last = 0, .proj = LayerKind::kShift}});
  CHECK(transferred_blocks(networks.student.spec(), tiny_spec()) == std::vector<int64_t>{1});
  const auto before = networks.state();
  const auto result = networks.transfer();
  REQUIRE(result.size() == 1);
  CHECK(result[0].block == 1);
  CHECK(result[0].after < result[0].before);
  for (const std::string& name : changed(before, networks.state()))
    CHECK(name.starts_with("blocks.1.attn."));

  Networks same({{.mlp = LayerKind::kShift}});
  CHECK(same.transfer().empty());
}

TEST_CASE("transfer: both experts of a mixture learn, their router does not; Shift layers do") {
  ShiftAddSpec options;
  options.int8_activations = true;
  options.values = ValueFormat::kInt8;
  Networks networks({{.attention = AttentionKind::kLinearAdd,
                      .qkv = LayerKind::kMixture,
                      .proj = LayerKind::kShift,
                      .mlp = LayerKind::kMixture}},
                    options);
  const auto before = networks.state();
  const auto result = networks.transfer({.steps = 60});
  for (const BlockTransfer& block : result) CHECK(block.after < block.before);
  const auto names = changed(before, networks.state());
  const auto has = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  CHECK(has("blocks.0.attn.qkv.experts.0.weight"));
  CHECK(has("blocks.0.attn.qkv.experts.1.weight"));
  CHECK(has("blocks.1.attn.proj.weight"));
  for (const std::string& name : names) {
    CHECK(name.find("router") == std::string::npos);
    CHECK(name.find("mlp") == std::string::npos);
  }
}

TEST_CASE("transfer: the same bits with any number of threads") {
  std::map<std::string, Tensor> states[2];
  for (int i = 0; i < 2; ++i) {
    const test::Threads threads(i == 0 ? 1 : 3);
    Networks networks({kLinearAdd, {.qkv = LayerKind::kMixture}});
    networks.transfer({.steps = 5});
    states[i] = networks.state();
  }
  CHECK(changed(states[0], states[1]).empty());
}

TEST_CASE("transfer: what is frozen stays, and stopping gives nothing") {
  Networks networks({kLinearAdd});
  for (auto& [name, parameter] : networks.student.named_parameters())
    if (name == "blocks.0.attn.qkv.weight") parameter.set_requires_grad(false);
  const auto before = networks.state();
  networks.transfer();
  const auto names = changed(before, networks.state());
  CHECK(names.size() == 8);
  for (auto& [name, parameter] : networks.student.named_parameters())
    CHECK(parameter.requires_grad() == (name != "blocks.0.attn.qkv.weight"));

  std::atomic<bool> stop = false;
  int steps = 0;
  CHECK_FALSE(transfer_attention(networks.student, networks.dense, source(), {}, stop,
                                 [&](const auto&) { stop = ++steps == 3; }));
  CHECK(steps == 3);
}

TEST_CASE("transfer: wrong options and networks are refused") {
  Networks networks({kLinearAdd});
  for (const TransferOptions& options :
       {TransferOptions{.steps = 0}, TransferOptions{.lr = 0}, TransferOptions{.warm_up = 1},
        TransferOptions{.lr = NAN}, TransferOptions{.own = -0.1}, TransferOptions{.own = 1.5}})
    CHECK(test::contains(refusal([&] { networks.transfer(options); }), "expected steps >= 1"));
  ModelSpec deeper = tiny_spec();
  deeper.depth = 3;
  CHECK(test::contains(refusal([&] { transferred_blocks(networks.student.spec(), deeper); }),
                       "their sizes differ"));
  const auto broken = [] {
    const Tensor images = images_of(0);
    images.data<float>()[0] = NAN;
    return images;
  };
  CHECK(test::contains(
      refusal([&] { transfer_attention(networks.student, networks.dense, broken, {}, kGoOn); }),
      "step 1: the relative error is"));
}

TEST_CASE("endless images go on after an epoch, the same ones each time") {
  const test::TemporaryFolder folder;
  data::write_synthetic(folder / "set", {.size = 8, .train_per_class = 1, .val_per_class = 1});
  const data::ImageFolder set = data::ImageFolder::open(folder / "set/train");  // 12 images
  data::LoaderOptions options;
  options.batch = 5;
  options.preprocess.crop = options.preprocess.resize = 8;
  data::Loader first(set, options), second(set, options);
  const NextImages a = endless_images(first), b = endless_images(second);
  std::vector<Tensor> seen;
  for (int i = 0; i < 5; ++i) {  // two batches an epoch
    seen.push_back(a().clone());
    CHECK(same_bits(seen.back(), b()));
  }
  CHECK_FALSE(same_bits(seen[0], seen[2]));  // another epoch's order
}
