// Gives each buffer of a plan its lifetime, from the steps that touch it, and its place.
#include <algorithm>
#include <numeric>

#include "core/memory.h"
#include "model/plan.h"

namespace shiftadd {
namespace {

int64_t round_up(int64_t floats) {
  constexpr int64_t kLine = kAlignment / sizeof(float);
  return (floats + kLine - 1) / kLine * kLine;
}

// The buffers of each operation.
struct Touched {
  std::vector<BufferId> operator()(const Gather& op) const { return of({op.in, op.out}); }
  std::vector<BufferId> operator()(const Take& op) const { return of({op.in, op.out}); }
  std::vector<BufferId> operator()(const Normalise& op) const { return of({op.in, op.out}); }
  std::vector<BufferId> operator()(const Product& op) const {
    return of({op.in, op.out, op.residual});
  }
  std::vector<BufferId> operator()(const Mlp& op) const { return of({op.in, op.out, op.residual}); }
  std::vector<BufferId> operator()(const Depthwise& op) const {
    return of({op.in, op.out}, {op.weight, op.bias});
  }
  std::vector<BufferId> operator()(const Activate& op) const { return of({op.in, op.out}); }
  std::vector<BufferId> operator()(const Tanh& op) const { return of({op.values}); }
  std::vector<BufferId> operator()(const Scale& op) const {
    return of({op.in, op.out, op.residual}, {op.factors});
  }
  std::vector<BufferId> operator()(const Attend& op) const {
    return of({op.q, op.k, op.v, op.out}, {op.filter, op.temperature});
  }
  std::vector<BufferId> operator()(const Route& op) const {
    return of({op.in}, {op.order, op.gates});
  }
  std::vector<BufferId> operator()(const Experts& op) const {
    return of({op.in, op.out, op.residual}, {op.order, op.gates});
  }
  std::vector<BufferId> operator()(const Mean& op) const { return of({op.in, op.out}); }

 private:
  static std::vector<BufferId> of(const std::vector<Rows>& rows,
                                  const std::vector<BufferId>& more = {}) {
    std::vector<BufferId> found;
    for (const Rows& each : rows) found.push_back(each.buffer);
    found.insert(found.end(), more.begin(), more.end());
    std::erase(found, kNone);
    return found;
  }
};

}  // namespace

std::vector<BufferId> buffers_of(const Step& step) { return std::visit(Touched{}, step.operation); }

MemoryPlan plan_memory(const std::vector<BufferRequest>& requests) {
  std::vector<int> order(requests.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return requests[a].floats > requests[b].floats; });
  MemoryPlan plan;
  plan.offsets.resize(requests.size());
  std::vector<int> placed;  // in ascending order of their offsets
  for (const int index : order) {
    const BufferRequest& request = requests[index];
    if (request.floats == 0) break;  // the rest, too, needs no place
    int64_t offset = 0;
    for (const int other : placed) {
      const BufferRequest& taken = requests[other];
      if (taken.last < request.first || request.last < taken.first) continue;
      if (plan.offsets[other] >= offset + round_up(request.floats)) break;  // fits in front of it
      offset = std::max(offset, plan.offsets[other] + round_up(taken.floats));
    }
    plan.offsets[index] = offset;
    plan.floats = std::max(plan.floats, offset + round_up(request.floats));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), index,
                                   [&](int a, int b) { return plan.offsets[a] < plan.offsets[b]; }),
                  index);
  }
  return plan;
}

std::vector<BufferRequest> requests_of(const Plan& plan, int64_t images) {
  std::vector<BufferRequest> requests;
  for (const Buffer& buffer : plan.buffers)
    requests.push_back(
        {buffer.storage == Storage::kValues ? images * buffer.rows * buffer.columns : 0, -1, -1});
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    for (const BufferId id : buffers_of(plan.steps[i])) {
      BufferRequest& request = requests[static_cast<std::size_t>(id)];
      if (request.first < 0) request.first = static_cast<int>(i);
      request.last = static_cast<int>(i);
    }
  return requests;
}

}  // namespace shiftadd
