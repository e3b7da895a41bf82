// Walks through the layers of a loaded network, and counts the terms and bytes of each.
#include "infer/layer_work.h"

#include <cmath>
#include <utility>

#include "infer/attention.h"
#include "infer/forward.h"

namespace shiftadd::infer {
namespace {

constexpr int64_t kFloat = sizeof(float);

class Counter {
 public:
  Counter(const Network& network, const std::vector<double>& shares)
      : network_(network), spec_(network.spec), shares_(shares), block_(spec_.depth) {}

  std::vector<LayerWork> run() {
    const VitWeights& weights = network_.weights;
    const int64_t patches = spec_.tokens() - 1;
    LayerWork& embedding = add(LayerPart::kPatches);
    product(embedding, weights.patch_embed, patches);
    residual(embedding, patches);  // the positions
    for (block_ = 0; block_ < spec_.depth; ++block_) block();
    norm(LayerPart::kNorm, 1);
    product(add(LayerPart::kHead), weights.head, 1);
    return std::move(layers_);
  }

 private:
  LayerWork& add(LayerPart part, bool multiplication_free = false) {
    return layers_.emplace_back(
        LayerWork{.block = block_, .part = part, .multiplication_free = multiplication_free});
  }

  void product(LayerWork& work, const Linear& linear, int64_t rows) {
    if (rows == 0) return;
    const int64_t inputs = linear.inputs(), outputs = linear.outputs();
    (linear.in_integers()                      ? work.integer_terms
     : linear.weight.unit() != Bf16Unit::kNone ? work.bf16_terms
                                               : work.float_terms) += rows * inputs * outputs;
    work.bytes += linear.in_integers() ? linear.integers.panels.numel() + kFloat * outputs
                                       : linear.weight.bytes();
    work.bytes += kFloat * (outputs + rows * (inputs + outputs));  // bias, activations
  }
  void residual(LayerWork& work, int64_t rows) { work.bytes += kFloat * rows * spec_.width; }
  void router(LayerWork& work, const Linear& router, int64_t rows) {
    if (spec_.shift_add.gate != GateKind::kFixedSplit) product(work, router, rows);
  }
  int64_t next_shifted(int64_t rows) {
    return std::llround(shares_[router_++] * static_cast<double>(rows));
  }

  // Adds one entry for a layer, or for a router and both experts.
  void linear(LayerPart part, LayerKind kind, const Mixture<Linear>& layer, int64_t rows) {
    LayerWork& work = add(part, kind != LayerKind::kMultiply);
    if (!layer.routed) return product(work, layer.experts[0], rows);
    const int64_t shifted = next_shifted(rows);
    router(work, layer.router, rows);
    product(work, layer.experts[kMultExpert], rows - shifted);
    product(work, layer.experts[kShiftExpert], shifted);
  }

  void norm(LayerPart part, int64_t rows) {
    add(part).bytes = kFloat * spec_.width * (2 + 2 * rows);
  }

  void attention(const BlockKinds& kinds, const Block& block, int64_t answers) {
    const bool adds = kinds.attention == AttentionKind::kSoftmaxAdd ||
                      kinds.attention == AttentionKind::kLinearAdd;
    LayerWork& work = add(LayerPart::kAttention, adds);
    const int64_t n = spec_.tokens(), width = spec_.width;
    // The terms are those of q k^T and its product with v, or of k^T v and its product with q.
    (attends_in_integers(spec_, network_.pack, kinds) ? work.integer_terms : work.float_terms) =
        kinds.is_linear() ? (n + answers) * spec_.head_dim() * width : 2 * answers * n * width;
    work.bytes = kFloat * width * (2 * answers + 2 * n);  // queries, output; keys, values
    if (!kinds.is_linear()) return;
    const int64_t taps = block.local.numel() / spec_.heads;  // the class token has no neighbours
    work.float_terms += (answers - 1) * taps * width;
    work.bytes += kFloat * block.local.numel();
  }

  void mlp(const BlockKinds& kinds, const Mixture<Mlp>& mlp, int64_t rows) {
    if (!mlp.routed) {
      const bool shifts = kinds.mlp == LayerKind::kShift;
      product(add(LayerPart::kFc1, shifts), mlp.experts[0].fc1, rows);
      LayerWork& second = add(LayerPart::kFc2, shifts);
      product(second, mlp.experts[0].fc2, rows);
      return residual(second, rows);
    }
    const int64_t shifted = next_shifted(rows);
    router(add(LayerPart::kRouter), mlp.router, rows);
    const auto expert = [&](LayerPart part, const Mlp& layers, int64_t tokens) {
      LayerWork& work = add(part, part == LayerPart::kShiftExpert);
      product(work, layers.fc1, tokens);
      product(work, layers.fc2, tokens);
      residual(work, tokens);
    };
    expert(LayerPart::kMultExpert, mlp.experts[kMultExpert], rows - shifted);
    expert(LayerPart::kShiftExpert, mlp.experts[kShiftExpert], shifted);
  }

  void block() {
    const Block& weights = network_.weights.blocks[static_cast<std::size_t>(block_)];
    const BlockKinds kinds = spec_.block(block_);
    const int64_t tokens = spec_.tokens();
    const int64_t answers = answers_class_token(spec_, block_, false) ? 1 : tokens;
    norm(LayerPart::kNorm1, tokens);
    linear(LayerPart::kQkv, kinds.qkv, weights.qkv, tokens);
    if (splits_query(spec_, block_)) product(layers_.back(), weights.query, 1);
    attention(kinds, weights, answers);
    linear(LayerPart::kProj, kinds.proj, weights.proj, answers);
    residual(layers_.back(), answers);
    norm(LayerPart::kNorm2, answers);
    mlp(kinds, weights.mlp, answers);
  }

  const Network& network_;
  const ModelSpec& spec_;
  const std::vector<double>& shares_;
  int64_t block_;
  std::size_t router_ = 0;  // the next one, in the order of router_names
  std::vector<LayerWork> layers_;
};

}  // namespace

std::vector<LayerWork> layer_work(const Network& network, const std::vector<double>& shift_shares) {
  return Counter(network, shift_shares).run();
}

}  // namespace shiftadd::infer
