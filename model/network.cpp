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
    int64_t index = 0;
    for (const LevelSpec& level : network_.levels) {
      const int64_t width = level.patches.width, tokens = level.tokens();
      depth_ = index;
      add(level.class_token, level.class_token, {1, 1, width}, Role::kClassToken,
          {Layer::kClassToken});
      add(level.positions, level.positions, {1, tokens, width}, Role::kPositions,
          {Layer::kPositions});
      affine(level.patches.name,
             {width, level.patches.channels, level.patches.size, level.patches.size}, Role::kMatrix,
             {Layer::kPatches}, level.patch_count());
      for (const BlockSpec& each : level.blocks) block(each, index++);
    }
    depth_ = index + 1;
    norm(network_.norm, {Layer::kNorm});
    affine(network_.head.name, {network_.head.out, network_.head.in}, Role::kHead, {Layer::kHead},
           1);
    return std::move(list_);
  }

 private:
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
  void linear_layer(const LinearSpec& spec, LayerId id, int64_t tokens) {
    layer(spec.name, spec.kind, spec.in, id, tokens,
          [&](const std::string& name, bool shift, int64_t expert) {
            linear(name, spec, shift, {id.layer, id.block, expert}, tokens);
          });
  }
  void block(const BlockSpec& block, int64_t index) {
    depth_ = index + 1;
    const auto id = [index](Layer layer) { return LayerId{layer, index}; };
    const AttentionSpec& attention = block.attention;
    norm(block.norm1, id(Layer::kNorm1));
    linear_layer(attention.qkv, id(Layer::kQkv), block.tokens);
    linear_layer(attention.proj, id(Layer::kProj), block.tokens);
    if (attention.local)  // each head's filter goes over all its channels
      add(attention.local->name + ".weight", attention.local->name, attention.local->shape(),
          Role::kFilter, id(Layer::kLocal), block.grid * block.grid * attention.head_dim);
    norm(block.norm2, id(Layer::kNorm2));
    const MlpSpec& mlp = block.mlp;
    layer(mlp.name, mlp.kind, mlp.fc1.in, id(Layer::kMlp), block.tokens,
          [&](const std::string& name, bool shift, int64_t expert) {
            linear(concat(name, ".", mlp.fc1.name), mlp.fc1, shift, {Layer::kFc1, index, expert},
                   block.tokens);
            linear(concat(name, ".", mlp.fc2.name), mlp.fc2, shift, {Layer::kFc2, index, expert},
                   block.tokens);
          });
  }

  const Network& network_;
  int64_t depth_ = 0;
  std::vector<Parameter> list_;
};

}  // namespace

const BlockSpec& block_at(const Network& network, int64_t index) {
  for (const LevelSpec& level : network.levels) {
    const auto count = static_cast<int64_t>(level.blocks.size());
    if (index < count) return level.blocks[static_cast<std::size_t>(index)];
    index -= count;
  }
  throw failure("[model] the network has no such block");
}

std::string name_of_router(const std::string& mixture) { return mixture + ".router"; }
std::string name_of_expert(const std::string& mixture, int64_t expert) {
  return concat(mixture, ".experts.", expert);
}

std::vector<Parameter> parameters_of(const Network& network) {
  return ParameterList(network).run();
}
std::vector<Parameter> parameters_of(const ModelSpec& spec) {
  return parameters_of(network_of(spec));
}

std::vector<Router> routers_of(const Network& network) {
  std::vector<Router> routers;
  int64_t index = 0;
  for (const LevelSpec& level : network.levels) {
    for (const BlockSpec& block : level.blocks) {
      const auto add = [&](const std::string& name, LayerKind kind, Layer layer, const char* what,
                           int64_t in, int64_t hidden, int64_t out) {
        if (kind == LayerKind::kMixture)
          routers.push_back(
              {name, {layer, index}, what, block.grid, block.tokens, in, hidden, out});
      };
      const LinearSpec &qkv = block.attention.qkv, &proj = block.attention.proj;
      add(qkv.name, qkv.kind, Layer::kQkv, "qkv", qkv.in, 0, qkv.out);
      add(proj.name, proj.kind, Layer::kProj, "proj", proj.in, 0, proj.out);
      const MlpSpec& mlp = block.mlp;
      add(mlp.name, mlp.kind, Layer::kMlp, "mlp", mlp.fc1.in, mlp.fc1.out, mlp.fc2.out);
      ++index;
    }
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
    macs.linear += level.patch_count() * level.patches.inputs() * level.patches.width;
    for (const BlockSpec& block : level.blocks) {
      macs.linear += block.tokens * (product(block.attention.qkv) + product(block.attention.proj) +
                                     product(block.mlp.fc1) + product(block.mlp.fc2));
      macs.attention += 2 * block.tokens * block.tokens * block.width;
    }
  }
  macs.linear += product(network.head);
  return macs;
}
MacCount count_macs(const ModelSpec& spec) { return count_macs(network_of(spec)); }

int64_t count_parameters(const ModelSpec& spec) {
  int64_t total = 0;
  for (const Parameter& parameter : parameters_of(spec)) total += element_count(parameter.shape);
  return total;
}

}  // namespace shiftadd
