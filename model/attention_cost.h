// What the attention of a block costs.
#pragma once

#include "model/cost_ledger.h"

namespace shiftadd {

/// Adds everything between the projections of q, k and v and that of the output, for all tokens.
void count_attention(CostLedger& ledger, const BlockSpec& block);

}  // namespace shiftadd
