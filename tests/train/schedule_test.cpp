// The learning-rate schedules against the golden curve and their formulas.
#include "train/schedule.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::train;

TEST_CASE("cosine with warm-up is the golden curve") {
  const TensorFile file = test::golden_operator("cosine_schedule");
  const auto attributes = parse_json(test::attributes(file));
  ScheduleConfig schedule;
  schedule.warmup_epochs = attributes.at("warmup_epochs");
  schedule.warmup_lr = attributes.at("warmup_lr");
  schedule.min_lr = attributes.at("min_lr");
  const Tensor& expected = file.at("out.lr");
  const Tensor actual(expected.shape(), DType::kF64);
  for (int64_t epoch = 0; epoch < expected.numel(); ++epoch)
    actual.data<double>()[epoch] = learning_rate(
        schedule, attributes.at("lr"), attributes.at("epochs"), static_cast<double>(epoch));
  test::check_close(actual, expected, 1e-14, "lr");
}

TEST_CASE("between epochs the curve goes on smoothly") {
  ScheduleConfig schedule;
  schedule.warmup_epochs = 2;
  schedule.warmup_lr = 0;
  schedule.min_lr = 0;
  CHECK(learning_rate(schedule, 1, 10, 0.5) == doctest::Approx(0.25));
  CHECK(learning_rate(schedule, 1, 10, 1.5) == doctest::Approx(0.75));
  CHECK(learning_rate(schedule, 1, 10, 5) == doctest::Approx(0.5));
  CHECK(learning_rate(schedule, 1, 10, 7.5) < learning_rate(schedule, 1, 10, 7.25));
}

TEST_CASE("step and constant schedules") {
  ScheduleConfig schedule;
  schedule.kind = ScheduleConfig::Kind::kStep;
  schedule.step_epochs = 3;
  schedule.step_factor = 0.5;
  CHECK(learning_rate(schedule, 8, 10, 2.9) == 8);
  CHECK(learning_rate(schedule, 8, 10, 3) == 4);
  CHECK(learning_rate(schedule, 8, 10, 9.5) == 1);
  schedule.kind = ScheduleConfig::Kind::kConstant;
  CHECK(learning_rate(schedule, 8, 10, 9.5) == 8);
  schedule.warmup_epochs = 1;
  schedule.warmup_lr = 2;
  CHECK(learning_rate(schedule, 8, 10, 0) == 2);
  CHECK(learning_rate(schedule, 8, 10, 1) == 8);
}

TEST_CASE("the slope of smooth codes rises from 1 to 5") {
  CHECK(code_slope(0) == doctest::Approx(1));
  CHECK(code_slope(0.5) == doctest::Approx(std::sqrt(5)));
  CHECK(code_slope(1) == doctest::Approx(5));
}
