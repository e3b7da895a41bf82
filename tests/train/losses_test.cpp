// The training loss: class weights, soft and hard distillation.
#include "train/losses.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "core/io/json_text.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::train;
using autograd::Variable;

namespace {

double value_of(const Variable& loss) { return *loss.value().data<float>(); }

double log_softmax(const std::vector<double>& x, int at) {
  double sum = 0;
  for (const double value : x) sum += std::exp(value);
  return x[at] - std::log(sum);
}

}  // namespace

TEST_CASE("class weights: configured, balanced, none, and a wrong number") {
  DataConfig config;
  const std::vector<int64_t> labels = {0, 0, 0, 1, 2, 2};
  CHECK_FALSE(class_weights(config, 3, labels).defined());
  config.class_weights = {1, 2, 3};
  CHECK(class_weights(config, 3, labels).data<float>()[2] == 3);
  CHECK_THROWS_WITH_AS(class_weights(config, 4, labels), doctest::Contains("4 classes"), Error);
  config.class_weights.clear();
  config.balanced_class_weights = true;
  const Tensor balanced = class_weights(config, 3, labels);
  CHECK(balanced.data<float>()[0] == doctest::Approx(6.0 / 9));
  CHECK(balanced.data<float>()[1] == doctest::Approx(2));
}

TEST_CASE("weighted loss is torch's weighted mean, and carries its gradient") {
  const Tensor logits = Tensor::from<float>({1, 2, 3, 0, -1, 2}, {2, 3});
  const Tensor targets = Tensor::from<float>({1, 0, 0, 0, 0, 1}, {2, 3});
  const Tensor weights = Tensor::from<float>({2, 1, 5}, {3});
  const Variable x(logits.clone(), true);
  const Variable loss = classification_loss(x, targets, weights);
  const double expected = -(2 * log_softmax({1, 2, 3}, 0) + 5 * log_softmax({0, -1, 2}, 2)) / 7;
  CHECK(value_of(loss) == doctest::Approx(expected));
  loss.backward();
  CHECK(x.grad().data<float>()[0] ==
        doctest::Approx(2.0 / 7 * (std::exp(log_softmax({1, 2, 3}, 0)) - 1)));
  CHECK(x.grad().data<float>()[3] ==
        doctest::Approx(5.0 / 7 * std::exp(log_softmax({0, -1, 2}, 0))));
  const Tensor ones = Tensor::full({3}, 1);
  CHECK(value_of(classification_loss(Variable(logits), targets, ones)) ==
        doctest::Approx(value_of(classification_loss(Variable(logits), targets, {}))));
  CHECK_THROWS_AS(classification_loss(Variable(logits), targets, Tensor::full({2}, 1)), Error);
}

TEST_CASE("soft distillation is the golden value times the classes") {
  for (const std::string& name : test::golden_cases("distill_soft_")) {
    const TensorFile file = test::golden_operator(name);
    TeacherConfig config;
    config.alpha = 0.25;
    config.tau = parse_json(test::attributes(file)).at("tau");
    const Variable logits(file.at("in.logits").clone(), true);
    const Tensor base = Tensor::full({}, 3);
    const Variable loss = distillation_loss(Variable(base), logits, file.at("in.teacher"), config);
    const double golden = *file.at("out.y").data<float>();
    const auto classes = static_cast<double>(logits.dim(1));
    CHECK(value_of(loss) == doctest::Approx(0.75 * 3 + 0.25 * golden * classes).epsilon(1e-5));
    loss.backward();
    const Tensor expected = file.at("grad.logits").clone();
    const float upstream = *file.at("cot.y").data<float>();
    for (float& value : expected.span<float>())
      value *= static_cast<float>(0.25 * classes / upstream);
    test::check_close(logits.grad(), expected, 1e-4, name, 1e-6);
  }
}

TEST_CASE("hard distillation is cross entropy with the teacher's best class") {
  TeacherConfig config;
  config.kind = TeacherConfig::Kind::kHard;
  config.alpha = 0.5;
  const Variable logits(Tensor::from<float>({1, 2, 3, 0, -1, 2}, {2, 3}));
  const Tensor teacher = Tensor::from<float>({0, 9, 1, 4, 3, 2}, {2, 3});
  const Variable loss = distillation_loss(Variable(Tensor::full({}, 1)), logits, teacher, config);
  const double hard = -(log_softmax({1, 2, 3}, 1) + log_softmax({0, -1, 2}, 0)) / 2;
  CHECK(value_of(loss) == doctest::Approx(0.5 + 0.5 * hard));
}

TEST_CASE("a relative error counts the tokens that both have, and carries its gradient") {
  // Two images of three tokens, of which y has the first alone.
  const Tensor t = Tensor::from<float>({1, 2, 9, 9, 9, 9, 2, 4, 9, 9, 9, 9}, {2, 3, 2});
  const Variable y(Tensor::from<float>({2, 2, 2, 1}, {2, 1, 2}), true);
  const Variable error = relative_error(y, t);
  CHECK(value_of(error) == doctest::Approx((1 + 9) / 25.0));
  error.backward();
  const std::vector<double> expected = {2 * 1 / 25.0, 0, 0, 2 * -3 / 25.0};
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(y.grad().data<float>()[i] == doctest::Approx(expected[i]));

  const Variable all(t.clone(), true);
  const Variable fewer = relative_error(all, y.value());
  CHECK(value_of(fewer) == doctest::Approx((1 + 9) / 13.0));
  fewer.backward();
  CHECK(all.grad().data<float>()[0] == doctest::Approx(2 * -1 / 13.0));
  CHECK(all.grad().data<float>()[2] == 0);  // a token that only one has
  CHECK_THROWS_WITH_AS(relative_error(y, Tensor::full({2, 3, 4}, 1)),
                       doctest::Contains("(2, 3, 4)"), Error);
}
