// Routes tokens, and runs each expert of a mixture on its own: the CPU's steps Route and Experts.
#include <algorithm>

#include "core/parallel.h"
#include "infer/cpu_steps.h"

namespace shiftadd::infer {

void CpuSteps::operator()(const Route& op) {
  ChoiceSink sink = {nullptr, choice_stride_, op.in.rows};
  if (choices_) sink.to = choices_ + op.first_choice;
  const Linear* router = op.router == kNone ? nullptr : &matrix(op.router);
  float* gates = op.gates == kNone ? nullptr : begin(op.gates);
  first_ = route(router, at(op.in), count_ * op.in.rows, op.gate, shift_share_,
                 reinterpret_cast<int32_t*>(begin(op.order)), gates, sink);
}

MlpLayers CpuSteps::mlp(const Experts& op, int expert) const {
  return {matrix(op.fc1[expert]), matrix(op.fc2[expert]), op.activation};
}

void CpuSteps::operator()(const Experts& op) {
  const Routed routed = {.order = reinterpret_cast<const int32_t*>(begin(op.order)),
                         .gates = op.gates == kNone ? nullptr : begin(op.gates),
                         .rows = count_ * op.in.rows,
                         .first = first_};
  const auto in_integers = [&](int expert) { return mlp(op, expert).in_integers(); };
  if (op.is_mlp() && in_integers(kMultExpert) && in_integers(kShiftExpert))
    run_mlps_by_index(op, routed);
  else
    run_gathered(op, routed);
}

// Tokens are quantised once and read by index, and a few of an expert's go through both layers and
// back to their places at a time.
void CpuSteps::run_mlps_by_index(const Experts& op, const Routed& routed) {
  const int64_t width = op.in.columns, rows = routed.rows, first = routed.first;
  const int64_t between = matrix(op.fc1[0]).outputs(), gated = matrix(op.fc2[0]).inputs(),
                answers = op.out.columns;
  const QuantizedRows tokens = quantized(scratch_->token_integers, scratch_->token_scales),
                      scratch = quantized(scratch_->integers, scratch_->scales);
  const int64_t widest = std::max(width, gated);
  kernels<float>().quantize_tokens(
      {rows, width, at(op.in), tokens.scales, nullptr, nullptr, tokens.values});
  const int64_t blocks_first = (first + kExpertRows - 1) / kExpertRows;
  const int64_t blocks = blocks_first + (rows - first + kExpertRows - 1) / kExpertRows;
  parallel_for(blocks, [&](int64_t block) {
    const bool shifts = block >= blocks_first;
    const int64_t begin =
        shifts ? first + (block - blocks_first) * kExpertRows : block * kExpertRows;
    const int64_t end = std::min(begin + kExpertRows, shifts ? rows : first);
    const int expert = shifts ? kShiftExpert : kMultExpert;
    float* outputs = arena_ + scratch_->outputs;
    run_expert(mlp(op, expert), tokens, routed.order + begin, end - begin,
               outputs + begin * answers,
               {arena_ + scratch_->hidden + begin * between,
                arena_ + scratch_->gated + begin * gated,
                {{scratch.values + begin * widest, scratch.scales + begin}}});
    scatter_rows(routed, begin, end, answers, op.gate, outputs,
                 op.residual.defined() ? at(op.residual) : nullptr, at(op.out));
  });
}

// Tokens are copied in the order of their experts; an MLP answers in place.
void CpuSteps::run_gathered(const Experts& op, const Routed& routed) {
  const int64_t width = op.in.columns, answers = op.out.columns;
  float* gathered = arena_ + scratch_->gathered;
  float* outputs = op.is_mlp() ? gathered : arena_ + scratch_->outputs;
  gather(routed, at(op.in), width, gathered);
  for (const int expert : {kMultExpert, kShiftExpert}) {
    const int64_t begin = expert == kMultExpert ? 0 : routed.first;
    const int64_t rows = (expert == kMultExpert ? routed.first : routed.rows) - begin;
    if (rows == 0) continue;
    float *in = gathered + begin * width, *out = outputs + begin * answers;
    const LinearScratch scratch = {quantized(scratch_->integers, scratch_->scales), in};
    if (op.is_mlp())
      run_mlp(mlp(op, expert), in, rows, out, nullptr, mlp_scratch(scratch));
    else
      apply(matrix(op.fc1[expert]), in, rows, out, scratch);
  }
  scatter(routed, answers, op.gate, outputs, op.residual.defined() ? at(op.residual) : nullptr,
          at(op.out));
}

}  // namespace shiftadd::infer
