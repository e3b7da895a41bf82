// The attention of one block, whichever kind it is.
#pragma once

#include "core/kernels.h"
#include "model/pack.h"

namespace shiftadd::infer {

/// Queries, keys and values somewhere in memory (AttentionArgs' strides).
struct AttentionInput {
  AttentionShape shape;
  const float *q, *k, *v;
  const float* local_weight;  // linear attention's filter (heads, kernel_h, kernel_w), or null
  float* thresholds;          // room for (2, batch, heads) where the codes are unit codes
};

/// Linear attention with unit codes: their mean runs over all tokens' queries.
bool needs_all_queries(const ModelSpec& spec, const BlockKinds& block);

/// Whether its two products are of integers: attend takes a kernel of int8.
bool attends_in_integers(const ModelSpec& spec, const PackSpec& pack, const BlockKinds& block);

/// Evaluation's kernels: those whose products with codes only add.
void attend(const ModelSpec& spec, const PackSpec& pack, const BlockKinds& block,
            const AttentionInput& input, float* out);

}  // namespace shiftadd::infer
