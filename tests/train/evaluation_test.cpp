// Counting right answers, and the per-class table.
#include "train/evaluation.h"

#include <cmath>
#include <limits>

#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::train;

TEST_CASE("top-1, top-5 and loss over two batches of odd sizes") {
  Evaluation result;
  // labels' ranks: 0, 5, 4
  result.add(Tensor::from<float>({9, 1, 2, 3, 4, 5, 6,  //
                                  1, 2, 3, 4, 5, 6, 7,  //
                                  1, 2, 3, 4, 5, 6, 7},
                                 {3, 7}),
             std::vector<int64_t>{0, 1, 2});
  result.add(Tensor::from<float>({0, 0, 0, 0, 0, 0, 0}, {1, 7}), std::vector<int64_t>{0});
  CHECK(result.images == 4);
  CHECK(result.top1_count == 2);  // equal logits: the first one wins
  CHECK(result.top5_count == 3);
  CHECK(result.top1() == 50);
  CHECK(result.top5() == 75);
  CHECK(result.classes[0].images == 2);
  CHECK(result.classes[2].top1 == 0);
  CHECK(result.classes[2].top5 == 1);
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
  Evaluation result;
  CHECK(result.top1() == 0);
  CHECK(result.loss() == 0);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  result.add(Tensor::from<float>({nan, nan}, {1, 2}), std::vector<int64_t>{0});
  result.add(Tensor::from<float>({1, nan}, {1, 2}), std::vector<int64_t>{0});
  CHECK(result.top1_count == 0);
  CHECK(result.top5_count == 0);
}

TEST_CASE("with fewer than five classes top-5 is always right") {
  Evaluation result;
  result.add(Tensor::from<float>({1, 2, 3}, {1, 3}), std::vector<int64_t>{0});
  CHECK(result.top5() == 100);
}

TEST_CASE("the per-class table quotes what needs it") {
  Evaluation result;
  result.add(Tensor::from<float>({1, 2, 1, 2, 2, 1}, {3, 2}), std::vector<int64_t>{0, 0, 0});
  CHECK(per_class_csv(result, {"a, \"b\"", "c"}) ==
        "class,images,top1,top5\n\"a, \"\"b\"\"\",3,33.33,100.00\nc,0,0.00,0.00\n");
}
