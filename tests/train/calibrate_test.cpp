// Share calibration: the cut at odd sizes and ties, and the shares of a network.
#include "train/calibrate.h"

#include <cmath>

#include "core/random.h"
#include "layers/surgery.h"
#include "tests/support/support.h"
#include "tests/train/tiny_spec.h"

using namespace shiftadd;
using namespace shiftadd::train;
using test::tiny_spec;

namespace {

double share_after(const std::vector<float>& differences, double target) {
  const auto moved = static_cast<float>(bias_for_share(differences, target));
  double shifted = 0;
  for (const float x : differences) shifted += x + moved > 0;
  return shifted / static_cast<double>(differences.size());
}

Tensor images_of(uint64_t stream, int64_t rows) {
  const Tensor images({rows, 3, 8, 8});
  Random random(3, stream);
  for (float& x : images.span<float>()) x = static_cast<float>(random.normal());
  return images;
}

NextImages source() {
  return [stream = uint64_t{0}]() mutable { return images_of(stream++, 7); };
}

layers::Model routed(const std::vector<layers::SurgeryStep>& steps) {
  return layers::Model(layers::apply_recipe(tiny_spec(), {}, steps), {}, 4);
}

constexpr layers::SurgeryStep kAll{
    .qkv = LayerKind::kMixture, .proj = LayerKind::kMixture, .mlp = LayerKind::kMixture};

}  // namespace

TEST_CASE("calibrate: the cut leaves the share nearest to the target") {
  for (const int64_t n : {1, 2, 3, 17, 197, 1001})
    for (const double target : {0.01, 0.3, 0.5, 0.6, 0.99}) {
      std::vector<float> differences;
      Random random(1, static_cast<uint64_t>(n));
      for (int64_t i = 0; i < n; ++i)
        differences.push_back(static_cast<float>(3 + 0.5 * random.normal()));
      const double size = static_cast<double>(n);
      CAPTURE(n);
      CAPTURE(target);
      CHECK(std::abs(share_after(differences, target) - target) <= 0.5 / size + 1e-12);
    }
}

TEST_CASE("calibrate: equal tokens stay together") {
  const std::vector<float> tied = {1, 1, 1, 1, 1, 1, 1, -2, -2, -2};
  CHECK(share_after(tied, 0.6) == 0.7);
  CHECK(share_after(tied, 0.9) == 1);
  CHECK(share_after(tied, 0.34) == 0);
  CHECK(share_after(tied, 0.36) == 0.7);
  CHECK(share_after({5, 5, 5}, 0.6) == 1);
  CHECK(share_after({5, 5, 5}, 0.4) == 0);
  CHECK(share_after({0, 0}, 0.9) == 1);  // at 0 a token goes to Mult
  // Neighbours of large size: the cut lies between them, not on one.
  const float a = 1e6F, b = std::nextafter(a, 2e6F), c = std::nextafter(b, 2e6F);
  CHECK(share_after({a, a, c, c}, 0.5) == 0.5);
}

TEST_CASE("calibrate: every router of a network is set, and nothing else moves") {
  layers::Model model = routed({kAll});
  NamedTensors before;
  for (const auto& [name, tensor] : model.state_dict()) before.emplace_back(name, tensor.clone());
  const auto shares = calibrate_shares(model, source(), 3, 0.6);
  REQUIRE(shares.size() == 6);
  const double token = 1.0 / (3 * 7 * 5);
  const std::vector<std::string> names = router_names(model.spec());
  for (std::size_t i = 0; i < shares.size(); ++i) {
    CHECK(shares[i].name == names[i]);
    CHECK(std::abs(shares[i].after - 0.6) <= token);
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto& [name, old] = before[i];
    const Tensor now = model.state_dict()[i].second;
    for (int64_t k = 0; k < old.numel(); ++k) {
      const bool set = name.ends_with(".router.bias") && k == 1;
      CHECK((set || now.data<float>()[k] == old.data<float>()[k]));
    }
  }

  // What an evaluation of the same images finds.
  const autograd::NoGradGuard no_grad;
  std::vector<double> shifted(6);
  for (uint64_t batch = 0; batch < 3; ++batch) {
    std::vector<autograd::Routing> routings;
    layers::Context context;
    context.routings = &routings;
    model.forward(autograd::Variable(images_of(batch, 7)), context);
    REQUIRE(routings.size() == 6);
    for (int i = 0; i < 6; ++i) shifted[i] += autograd::routing_statistics(routings[i]).share[1];
  }
  for (int i = 0; i < 6; ++i) CHECK(shifted[i] / 3 == doctest::Approx(shares[i].after));

  // Done again there is nothing left to do.
  for (const CalibratedShare& share : calibrate_shares(model, source(), 3, 0.6))
    CHECK(share.before == share.after);
  CHECK(to_text({.name = "blocks.0.mlp", .before = 0.7128, .after = 0.6, .moved = 1}) ==
        "blocks.0.mlp: 71.3 % -> 60.0 % of tokens on Shift");
}

TEST_CASE("calibrate: routers in some blocks, or none; threads do not matter") {
  const std::vector<layers::SurgeryStep> last = {{.first = 1, .qkv = LayerKind::kMixture}};
  std::vector<double> moved;
  for (const int threads : {1, 3}) {
    const test::Threads guard(threads);
    layers::Model model = routed(last);
    const auto shares = calibrate_shares(model, source(), 2, 0.35);
    REQUIRE(shares.size() == 1);
    CHECK(shares[0].name == "blocks.1.attn.qkv");
    moved.push_back(shares[0].moved);
  }
  CHECK(moved[0] == moved[1]);
  layers::Model plain(tiny_spec(), {}, 1);
  CHECK(calibrate_shares(plain, source(), 2, 0.6).empty());
}

TEST_CASE("calibrate: wrong targets and broken networks are refused") {
  layers::Model model = routed({kAll});
  for (const double target : {0.0, 1.0, -0.5, static_cast<double>(NAN)})
    CHECK_THROWS_WITH_AS(calibrate_shares(model, source(), 1, target),
                         doctest::Contains("expected 0 < share < 1"), Error);
  CHECK_THROWS_WITH_AS(calibrate_shares(model, source(), 0, 0.5),
                       doctest::Contains("expected at least one"), Error);
  for (auto& [name, parameter] : model.named_parameters())
    if (name == "blocks.1.mlp.router.weight") parameter.value().data<float>()[3] = NAN;
  CHECK_THROWS_WITH_AS(calibrate_shares(model, source(), 1, 0.5),
                       doctest::Contains("blocks.1.mlp: a logit"), Error);
}
