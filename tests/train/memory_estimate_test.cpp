// Estimates against what real steps take, and sizes that overflow nothing and are refused.
#include "train/memory_estimate.h"

#include "core/memory.h"
#include "tests/support/support.h"
#include "tests/train/tiny_spec.h"
#include "train/benchmark.h"

using namespace shiftadd;
using namespace shiftadd::train;
using test::contains;

namespace {

double total(const TrainConfig& config, const ModelSpec& spec, int64_t batches = 1) {
  double bytes = 0;
  for (const MemoryUse& use : training_memory(config, spec, batches)) bytes += use.bytes;
  return bytes;
}

TrainConfig config_of(int64_t batch) {
  TrainConfig config;
  config.train.batch = batch;
  return config;
}

ModelSpec sized(int64_t image, int64_t patch, int64_t width, int64_t depth, int64_t hidden) {
  ModelSpec spec = test::tiny_spec();
  spec.image_size = image, spec.patch_size = patch, spec.width = width, spec.depth = depth;
  spec.mlp_hidden = hidden;
  return spec;
}

// The peak of tensors in two steps, beyond those that were there before.
double taken(const ModelSpec& spec, int64_t batch) {
  const std::size_t before = memory_stats().in_use;
  reset_peak_memory();
  time_training_steps(spec, batch, 2);
  return static_cast<double>(memory_stats().peak - before);
}

std::string refusal(const TrainConfig& config, const ModelSpec& spec, int64_t images) {
  try {
    require_training_memory(config, spec, images);
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("an estimate is what steps take, or somewhat less") {
  struct Case {
    ModelSpec spec;
    int64_t batch;
  };
  for (const Case& each : {Case{sized(32, 4, 48, 4, 192), 16}, Case{sized(32, 4, 48, 12, 192), 3},
                           Case{sized(64, 4, 24, 3, 24), 4}, Case{sized(16, 8, 192, 6, 768), 2},
                           Case{sized(64, 16, 96, 8, 96), 8}}) {
    const double real = taken(each.spec, each.batch),
                 estimate = total(config_of(each.batch), each.spec);
    CAPTURE(real);
    CAPTURE(estimate);
    CHECK(estimate <= real);
    CHECK(estimate >= 0.6 * real);
  }
}

TEST_CASE("what takes less memory is estimated to") {
  const ModelSpec spec = sized(64, 4, 48, 8, 192);
  const double usual = total(config_of(32), spec, 100);
  TrainConfig other = config_of(32);
  other.regularisation.checkpoint_blocks = true;
  CHECK(total(other, spec, 100) < 0.6 * usual);
  other = config_of(32);
  other.train.freeze = {"blocks.*", "pos_embed", "cls_token", "patch_embed.*"};
  CHECK(total(other, spec, 100) < 0.3 * usual);
  other = config_of(32);
  other.train.freeze = {"blocks.0.*"};
  CHECK(total(other, spec, 100) < usual);
  other = config_of(16);
  CHECK(total(other, spec, 100) < 0.6 * usual);
  other = config_of(32);
  other.data.workers = 0;
  CHECK(total(other, spec, 100) < usual);
  CHECK(total(config_of(32), spec, 1) < usual);
  other = config_of(32);
  other.train.optimizer.kind = OptimizerConfig::Kind::kSgd;
  CHECK(total(other, spec, 100) < usual);
}

TEST_CASE("every size that is allowed is reckoned with, and what no machine has is refused") {
  TrainConfig config = config_of(65536);
  config.data.prefetch = 1024;
  const ModelSpec largest = sized(16384, 1, 16384, 16384, 65536);
  CHECK(total(config, largest, 1 << 30) > 1e20);
  CHECK(total(config, largest, 1 << 30) < 1e30);
  const std::string all = refusal(config, largest, 1 << 30);
  CHECK_MESSAGE(contains(all, "train.batch"), all);

  const std::string tokens = refusal(config_of(1), sized(16384, 1, 192, 12, 768), 10);
  CHECK_MESSAGE(contains(tokens, "activations of a batch of 1 "), tokens);
  CHECK_MESSAGE(contains(tokens, "raise model.patch_size"), tokens);
  CHECK_MESSAGE(contains(tokens, "model.checkpoint_blocks"), tokens);
  const std::string wide = refusal(config_of(1), sized(32, 16, 16384, 1000, 65536), 10);
  CHECK_MESSAGE(contains(wide, "weights, gradients and optimizer"), wide);
  CHECK_MESSAGE(contains(wide, "lower model.width"), wide);
  TrainConfig ahead = config_of(64);
  ahead.data.prefetch = 1000;
  const std::string ready = refusal(ahead, sized(16384, 8192, 12, 1, 12), 1 << 20);
  CHECK_MESSAGE(contains(ready, "lower data.prefetch"), ready);
}
