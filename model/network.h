// A network with every layer resolved: its name, its sizes, its place in the order. Whatever walks
// over a network reads this: parameters, routers, costs, packing, conversion, optimizer groups.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "model/model_spec.h"

namespace shiftadd {

/// What a layer is. With the block it says which layer is meant, whatever that layer is called.
enum class Layer : uint8_t {
  kClassToken,
  kPositions,
  kPatches,
  kNorm1,
  kQkv,
  kLocal,  // linear attention's filter of v
  kProj,
  kNorm2,
  kMlp,  // of a router before a whole MLP
  kFc1,
  kFc2,
  kNorm,
  kHead
};

struct LayerId {
  static constexpr int64_t kOutside = -1, kNoExpert = -1;

  Layer layer{};
  int64_t block = kOutside;    // counted through all levels: block_at
  int64_t expert = kNoExpert;  // of a mixture: 0 multiplies, 1 shifts

  bool is_attention() const {
    return layer == Layer::kQkv || layer == Layer::kLocal || layer == Layer::kProj;
  }
  auto operator<=>(const LayerId&) const = default;
};

/// y = W x + b, W (out, in). A mixture has two of them, each a name_of_expert, behind a
/// name_of_router.
struct LinearSpec {
  std::string name;
  int64_t in = 0, out = 0;
  LayerKind kind = LayerKind::kMultiply;
};

struct NormSpec {
  std::string name;
  int64_t width = 0;
  double eps = 0;
};

/// A convolution whose kernel is its stride: each patch of size x size pixels becomes one token.
struct PatchSpec {
  std::string name;
  int64_t channels = 0, size = 0, width = 0;

  int64_t inputs() const { return channels * size * size; }
};

/// One filter a head, over tokens or over patches.
struct FilterSpec {
  std::string name;
  LocalKind kind = LocalKind::kTokenConv;
  int64_t heads = 0;

  Shape shape() const {
    return kind == LocalKind::kTokenConv ? Shape{heads, 1, kTokenTaps, 1}
                                         : Shape{heads, 1, kPatchTaps, kPatchTaps};
  }
};

struct AttentionSpec {
  std::string name;
  AttentionKind kind = AttentionKind::kSoftmax;
  int64_t heads = 0, head_dim = 0;
  LinearSpec qkv, proj;
  std::optional<FilterSpec> local;
};

/// One router may stand before both layers: a mixture has two MLPs, each a name_of_expert. Its
/// layers are named within the MLP.
struct MlpSpec {
  std::string name;
  LayerKind kind = LayerKind::kMultiply;
  LinearSpec fc1, fc2;
};

struct BlockSpec {
  std::string name;
  int64_t grid = 0;  // its patches are grid x grid, and stand behind the class token
  int64_t tokens = 0, width = 0;
  NormSpec norm1, norm2;
  AttentionSpec attention;
  MlpSpec mlp;
};

/// An embedding, and the blocks that work on its tokens.
struct LevelSpec {
  int64_t grid = 0;
  std::string class_token, positions;
  PatchSpec patches;
  std::vector<BlockSpec> blocks;

  int64_t patch_count() const { return grid * grid; }
  int64_t tokens() const { return patch_count() + 1; }
};

/// The answer is the head's, of the class token's row after the last norm.
struct Network {
  ShiftAddSpec options;  // those of all blocks; `blocks` is not used here
  std::vector<LevelSpec> levels;
  NormSpec norm;
  LinearSpec head;
};

/// Block `index` of all levels.
const BlockSpec& block_at(const Network& network, int64_t index);

/// What a mixture's parts are called; expert 0 multiplies, 1 shifts.
std::string name_of_router(const std::string& mixture);
std::string name_of_expert(const std::string& mixture, int64_t expert);

/// The plain vision transformer of a spec that validate accepts.
Network network_of(const ModelSpec& spec);

/// What a parameter's numbers are: decides how they are packed, decayed and carried over.
enum class Role : uint8_t {
  kMatrix,       // weights of a product that all tokens or patches go through
  kShiftWeight,  // the latent weights of a Shift layer of form q
  kShiftPower,   // of form ps: the powers of two
  kShiftSign,    // of form ps: their signs
  kRouter,       // weights or bias
  kHead,         // weights or bias
  kFilter,
  kBias,
  kNorm,  // the factors; what a norm adds is a bias
  kClassToken,
  kPositions
};

struct Parameter {
  std::string name;  // as published (timm)
  Shape shape;
  Role role = Role::kMatrix;
  LayerId id;
  std::string layer;  // its layer's name, under which packed files store what becomes of it
  int64_t depth = 0;  // 0: before the blocks; i + 1: block i; blocks + 1: behind them
  int64_t uses = 0;   // how often one image multiplies by each number; 0: it is only added

  bool is_shift() const {
    return role == Role::kShiftWeight || role == Role::kShiftPower || role == Role::kShiftSign;
  }
};

/// In the order of files and training graphs, e.g. "blocks.0.attn.qkv.weight" (576, 192). A linear
/// attention adds "attn.token_conv.weight" (heads, 1, 9, 1) or (heads, 1, 5, 5); a mixture in place
/// of X has "X.router.*", "X.experts.0.*" (multiply) and "X.experts.1.*" (shift); a Shift layer of
/// form ps has "shift" and "sign" in place of "weight".
std::vector<Parameter> parameters_of(const Network& network);
std::vector<Parameter> parameters_of(const ModelSpec& spec);

/// A layer, or an MLP, whose tokens are each sent to one of two experts.
struct Router {
  std::string name;  // "blocks.0.attn.qkv", "blocks.0.mlp", ...
  LayerId id;
  std::string layer;                    // within its block: "qkv", "mlp"
  int64_t grid = 0;                     // its patches are grid x grid, behind the class token
  int64_t tokens = 0;                   // of one image
  int64_t in = 0, hidden = 0, out = 0;  // widths of an expert; hidden 0: one linear layer
};
/// In the order in which an image meets them.
std::vector<Router> routers_of(const Network& network);
std::vector<Router> routers_of(const ModelSpec& spec);
std::vector<std::string> router_names(const ModelSpec& spec);
/// Tokens of one image at all routers together.
int64_t routed_tokens(const std::vector<Router>& routers);

/// Multiply-accumulates of one image before any conversion, as the field counts them: linear and
/// conv layers, and the two products of attention apart.
struct MacCount {
  int64_t linear = 0, attention = 0;
  int64_t total() const { return linear + attention; }
};
MacCount count_macs(const Network& network);
MacCount count_macs(const ModelSpec& spec);
int64_t count_parameters(const ModelSpec& spec);

}  // namespace shiftadd
