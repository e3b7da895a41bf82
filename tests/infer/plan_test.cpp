// The memory plan: no two live buffers share memory, and dead ones do.
#include "infer/plan.h"

#include "core/random.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::infer;

namespace {

void check_disjoint(const std::vector<BufferRequest>& requests, const MemoryPlan& plan) {
  REQUIRE(plan.offsets.size() == requests.size());
  for (std::size_t a = 0; a < requests.size(); ++a) {
    CHECK(plan.offsets[a] % 16 == 0);
    CHECK(plan.offsets[a] >= 0);
    CHECK(plan.offsets[a] + requests[a].floats <= plan.floats);
    for (std::size_t b = 0; b < a; ++b) {
      const bool alive_together =
          requests[a].first <= requests[b].last && requests[b].first <= requests[a].last;
      const bool apart = plan.offsets[a] + requests[a].floats <= plan.offsets[b] ||
                         plan.offsets[b] + requests[b].floats <= plan.offsets[a];
      CHECK((!alive_together || apart));
    }
  }
}

}  // namespace

TEST_CASE("buffers that live at different times share memory") {
  const std::vector<BufferRequest> requests = {{100, 0, 1}, {100, 1, 2}, {100, 2, 3}};
  const MemoryPlan plan = plan_memory(requests);
  check_disjoint(requests, plan);
  CHECK(plan.offsets[0] == plan.offsets[2]);
  CHECK(plan.floats == 2 * 112);
}

TEST_CASE("a small buffer fills the gap between large ones") {
  const std::vector<BufferRequest> requests = {{320, 0, 0}, {320, 0, 3}, {160, 2, 3}, {160, 2, 3}};
  const MemoryPlan plan = plan_memory(requests);
  check_disjoint(requests, plan);
  CHECK(plan.floats == 640);
}

TEST_CASE("any requests: live buffers never overlap and the arena is no larger than their sum") {
  Random random(5, 0);
  for (int round = 0; round < 200; ++round) {
    std::vector<BufferRequest> requests;
    int64_t sum = 0;
    for (int64_t i = random.below(12); i >= 0; --i) {
      const int first = static_cast<int>(random.below(10));
      requests.push_back({1 + random.below(300), first, first + static_cast<int>(random.below(5))});
      sum += (requests.back().floats + 15) / 16 * 16;
    }
    const MemoryPlan plan = plan_memory(requests);
    check_disjoint(requests, plan);
    CHECK(plan.floats <= sum);
  }
}

TEST_CASE("a transformer's arena reuses the memory of finished steps") {
  const ModelSpec spec = named_spec("deit_tiny_patch16_224");
  const VitPlan plan = plan_vit(spec, {}, 1);
  const int64_t values = spec.tokens() * spec.width;
  // x, the MLP's input and its hidden values are the widest point: 6 times the residual stream.
  CHECK(plan.floats >= 6 * values);
  CHECK(plan.floats < 6 * values + 4 * spec.width + 1024);
}

TEST_CASE("a converted network's arena has room for gathered tokens and int8 inputs") {
  ModelSpec spec = named_spec("deit_tiny_patch16_224");
  const int64_t plain = plan_vit(spec, {}, 1).floats;
  const int64_t values = spec.tokens() * spec.width;
  spec.shift_add.int8_activations = true;
  spec.shift_add.blocks.assign(static_cast<std::size_t>(spec.depth),
                               {.attention = AttentionKind::kLinearAdd,
                                .qkv = LayerKind::kShift,
                                .proj = LayerKind::kShift,
                                .mlp = LayerKind::kMixture});
  // Beside the plain network's 6 times the residual stream: the MLP's tokens sorted by expert, and
  // its hidden values as int8, a quarter of 4 times the stream.
  const int64_t converted = plan_vit(spec, {}, 1).floats;
  CHECK(converted >= plain + 2 * values);
  CHECK(converted < plain + 2 * values + 4 * spec.tokens() + 4 * spec.width + 1024);
  // Experts that both multiply integers share the tokens' int8 numbers.
  PackSpec pack;
  pack.multiply = MultiplyFormat::kInt8;
  const int64_t packed = plan_vit(spec, pack, 1).floats;
  CHECK(packed >= converted + values / 4);
  CHECK(packed < converted + values / 4 + 2 * spec.tokens() + 1024);
}
