// The network as data: read by layers (to train) and by infer (to run).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "model/shift_add_spec.h"

namespace shiftadd {

/// A plain pre-norm vision transformer (ViT, DeiT): convolutional patch embedding (kernel = stride
/// = patch), class token first, learned positions added to all tokens, `depth` blocks x +=
/// attn(norm1 x), x += mlp(norm2 x), final norm, head on the class token. `shift_add` says which of
/// its products are additions, shifts, or left to a router.
struct ModelSpec {
  std::string name;  // "deit_tiny_patch16_224", or any name for a custom network
  int64_t image_size = 224, patch_size = 16, in_channels = 3;
  int64_t width = 192, depth = 12, heads = 3, mlp_hidden = 768;
  int64_t classes = 1000;
  double norm_eps = 1e-6;
  ShiftAddSpec shift_add;

  int64_t grid() const { return image_size / patch_size; }
  int64_t tokens() const { return grid() * grid() + 1; }
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
