// Top-k, and the check of a labelled set's classes.
#include "infer/predictions.h"

#include <cmath>

#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::infer;

TEST_CASE("top_k gives probabilities, best first, lower index first among equals") {
  const std::vector<float> logits = {1, 3, 3, -2};
  const auto best = top_k(logits.data(), 4, 3);
  REQUIRE(best.size() == 3);
  CHECK(best[0].index == 1);
  CHECK(best[1].index == 2);
  CHECK(best[2].index == 0);
  const double total = std::exp(1.0) + 2 * std::exp(3.0) + std::exp(-2.0);
  CHECK(best[0].probability == doctest::Approx(std::exp(3.0) / total).epsilon(1e-12));
  CHECK(top_k(logits.data(), 4, 100).size() == 4);
}

TEST_CASE("top_k survives large logits") {
  const std::vector<float> logits = {10000, 9999};
  CHECK(top_k(logits.data(), 2, 1)[0].probability == doctest::Approx(1 / (1 + std::exp(-1.0))));
}

TEST_CASE("classes are matched by name") {
  CHECK(match_classes({"cat", "dog"}, {}, 2, {"cat", "dog"}, "set") == std::vector<int64_t>{0, 1});
  CHECK(match_classes({"dog", "cat"}, {}, 2, {"cat", "dog"}, "set") == std::vector<int64_t>{1, 0});
  CHECK(match_classes({}, {}, 2, {"cat", "dog"}, "set") == std::vector<int64_t>{0, 1});
}

TEST_CASE("folders may be named by the classes' ids, and be fewer than the classes") {
  const std::vector<std::string> names = {"crane", "cat", "crane"}, ids = {"n3", "n1", "n2"};
  CHECK(match_classes(names, ids, 3, {"n1", "n2", "n3"}, "set") == std::vector<int64_t>{1, 2, 0});
  CHECK(match_classes(names, ids, 3, {"n2"}, "set") == std::vector<int64_t>{2});
  CHECK(match_classes(names, ids, 3, {"cat"}, "set") == std::vector<int64_t>{1});
  CHECK_THROWS_AS(match_classes(names, ids, 3, {"cat", "n2"}, "set"), Error);
}

TEST_CASE("unknown classes are an error that lists them") {
  CHECK_THROWS_WITH_AS(match_classes({"cat", "dog"}, {}, 2, {"cat", "wolf"}, "val"),
                       "val: classes the model does not know: wolf. The model's: cat, dog", Error);
  CHECK_THROWS_WITH_AS(
      match_classes({}, {}, 3, {"cat", "dog"}, "val"),
      "val: 2 class folders, but the model has 3 classes (unnamed): expected one folder per class",
      Error);
}
