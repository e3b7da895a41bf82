// Lists the buffers of a forward pass with the steps that need them, and gives each its place.
#include "infer/plan.h"

#include <algorithm>
#include <numeric>

#include "core/memory.h"
#include "infer/attention.h"

namespace shiftadd::infer {
namespace {

int64_t round_up(int64_t floats) {
  constexpr int64_t kLine = kAlignment / sizeof(float);
  return (floats + kLine - 1) / kLine * kLine;
}

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Needs says what the blocks of a network need beyond those of a plain one.
struct Needs {
  Needs(const ModelSpec& spec, const PackSpec& pack) {
    const auto mixed = [](LayerKind kind) { return kind == LayerKind::kMixture; };
    bool shifts = false;
    for (const BlockKinds& block : spec.shift_add.blocks) {
      qkv = qkv || mixed(block.qkv);
      proj = proj || mixed(block.proj);
      mlp = mlp || mixed(block.mlp);
      thresholds = thresholds || needs_all_queries(spec, block);
      for (const LayerKind kind : {block.qkv, block.proj, block.mlp})
        shifts = shifts || kind != LayerKind::kMultiply;
    }
    by_index = mlp && pack.multiply == MultiplyFormat::kInt8;
    int8 = (shifts && spec.shift_add.int8_activations) || pack.multiply == MultiplyFormat::kInt8;
  }
  bool qkv = false, proj = false, mlp = false;  // mixtures
  bool thresholds = false, int8 = false;
  bool by_index = false;  // run_routed_mlp
};

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

VitPlan plan_vit(const ModelSpec& spec, const PackSpec& pack, int64_t images) {
  // These are the steps of a forward pass; blocks repeat kNorm1..kFc2.
  enum Step { kGather, kEmbed, kNorm1, kQkv, kAttention, kProj, kNorm2, kFc1, kFc2, kHead };
  const int64_t patches = spec.grid() * spec.grid();
  const int64_t patch_values = spec.in_channels * spec.patch_size * spec.patch_size;
  const int64_t rows = images * spec.tokens(), values = rows * spec.width;
  const Needs needs(spec, pack);
  VitPlan plan;
  plan.images = images;
  const std::vector<std::pair<int64_t VitPlan::*, BufferRequest>> buffers = {
      {&VitPlan::patches, {images * patches * patch_values, kGather, kEmbed}},
      {&VitPlan::x, {values, kEmbed, kHead}},
      {&VitPlan::normed1, {values, kNorm1, kQkv}},
      {&VitPlan::qkv, {3 * values, kQkv, kAttention}},
      {&VitPlan::class_q, {images * spec.width, kQkv, kAttention}},
      {&VitPlan::attended, {values, kAttention, kProj}},
      {&VitPlan::normed2, {values, kNorm2, kFc1}},
      {&VitPlan::hidden, {rows * spec.mlp_hidden, kFc1, kFc2}},
      {&VitPlan::class_x, {images * spec.width, kProj, kHead}},
      {&VitPlan::class_normed, {images * spec.width, kNorm1, kHead}},
      {&VitPlan::thresholds,
       {needs.thresholds ? 2 * images * spec.heads : 0, kAttention, kAttention}},
      {&VitPlan::quantized,
       {needs.int8 ? divide_up(std::max(rows * std::max(spec.width, spec.mlp_hidden),
                                        images * patches * patch_values),
                               sizeof(float))
                   : 0,
        kEmbed, kFc2}},
      {&VitPlan::scales, {needs.int8 ? rows : 0, kEmbed, kFc2}},
      {&VitPlan::logits, {needs.qkv || needs.proj || needs.mlp ? 2 * rows : 0, kQkv, kFc2}},
      {&VitPlan::order, {needs.qkv || needs.proj || needs.mlp ? rows : 0, kQkv, kFc2}},
      {&VitPlan::qkv_gathered, {needs.qkv ? values : 0, kQkv, kQkv}},
      {&VitPlan::qkv_outputs, {needs.qkv ? 3 * values : 0, kQkv, kQkv}},
      {&VitPlan::proj_gathered, {needs.proj ? values : 0, kProj, kProj}},
      {&VitPlan::proj_outputs, {needs.proj ? values : 0, kProj, kProj}},
      {&VitPlan::mlp_gathered, {needs.mlp ? values : 0, kFc1, kFc2}},
      {&VitPlan::mlp_codes, {needs.by_index ? divide_up(values, sizeof(float)) : 0, kFc1, kFc2}},
      {&VitPlan::mlp_scales, {needs.by_index ? rows : 0, kFc1, kFc2}},
  };
  std::vector<BufferRequest> requests;
  for (const auto& [member, request] : buffers) requests.push_back(request);
  const MemoryPlan memory = plan_memory(requests);
  for (std::size_t i = 0; i < buffers.size(); ++i) plan.*buffers[i].first = memory.offsets[i];
  plan.floats = memory.floats;
  return plan;
}

}  // namespace shiftadd::infer
