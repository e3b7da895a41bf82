// The forward pass of a few images on one arena.
#pragma once

#include <cstdint>

#include "infer/layer_times.h"
#include "infer/plan.h"
#include "infer/weights.h"
#include "model/network.h"

namespace shiftadd::infer {

struct Network {
  const ModelSpec& spec;
  const PackSpec& pack;
  const VitWeights& weights;
  const VitPlan& plan;
  int64_t choices;                 // of one image: routed_tokens
  double shift_share = kAsRouted;  // of every router
};

/// images: count * in_channels * S * S floats, count <= plan.images; logits: count * classes;
/// arena: plan.floats. choices: (count, network.choices) or null, see Session::run. times: of
/// spec.depth + 1, or null.
void forward(const Network& network, const float* images, int64_t count, float* logits,
             uint8_t* choices, float* arena, LayerTimes* times);

}  // namespace shiftadd::infer
