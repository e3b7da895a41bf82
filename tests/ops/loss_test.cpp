// cross_entropy, soft_cross_entropy, distill: golden values, gradients, class weights, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::cross_entropy;
using autograd::distill;
using autograd::soft_cross_entropy;

TEST_CASE("cross_entropy: golden") {
  for (const std::string& name : golden_cases("cross_entropy_ls")) {
    GoldenCase golden(name);
    golden.check(cross_entropy(golden.leaf("logits"), golden.tensor("in.target").span<int64_t>(),
                               golden.attributes().at("label_smoothing").get<double>()));
  }
}

TEST_CASE("soft_cross_entropy: golden") {
  GoldenCase golden("soft_target_cross_entropy");
  golden.check(soft_cross_entropy(golden.leaf("logits"), golden.tensor("in.target")));
}

TEST_CASE("distill: golden") {
  for (const std::string& name : golden_cases("distill_soft_")) {
    GoldenCase golden(name);
    golden.check(distill(golden.leaf("logits"), golden.tensor("in.teacher"),
                         golden.attributes().at("tau").get<double>()));
  }
}

TEST_CASE("losses: gradient checks") {
  const std::vector<int64_t> labels{2, 0, 2};
  const Tensor weights = Tensor::from<double>({1, 5, 0.5}, {3});
  check_gradients([&](const auto& in) { return cross_entropy(in[0], labels); }, {{3, 3}});
  check_gradients([&](const auto& in) { return cross_entropy(in[0], labels, 0.2, weights); },
                  {{3, 3}});
  const Tensor targets = autograd::softmax(Variable(random_normal({3, 17}, 4))).value();
  check_gradients([&](const auto& in) { return soft_cross_entropy(in[0], targets); }, {{3, 17}});
  const Tensor teacher = random_normal({3, 17}, 5);
  check_gradients([&](const auto& in) { return distill(in[0], teacher, 2.5); }, {{3, 17}});
  // A loss that is scaled and added to another keeps both gradients right.
  check_gradients(
      [&](const auto& in) {
        return autograd::add(autograd::scale(soft_cross_entropy(in[0], targets), 0.3),
                             autograd::scale(distill(in[0], teacher, 1), 0.7));
      },
      {{3, 17}});
}

TEST_CASE("cross_entropy: class weights divide by the labels' weights") {
  const Variable logits = variable({2, 3});
  const auto loss = [&](std::vector<int64_t> labels, const Tensor& weights) {
    return cross_entropy(logits, labels, 0, weights).value().data<float>()[0];
  };
  const std::vector<int64_t> labels{0, 2};
  const auto single = [&](int64_t row) {
    return cross_entropy(Variable(logits.value().slice(row, row + 1)),
                         std::span(labels).subspan(row, 1))
        .value()
        .data<float>()[0];
  };
  const Tensor weights = Tensor::from<float>({3, 1, 1}, {3});
  CHECK(loss({0, 2}, weights) == doctest::Approx((3 * single(0) + single(1)) / 4));
  CHECK(loss({0, 2}, {}) == doctest::Approx((single(0) + single(1)) / 2));
}

TEST_CASE("cross_entropy: huge logits stay finite") {
  const Variable logits(Tensor::from<float>({1e4f, -1e4f}, {1, 2}), true);
  const std::vector<int64_t> labels{1};
  const Variable loss = cross_entropy(logits, labels);
  CHECK(loss.value().data<float>()[0] == doctest::Approx(2e4));
  loss.backward();
  CHECK(values(logits.grad()) == std::vector<float>{1, -1});
}

TEST_CASE("losses: errors") {
  const Variable logits = variable({2, 3});
  const auto with = [&](std::vector<int64_t> labels, double smoothing = 0,
                        const Tensor& weights = {}) {
    return [=] { cross_entropy(logits, labels, smoothing, weights); };
  };
  check_error(with({0, 3}), "[cross_entropy] label 3 of row 1: expected 0..2");
  check_error(with({0}), "[cross_entropy] 1 labels for logits (2, 3)");
  check_error(with({0, 1}, 1), "[cross_entropy] label smoothing is 1: expected 0 <= s < 1");
  check_error(with({0, 1}, 0, Tensor::zeros({2})),
              "[cross_entropy] class weights is (2,): expected (3,)");
  check_error(
      with({0, 1}, 0, Tensor::zeros({3})),
      "[cross_entropy] all labels of this batch have weight 0: give some class of it a weight");
  check_error(
      [&] {
        soft_cross_entropy(logits, Tensor::zeros({3, 2}));
      },
      "[soft_cross_entropy] targets is (3, 2): expected (2, 3)");
  check_error(
      [&] {
        distill(logits, Tensor::zeros({2, 3}), 0);
      },
      "[distill] tau is 0: expected a positive number");
}

}  // namespace shiftadd::test
