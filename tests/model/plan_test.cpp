// The plan of a forward pass: its steps, their work, and a memory in which no two live buffers
// overlap and dead ones do.
#include "model/plan.h"

#include "core/random.h"
#include "tests/support/routed_spec.h"
#include "tests/support/support.h"

using namespace shiftadd;
using test::converted_deit;

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

namespace {

const ModelSpec& deit() {
  static const ModelSpec spec = named_spec("deit_tiny_patch16_224");
  return spec;
}

std::vector<std::string> step_names(const Plan& plan, int64_t block) {
  std::vector<std::string> names;
  for (const Step& step : plan.steps)
    if (step.layer.block == block) names.push_back(step.name);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("plan: a dense block's steps, and those of the last, where one row is read") {
  const Plan plan = plan_of(network_of(deit()), {}, false);
  CHECK(step_names(plan, LayerId::kOutside) ==
        Names{"gather", "patches", "class_token", "norm", "head"});
  CHECK(step_names(plan, 0) == Names{"norm1", "qkv", "attention", "proj", "norm2", "fc1", "fc2"});
  CHECK(step_names(plan, 11) == Names{"norm1", "qkv.row", "qkv.q", "qkv.kv", "attention",
                                      "rows_read", "proj", "norm2", "fc1", "fc2"});
}

TEST_CASE("plan: an MLP whose products are of integers is one step, a router and its experts two") {
  CHECK(step_names(plan_of(network_of(deit()), pack_in("int8"), false), 3) ==
        Names{"norm1", "qkv", "attention", "proj", "norm2", "mlp"});
  CHECK(step_names(plan_of(network_of(converted_deit()), {}, false), 3) ==
        Names{"norm1", "qkv", "attention", "proj", "norm2", "mlp.router", "mlp.experts"});
}

TEST_CASE("plan: where choices are wanted, the last block's router decides on all tokens") {
  const auto routed_rows = [](bool with_choices) {
    const Plan plan = plan_of(network_of(converted_deit()), {}, with_choices);
    std::vector<int64_t> rows;
    for (const Step& step : plan.steps)
      if (const auto* route = std::get_if<Route>(&step.operation)) rows.push_back(route->in.rows);
    return rows;
  };
  std::vector<int64_t> rows(12, 197);
  CHECK(routed_rows(true) == rows);
  rows.back() = 1;
  CHECK(routed_rows(false) == rows);
}

TEST_CASE("plan: every buffer is written before it is read, and inputs stay as they are") {
  for (const ModelSpec& spec : {deit(), converted_deit()}) {
    const Plan plan = plan_of(network_of(spec), {}, false);
    const std::vector<BufferRequest> requests = requests_of(plan, 2);
    for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
      CAPTURE(plan.buffers[i].name);
      CHECK(requests[i].first >= 0);  // no buffer is there for nothing
      const bool in_arena = plan.buffers[i].storage == Storage::kValues;
      CHECK(requests[i].floats ==
            (in_arena ? 2 * plan.buffers[i].rows * plan.buffers[i].columns : 0));
      if (in_arena) CHECK(requests[i].last > requests[i].first);
    }
  }
}

TEST_CASE("plan: a transformer's memory is that of its widest point") {
  const ModelSpec& spec = deit();
  const Plan plan = plan_of(network_of(spec), {}, false);
  const int64_t values = spec.tokens() * spec.width,
                floats = plan_memory(requests_of(plan, 1)).floats;
  // x, the MLP's input and its hidden values: 6 times the residual stream.
  CHECK(floats >= 6 * values);
  CHECK(floats < 6 * values + 4 * spec.width + 1024);
}
