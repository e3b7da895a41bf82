// The figures of a labelled set: counting, NaN, the tables.
#include "core/evaluation.h"

#include <cmath>
#include <limits>

#include "tests/support/support.h"

using namespace shiftadd;

namespace {

void add_rows(Evaluation& evaluation, const Tensor& logits, const std::vector<int64_t>& labels) {
  const float* row = logits.data<float>();
  for (const int64_t label : labels) {
    evaluation.add(row, label);
    row += logits.dim(1);
  }
}

}  // namespace

TEST_CASE("top-1, top-5 and loss over two batches of odd sizes") {
  Evaluation result(7);
  // labels' ranks: 0, 5, 4
  add_rows(result,
           Tensor::from<float>({9, 1, 2, 3, 4, 5, 6,  //
                                1, 2, 3, 4, 5, 6, 7,  //
                                1, 2, 3, 4, 5, 6, 7},
                               {3, 7}),
           std::vector<int64_t>{0, 1, 2});
  add_rows(result, Tensor::from<float>({0, 0, 0, 0, 0, 0, 0}, {1, 7}), std::vector<int64_t>{0});
  CHECK(result.images() == 4);
  CHECK(result.top1_count() == 2);  // equal logits: the first one wins
  CHECK(result.top5_count() == 3);
  CHECK(result.top1() == 50);
  CHECK(result.top5() == 75);
  CHECK(result.per_class()[0].images == 2);
  CHECK(result.per_class()[2].top1 == 0);
  CHECK(result.per_class()[2].top5 == 1);
  double expected = std::log(7.0);
  const auto loss = [](const std::vector<double>& x, int label) {
    double sum = 0;
    for (const double value : x) sum += std::exp(value);
    return std::log(sum) - x[label];
  };
  expected += loss({9, 1, 2, 3, 4, 5, 6}, 0) + loss({1, 2, 3, 4, 5, 6, 7}, 1) +
              loss({1, 2, 3, 4, 5, 6, 7}, 2);
  CHECK(result.loss() == doctest::Approx(expected / 4).epsilon(1e-12));
}

TEST_CASE("a row with NaN is wrong, and an empty evaluation divides nothing by zero") {
  Evaluation result(2);
  CHECK(result.top1() == 0);
  CHECK(result.loss() == 0);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  add_rows(result, Tensor::from<float>({nan, nan}, {1, 2}), std::vector<int64_t>{0});
  add_rows(result, Tensor::from<float>({1, nan}, {1, 2}), std::vector<int64_t>{0});
  CHECK(result.top1_count() == 0);
  CHECK(result.top5_count() == 0);
}

TEST_CASE("the first logit that is not finite is named") {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinite = std::numeric_limits<float>::infinity();
  struct Case {
    std::vector<float> logits;
    std::string said;
  };
  for (const Case& each : std::vector<Case>{{{1, 2, 3}, ""},
                                            {{}, ""},
                                            {{3e38f, -3e38f, 1e-45f}, ""},
                                            {{1, nan, infinite}, "class 1: nan"},
                                            {{infinite}, "class 0: inf"},
                                            {{0, 0, -infinite}, "class 2: -inf"}})
    CHECK(nonfinite_logit(each.logits.data(), static_cast<int64_t>(each.logits.size())) ==
          each.said);
}

TEST_CASE("with fewer than five classes top-5 is always right") {
  Evaluation result(3);
  add_rows(result, Tensor::from<float>({1, 2, 3}, {1, 3}), std::vector<int64_t>{0});
  CHECK(result.top5() == 100);
}

TEST_CASE("the per-class table quotes what needs it") {
  Evaluation result(2);
  add_rows(result, Tensor::from<float>({1, 2, 1, 2, 2, 1}, {3, 2}), std::vector<int64_t>{0, 0, 0});
  CHECK(result.per_class_csv({"a, \"b\"", "c"}) ==
        "class,images,top1,top5\n\"a, \"\"b\"\"\",3,33.33,100.00\nc,0,-,-\n");
}

TEST_CASE("an evaluation counts top-1, top-5, loss and confusions") {
  Evaluation evaluation(7);
  const std::vector<float> rising = {0, 1, 2, 3, 4, 5, 6};
  evaluation.add(rising.data(), 6);  // right
  evaluation.add(rising.data(), 2);  // fifth
  evaluation.add(rising.data(), 1);  // sixth
  CHECK(evaluation.images() == 3);
  CHECK(evaluation.top1() == doctest::Approx(100.0 / 3));
  CHECK(evaluation.top5() == doctest::Approx(200.0 / 3));
  double sum = 0;
  for (const float each : rising) sum += std::exp(each);
  CHECK(evaluation.loss() == doctest::Approx(std::log(sum) - (6 + 2 + 1) / 3.0));
  CHECK(evaluation.per_class()[2].images == 1);
  CHECK(evaluation.per_class()[2].top1 == 0);
  CHECK(evaluation.per_class()[2].top5 == 1);
  const std::string csv = evaluation.confusion_csv({"a", "b,c", "d", "e", "f", "g", "h\"i"});
  CHECK(csv.starts_with(
      "true,a,\"b,c\",d,e,f,g,\"h\"\"i\"\na,0,0,0,0,0,0,0\n\"b,c\",0,0,0,0,0,0,1\n"));
}

TEST_CASE("logits that are not numbers are never right") {
  Evaluation evaluation(2);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> logits = {nan, nan};
  evaluation.add(logits.data(), 0);
  CHECK(evaluation.top1() == 0);
  CHECK(evaluation.top5() == 0);
}

TEST_CASE("an empty evaluation divides nothing by zero") {
  const Evaluation evaluation(3);
  CHECK(evaluation.top1() == 0);
  CHECK(evaluation.loss() == 0);
}
