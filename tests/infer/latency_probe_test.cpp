// The latency probe times each router's experts as the engine runs them, in every deployed form.
#include "infer/latency_probe.h"

#include "tests/infer/models.h"
#include "tests/support/routed_spec.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::infer;
using test::routed;

TEST_CASE("latency: each router's experts are timed, in every deployed form") {
  for (const bool int8 : {false, true})
    for (const ShiftFormat format : {ShiftFormat::k4Bit, ShiftFormat::k5Bit})
      for (const char* multiply : {"float32", "bf16", "int8"}) {
        const ModelSpec spec = routed({.format = format, .int8_activations = int8, .blocks = {}});
        const LatencyReport report = measure_latency(
            test::random_model(spec, 1), {.batch = 3, .seconds = 0, .pack = pack_in(multiply)});
        CHECK(report.tokens == 15);
        CHECK(report.repeats == 15);
        CHECK(report.mult == multiply);
        CHECK(test::contains(report.shift, "integers") == (int8 && format == ShiftFormat::k4Bit));
        REQUIRE(report.routers.size() == 6);
        CHECK(report.routers[0].name == "blocks.0.attn.qkv");
        CHECK(report.routers[0].outputs == 36);
        CHECK(report.routers[2].hidden == 17);
        for (const RouterLatency& router : report.routers) {
          CHECK(router.mult_ms > 0);
          CHECK(router.shift_ms > 0);
        }
        // Equal widths, one measurement.
        CHECK(report.routers[2].shift_ms == report.routers[5].shift_ms);
        const auto [mult, shift] = report.alpha();
        CHECK(mult + shift == doctest::Approx(1));
      }
}

TEST_CASE("latency: a packed model is timed as it is, and codes do not matter") {
  ModelSpec spec = routed();
  const ModelFile packed = pack_model(test::random_model(spec, 1), pack_in("int8"));
  CHECK(measure_latency(packed, {.seconds = 0, .pack = pack_in("float32")}).mult == "int8");
  spec.shift_add.codes = Codes::kUnitBatch;
  CHECK(measure_latency(test::random_model(spec, 1), {.seconds = 0, .pack = {}}).routers.size() ==
        6);
}

TEST_CASE("latency: what cannot be measured is refused") {
  ModelSpec plain = routed();
  plain.shift_add = {};
  CHECK_THROWS_WITH_AS(measure_latency(test::random_model(plain, 1), {}),
                       doctest::Contains("has no router"), Error);
  CHECK_THROWS_AS(measure_latency(test::random_model(routed(), 1), {.batch = 0, .pack = {}}),
                  Error);
  CHECK_THROWS_WITH_AS(
      measure_latency(test::random_model(routed(), 1), {.batch = int64_t{1} << 50, .pack = {}}),
      doctest::Contains("--batch"), Error);
}
