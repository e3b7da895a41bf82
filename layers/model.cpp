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
      : input_(input), first_(first) {
    const int64_t width = spec.width();
    if (spec.prefix())
      class_token_ = add_parameter(spec.class_token, normal_weights({1, 1, width}, random));
    if (!spec.positions.empty())
      positions_ = add_parameter(spec.positions, normal_weights({1, spec.tokens(), width}, random));
    patches_ = add_module(std::make_unique<Convolution>(spec.patches, random));
    if (spec.patch_norm) patch_norm_ = add_module(std::make_unique<LayerNorm>(*spec.patch_norm));
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
    if (class_token_.defined()) return autograd::prepend_token(class_token_, patches, positions_);
    if (!positions_.defined()) return patches;
    return autograd::add_broadcast(
        patches, autograd::reshape(positions_, {positions_.dim(1), positions_.dim(2)}));
  }

  Grid input_;
  int64_t first_;
  Variable class_token_, positions_;
  Convolution* patches_;
  LayerNorm* patch_norm_ = nullptr;
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
  const LinearSpec& head = network.head;
  head_ = add_module(std::make_unique<Linear>(head.name, head.in, head.out, random));
}

Model::~Model() = default;

const ModelSpec& Model::spec() const {
  if (!spec_) throw failure("[model] this network was made without a ModelSpec");
  return *spec_;
}

bool Model::class_token_only(int64_t i) const { return answers_class_token(network_, i, true); }

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
                                                      class_token_only(i) && !context.traces);
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
  const auto normed = [this](const Variable& tokens) {
    return norm_ ? norm_->forward(tokens) : tokens;
  };
  if (network_.readout == Readout::kMean) return (*head_)(autograd::mean_tokens(normed(x)));
  const Variable row =
      x.dim(1) == 1 ? autograd::reshape(x, {x.dim(0), x.dim(2)}) : autograd::select_token(x, 0);
  return (*head_)(normed(row));
}

}  // namespace shiftadd::layers
