// A step: accumulation equals the big batch, EMA, threads do not change bits, teachers teach.
#include "train/training_step.h"

#include <cmath>

#include "core/cpu/isa.h"
#include "core/parallel.h"
#include "core/random.h"
#include "tests/support/support.h"
#include "tests/train/tiny_spec.h"
#include "train/benchmark.h"

using namespace shiftadd;
using namespace shiftadd::train;
using test::tiny_spec;

namespace {

data::Batch make_batch(int64_t rows) {
  data::Batch batch{.images = Tensor({rows, 3, 8, 8}),
                    .targets = Tensor::zeros({rows, 3}),
                    .labels = {},
                    .samples = {}};
  const RandomStream random(3, 0);
  for (int64_t i = 0; i < batch.images.numel(); ++i)
    batch.images.data<float>()[i] = static_cast<float>(random.normal(static_cast<uint64_t>(i)));
  for (int64_t row = 0; row < rows; ++row) {
    batch.labels.push_back(row % 3);
    batch.targets.data<float>()[row * 3 + row % 3] = 1;
  }
  return batch;
}

data::Batch rows_of(const data::Batch& batch, int64_t begin, int64_t end) {
  return {.images = batch.images.slice(begin, end),
          .targets = batch.targets.slice(begin, end),
          .labels = {batch.labels.begin() + begin, batch.labels.begin() + end},
          .samples = {}};
}

/// Trains a fresh network for some steps of `parts` batches each; returns its weights.
NamedTensors train_some(int64_t parts, LoopConfig loop, const layers::ModelOptions& options = {},
                        const layers::Model* teacher = nullptr, int steps = 3) {
  loop.accumulate = parts;
  const layers::Model model(tiny_spec(), options, 1);
  Optimizer optimizer(loop.optimizer, model.named_parameters(), parameters_of(model.spec()));
  const RouterConfig router;
  TrainingStep step(model, teacher, optimizer, nullptr, loop, router, {}, 9);
  const data::Batch batch = make_batch(6);
  for (int i = 0; i < steps; ++i) {
    for (int64_t part = 0; part < parts; ++part)
      step.accumulate(rows_of(batch, part * 6 / parts, (part + 1) * 6 / parts),
                      static_cast<uint64_t>(i * parts + part), 0);
    step.update(1e-2);
  }
  return model.state_dict();
}

void check_equal(const NamedTensors& a, const NamedTensors& b, double relative) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    test::check_close(a[i].second, b[i].second, relative, a[i].first, relative * 1e-2);
}

bool differ(const NamedTensors& a, const NamedTensors& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    for (int64_t j = 0; j < a[i].second.numel(); ++j)
      if (a[i].second.data<float>()[j] != b[i].second.data<float>()[j]) return true;
  return false;
}

}  // namespace

TEST_CASE("accumulated small batches are the big batch, to rounding") {
  LoopConfig loop;
  loop.optimizer.kind =
      OptimizerConfig::Kind::kSgd;  // AdamW would turn rounding of tiny gradients into signs
  loop.clip_norm = 0.5;
  const NamedTensors whole = train_some(1, loop);
  check_equal(train_some(2, loop), whole, 1e-4);
  check_equal(train_some(3, loop), whole, 1e-4);
}

TEST_CASE("one thread and two give the same bits, with dropout and drop path") {
  const layers::ModelOptions options{.drop_path = 0.2, .dropout = 0.1, .checkpoint_blocks = false};
  set_num_threads(1);
  const NamedTensors one = train_some(1, {}, options);
  set_num_threads(2);
  check_equal(train_some(1, {}, options), one, 0);
}

TEST_CASE("clipping shortens the step of plain SGD") {
  LoopConfig loop;
  loop.optimizer.kind = OptimizerConfig::Kind::kSgd;
  loop.optimizer.weight_decay = 0;
  loop.clip_norm = 1e-3;
  const layers::Model before(tiny_spec(), {}, 1);
  const NamedTensors start = before.state_dict(), after = train_some(1, loop, {}, nullptr, 1);
  double squares = 0;
  for (std::size_t i = 0; i < start.size(); ++i)
    for (int64_t j = 0; j < start[i].second.numel(); ++j)
      squares += std::pow(after[i].second.data<float>()[j] - start[i].second.data<float>()[j], 2);
  CHECK(std::sqrt(squares) ==
        doctest::Approx(1e-2 * 1e-3).epsilon(0.02));  // lr times the clipped norm
}

TEST_CASE("a gradient that is not finite leaves the weights alone") {
  const layers::Model model(tiny_spec(), {}, 1);
  const layers::Model same(tiny_spec(), {}, 1);
  const LoopConfig loop;
  Optimizer optimizer(loop.optimizer, model.named_parameters(), parameters_of(model.spec()));
  const RouterConfig router;
  TrainingStep step(model, nullptr, optimizer, nullptr, loop, router, {}, 9);
  data::Batch batch = make_batch(3);
  batch.images.data<float>()[0] = std::nanf("");
  CHECK(std::isnan(step.accumulate(batch, 0, 0)));
  CHECK_FALSE(std::isfinite(step.update(1e-2)));
  check_equal(model.state_dict(), same.state_dict(), 0);
}

TEST_CASE("a teacher changes what is learnt and stays as it is") {
  LoopConfig loop;
  loop.teacher.alpha = 0.5;
  const layers::Model teacher(tiny_spec(), {}, 77), copy(tiny_spec(), {}, 77);
  const NamedTensors taught = train_some(1, loop, {}, &teacher);
  CHECK(differ(taught, train_some(1, loop)));
  loop.teacher.kind = TeacherConfig::Kind::kHard;
  CHECK(differ(taught, train_some(1, loop, {}, &teacher)));
  check_equal(teacher.state_dict(), copy.state_dict(), 0);
}

TEST_CASE("a teacher's features pull the blocks' outputs towards its own") {
  LoopConfig loop;
  loop.teacher.alpha = 0;
  const layers::Model teacher(tiny_spec(), {}, 77);
  CHECK_FALSE(differ(train_some(1, loop, {}, &teacher), train_some(1, loop)));
  loop.teacher.features = 10;
  const data::Batch batch = make_batch(3);
  const auto distance = [&](const NamedTensors& weights) {
    layers::Model student(tiny_spec(), {}, 1);
    student.load_state_dict(weights);
    std::vector<autograd::Variable> mine, wanted;
    layers::Context context;
    context.tokens = &mine;
    student.forward(autograd::Variable(batch.images), context);
    context.tokens = &wanted;
    teacher.forward(autograd::Variable(batch.images), context);
    REQUIRE(mine.size() == 2);
    return *relative_error(mine[0], wanted[0].value()).value().data<float>();
  };
  CHECK(distance(train_some(1, loop, {}, &teacher)) < 0.98 * distance(train_some(1, loop)));
}

TEST_CASE("averages follow the weights and change places with them") {
  autograd::Variable weight(Tensor::full({17}, 1), true), frozen(Tensor::full({3}, 5));
  const NamedParameters parameters = {{"w", weight}, {"frozen", frozen}};
  Ema ema(parameters, 0.75);
  weight.value().fill(5);
  ema.update();
  REQUIRE(ema.state().size() == 1);
  CHECK(ema.state()[0].second.data<float>()[16] == 2);
  {
    const EmaScope averaged(&ema);
    CHECK(weight.value().data<float>()[0] == 2);
  }
  CHECK(weight.value().data<float>()[0] == 5);
  ema.load_state({{"w", Tensor::full({17}, 3)}, {"other", Tensor::full({1}, 0)}});
  CHECK(ema.state()[0].second.data<float>()[0] == 3);
  CHECK_THROWS_AS(ema.load_state({{"v", Tensor::full({17}, 3)}}), Error);
}

TEST_CASE("the step benchmark times each step and refuses nonsense") {
  const TrainStepTiming timing = time_training_steps(tiny_spec(), 3, 2);
  REQUIRE(timing.seconds.size() == 2);
  CHECK(timing.seconds[0] > 0);
  CHECK_THROWS_AS(time_training_steps(tiny_spec(), 0, 2), Error);
  CHECK_THROWS_AS(time_training_steps(tiny_spec(), 1, 0), Error);
}

TEST_CASE("training step: bf16 products learn like float32 ones") {
  LoopConfig loop;
  const auto loss_after = [&](Precision precision, int steps) {
    loop.precision = precision;
    const layers::Model model(tiny_spec(), {}, 1);
    Optimizer optimizer(loop.optimizer, model.named_parameters(), parameters_of(model.spec()));
    const RouterConfig router;
    TrainingStep step(model, nullptr, optimizer, nullptr, loop, router, {}, 9);
    const data::Batch batch = make_batch(6);
    double loss = 0;
    for (int i = 0; i <= steps; ++i) {
      loss = step.accumulate(batch, static_cast<uint64_t>(i), 0);
      step.update(1e-2);
    }
    return loss;
  };
  const double first = loss_after(Precision::kBf16, 0), last = loss_after(Precision::kBf16, 10);
  CHECK(last < 0.7 * first);
  CHECK(std::abs(first - loss_after(Precision::kFloat32, 0)) < 0.02 * first);

  LoopConfig coarse;
  coarse.precision = Precision::kBf16;
  CHECK(kernels_of(LoopConfig{}) == name_of(isa()));
  CHECK((kernels_of(coarse) == name_of(isa())) == !multiplies_bf16(coarse));
  const auto with_threads = [&](int threads) {
    const test::Threads set(threads);
    return train_some(2, coarse);
  };
  check_equal(with_threads(1), with_threads(2), 0);
}
