// Refuses a network that cannot be, by each rule it breaks.
#include <set>

#include "model/network.h"

namespace shiftadd {
namespace {

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
      attention.kind == AttentionKind::kSoftmaxAdd  ? is_whole(attention.codes.kind)
      : attention.kind == AttentionKind::kLinearAdd ? attention.codes.kind != Codes::kNone
                                                    : attention.codes.kind == Codes::kNone;
  require(kinds_agree, block.name,
          "attention that adds has codes, softmax_add signs or bipolar2; no other has");
  require((attention.is_linear() && !attention.has_window()) == attention.local.has_value(),
          block.name, "linear attention without a window has a filter, and no other");
  require(attention.temperature.empty() == (attention.codes.kind != Codes::kBipolar2), block.name,
          "codes of two bits have a temperature, and no other");
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
  require(mlp.fc1.in == block.width && mlp.fc1.out == inputs_of(mlp.activation) * mlp.fc2.in &&
              mlp.fc2.out == block.width,
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
  require(is_last || !level.prefix(), name, "only the last level has tokens before its patches");
  require(!level.token_norm || level.token_norm->width == level.width(), name,
          "the norm of tokens is as wide as they are");
  require(!(positions && level.patch_norm), name, "positions take patches without a norm");
  require(level.registers.empty() == (level.register_count == 0), name,
          "registers have a name, and are some");
  require(level.distillation_token.empty() || !level.class_token.empty(), name,
          "a distillation token stands behind a class token");
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

void check_readout(const Network& network) {
  const LevelSpec& last = network.levels.back();
  require(network.pooling == Pooling::kMean || !last.class_token.empty(), network.name,
          "the token that is read exists");
  require(!network.fc_norm || network.fc_norm->width == network.pooled(), network.name,
          "the norm of what is read is as wide");
  int64_t width = network.pooled();
  for (const auto* each : {&network.pre_logits, &network.projection, &network.head}) {
    if (!*each) continue;
    require((*each)->in == width && (*each)->kind == LayerKind::kMultiply, (*each)->name,
            "a layer behind the pooling multiplies what the one before gives");
    width = (*each)->out;
  }
  if (!network.distilled_head) return;
  require(!last.distillation_token.empty() && network.pooling == Pooling::kClassToken &&
              !network.fc_norm && !network.pre_logits && !network.projection,
          network.name, "a distilled head reads a distillation token, and both heads at once");
  require(network.head && has_sizes(*network.distilled_head, network.head->in, network.head->out),
          network.name, "both heads are of the same size");
}

}  // namespace

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
  check_readout(network);
  std::set<std::string> names;
  for (const Parameter& parameter : parameters_of(network))
    require(names.insert(parameter.name).second, parameter.name, "this name is there twice");
}

}  // namespace shiftadd
