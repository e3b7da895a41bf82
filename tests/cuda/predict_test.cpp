// What launches move and compute, against counts by hand and those of the plan; no device is asked.
#include "cuda/predict.h"

#include "model/op_count.h"
#include "model/pack.h"
#include "tests/support/routed_spec.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::cuda;

namespace {

constexpr int64_t kImages = 2;

// 5 tokens of width 64.
ModelSpec small_spec() {
  return {.name = "small",
          .image_size = 8,
          .patch_size = 4,
          .width = 64,
          .depth = 2,
          .heads = 1,
          .mlp_hidden = 128,
          .classes = 3,
          .shift_add = {}};
}
ModelSpec shifted(ModelSpec spec, LayerKind mlp) {
  spec.shift_add.int8_activations = true;
  spec.shift_add.codes = Codes::kBipolar2;
  spec.shift_add.values = ValueFormat::kInt8;
  spec.shift_add.blocks.assign(static_cast<std::size_t>(spec.depth),
                               {.attention = AttentionKind::kSoftmaxAdd,
                                .qkv = LayerKind::kShift,
                                .proj = LayerKind::kShift,
                                .mlp = mlp});
  return spec;
}
Plan int8_plan(const ModelSpec& spec) { return plan_of(network_of(spec), pack_in("int8"), false); }

LaunchWork work_of_first_block(const ModelSpec& spec, const std::string& name,
                               const char* format = "int8") {
  const Plan plan = plan_of(network_of(spec), pack_in(format), false);
  const Limits limits = device_model("a100").limits;
  const Launches launches = launches_of(plan, limits);
  for (const Launch& launch : launches.list)
    if (launch.layer.block == 0 && launch.name == name)
      return launch_work(plan, launches, launch, kImages, limits, {});
  FAIL("no launch is called ", name);
  return {};
}

}  // namespace

TEST_CASE("a product of int8 numbers, counted by hand") {
  const LaunchWork work = work_of_first_block(small_spec(), "qkv");
  CHECK(work.weight_bytes == 192 * 64 + 192 * (4 + 4));  // scales and biases
  CHECK(work.read_bytes == kImages * 5 * (64 + 4));      // a scale a row
  CHECK(work.written_bytes == kImages * 5 * 192 * 4);
  CHECK(work.outer_bytes == 0);
  CHECK(work.int8_terms == kImages * 5 * 64 * 192);
  CHECK(work.int8_tiles == 32 * 64 * 192);  // the least rows of a tile
  CHECK(work.blocks == 3);
  CHECK(work.float_ops == kImages * 5 * 192 * 2);
  CHECK(work.integer_ops == 0);
}

TEST_CASE("nibbles are half as many bytes, and are unpacked once for 32 rows") {
  const LaunchWork work = work_of_first_block(shifted(small_spec(), LayerKind::kMultiply), "qkv");
  CHECK(work.weight_bytes == 192 * 64 / 2 + 192 * (4 + 4));
  CHECK(work.int8_tiles == 32 * 64 * 192);
  CHECK(work.integer_ops == 192 * 64 / 8 * 11);
}

TEST_CASE("an MLP with its residual, the norm after it and its rows as int8, counted by hand") {
  const LaunchWork work = work_of_first_block(small_spec(), "mlp");
  const double rows = kImages * 5, int8 = rows * (64 + 4), floats = rows * 64 * 4;
  CHECK(work.weight_bytes == 2 * 64 * 128 + (128 + 64) * (4 + 4) + 2 * 64 * 4);
  CHECK(work.read_bytes == int8 + floats);
  CHECK(work.written_bytes == int8 + floats);
  CHECK(work.int8_terms == rows * 2 * 64 * 128);
  CHECK(work.int8_tiles == 32 * 2 * 64 * 128);
}

TEST_CASE("softmax in integers: two digits of probabilities, whole steps of keys") {
  const LaunchWork work = work_of_first_block(small_spec(), "attention");
  CHECK(work.read_bytes == kImages * 5 * 192 * 4);
  CHECK(work.written_bytes == kImages * 5 * 64 * 4);
  CHECK(work.int8_terms == kImages * 2 * 5 * 5 * 64);
  CHECK(work.int8_tiles == kImages * 3 * 32 * 32 * 64);
}

TEST_CASE("softmax in bf16: whole tiles of queries and keys") {
  const LaunchWork work = work_of_first_block(small_spec(), "attention", "bf16");
  CHECK(work.read_bytes == kImages * 5 * 192 * 4);
  CHECK(work.written_bytes == kImages * 5 * 64 * 4);
  CHECK(work.bf16_terms == kImages * 2 * 5 * 5 * 64);
  CHECK(work.bf16_tiles == kImages * 2 * 16 * 16 * 64);
  CHECK(work.float_ops == kImages * 16 * (16 * (6 + 3) + 64));
  CHECK(work.int8_tiles == 0);
  CHECK(work.blocks == kImages);
}

TEST_CASE("DeiT-T has the terms of its plan, and of its layers but for rows that nothing reads") {
  for (const bool converted : {false, true}) {
    ModelSpec spec = named_spec("deit_tiny_patch16_224");
    if (converted) spec = shifted(spec, LayerKind::kMixture);
    const Plan plan = int8_plan(spec);
    const std::vector<double> shares(routers_of(spec).size(), 0.6);
    double integers = 0, floats = 0;
    for (const Step& step : plan.steps) {
      const StepWork work = work_of(plan, step, shares);
      integers += static_cast<double>(work.integer_terms);
      floats += static_cast<double>(work.float_terms);
    }
    for (const DeviceModel& device : device_models()) {
      const LaunchWork work = predict(plan, device, 1, shares).all.work;
      CHECK(work.int8_terms == doctest::Approx(integers));
      CHECK(work.float_terms == doctest::Approx(floats));
      CHECK(work.int8_tiles > work.int8_terms);
      if (converted) continue;
      const double layers = 196 * (2 * 192 * 192 + 2 * 192 * 768), pairs = 2 * 196 * 197 * 192;
      CHECK(work.int8_terms + work.float_terms ==
            doctest::Approx(static_cast<double>(count_macs(spec).total()) - layers - pairs));
    }
  }
}

TEST_CASE("a launch takes as long as what it needs longest, on the busiest multiprocessor") {
  const DeviceModel& device = device_model("h100");
  LaunchWork work;
  work.int8_tiles = device.int8_terms * 2e-6;
  work.float_ops = device.float_ops * 1e-6;
  work.blocks = 2 * device.limits.processors;
  const LaunchTimes times = launch_times(device, work, device.bytes * 3e-6, true);
  CHECK(times.bound() == Resource::kMemory);
  CHECK(times[Resource::kInt8] == doctest::Approx(2e-6));
  CHECK(times.total == doctest::Approx(3e-6 + device.overlapped_gap));
  work.blocks = 1;
  CHECK(launch_times(device, work, 0, false).total ==
        doctest::Approx(2e-6 * device.limits.processors + device.gap));
}

TEST_CASE("a batch is divided as the engine does it") {
  const Plan plan = int8_plan(small_spec());
  const DeviceModel& device = device_model("a100");
  const Prediction few = predict(plan, device, 33, {}), many = predict(plan, device, 130, {});
  CHECK(few.parts == 1);
  CHECK(few.all.work.int8_terms == predict(plan, device, 64, {}).all.work.int8_terms);
  CHECK(many.parts == 3);
  CHECK(many.all.launches == 3 * few.all.launches);
  CHECK(many.weight_bytes == few.weight_bytes);
  double seconds = 0;
  for (const LaunchesOfKind& kind : many.kinds) seconds += kind.in_l2.total;
  CHECK(seconds == doctest::Approx(many.all.in_l2.total));
  CHECK(many.all.in_l2.total <= many.all.from_memory.total);
}

TEST_CASE("an unknown device is the user's mistake, and the known ones are named") {
  CHECK_THROWS_WITH(device_model("a10"), doctest::Contains("a100, h100, 4090, orin"));
}
