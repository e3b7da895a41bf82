// Walks a network once for its parameters, its routers and its plain cost.
#include "model/network.h"

#include "core/tensor.h"

namespace shiftadd {
namespace {

constexpr int64_t kExperts = 2;

class ParameterList {
 public:
  explicit ParameterList(const Network& network) : network_(network) {}

  std::vector<Parameter> run() {
    int64_t index = 0, number = 0;
    for (const LevelSpec& level : network_.levels) {
      depth_ = index;
      embedding(level, number);
      for (const BlockSpec& each : level.blocks) block(each, index++);
      if (level.norm) norm(*level.norm, outside(Layer::kLevelNorm, number));
      ++number;
    }
    depth_ = index + 1;
    if (network_.norm) norm(*network_.norm, {Layer::kNorm});
    if (network_.fc_norm) norm(*network_.fc_norm, {Layer::kFcNorm});
    readout(network_.pre_logits, Role::kReadout, Layer::kPreLogits);
    readout(network_.projection, Role::kReadout, Layer::kProjection);
    readout(network_.head, Role::kHead, Layer::kHead);
    readout(network_.distilled_head, Role::kHead, Layer::kDistilledHead);
    return std::move(list_);
  }

 private:
  static LayerId outside(Layer layer, int64_t level) { return {.layer = layer, .level = level}; }

  void add(const std::string& name, const std::string& layer, Shape shape, Role role, LayerId id,
           int64_t uses = 0) {
    list_.push_back({name, std::move(shape), role, id, layer, depth_, uses});
  }
  // A weight of any shape and a bias of its first dimension.
  void affine(const std::string& name, Shape weight, Role role, LayerId id, int64_t uses,
              bool with_bias = true) {
    const Shape bias = {weight[0]};
    add(name + ".weight", name, std::move(weight), role, id, uses);
    const bool own = role == Role::kRouter || role == Role::kHead ||
                     role == Role::kReadout;  // all of it is kept apart
    if (with_bias) add(name + ".bias", name, bias, own ? role : Role::kBias, id);
  }
  void readout(const std::optional<LinearSpec>& spec, Role role, Layer layer) {
    if (spec) affine(spec->name, {spec->out, spec->in}, role, {layer}, 1, spec->bias);
  }
  void norm(const NormSpec& spec, LayerId id) {
    affine(spec.name, {spec.width}, Role::kNorm, id, 0);
  }
  void convolution(const ConvSpec& spec, LayerId id, int64_t places) {
    affine(spec.name, {spec.out, spec.in, spec.kernel, spec.kernel}, Role::kMatrix, id, places,
           spec.bias);
  }
  void linear(const std::string& name, const LinearSpec& spec, bool shift, LayerId id,
              int64_t tokens) {
    const Shape shape = {spec.out, spec.in};
    if (!shift) return affine(name, shape, Role::kMatrix, id, tokens, spec.bias);
    if (network_.options.form == ShiftForm::kPs) {
      add(name + ".shift", name, shape, Role::kShiftPower, id, tokens);
      add(name + ".sign", name, shape, Role::kShiftSign, id, tokens);
    } else {
      add(name + ".weight", name, shape, Role::kShiftWeight, id, tokens);
    }
    if (spec.bias) add(name + ".bias", name, {spec.out}, Role::kBias, id);
  }
  // The factors behind a layer, whose parameters are those of [first, last).
  void scale(const BlockSpec& block, const std::string& name, LayerId id, std::size_t first,
             std::size_t last) {
    if (name.empty()) return;
    const bool folds = folds_scale(block, id.layer);
    for (std::size_t i = first; folds && i < last; ++i) list_[i].scale = name;
    add(name, name, {block.width}, Role::kScale, id);
    list_.back().folds = folds;
  }
  // body(name, shift, expert) for the layer itself, or for both experts behind their router.
  template <class Body>
  void layer(const std::string& name, LayerKind kind, int64_t in, LayerId id, int64_t tokens,
             Body body) {
    if (kind != LayerKind::kMixture)
      return body(name, kind == LayerKind::kShift, LayerId::kNoExpert);
    if (network_.options.gate != GateKind::kFixedSplit)
      affine(name_of_router(name), {kExperts, in}, Role::kRouter, id, tokens);
    for (int64_t expert = 0; expert < kExperts; ++expert)
      body(name_of_expert(name, expert), expert == kShiftExpert, expert);
  }

  void token(const std::string& name, int64_t count, int64_t width, LayerId id) {
    if (!name.empty()) add(name, name, {1, count, width}, Role::kToken, id);
  }
  void embedding(const LevelSpec& level, int64_t number) {
    const int64_t width = level.width();
    token(level.class_token, 1, width, outside(Layer::kClassToken, number));
    token(level.distillation_token, 1, width, outside(Layer::kDistillationToken, number));
    token(level.registers, level.register_count, width, outside(Layer::kRegisters, number));
    if (!level.positions.empty())
      add(level.positions, level.positions, {1, level.position_rows(), width}, Role::kPositions,
          outside(Layer::kPositions, number));
    convolution(level.patches, outside(Layer::kPatches, number), level.grid.count());
    if (level.patch_norm) norm(*level.patch_norm, outside(Layer::kPatchNorm, number));
    if (level.token_norm) norm(*level.token_norm, outside(Layer::kEmbeddingNorm, number));
  }

  void linear_layer(const LinearPlace& place, int64_t index) {
    const LinearSpec& spec = place.spec;
    layer(spec.name, spec.kind, spec.in, {place.layer, index}, place.tokens(),
          [&](const std::string& name, bool shift, int64_t expert) {
            linear(name, spec, shift, {place.layer, index, expert}, place.tokens());
          });
  }
  void routed_mlp(const BlockSpec& block, int64_t index) {
    const MlpSpec& mlp = block.mlp;
    layer(mlp.name, LayerKind::kMixture, mlp.fc1.in, {Layer::kMlp, index}, block.tokens(),
          [&](const std::string& name, bool shift, int64_t expert) {
            linear(concat(name, ".", mlp.fc1.name), mlp.fc1, shift, {Layer::kFc1, index, expert},
                   block.tokens());
            linear(concat(name, ".", mlp.fc2.name), mlp.fc2, shift, {Layer::kFc2, index, expert},
                   block.tokens());
          });
  }
  void reduction(const SeparateKv& projection, int64_t index, int64_t tokens) {
    convolution(*projection.reduction, {Layer::kReduction, index}, tokens);
    if (projection.reduction_norm) norm(*projection.reduction_norm, {Layer::kReductionNorm, index});
  }
  void depthwise(const BlockSpec& block, int64_t index) {
    const DepthwiseSpec spec = block.mlp.named(*block.mlp.depthwise);
    affine(spec.name, {spec.width, 1, spec.kernel, spec.kernel}, Role::kDepthwise,
           {Layer::kDepthwise, index}, block.grid.count());
  }

  void block(const BlockSpec& block, int64_t index) {
    depth_ = index + 1;
    const AttentionSpec& attention = block.attention;
    const auto* apart = std::get_if<SeparateKv>(&attention.projection);
    norm(block.norm1, {Layer::kNorm1, index});
    for (const LinearPlace& place : linear_layers(block)) {
      if (place.layer == Layer::kKv && apart->reduction) reduction(*apart, index, place.tokens());
      if (place.layer == Layer::kFc1) norm(block.norm2, {Layer::kNorm2, index});
      if (place.layer == Layer::kFc2 && block.mlp.depthwise) depthwise(block, index);
      const std::size_t first = list_.size();
      linear_layer(place, index);
      if (place.layer == Layer::kProj) {
        const std::size_t last = list_.size();
        if (attention.local)  // each filter goes over all channels
          add(attention.local->name + ".weight", attention.local->name, attention.local->shape(),
              Role::kFilter, {Layer::kLocal, index}, block.grid.count() * attention.head_dim);
        if (!attention.temperature.empty())
          add(attention.temperature, attention.temperature, {attention.heads}, Role::kTemperature,
              {Layer::kTemperature, index});
        scale(block, block.scale1, {Layer::kScale1, index}, first, last);
      }
      if (place.layer == Layer::kFc2)
        scale(block, block.scale2, {Layer::kScale2, index}, first, list_.size());
    }
    if (!block.mlp.routed) return;
    norm(block.norm2, {Layer::kNorm2, index});
    routed_mlp(block, index);
    scale(block, block.scale2, {Layer::kScale2, index}, list_.size(), list_.size());
  }

  const Network& network_;
  int64_t depth_ = 0;
  std::vector<Parameter> list_;
};

}  // namespace

Grid BlockSpec::key_grid() const {
  const auto* apart = std::get_if<SeparateKv>(&attention.projection);
  return apart && apart->reduction ? apart->reduction->grid_of(grid) : grid;
}
int64_t BlockSpec::key_tokens() const {
  const Grid keys = key_grid();
  return keys == grid ? tokens() : keys.count();
}

int64_t Network::depth() const {
  int64_t depth = 0;
  for (const LevelSpec& level : levels) depth += static_cast<int64_t>(level.blocks.size());
  return depth;
}

int64_t Network::pooled() const {
  return levels.back().width() * (pooling == Pooling::kClassTokenAndMean ? 2 : 1);
}
int64_t Network::features() const {
  return projection ? projection->out : pre_logits ? pre_logits->out : pooled();
}

const BlockSpec& block_at(const Network& network, int64_t index) {
  for (const LevelSpec& level : network.levels) {
    const auto count = static_cast<int64_t>(level.blocks.size());
    if (index < count) return level.blocks[static_cast<std::size_t>(index)];
    index -= count;
  }
  throw failure("[model] the network has no such block");
}

int64_t rows_answered(const Network& network, int64_t index, bool with_choices) {
  const BlockSpec& block = block_at(network, index);
  if (network.pooling != Pooling::kClassToken || index + 1 != network.depth())
    return block.tokens();
  const MlpSpec& mlp = block.mlp;
  const bool routes =
      mlp.routed || mlp.fc1.kind == LayerKind::kMixture || mlp.fc2.kind == LayerKind::kMixture;
  if (with_choices && routes) return block.tokens();
  return network.distilled_head ? 2 : 1;
}

bool folds_scale(const BlockSpec& block, Layer scale) {
  const LinearSpec& before = scale == Layer::kScale1 ? block.attention.proj : block.mlp.fc2;
  return before.kind == LayerKind::kMultiply;
}

std::string name_of_router(const std::string& mixture) { return mixture + ".router"; }
std::string name_of_expert(const std::string& mixture, int64_t expert) {
  return concat(mixture, ".experts.", expert);
}

std::vector<LinearPlace> linear_layers(const BlockSpec& block) {
  std::vector<LinearPlace> places;
  const auto add = [&](Layer layer, LinearSpec spec, const char* label) {
    places.push_back({layer, std::move(spec), block.grid, block.prefix, label});
  };
  if (const auto* apart = std::get_if<SeparateKv>(&block.attention.projection)) {
    add(Layer::kQ, apart->q, "q");
    add(Layer::kKv, apart->kv, "kv");
    places.back().grid = block.key_grid();
  } else {
    add(Layer::kQkv, std::get<FusedQkv>(block.attention.projection).qkv, "qkv");
  }
  add(Layer::kProj, block.attention.proj, "proj");
  if (block.mlp.routed) return places;
  add(Layer::kFc1, block.mlp.named(block.mlp.fc1), "fc1");
  add(Layer::kFc2, block.mlp.named(block.mlp.fc2), "fc2");
  return places;
}

std::vector<Parameter> parameters_of(const Network& network) {
  return ParameterList(network).run();
}
std::vector<Parameter> parameters_of(const ModelSpec& spec) {
  return parameters_of(network_of(spec));
}

std::vector<Router> routers_of(const Network& network) {
  std::vector<Router> routers;
  for (int64_t index = 0; index < network.depth(); ++index) {
    const BlockSpec& block = block_at(network, index);
    for (const LinearPlace& place : linear_layers(block)) {
      const LinearSpec& spec = place.spec;
      if (spec.kind == LayerKind::kMixture)
        routers.push_back({spec.name,
                           {place.layer, index},
                           place.label,
                           place.grid,
                           place.prefix,
                           place.tokens(),
                           spec.in,
                           0,
                           spec.out});
    }
    const MlpSpec& mlp = block.mlp;
    if (mlp.routed)
      routers.push_back({mlp.name,
                         {Layer::kMlp, index},
                         "mlp",
                         block.grid,
                         block.prefix,
                         block.tokens(),
                         mlp.fc1.in,
                         mlp.fc1.out,
                         mlp.fc2.out});
  }
  return routers;
}
std::vector<Router> routers_of(const ModelSpec& spec) { return routers_of(network_of(spec)); }

std::vector<std::string> router_names(const ModelSpec& spec) {
  std::vector<std::string> names;
  for (Router& router : routers_of(spec)) names.push_back(std::move(router.name));
  return names;
}

int64_t routed_tokens(const std::vector<Router>& routers) {
  int64_t tokens = 0;
  for (const Router& router : routers) tokens += router.tokens;
  return tokens;
}

MacCount count_macs(const Network& network) {
  MacCount macs;
  const auto product = [](const LinearSpec& layer) { return layer.in * layer.out; };
  for (const LevelSpec& level : network.levels) {
    macs.linear += level.grid.count() * level.patches.inputs() * level.width();
    for (const BlockSpec& block : level.blocks) {
      for (const LinearPlace& place : linear_layers(block))
        macs.linear += place.tokens() * product(place.spec);
      const MlpSpec& mlp = block.mlp;
      if (mlp.routed) macs.linear += block.tokens() * (product(mlp.fc1) + product(mlp.fc2));
      if (mlp.depthwise)
        macs.linear += block.grid.count() * mlp.depthwise->width * mlp.depthwise->kernel *
                       mlp.depthwise->kernel;
      const auto* apart = std::get_if<SeparateKv>(&block.attention.projection);
      if (apart && apart->reduction)
        macs.linear += block.key_tokens() * apart->reduction->inputs() * apart->reduction->out;
      macs.attention += 2 * block.tokens() * block.key_tokens() * block.width;
    }
  }
  for (const auto* each :
       {&network.pre_logits, &network.projection, &network.head, &network.distilled_head})
    if (*each) macs.linear += product(**each);
  return macs;
}
MacCount count_macs(const ModelSpec& spec) { return count_macs(network_of(spec)); }

int64_t count_parameters(const Network& network) {
  int64_t total = 0;
  for (const Parameter& parameter : parameters_of(network)) total += element_count(parameter.shape);
  return total;
}
int64_t count_parameters(const ModelSpec& spec) { return count_parameters(network_of(spec)); }

}  // namespace shiftadd
