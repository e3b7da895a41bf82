// The accelerator's energy model against values of the published program.
#include "model/energy.h"

#include <doctest/doctest.h>

using namespace shiftadd;

namespace {

LoopNest product(StepKind kind, int64_t rows, int64_t in, int64_t out) {
  return {.kind = kind, .batch = rows, .in = in, .out = out};
}

void check(const LoopNest& nest, double millijoules, double milliseconds) {
  const EnergyEstimate estimate = eyeriss_energy(nest);
  CHECK(estimate.millijoules == doctest::Approx(millijoules).epsilon(1e-6));
  CHECK(estimate.milliseconds == doctest::Approx(milliseconds).epsilon(1e-6));
}

}  // namespace

TEST_CASE("products that multiply, shift and add cost what the published program says") {
  check(product(StepKind::kMultiply, 3136, 32, 256), 1.341551411, 0.802816);
  check(product(StepKind::kShift, 3136, 32, 256), 0.392870339, 0.250880);
  check(product(StepKind::kMultiply, 784, 64, 512), 1.184813875, 0.802816);
  check(product(StepKind::kShift, 784, 64, 512), 0.343889859, 0.250880);
  check(product(StepKind::kMultiply, 197, 192, 768), 1.240214477, 0.806912);
  check(product(StepKind::kMultiply, 196, 160, 640), 0.867795456, 0.501760);
  check(product(StepKind::kShift, 196, 160, 640), 0.250588832, 0.156800);
  check(product(StepKind::kAdd, 16, 3136, 32), 0.037097677, 0.200704);
  check(product(StepKind::kAdd, 3136, 16, 32), 0.038575309, 0.200704);
  check(product(StepKind::kMultiply, 3136, 16, 32), 0.127152538, 0.050176);
}

TEST_CASE("convolutions cost what the published program says") {
  check({.in = 3,
         .out = 32,
         .in_height = 224,
         .in_width = 224,
         .out_height = 56,
         .out_width = 56,
         .kernel = 7,
         .stride = 4},
        0.727100416, 0.351232);
  check({.batch = 256,  // depthwise
         .in_height = 56,
         .in_width = 56,
         .out_height = 56,
         .out_width = 56,
         .kernel = 3},
        1.019849933, 0.172032);
}
