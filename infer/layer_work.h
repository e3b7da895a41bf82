// What each layer of a forward pass computes and moves.
#pragma once

#include <cstdint>
#include <vector>

#include "infer/layer_times.h"

namespace shiftadd::infer {

/// Of one image, as this engine runs it: in the last block, rows that nothing reads are left out.
struct LayerWork {
  int64_t block;  // spec.depth: outside of the blocks
  LayerPart part;
  bool multiplication_free = false;  // adds or shifts, or (a router's layer) lets some tokens shift
  /// Terms of its sums, each a multiplication, an addition or a shift with an addition: of
  /// floats, of floats rounded to bf16, and of integers. Norms, softmax and GELU have none.
  int64_t float_terms = 0, bf16_terms = 0, integer_terms = 0;
  int64_t terms() const { return float_terms + bf16_terms + integer_terms; }
  /// Weights as they lie in memory; activations in and out of each product and the residual, as
  /// float32, each once.
  int64_t bytes = 0;
};

struct Network;

/// In the order of the forward pass. shift_shares: of the tokens at each of router_names(spec).
std::vector<LayerWork> layer_work(const Network& network, const std::vector<double>& shift_shares);

}  // namespace shiftadd::infer
