// See plan.h.
#include "infer/plan.h"

#include <algorithm>
#include <numeric>

#include "core/memory.h"

namespace shiftadd::infer {
namespace {

int64_t round_up(int64_t floats) {
  constexpr int64_t kLine = kAlignment / sizeof(float);
  return (floats + kLine - 1) / kLine * kLine;
}

}  // namespace

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

VitPlan plan_vit(const ModelSpec& spec, int64_t images) {
  // The steps of a forward pass; blocks repeat kNorm1..kFc2.
  enum Step { kGather, kEmbed, kNorm1, kQkv, kAttention, kProj, kNorm2, kFc1, kFc2, kHead };
  const int64_t patches = spec.grid() * spec.grid();
  const int64_t values = images * spec.tokens() * spec.width;
  VitPlan plan;
  plan.images = images;
  const std::vector<std::pair<int64_t VitPlan::*, BufferRequest>> buffers = {
      {&VitPlan::patches,
       {images * patches * spec.in_channels * spec.patch_size * spec.patch_size, kGather, kEmbed}},
      {&VitPlan::x, {values, kEmbed, kHead}},
      {&VitPlan::normed1, {values, kNorm1, kQkv}},
      {&VitPlan::qkv, {3 * values, kQkv, kAttention}},
      {&VitPlan::class_q, {images * spec.width, kQkv, kAttention}},
      {&VitPlan::attended, {values, kAttention, kProj}},
      {&VitPlan::normed2, {values, kNorm2, kFc1}},
      {&VitPlan::hidden, {images * spec.tokens() * spec.mlp_hidden, kFc1, kFc2}},
      {&VitPlan::class_x, {images * spec.width, kProj, kHead}},
      {&VitPlan::class_normed, {images * spec.width, kHead, kHead}},
  };
  std::vector<BufferRequest> requests;
  for (const auto& [member, request] : buffers) requests.push_back(request);
  const MemoryPlan memory = plan_memory(requests);
  for (std::size_t i = 0; i < buffers.size(); ++i) plan.*buffers[i].first = memory.offsets[i];
  plan.floats = memory.floats;
  return plan;
}

}  // namespace shiftadd::infer
