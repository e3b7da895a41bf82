// Where the forward pass keeps its intermediate values: one arena, planned before the first image.
#pragma once

#include <cstdint>
#include <vector>

#include "model/pack.h"

namespace shiftadd::infer {

/// A buffer of `floats` that must hold its values from step `first` to step `last`, both included.
struct BufferRequest {
  int64_t floats;
  int first, last;
};

/// Offsets in floats, each a multiple of a cache line; buffers whose steps overlap never share
/// memory.
struct MemoryPlan {
  std::vector<int64_t> offsets;  // of the requests, in their order
  int64_t floats = 0;            // size of the arena
};

/// Largest first, each at the lowest place that is free during its steps. O(n^2).
MemoryPlan plan_memory(const std::vector<BufferRequest>& requests);

/// The arena of a vision transformer's forward pass over `images` images at once; offsets in
/// floats. With B images, N tokens, P patches, width D; what a network has no use for takes no
/// room:
struct VitPlan {
  int64_t images = 0;
  int64_t patches = 0;   // (B, P, channels * patch^2)
  int64_t x = 0;         // (B, N, D): the residual stream
  int64_t normed1 = 0;   // (B, N, D)
  int64_t qkv = 0;       // (B, N, 3 D); where the query is split off, k and v (B, N, 2 D)
  int64_t class_q = 0;   // (B, D): the last block's only queries
  int64_t attended = 0;  // (B, N, D)
  int64_t normed2 = 0;   // (B, N, D)
  int64_t hidden = 0;    // (B, N, mlp_hidden)
  int64_t class_x = 0;   // (B, D): the residual stream of the class token after the last attention
  int64_t class_normed = 0;  // (B, D): its norms, before the last attention and at the end
  // Of attention on unit codes:
  int64_t thresholds = 0;  // (2, B, heads)
  // Of int8 activations:
  int64_t quantized = 0;  // int8 (B, N, D or mlp_hidden)
  int64_t scales = 0;     // (B, N)
  // Of mixtures: tokens sorted by expert, and what the experts make of them (the MLP's: in place).
  int64_t logits = 0;         // (B, N, 2)
  int64_t order = 0;          // int32 (B, N)
  int64_t qkv_gathered = 0;   // (B, N, D)
  int64_t qkv_outputs = 0;    // (B, N, 3 D)
  int64_t proj_gathered = 0;  // (B, N, D)
  int64_t proj_outputs = 0;   // (B, N, D)
  int64_t mlp_gathered = 0;   // (B, N, D)
  int64_t mlp_codes = 0;      // int8 (B, N, D)
  int64_t mlp_scales = 0;     // (B, N)
  int64_t floats = 0;
};
VitPlan plan_vit(const ModelSpec& spec, const PackSpec& pack, int64_t images);

}  // namespace shiftadd::infer
