// A network with every layer resolved: its name, its sizes, its place in the order. Whatever walks
// over a network reads this: parameters, routers, costs, packing, conversion, optimizer groups.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/error.h"
#include "core/grid.h"
#include "model/model_spec.h"

namespace shiftadd {

/// What a layer is. With the block it says which layer is meant, whatever that layer is called.
enum class Layer : uint8_t {
  kClassToken,
  kDistillationToken,
  kRegisters,
  kPositions,
  kPatches,
  kPatchNorm,
  kEmbeddingNorm,
  kNorm1,
  kQkv,  // or, apart:
  kQ,
  kReduction,  // fewer tokens for k and v
  kReductionNorm,
  kKv,
  kAttention,    // has no parameters
  kLocal,        // linear attention's filter of v
  kTemperature,  // of scores on codes
  kProj,
  kScale1,
  kNorm2,
  kMlp,  // of a router before a whole MLP
  kFc1,
  kDepthwise,
  kFc2,
  kScale2,
  kLevelNorm,
  kNorm,
  kPool,  // has no parameters
  kFcNorm,
  kPreLogits,
  kProjection,
  kHead,
  kDistilledHead
};

struct LayerId {
  static constexpr int64_t kOutside = -1, kNoExpert = -1;

  Layer layer{};
  int64_t block = kOutside;    // counted through all levels: block_at
  int64_t expert = kNoExpert;  // of a mixture: 0 multiplies, 1 shifts
  int64_t level = 0;           // of a layer outside the blocks: of the embedding it belongs to

  /// What attention transfer trains.
  bool is_attention() const {
    return layer == Layer::kQkv || layer == Layer::kQ || layer == Layer::kKv ||
           layer == Layer::kLocal || layer == Layer::kTemperature || layer == Layer::kProj;
  }
  auto operator<=>(const LayerId&) const = default;
};

/// y = W x + b, W (out, in). A mixture has two of them, each a name_of_expert, behind a
/// name_of_router.
struct LinearSpec {
  std::string name;
  int64_t in = 0, out = 0;
  LayerKind kind = LayerKind::kMultiply;
  bool bias = true;
};

struct NormSpec {
  std::string name;
  int64_t width = 0;
  double eps = 0;
};

/// A square convolution of an image, or of tokens on a grid, that makes tokens: weight (out, in,
/// kernel, kernel), bias (out). Patches are those whose kernel is their stride.
struct ConvSpec {
  std::string name;
  int64_t in = 0, out = 0, kernel = 0, stride = 0, padding = 0;
  bool bias = true;

  int64_t inputs() const { return in * kernel * kernel; }
  Grid grid_of(const Grid& input) const {
    const auto places = [this](int64_t size) { return (size + 2 * padding - kernel) / stride + 1; };
    return {places(input.height), places(input.width)};
  }
};

/// One odd square filter a channel, over tokens on their grid, whose size stays: weight (width, 1,
/// kernel, kernel), bias (width).
struct DepthwiseSpec {
  std::string name;
  int64_t width = 0, kernel = 3;
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

/// One layer makes q, k and v, in this order, of every token.
struct FusedQkv {
  LinearSpec qkv;
};
/// One layer makes q of every token, another k and v, in this order, of every token or, where there
/// is a reduction, of the tokens that this convolution and its norm make of them. Only softmax
/// attention may have keys and values of fewer tokens.
struct SeparateKv {
  LinearSpec q, kv;
  std::optional<ConvSpec> reduction;
  std::optional<NormSpec> reduction_norm;
};

/// What stands for a row of q or of k of one head, and how many numbers it is.
struct CodeSpec {
  Codes kind = Codes::kNone;
  int64_t width = 0;
};

struct AttentionSpec {
  std::string name;
  AttentionKind kind = AttentionKind::kSoftmax;
  int64_t heads = 0, head_dim = 0;
  double scale = 0;  // of q k^T in softmax attention; 0: 1 / sqrt(width of a row's codes)
  CodeSpec codes;
  ValueFormat values = ValueFormat::kFloat;  // v beside codes
  std::string temperature = {};  // parameter (heads): of the scores of bipolar2 codes; "": none
  std::variant<FusedQkv, SeparateKv> projection;
  LinearSpec proj;
  std::optional<FilterSpec> local;  // of linear attention without a window, and only of it

  bool is_linear() const {
    return kind == AttentionKind::kLinear || kind == AttentionKind::kLinearAdd;
  }
  bool has_window() const { return is_windowed(kind, codes.kind); }
  /// Whether q and k are binary codes, so that their products add.
  bool adds() const { return codes.kind != Codes::kNone; }
};

/// fc2(activation(depthwise(fc1(x)))). One router may stand before both layers: then there are two
/// MLPs without a depthwise filter, each a name_of_expert, and both layers are of kind kMixture.
/// Else each layer is of its own kind. fc1, depthwise and fc2 are named within the MLP.
struct MlpSpec {
  std::string name;
  bool routed = false;
  HiddenActivation activation = HiddenActivation::kGelu;
  LinearSpec fc1, fc2;
  std::optional<DepthwiseSpec> depthwise;

  /// A layer or the filter under its whole name, for an MLP without a router.
  template <class Spec>
  Spec named(Spec layer) const {
    layer.name = name + "." + layer.name;
    return layer;
  }
};

/// x += scale1 attention(norm1 x), x += scale2 mlp(norm2 x); with post_norm x = norm1(x + scale1
/// attention x), x = norm2(x + scale2 mlp x). The scales are factors a channel.
struct BlockSpec {
  std::string name;
  Grid grid;           // of its patches
  int64_t prefix = 0;  // tokens before them: class token, registers
  int64_t width = 0;
  NormSpec norm1, norm2;
  bool post_norm = false;
  std::string scale1, scale2;  // parameters (width); "": none
  AttentionSpec attention;
  MlpSpec mlp;

  int64_t tokens() const { return prefix + grid.count(); }
  /// What keys and values are made of: all tokens, or those behind a reduction.
  Grid key_grid() const;
  int64_t key_tokens() const;
};

/// An embedding of the image, or of the tokens of the level before, and the blocks that work on
/// what it makes.
struct LevelSpec {
  /// Parameters (1, 1, width), (1, 1, width), (1, register_count, width); "": none. Their tokens
  /// stand before the patches, in this order.
  std::string class_token, distillation_token, registers;
  int64_t register_count = 0;
  std::string positions;  // parameter (1, position_rows(), width), which is added; "": none
  PositionScope scope = PositionScope::kAll;
  ConvSpec patches;
  std::optional<NormSpec> patch_norm;
  std::optional<NormSpec> token_norm;  // of all tokens, with their positions
  Grid grid;                           // of its patches
  std::vector<BlockSpec> blocks;
  std::optional<NormSpec> norm;  // behind its blocks

  int64_t width() const { return patches.out; }
  int64_t prefix() const {
    return int64_t{!class_token.empty()} + int64_t{!distillation_token.empty()} + register_count;
  }
  int64_t tokens() const { return prefix() + grid.count(); }
  /// Of the tokens before the patches, how many have positions: the first so many.
  int64_t positioned_prefix() const {
    return scope == PositionScope::kAll           ? prefix()
           : scope == PositionScope::kNoRegisters ? prefix() - register_count
                                                  : 0;
  }
  int64_t position_rows() const { return positioned_prefix() + grid.count(); }
};

/// What is read of the last level's tokens, behind the last norm, goes through fc_norm, pre_logits
/// (a layer, then tanh) and projection, where there are such, to the head. A distilled head reads
/// the distillation token; the answer is the mean of both heads then. Without a head the answer is
/// what one would read.
struct Network {
  std::string name;      // for messages
  ShiftAddSpec options;  // those of all blocks; `blocks` is not used here
  int64_t channels = 0;
  Grid image;
  std::vector<LevelSpec> levels;
  std::optional<NormSpec> norm;
  Pooling pooling = Pooling::kClassToken;
  std::optional<NormSpec> fc_norm;
  std::optional<LinearSpec> pre_logits, projection, head, distilled_head;

  int64_t depth() const;  // blocks of all levels
  int64_t image_values() const { return channels * image.count(); }
  /// Numbers that pooling reads; that the head does, or would; and of an answer.
  int64_t pooled() const;
  int64_t features() const;
  int64_t outputs() const { return head ? head->out : features(); }
};

/// Throws Error (failure) for a network that cannot be: what a family's file must not make.
void validate(const Network& network);

/// Block `index` of all levels.
const BlockSpec& block_at(const Network& network, int64_t index);

/// How many of its tokens block `index` carries beyond its keys and values, the first so many: all,
/// but of the last block those that are read, where these are the class token (and the distillation
/// token): nothing reads the other rows. But routers in its MLP learn from all tokens, and where
/// `with_choices` their choices are those of all tokens.
int64_t rows_answered(const Network& network, int64_t index, bool with_choices);

/// Whether a block's factors on what attention (kScale1) or the MLP (kScale2) adds become part of
/// the weights before them in deployment: where these multiply. A power of two times a factor would
/// be no power of two.
bool folds_scale(const BlockSpec& block, Layer scale);

/// What a mixture's parts are called; expert 0 multiplies, 1 shifts.
std::string name_of_router(const std::string& mixture);
std::string name_of_expert(const std::string& mixture, int64_t expert);

/// The linear layers of a block in the order of the forward pass, the MLP's under their whole
/// names, with what they are and how many tokens of an image they read. A routed MLP's are left
/// out.
struct LinearPlace {
  Layer layer;
  LinearSpec spec;
  Grid grid;           // of the patches among its tokens
  int64_t prefix = 0;  // tokens before them
  const char* label;   // within its block: "qkv", "fc1"

  int64_t tokens() const { return prefix + grid.count(); }
};
std::vector<LinearPlace> linear_layers(const BlockSpec& block);

/// The vision transformer of a spec that validate accepts.
Network network_of(const ModelSpec& spec);

/// What a parameter's numbers are: decides how they are packed, decayed and carried over.
enum class Role : uint8_t {
  kMatrix,       // weights of a product that all tokens or patches go through
  kShiftWeight,  // the latent weights of a Shift layer of form q
  kShiftPower,   // of form ps: the powers of two
  kShiftSign,    // of form ps: their signs
  kRouter,       // weights or bias
  kReadout,      // weights or bias of a layer between the tokens and the head
  kHead,         // weights or bias
  kFilter,       // of linear attention
  kTemperature,  // of a head's scores
  kDepthwise,
  kBias,
  kNorm,   // the factors; what a norm adds is a bias
  kScale,  // factors on what a block adds
  kToken,  // class token, distillation token, registers
  kPositions
};

struct Parameter {
  std::string name;  // as published (timm)
  Shape shape;
  Role role = Role::kMatrix;
  LayerId id;
  std::string layer;       // its layer's name, under which packed files store what becomes of it
  int64_t depth = 0;       // 0: before the blocks; i + 1: block i; blocks + 1: behind them
  int64_t uses = 0;        // how often one image multiplies by each number; 0: it is only added
  std::string scale = {};  // the parameter whose factors its rows are multiplied by in deployment
  bool folds = false;      // such a parameter: no tensor of its own in deployment

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
  Grid grid;                            // of the patches among its tokens
  int64_t prefix = 0;                   // tokens before them
  int64_t tokens = 0;                   // of one image, both together
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
int64_t count_parameters(const Network& network);
int64_t count_parameters(const ModelSpec& spec);

}  // namespace shiftadd
