// Makes the modules of each level, and runs them: a vision transformer (Dosovitskiy et al. 2021;
// Touvron et al. 2021), or a pyramid of several levels.
#include "layers/model.h"

#include "autograd/ops.h"
#include "layers/block.h"
#include "layers/convolution.h"
#include "layers/linear.h"

namespace shiftadd::layers {
namespace {

constexpr uint64_t kInitStream = 0x1417;  // apart from every training stream

}  // namespace

// An embedding, and the blocks behind it.
class Model::Level : public Module {
 public:
  // first: the number of its first block; input: the grid that its patches are cut from.
  Level(const LevelSpec& spec, const Grid& input, int64_t first, const ShiftAddSpec& options,
        Random& random)
      : input_(input), first_(first), positioned_(spec.positioned_prefix()) {
    const int64_t width = spec.width();
    const auto tokens = [&](const std::string& name, int64_t count) {
      if (!name.empty())
        front_.push_back(add_parameter(name, normal_weights({1, count, width}, random)));
    };
    tokens(spec.class_token, 1);
    tokens(spec.distillation_token, 1);
    tokens(spec.registers, spec.register_count);
    if (!spec.positions.empty())
      positions_ =
          add_parameter(spec.positions, normal_weights({1, spec.position_rows(), width}, random));
    patches_ = add_module(std::make_unique<Convolution>(spec.patches, random));
    if (spec.patch_norm) patch_norm_ = add_module(std::make_unique<LayerNorm>(*spec.patch_norm));
    if (spec.token_norm) token_norm_ = add_module(std::make_unique<LayerNorm>(*spec.token_norm));
    for (const BlockSpec& block : spec.blocks)
      blocks_.push_back(add_module(std::make_unique<Block>(block, first++, options, random)));
    if (spec.norm) norm_ = add_module(std::make_unique<LayerNorm>(*spec.norm));
  }

  int64_t end() const { return first_ + static_cast<int64_t>(blocks_.size()); }
  const Block& block(int64_t index) const {
    return *blocks_[static_cast<std::size_t>(index - first_)];
  }

  Variable embed_images(const Variable& images) const { return embed(patches_->of_images(images)); }
  Variable embed_tokens(const Variable& tokens) const {
    return embed(patches_->of_tokens(tokens, input_));
  }
  Variable finish(const Variable& tokens) const { return norm_ ? norm_->forward(tokens) : tokens; }

 private:
  Variable embed(Variable patches) const {
    if (patch_norm_) patches = patch_norm_->forward(patches);
    const Variable tokens = with_front(patches);
    return token_norm_ ? token_norm_->forward(tokens) : tokens;
  }
  // The tokens before the patches, and the positions of those that have some.
  Variable with_front(const Variable& patches) const {
    if (front_.size() == 1 && positioned_ == front_[0].dim(1) && positioned_ == 1 &&
        positions_.defined())
      return autograd::prepend_token(front_[0], patches, positions_);
    Variable x = patches;
    if (positions_.defined()) x = add_positions(x, positioned_, x.dim(1));
    int64_t at = 0;
    for (const Variable& tokens : front_) at += tokens.dim(1);
    for (auto tokens = front_.rbegin(); tokens != front_.rend(); ++tokens) {
      const int64_t count = tokens->dim(1);
      at -= count;
      const bool has_some = positions_.defined() && at < positioned_;
      x = autograd::prepend_tokens(has_some ? add_positions(*tokens, at, count) : *tokens, x);
    }
    return x;
  }
  Variable add_positions(const Variable& tokens, int64_t first, int64_t count) const {
    const Variable rows = autograd::take_tokens(positions_, first, count);
    return autograd::add_broadcast(tokens, autograd::reshape(rows, {count, rows.dim(2)}));
  }

  Grid input_;
  int64_t first_;
  int64_t positioned_;           // tokens before the patches that have positions
  std::vector<Variable> front_;  // class token, distillation token, registers
  Variable positions_;
  Convolution* patches_;
  LayerNorm *patch_norm_ = nullptr, *token_norm_ = nullptr;
  std::vector<Block*> blocks_;
  LayerNorm* norm_ = nullptr;
};

Model::Model(const ModelSpec& spec, const ModelOptions& options, uint64_t seed)
    : Model((validate(spec), network_of(spec)), options, seed) {
  spec_ = spec;
}

Model::Model(const Network& network, const ModelOptions& options, uint64_t seed)
    : network_(network), options_(options) {
  validate(network);
  if (!(options.dropout >= 0 && options.dropout < 1 && options.drop_path >= 0 &&
        options.drop_path < 1))
    throw user_error("[model] dropout is ", options.dropout, ", drop_path is ", options.drop_path,
                     ": expected 0 <= rate < 1");
  Random random(seed, kInitStream);
  Grid input = network.image;
  int64_t first = 0;
  for (const LevelSpec& level : network.levels) {
    levels_.push_back(
        add_module(std::make_unique<Level>(level, input, first, network.options, random)));
    first = levels_.back()->end();
    input = level.grid;
  }
  if (network.norm) norm_ = add_module(std::make_unique<LayerNorm>(*network.norm));
  if (network.fc_norm) fc_norm_ = add_module(std::make_unique<LayerNorm>(*network.fc_norm));
  const auto linear = [&](const std::optional<LinearSpec>& layer) {
    return layer ? add_module(std::make_unique<Linear>(*layer, random)) : nullptr;
  };
  pre_logits_ = linear(network.pre_logits);
  projection_ = linear(network.projection);
  head_ = linear(network.head);
  distilled_head_ = linear(network.distilled_head);
}

Model::~Model() = default;

const ModelSpec& Model::spec() const {
  if (!spec_) throw failure("[model] this network was made without a ModelSpec");
  return *spec_;
}

int64_t Model::answers(int64_t i) const { return rows_answered(network_, i, true); }

std::size_t Model::level_of(int64_t block) const {
  for (std::size_t level = 0; level < levels_.size(); ++level)
    if (block < levels_[level]->end()) return level;
  throw failure("[model] the network has no block ", block);
}

Variable Model::embed(const Variable& images, const Context& context) const {
  const Grid& size = network_.image;
  const Shape expected{images.defined() && images.value().rank() ? images.dim(0) : 1,
                       network_.channels, size.height, size.width};
  if (!images.defined() || images.shape() != expected)
    throw user_error("[model] images are ", images.defined() ? images.shape() : Shape{},
                     ": expected ", expected);
  const Variable x = levels_.front()->embed_images(images);
  if (!context.training) return x;
  return autograd::dropout(x, options_.dropout, context.seed,
                           stream_of(context.stream, network_.depth()));
}

Variable Model::run_block(int64_t i, const Variable& tokens, const Context& context) const {
  const int64_t depth = network_.depth();
  const double drop_path =
      options_.drop_path *
      (depth > 1 ? static_cast<double>(i) / static_cast<double>(depth - 1) : 1);
  const std::size_t level = level_of(i);
  const Variable x = levels_[level]->block(i).forward(tokens, context, options_.dropout, drop_path,
                                                      context.traces ? tokens.dim(1) : answers(i));
  if (i + 1 < levels_[level]->end()) return x;
  const Variable last = levels_[level]->finish(x);
  return level + 1 < levels_.size() ? levels_[level + 1]->embed_tokens(last) : last;
}

Variable Model::attend(int64_t i, const Variable& normed, int64_t queries,
                       const Context& context) const {
  return levels_[level_of(i)]->block(i).attend(normed, queries, context);
}

Variable Model::forward(const Variable& images, const Context& context) const {
  if (autograd::recording()) {
    // Gradients stay from step to step: allocated before the first activations, they do not split
    // the arena that the activations use again each step.
    for (const auto& [name, parameter] : named_parameters()) {
      if (parameter.requires_grad()) autograd::accumulator_of(parameter);
    }
  }
  Variable x = embed(images, context);
  // A block computed twice would route its tokens twice.
  const bool checkpointed = options_.checkpoint_blocks && !context.routings;
  for (int64_t i = 0; i < network_.depth(); ++i) {
    const auto block = [=, this](const Variable& in) { return run_block(i, in, context); };
    x = checkpointed ? autograd::checkpoint(block, x) : block(x);
    if (context.tokens) context.tokens->push_back(x);
  }
  Variable y = pooled(x);
  if (distilled_head_) {
    const Variable first = (*head_)(autograd::select_token(y, 0)),
                   second = (*distilled_head_)(autograd::select_token(y, 1));
    return autograd::scale(autograd::add(first, second), 0.5);
  }
  if (fc_norm_) y = fc_norm_->forward(y);
  if (pre_logits_) y = autograd::tanh((*pre_logits_)(y));
  if (projection_) y = (*projection_)(y);
  return head_ ? (*head_)(y) : y;
}

// What is read of the tokens, behind the norm: (B, width), or of a distilled network both tokens'
// rows (B, 2, width).
Variable Model::pooled(const Variable& tokens) const {
  const auto normed = [this](const Variable& x) { return norm_ ? norm_->forward(x) : x; };
  if (distilled_head_) return normed(autograd::take_tokens(tokens, 0, 2));
  if (network_.pooling == Pooling::kClassToken)
    return normed(tokens.dim(1) == 1 ? autograd::reshape(tokens, {tokens.dim(0), tokens.dim(2)})
                                     : autograd::select_token(tokens, 0));
  const Variable x = normed(tokens);
  const int64_t prefix = network_.levels.back().prefix();
  const Variable mean =
      autograd::mean_tokens(prefix ? autograd::take_tokens(x, prefix, x.dim(1) - prefix) : x);
  return network_.pooling == Pooling::kMean
             ? mean
             : autograd::concat_channels(autograd::select_token(x, 0), mean);
}

}  // namespace shiftadd::layers
