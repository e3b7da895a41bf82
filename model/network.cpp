// Walks a network once for its parameters, its routers and its plain cost.
#include "model/network.h"

#include <set>

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
    affine(network_.head.name, {network_.head.out, network_.head.in}, Role::kHead, {Layer::kHead},
           1);
    return std::move(list_);
  }

 private:
  static LayerId outside(Layer layer, int64_t level) { return {.layer = layer, .level = level}; }

  void add(const std::string& name, const std::string& layer, Shape shape, Role role, LayerId id,
           int64_t uses = 0) {
    list_.push_back({name, std::move(shape), role, id, layer, depth_, uses});
  }
  // A weight of any shape and a bias of its first dimension.
  void affine(const std::string& name, Shape weight, Role role, LayerId id, int64_t uses) {
    const Shape bias = {weight[0]};
    add(name + ".weight", name, std::move(weight), role, id, uses);
    const bool own = role == Role::kRouter || role == Role::kHead;  // all of it is kept apart
    add(name + ".bias", name, bias, own ? role : Role::kBias, id);
  }
  void norm(const NormSpec& spec, LayerId id) {
    affine(spec.name, {spec.width}, Role::kNorm, id, 0);
  }
  void convolution(const ConvSpec& spec, LayerId id, int64_t places) {
    affine(spec.name, {spec.out, spec.in, spec.kernel, spec.kernel}, Role::kMatrix, id, places);
  }
  void linear(const std::string& name, const LinearSpec& spec, bool shift, LayerId id,
              int64_t tokens) {
    const Shape shape = {spec.out, spec.in};
    if (!shift) return affine(name, shape, Role::kMatrix, id, tokens);
    if (network_.options.form == ShiftForm::kPs) {
      add(name + ".shift", name, shape, Role::kShiftPower, id, tokens);
      add(name + ".sign", name, shape, Role::kShiftSign, id, tokens);
    } else {
      add(name + ".weight", name, shape, Role::kShiftWeight, id, tokens);
    }
    add(name + ".bias", name, {spec.out}, Role::kBias, id);
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

  void embedding(const LevelSpec& level, int64_t number) {
    const int64_t width = level.width();
    if (level.prefix())
      add(level.class_token, level.class_token, {1, 1, width}, Role::kClassToken,
          outside(Layer::kClassToken, number));
    if (!level.positions.empty())
      add(level.positions, level.positions, {1, level.tokens(), width}, Role::kPositions,
          outside(Layer::kPositions, number));
    convolution(level.patches, outside(Layer::kPatches, number), level.grid.count());
    if (level.patch_norm) norm(*level.patch_norm, outside(Layer::kPatchNorm, number));
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
      linear_layer(place, index);
      if (place.layer == Layer::kProj && attention.local)  // each filter goes over all channels
        add(attention.local->name + ".weight", attention.local->name, attention.local->shape(),
            Role::kFilter, {Layer::kLocal, index}, block.grid.count() * attention.head_dim);
    }
    if (!block.mlp.routed) return;
    norm(block.norm2, {Layer::kNorm2, index});
    routed_mlp(block, index);
  }

  const Network& network_;
  int64_t depth_ = 0;
  std::vector<Parameter> list_;
};

void require(bool holds, const std::string& where, const char* what) {
  if (!holds) throw failure("[model] ", where, ": ", what);
}

bool has_sizes(const LinearSpec& spec, int64_t in, int64_t out) {
  return spec.in == in && spec.out == out;
}

void check(const SeparateKv& projection, const BlockSpec& block) {
  const int64_t width = block.width;
  require(has_sizes(projection.q, width, width) && has_sizes(projection.kv, width, 2 * width),
          block.name, "q is as wide as the block, kv twice as wide");
  require(block.prefix == 0, block.name, "q apart from k and v takes tokens that are all patches");
  require(projection.reduction || !projection.reduction_norm, block.name,
          "a norm of a reduction takes one");
  if (!projection.reduction) return;
  const Grid keys = block.key_grid();
  require(projection.reduction->in == width && projection.reduction->out == width &&
              keys.height > 0 && keys.width > 0,
          block.name, "a reduction is as wide as the block, and leaves some tokens");
  require(!block.attention.is_linear(), block.name, "a reduction takes softmax attention");
}

void check(const AttentionSpec& attention, const BlockSpec& block) {
  const int64_t width = block.width;
  require(attention.heads > 0 && attention.heads * attention.head_dim == width, block.name,
          "heads times their width is the block's width");
  require(attention.codes.width == attention.head_dim, block.name, "codes are as wide as a head");
  const bool kinds_agree =
      attention.kind == AttentionKind::kSoftmaxAdd  ? attention.codes.kind == Codes::kSign
      : attention.kind == AttentionKind::kLinearAdd ? attention.codes.kind != Codes::kNone
                                                    : attention.codes.kind == Codes::kNone;
  require(kinds_agree, block.name,
          "attention that adds has codes: softmax_add signs; no other has");
  require(attention.is_linear() == attention.local.has_value(), block.name,
          "linear attention has a filter, and no other");
  require(!attention.local || attention.local->heads == attention.heads, block.name,
          "the local filter is one a head");
  require(has_sizes(attention.proj, width, width), block.name, "proj is as wide as the block");
  if (const auto* apart = std::get_if<SeparateKv>(&attention.projection))
    check(*apart, block);
  else
    require(has_sizes(std::get<FusedQkv>(attention.projection).qkv, width, 3 * width), block.name,
            "qkv is three times as wide as the block");
}

void check(const MlpSpec& mlp, const BlockSpec& block) {
  require(mlp.fc1.in == block.width && mlp.fc2.in == mlp.fc1.out && mlp.fc2.out == block.width,
          block.name, "the MLP's layers follow on each other");
  require(!mlp.routed || (mlp.fc1.kind == LayerKind::kMixture && mlp.fc2.kind == mlp.fc1.kind),
          block.name, "both layers of a routed MLP are mixtures");
  if (!mlp.depthwise) return;
  require(mlp.depthwise->width == mlp.fc1.out && mlp.depthwise->kernel % 2 == 1, block.name,
          "a depthwise filter is odd, and as wide as what it filters");
  require(!mlp.routed && block.prefix == 0, block.name,
          "a depthwise filter takes an MLP without a router, and tokens that are all patches");
}

void check(const LevelSpec& level, const Grid& input, bool is_last) {
  const std::string& name = level.patches.name;
  const bool positions = !level.positions.empty();
  require(!level.blocks.empty(), name, "a level has blocks");
  require(
      level.grid == level.patches.grid_of(input) && level.grid.height > 0 && level.grid.width > 0,
      name, "the grid is that of the patches");
  require(is_last || !level.prefix(), name, "only the last level has a class token");
  require((positions || !level.prefix()) && !(positions && level.patch_norm), name,
          "a class token takes positions, and these take patches without a norm");
  for (const BlockSpec& block : level.blocks) {
    require(
        block.grid == level.grid && block.prefix == level.prefix() && block.width == level.width(),
        block.name, "a block has the tokens of its level");
    require(block.norm1.width == block.width && block.norm2.width == block.width, block.name,
            "norms are as wide as the block");
    check(block.attention, block);
    check(block.mlp, block);
  }
}

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

void validate(const Network& network) {
  require(!network.levels.empty(), network.name, "a network has levels");
  Grid input = network.image;
  int64_t channels = network.channels;
  for (const LevelSpec& level : network.levels) {
    require(level.patches.in == channels, level.patches.name, "patches see all channels");
    check(level, input, &level == &network.levels.back());
    input = level.grid;
    channels = level.width();
  }
  require(network.readout == Readout::kMean || network.levels.back().prefix(), network.name,
          "the token that is read exists");
  require(network.head.in == channels && network.head.kind == LayerKind::kMultiply, network.name,
          "the head multiplies what the last level gives");
  std::set<std::string> names;
  for (const Parameter& parameter : parameters_of(network))
    require(names.insert(parameter.name).second, parameter.name, "this name is there twice");
}

const BlockSpec& block_at(const Network& network, int64_t index) {
  for (const LevelSpec& level : network.levels) {
    const auto count = static_cast<int64_t>(level.blocks.size());
    if (index < count) return level.blocks[static_cast<std::size_t>(index)];
    index -= count;
  }
  throw failure("[model] the network has no such block");
}

bool answers_class_token(const Network& network, int64_t index, bool with_choices) {
  if (network.readout != Readout::kClassToken || index + 1 != network.depth()) return false;
  const MlpSpec& mlp = block_at(network, index).mlp;
  const bool routes =
      mlp.routed || mlp.fc1.kind == LayerKind::kMixture || mlp.fc2.kind == LayerKind::kMixture;
  return !(with_choices && routes);
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
  macs.linear += product(network.head);
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
