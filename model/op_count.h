// Multiplications, additions, shifts, bytes and energy of a network, layer by layer.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "model/energy.h"
#include "model/network.h"

namespace shiftadd {

/// What one image costs, batch 1. A product of which one operand is a code is additions; of which
/// the weights are powers of two, shifts and additions; all others, router, token_conv, patch
/// embedding, head and both products of softmax attention included, are multiplications and
/// additions.
struct OpCounts {
  int64_t multiplications = 0, additions = 0, shifts = 0;
  /// Scales, normalisations, exponentials, GELUs, quantisations: one per value each.
  int64_t other = 0;
  /// Weights, inputs and outputs, each read or written once, in the deployed formats.
  double bytes = 0;
  /// By unit costs alone: float32 multiplications 3.7 and additions 0.9 pJ, integer ones where the
  /// operands are integers.
  double unit_millijoules = 0;
  /// By the Eyeriss-like model (energy.h).
  EnergyEstimate eyeriss;

  OpCounts& operator+=(const OpCounts& other);
};

struct LayerCost {
  std::string name;  // "blocks.0.mlp.experts.1.fc1"
  OpCounts counts;
};

struct ModelCost {
  std::vector<LayerCost> layers;
  OpCounts total;
  double weight_bytes = 0;  // deployed_bytes
};

/// Bytes of the weights as deployed: 4 bits a Shift weight and 16 a row (or 5 and none), all else
/// float32.
double deployed_bytes(const Network& network);

/// What the authors' released code miscounts, each behind a switch for comparison with published
/// figures; all off by default.
struct PublishedMiscounts {
  bool every_add_as_the_first = false;       // each MatAdd is charged the first one's energy
  bool softmax_products_free = false;        // q k^T and probabilities times v are not counted
  bool elementwise_latency_missing = false;  // the gate's product takes no time
};

/// `shift_shares`: for each of router_names(spec), the share of tokens its Shift expert gets,
/// measured in evaluation; empty where there is no router, unused where the split is fixed. Every
/// token of every block is counted, although an engine may skip the last block's. A patch embedding
/// is counted as the product it is (kernel = stride). Throws Error (user) when the number of shares
/// or one of them is wrong, and for a network of more than 9e18 operations.
ModelCost count_operations(const Network& network, const std::vector<double>& shift_shares = {},
                           const PublishedMiscounts& miscounts = {});
ModelCost count_operations(const ModelSpec& spec, const std::vector<double>& shift_shares = {},
                           const PublishedMiscounts& miscounts = {});

/// {"layers": [...], "total": {...}, "weight_bytes": ...}.
nlohmann::ordered_json to_json(const ModelCost& cost);
/// A table for people: a line a layer, totals last.
std::string to_text(const ModelCost& cost);

}  // namespace shiftadd
