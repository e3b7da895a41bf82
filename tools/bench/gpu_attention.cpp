// Attention of DeiT-T's blocks by itself: what adds (MatAdd) beside what multiplies.
#include <algorithm>
#include <map>
#include <variant>

#include "core/error.h"
#include "cuda/bind.h"
#include "model/pack.h"
#include "model/plan.h"
#include "tools/bench/gpu_operands.h"
#include "tools/bench/gpu_parts.h"
#include "tools/bench/gpu_peers.h"
#include "tools/bench/network.h"

namespace shiftadd::tools {
namespace {

using namespace cuda;

struct Form {
  const char* name;
  AttentionKind kind;
  Codes codes;
  const char* pack;
};
constexpr Form kForms[] = {
    {"MatAdd: linear_add, signs", AttentionKind::kLinearAdd, Codes::kSign, "int8"},
    {"MatAdd: linear_add, two bits and a window", AttentionKind::kLinearAdd, Codes::kBipolar2,
     "int8"},
    {"MatAdd: softmax_add, signs", AttentionKind::kSoftmaxAdd, Codes::kSign, "int8"},
    {"MatAdd: softmax_add, two bits", AttentionKind::kSoftmaxAdd, Codes::kBipolar2, "int8"},
    {"softmax, int8", AttentionKind::kSoftmax, Codes::kSign, "int8"},
    {"softmax, of bf16 networks", AttentionKind::kSoftmax, Codes::kSign, "bf16"}};

// What one block of a network asks for.
struct Asked {
  Program program;
  const Launch* launch;
  double terms;  // of an image
};

Asked asked_for(const Form& form, const Limits& limits) {
  ModelSpec spec = open_spec("deit_tiny_patch16_224");
  spec.shift_add.codes = form.codes;
  spec.shift_add.values = ValueFormat::kInt8;
  spec.shift_add.blocks.assign(static_cast<std::size_t>(spec.depth), {.attention = form.kind});
  Asked asked = {Program(plan_of(network_of(spec), pack_in(form.pack), false), limits), nullptr, 0};
  const Plan& plan = asked.program.plan;
  const auto step = std::find_if(plan.steps.begin(), plan.steps.end(), [](const Step& each) {
    return std::holds_alternative<Attend>(each.operation);
  });
  const auto& list = asked.program.launches.list;
  const auto launch = std::find_if(list.begin(), list.end(), [](const Launch& each) {
    return std::holds_alternative<AttendLaunch>(each.kind);
  });
  if (step == plan.steps.end() || launch == list.end())
    throw failure("a network without attention");
  asked.launch = &*launch;
  asked.terms = static_cast<double>(work_of(plan, *step, {}).terms());
  return asked;
}

GpuLaunch launch_of(cuda::Device& device, GpuOperands& operands, const Asked& asked, int64_t images,
                    const Limits& limits) {
  const auto& buffers = asked.program.launches.buffers;
  const Attend& op = std::get<AttendLaunch>(asked.launch->kind).attend;
  std::map<BufferId, float*> memory;
  const auto begin = [&](BufferId id) {
    float*& at = memory[id];
    const Buffer& buffer = buffers[static_cast<std::size_t>(id)];
    const int64_t copies = buffer.storage == Storage::kTable ? 1 : images;
    if (!at) at = operands.floats(copies * buffer.rows * buffer.columns);
    return at;
  };
  const auto place = [&](const Rows& rows) {
    return begin(rows.buffer) + rows.column +
           rows.first * buffers[static_cast<std::size_t>(rows.buffer)].columns;
  };
  LaunchShape shape =
      shape_of(asked.program.plan, asked.program.launches, *asked.launch, images, limits);
  shape.shape.overlaps = false;  // as for the other parts: each launch by itself
  AttendArgs args = attend_args(buffers, op, images);
  args.cut = plan_attention(kernel_of(op), args,
                            {static_cast<std::size_t>(limits.shared_bytes), limits.processors})
                 .cut;
  args.q = place(op.q);
  args.k = place(op.k);
  args.v = place(op.v);
  args.out = place(op.out);
  if (op.temperature != kNone) args.temperature = begin(op.temperature);
  if (op.filter != kNone) args.local_weight = begin(op.filter);
  return [&device, shape, args] { device.launch(shape.kernel, shape.shape, args); };
}

// Tokens as many as tensor cores want.
void time_peers_of_attention(cuda::Device& device, const AttentionShape& of, int64_t images,
                             uint32_t times, PartTimes& found) {
  constexpr int64_t kStep = 8;
  const int64_t heads = images * of.heads, d = of.head_dim;
  const int64_t tokens = (of.keys + kStep - 1) / kStep * kStep;
  const PartTime part = {"attention", images, concat(heads, " heads of ", tokens, " tokens x ", d)};
  time_peers(device, part, "K^T V, Q (K^T V)", {{heads, d, d, tokens}, {heads, tokens, d, d}},
             times, found);
  time_peers(device, part, "Q K^T, P V", {{heads, tokens, tokens, d}, {heads, tokens, d, tokens}},
             times, found);
}

}  // namespace

void time_attention(cuda::Device& device, int64_t images, uint32_t times, PartTimes& found) {
  const Limits limits = {device.description().shared_bytes_per_block,
                         device.description().multiprocessors};
  AttentionShape of = {};
  for (const Form& form : kForms) {
    const Asked asked = asked_for(form, limits);
    of = attend_args(asked.program.launches.buffers,
                     std::get<AttendLaunch>(asked.launch->kind).attend, images)
             .shape;
    found.list.push_back(
        {"attention", images,
         concat(images * of.heads, " heads of ", of.keys, " tokens x ", of.head_dim), form.name,
         static_cast<double>(images) * asked.terms,
         seconds_of(device, times, [&](GpuOperands& operands) {
           return launch_of(device, operands, asked, images, limits);
         })});
  }
  time_peers_of_attention(device, of, images, times, found);
}

}  // namespace shiftadd::tools
