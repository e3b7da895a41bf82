// Chooses the attention kernel for a block's kind and codes, and calls it.
#include "infer/attention.h"

#include <cmath>

namespace shiftadd::infer {
namespace {

LocalShape local_of(const ModelSpec& spec) {
  const int64_t grid = spec.grid();  // behind the class token, which stays outside
  if (spec.shift_add.local == LocalKind::kTokenConv) return {1, kTokenTaps, 1, grid * grid, 1};
  return {kPatchTaps, kPatchTaps, grid, grid, 1};
}

void attend_linear(const ModelSpec& spec, bool codes, const AttentionInput& input, float* out) {
  const Codes kind = codes ? spec.shift_add.codes : Codes::kNone;
  const bool unit = kind == Codes::kUnitHead || kind == Codes::kUnitBatch;
  const auto kernel = kind != Codes::kSign ? kernels<float>().linear_angular
                      : spec.shift_add.values == ValueFormat::kInt8
                          ? kernels<float>().dot_attention
                          : kernels<float>().add_attention;
  kernel({.shape = input.shape,
          .codes = kind,
          .value = codes ? spec.shift_add.values : ValueFormat::kFloat,
          .local = local_of(spec),
          .q = input.q,
          .k = input.k,
          .v = input.v,
          .local_weight = input.local_weight,
          .thresholds = unit ? input.thresholds : nullptr,
          .out = out});
}

}  // namespace

bool needs_all_queries(const ModelSpec& spec, const BlockKinds& block) {
  return block.attention == AttentionKind::kLinearAdd && spec.shift_add.codes != Codes::kSign;
}

bool attends_in_integers(const ModelSpec& spec, const PackSpec& pack, const BlockKinds& block) {
  if (block.is_linear())
    return block.attention == AttentionKind::kLinearAdd && spec.shift_add.codes == Codes::kSign &&
           spec.shift_add.values == ValueFormat::kInt8;
  return pack.int8_attention && spec.tokens() <= kMostInt8Keys;
}

void attend(const ModelSpec& spec, const PackSpec& pack, const BlockKinds& block,
            const AttentionInput& input, float* out) {
  if (!block.is_linear() && attends_in_integers(spec, pack, block))
    return kernels<float>().int8_attention(
        {.shape = input.shape,
         .scale = 1 / std::sqrt(static_cast<double>(input.shape.head_dim)),
         .codes = block.attention == AttentionKind::kSoftmaxAdd,
         .q = input.q,
         .k = input.k,
         .v = input.v,
         .out = out});
  switch (block.attention) {
    case AttentionKind::kSoftmax:
      return kernels<float>().attention(
          {.shape = input.shape,
           .scale = 1 / std::sqrt(static_cast<double>(input.shape.head_dim)),
           .q = input.q,
           .k = input.k,
           .v = input.v,
           .out = out,
           .log_sum_exp = nullptr});
    case AttentionKind::kSoftmaxAdd:
      return kernels<float>().popcount_attention({.shape = input.shape,
                                                  .value = spec.shift_add.values,
                                                  .q = input.q,
                                                  .k = input.k,
                                                  .v = input.v,
                                                  .out = out,
                                                  .log_sum_exp = nullptr});
    case AttentionKind::kLinear:
    case AttentionKind::kLinearAdd:
      return attend_linear(spec, block.attention == AttentionKind::kLinearAdd, input, out);
  }
}

}  // namespace shiftadd::infer
