// The session: golden logits, the same bits for any batch and thread count, no memory per image.
#include "infer/session.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/memory.h"
#include "core/parallel.h"
#include "data/preprocess.h"
#include "tests/infer/models.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::infer;

namespace {
std::atomic<int64_t> heap_blocks{0};
}  // namespace

// Counts every block that C++ code takes from the heap.
void* operator new(std::size_t size) {
  ++heap_blocks;
  if (void* block = std::malloc(size ? size : 1)) return block;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++heap_blocks;
  return std::malloc(size ? size : 1);
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace {

Tensor run(Session& session, const Tensor& images) {
  Tensor logits({images.dim(0), session.spec().classes});
  session.run(images.data<float>(), images.dim(0), logits.data<float>());
  return logits;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

struct Threads {  // restores the pool's size
  explicit Threads(int threads) { set_num_threads(threads); }
  ~Threads() { set_num_threads(available_cores()); }
};

}  // namespace

TEST_CASE("golden logits of vit_micro") {
  const TensorFile golden = test::golden_model("vit_micro");
  ModelFile model;
  model.spec = named_spec("vit_micro");
  for (const Parameter& each : parameters_of(model.spec))
    model.weights.emplace_back(each.name, golden.at(each.name));
  Session session(std::move(model));
  test::check_close(run(session, golden.at("golden.in.image").to(DType::kF32)),
                    golden.at("golden.out.logits").to(DType::kF32), 1e-5, "logits");
}

TEST_CASE("logits have the same bits for any batch and any number of threads") {
  for (const ModelSpec& spec : test::odd_specs()) {
    CAPTURE(spec.name);
    Session session(test::random_model(spec, 1));
    const int64_t count = 37;
    const Tensor images = test::random_images(spec, count, 2);
    Tensor reference;
    for (const int threads : {1, 2, 3}) {
      const Threads pool(threads);
      for (const int64_t batch : {1, 2, 5, 37}) {
        Tensor logits({count, spec.classes});
        for (int64_t begin = 0; begin < count; begin += batch) {
          const Tensor part = images.slice(begin, std::min(count, begin + batch));
          session.run(part.data<float>(), part.dim(0), logits.data<float>() + begin * spec.classes);
        }
        if (!reference.defined()) reference = logits;
        CHECK_MESSAGE(same_bits(logits, reference), "threads " << threads << ", batch " << batch);
      }
    }
  }
}

TEST_CASE("images as bytes give the bits of normalised ones") {
  const ModelFile model = test::random_model(test::odd_specs().front(), 4);
  Session session(model);
  const Preprocess& p = session.preprocess();
  const int64_t batch = 3, values = p.values();
  REQUIRE(values == session.spec().image_values());
  std::vector<uint8_t> pixels(static_cast<std::size_t>(batch * values));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37 / 5);
  Tensor images(p.batch_shape(batch));
  for (int64_t i = 0; i < batch; ++i)
    data::normalise(pixels.data() + i * values, p, images.data<float>() + i * values);
  Tensor logits({batch, session.spec().classes});
  session.run_pixels(pixels.data(), batch, logits.data<float>());
  CHECK(same_bits(logits, run(session, images)));
}

TEST_CASE("no memory is taken after the first call") {
  for (const int threads : {1, 2}) {
    const Threads pool(threads);
    const ModelSpec spec = test::odd_specs().front();
    Session session(test::random_model(spec, 3));
    const Tensor images = test::random_images(spec, 20, 4);
    Tensor logits({20, spec.classes});
    // Which thread computes which group is chance: the first calls let each thread take its
    // scratch.
    for (int i = 0; i < 20; ++i) session.run(images.data<float>(), 20, logits.data<float>());
    constexpr int64_t kBatches[] = {20, 1, 7};
    const int64_t tensors = memory_stats().allocations;
    const int64_t blocks = heap_blocks;
    for (const int64_t batch : kBatches)
      session.run(images.data<float>(), batch, logits.data<float>());
    const int64_t tensors_after = memory_stats().allocations, blocks_after = heap_blocks;
    CHECK(tensors_after == tensors);
    CHECK(blocks_after == blocks);
  }
}

TEST_CASE("an empty batch does nothing") {
  Session session(test::random_model(test::odd_specs().front(), 1));
  session.run(nullptr, 0, nullptr);
}

TEST_CASE("weights that do not fit the architecture are named") {
  ModelFile model = test::random_model(named_spec("vit_micro"), 1);
  ModelFile missing = model;
  missing.weights.erase(missing.weights.begin() + 3);
  const std::string name = model.weights[3].first;
  CHECK_THROWS_WITH_AS(Session{std::move(missing)}, doctest::Contains(name.c_str()), Error);
  model.weights[3].second = Tensor({1, 2, 3});
  CHECK_THROWS_WITH_AS(Session{std::move(model)}, doctest::Contains("(1, 2, 3)"), Error);
}

TEST_CASE("the work performed is the model's less what nothing reads") {
  const ModelSpec spec = named_spec("deit_tiny_patch16_224");
  const Session session(test::random_model(spec, 1));
  // 196 rows of q, proj, fc1 and fc2, and as many queries against 197 keys, twice.
  const int64_t skipped = 196 * (192 * 192 * 2 + 192 * 768 * 2) + 2 * 196 * 197 * 192;
  CHECK(session.macs_per_image() == count_macs(spec).total() - skipped);
}

TEST_CASE("steps have time while it is wanted, and work") {
  const Threads pool(1);
  ModelSpec spec = named_spec("vit_micro");
  SUBCASE("dense") {}
  SUBCASE("converted") {
    spec.shift_add.blocks = {
        {AttentionKind::kLinearAdd, LayerKind::kShift, LayerKind::kShift, LayerKind::kMixture},
        {AttentionKind::kSoftmaxAdd, LayerKind::kMixture, LayerKind::kShift, LayerKind::kShift}};
  }
  Session session(test::random_model(spec, 1));
  const Tensor images = test::random_images(spec, 1, 2);
  std::vector<double> seconds;
  session.time_steps(&seconds);
  run(session, images);
  const std::vector<double> after = seconds;
  session.time_steps(nullptr);
  run(session, images);
  CHECK(seconds == after);

  const Plan& plan = session.plan();
  REQUIRE(after.size() == plan.steps.size());
  int64_t terms = 0, free = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    CAPTURE(plan.steps[i].name);
    CHECK(after[i] > 0);
    const StepWork work =
        work_of(plan, plan.steps[i], std::vector<double>(session.routers().size(), 0.5));
    CHECK(work.bytes > 0);
    terms += work.terms();
    free += work.multiplication_free;
  }
  CHECK(terms == session.macs_per_image());
  // Of the first block qkv, attention, proj and the MLP's experts; of the second attention, the
  // experts of qkv, proj, fc1 and fc2.
  CHECK(free == (spec.converted() ? 9 : 0));
}
