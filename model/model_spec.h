// The network as data: read by layers (to train) and by infer (to run).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/enum_names.h"
#include "core/error.h"
#include "core/grid.h"
#include "core/kernels/activation.h"
#include "model/shift_add_spec.h"

namespace shiftadd {

// What the kernels call by these enumerators, JSON calls by these names.
template <>
inline constexpr std::array kEnumNames<HiddenActivation> = {"gelu", "gelu_tanh", "quick_gelu",
                                                            "relu", "swiglu"};

/// Which tokens have positions: all of them, all but the registers, or the patches.
enum class PositionScope : uint8_t { kAll, kNoRegisters, kPatches };
template <>
inline constexpr std::array kEnumNames<PositionScope> = {"all", "no_registers", "patches"};

/// How positions become those of another grid: bicubic (a = -0.75), by the ratio of the sizes; the
/// same with a filter that widens where the grid shrinks (a = -0.5); by the factor (side + 0.1) /
/// old side, as DINOv2 without registers does.
enum class PositionResize : uint8_t { kPlain, kAntialias, kOffset };
template <>
inline constexpr std::array kEnumNames<PositionResize> = {"plain", "antialias", "offset"};

/// Which of q, k and v have a bias.
enum class QkvBias : uint8_t { kAll, kQueryValue, kNone };
template <>
inline constexpr std::array kEnumNames<QkvBias> = {"all", "qv", "none"};

/// What is read of the tokens: the class token's row, the mean of the patches' rows, or both, one
/// after the other.
enum class Pooling : uint8_t { kClassToken, kMean, kClassTokenAndMean };
template <>
inline constexpr std::array kEnumNames<Pooling> = {"class_token", "mean", "class_token_and_mean"};

/// A vision transformer (ViT, DeiT and their kin): convolutional patch embedding (kernel = stride =
/// patch), tokens in front of the patches, learned positions, `depth` blocks x += attn(norm1 x), x
/// += mlp(norm2 x), final norm, head. The defaults of what is no size are those of DeiT.
/// `shift_add` says which of its products are additions, shifts, or left to a router.
struct ModelSpec {
  std::string name;       // "deit_tiny_patch16_224", or any name for a custom network
  Grid image_size = 224;  // pixels
  int64_t patch_size = 16, in_channels = 3;
  int64_t width = 192, depth = 12, heads = 3, mlp_hidden = 768;
  int64_t classes = 1000;  // 0: no head, the answer is what a head would read
  double norm_eps = 1e-6;

  // The embedding. In front of the patches: class token, distillation token, registers.
  bool class_token = true;
  bool distillation = false;  // its token, and a second head, whose mean with the first answers
  int64_t registers = 0;
  PositionScope positions = PositionScope::kAll;
  PositionResize position_resize = PositionResize::kPlain;
  bool patch_bias = true;
  bool embedding_norm = false;  // of all tokens, before the blocks (CLIP)

  // The blocks.
  QkvBias qkv_bias = QkvBias::kAll;
  double attention_scale = 0;  // of q k^T; 0: 1 / sqrt(width / heads)
  HiddenActivation activation = HiddenActivation::kGelu;
  bool layer_scale = false;  // a factor a channel on what attention and MLP add
  bool post_norm = false;    // x = norm1(x + attn x), x = norm2(x + mlp x)

  // What is read, and the head.
  bool final_norm = true;  // before the pooling
  Pooling pooling = Pooling::kClassToken;
  bool fc_norm = false;    // behind the pooling
  int64_t pre_logits = 0;  // outputs of a dense layer and tanh before the head; 0: none
  int64_t projection = 0;  // outputs of a layer without bias before the head (CLIP); 0: none

  ShiftAddSpec shift_add;

  Grid grid() const { return {image_size.height / patch_size, image_size.width / patch_size}; }
  int64_t image_values() const { return in_channels * image_size.count(); }
  Shape batch_shape(int64_t images) const {
    return {images, in_channels, image_size.height, image_size.width};
  }
  /// Tokens in front of the patches.
  int64_t prefix() const { return int64_t{class_token} + int64_t{distillation} + registers; }
  int64_t tokens() const { return prefix() + grid().count(); }
  int64_t head_dim() const { return width / heads; }
  BlockKinds block(int64_t i) const {
    return shift_add.blocks.empty() ? BlockKinds{} : shift_add.blocks[static_cast<std::size_t>(i)];
  }

  /// Whether any layer is other than the plain network's.
  bool converted() const {
    for (const BlockKinds& block : shift_add.blocks)
      if (!(block == BlockKinds{})) return true;
    return false;
  }

  bool operator==(const ModelSpec&) const = default;
};

/// Names: deit_{tiny,small,base}_patch16_224, vit_{tiny,small,base}_patch16_224, vit_micro (the
/// golden network), vit_cifar. Throws Error naming the nearest known name.
ModelSpec named_spec(const std::string& name);
std::vector<std::string> spec_names();

/// Lists "base", a text; `spec` becomes what load(base) returns where it is not "".
void list_base(ConfigVisitor& visitor, std::string& base, ModelSpec& spec,
               ModelSpec (*load)(const std::string&), const char* about);
/// Lists family, name, sizes and norm_eps.
void list_options(ConfigVisitor& visitor, ModelSpec& spec);
/// {"family": "vit", "name": ..., "image_size": ..., ...}; absent keys are those of "base": NAME.
/// Without it every size must be given, but in_channels; norm_eps is timm's where it is absent.
/// Throws Error (user) "SOURCE:LINE: key: what is wrong" for a missing or unknown key (with the
/// nearest valid one), a wrong type, or a network that cannot exist (width not divisible by heads,
/// image not divisible by patch, sizes < 1).
ModelSpec parse_model_spec(std::string_view text, const std::string& source);
nlohmann::json to_json(const ModelSpec& spec);
/// A line per key of a spec's file: default, range, description.
std::string model_spec_help();
/// Where two networks differ, for an error that names both: "depth 6 instead of 12,
/// blocks.0-3,5.mlp shift instead of mixture", of `given` first; "" where only the names do.
std::string spec_difference(const ModelSpec& given, const ModelSpec& expected);
/// A known name, or a path to a JSON file.
ModelSpec load_spec(const std::string& name_or_path);
/// Throws Error (user) with the key, for a network that cannot exist.
void validate(const ModelSpec& spec);

}  // namespace shiftadd
