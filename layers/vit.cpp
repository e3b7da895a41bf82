// The vision transformer (Dosovitskiy et al. 2021; Touvron et al. 2021).
#include "layers/vit.h"

#include <cmath>

#include "autograd/ops.h"
#include "layers/block.h"
#include "layers/linear.h"

namespace shiftadd::layers {
namespace {

constexpr uint64_t kInitStream = 0x1417;  // apart from every training stream

class PatchEmbedding : public Module {
 public:
  // torch's default for convolutions: uniform in +-1/sqrt(fan in), weight and bias.
  PatchEmbedding(const PatchSpec& spec, Random& random) {
    proj_ = add_module("proj", std::make_unique<Projection>(spec, random));
  }
  Variable forward(const Variable& images) const {
    return autograd::patch_embed(images, proj_->weight, proj_->bias);
  }

 private:
  struct Projection : Module {
    Projection(const PatchSpec& spec, Random& random) {
      const Shape shape{spec.width, spec.channels, spec.size, spec.size};
      const double bound = 1 / std::sqrt(static_cast<double>(spec.inputs()));
      const auto uniform = [&](Shape of) {
        Tensor result(std::move(of));
        for (float& x : result.span<float>()) x = static_cast<float>(random.uniform(-bound, bound));
        return result;
      };
      weight = add_parameter("weight", uniform(shape));
      bias = add_parameter("bias", uniform({spec.width}));
    }
    Variable weight, bias;
  };
  Projection* proj_;
};

}  // namespace

struct Vit::Layers {
  Variable class_token, positions;
  PatchEmbedding* patch_embed;
  std::vector<Block*> blocks;
  LayerNorm* norm;
  Linear* head;
};

Vit::Vit(const ModelSpec& spec, const VitOptions& options, uint64_t seed)
    : spec_(spec), options_(options), layers_(std::make_unique<Layers>()) {
  validate(spec);
  const Network network = network_of(spec);
  const LevelSpec& level = network.levels.front();
  if (!(options.dropout >= 0 && options.dropout < 1 && options.drop_path >= 0 &&
        options.drop_path < 1))
    throw user_error("[vit] dropout is ", options.dropout, ", drop_path is ", options.drop_path,
                     ": expected 0 <= rate < 1");
  Random random(seed, kInitStream);
  Layers& l = *layers_;
  l.class_token = add_parameter(level.class_token, normal_weights({1, 1, spec.width}, random));
  l.positions =
      add_parameter(level.positions, normal_weights({1, level.tokens(), spec.width}, random));
  l.patch_embed =
      add_module("patch_embed", std::make_unique<PatchEmbedding>(level.patches, random));
  for (int64_t i = 0; i < spec.depth; ++i) {
    const BlockSpec& block = block_at(network, i);
    l.blocks.push_back(
        add_module(block.name, std::make_unique<Block>(block, i, network.options, random)));
  }
  const NormSpec& norm = network.norm;
  l.norm = add_module(norm.name, std::make_unique<LayerNorm>(norm.width, norm.eps));
  const LinearSpec& head = network.head;
  l.head = add_module(head.name, std::make_unique<Linear>(head.in, head.out, random));
}

Vit::~Vit() = default;

bool Vit::class_token_only(int64_t i) const {
  return i + 1 == spec_.depth && spec_.block(i).mlp != LayerKind::kMixture;
}

Variable Vit::embed(const Variable& images, const Context& context) const {
  const Shape expected{images.defined() && images.value().rank() ? images.dim(0) : 1,
                       spec_.in_channels, spec_.image_size, spec_.image_size};
  if (!images.defined() || images.shape() != expected)
    throw user_error("[vit] images are ", images.defined() ? images.shape() : Shape{},
                     ": expected ", expected);
  const Layers& l = *layers_;
  const Variable x =
      autograd::prepend_token(l.class_token, l.patch_embed->forward(images), l.positions);
  if (!context.training) return x;
  return autograd::dropout(x, options_.dropout, context.seed,
                           stream_of(context.stream, spec_.depth));
}

Variable Vit::run_block(int64_t i, const Variable& tokens, const Context& context) const {
  const double drop_path =
      options_.drop_path * (spec_.depth > 1 ? static_cast<double>(i) / (spec_.depth - 1) : 1);
  return layers_->blocks[i]->forward(tokens, context, options_.dropout, drop_path,
                                     class_token_only(i) && !context.traces);
}

Variable Vit::attend(int64_t i, const Variable& normed, int64_t queries,
                     const Context& context) const {
  return layers_->blocks[i]->attend(normed, queries, context);
}

Variable Vit::forward(const Variable& images, const Context& context) const {
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
  for (int64_t i = 0; i < spec_.depth; ++i) {
    const auto block = [=, this](const Variable& in) { return run_block(i, in, context); };
    x = checkpointed ? autograd::checkpoint(block, x) : block(x);
    if (context.tokens) context.tokens->push_back(x);
  }
  const Layers& l = *layers_;
  const Variable answer =
      x.dim(1) == 1 ? autograd::reshape(x, {x.dim(0), spec_.width}) : autograd::select_token(x, 0);
  return (*l.head)(l.norm->forward(answer));
}

}  // namespace shiftadd::layers
