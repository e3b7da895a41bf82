// Lists patterns of the names of tensors that a network does without, each with the reason why.
#include "model/leftovers.h"

#include "core/io/average_name.h"
#include "core/pattern.h"

namespace shiftadd {

namespace {

struct Known {
  const char* pattern;
  const char* note;
};

}  // namespace

const char* harmless_leftover(const std::string& name, bool beside) {
  static constexpr const char* kCounter = "a counter";
  static constexpr const char* kConstant = "a constant";
  static constexpr const char* kState = "training state";
  static constexpr const char* kPretraining = "for pretraining only";
  static constexpr Known kKnown[] = {
      {"*num_batches_tracked", kCounter},
      {"*n_averaged", kCounter},
      {"*total_ops", kCounter},
      {"*total_params", kCounter},
      {"step", kCounter},
      {"*.step", kCounter},
      {"global_step", kCounter},
      {"epoch", kCounter},
      {"iteration", kCounter},
      {"*position_ids", kConstant},
      {"*relative_position_index", kConstant},
      {"*relative_coords_table", kConstant},
      {"*attn_mask", kConstant},
      {"golden.*", "a reference value"},
      {"*mask_token", kPretraining},
      {"decoder_*", kPretraining},
      {"*decoder.decoder_*", kPretraining},
      {"*dino_head.*", kPretraining},
      {"*ibot_head.*", kPretraining},
      {"*optimizer*.*", kState},
      {"optim.*", kState},
      {"*scheduler*.*", kState},
      {"scaler.*", kState},
      {"*_scaler.*", kState},
      {"*rng_state*", kState},
  };
  for (const Known& known : kKnown)
    if (matches_pattern(known.pattern, name)) return known.note;
  // DINO's file: "backbone.*" is the network, "head.*" what it was trained with.
  for (const char* pattern : {"*head.mlp.*", "*head.last_layer.*"})
    if (beside && matches_pattern(pattern, name)) return kPretraining;
  const std::size_t dot = name.find('.');
  if (dot != std::string::npos && is_average_name(name.substr(0, dot)))
    return "a moving average of the weights";
  return nullptr;
}

const char* unsupported_part(const std::string& name) {
  static constexpr const char* kRotary = "rotary positions (RoPE)";
  static constexpr const char* kRelative = "relative positions";
  static constexpr const char* kWindows = "windowed attention";
  static constexpr const char* kQkNorm = "a norm of q and k";
  static constexpr const char* kStem = "a convolutional stem";
  static constexpr Known kKnown[] = {
      {"*rope*", kRotary},
      {"*rotary*", kRotary},
      {"*freqs*", kRotary},
      {"*relative_position_bias*", kRelative},
      {"*rel_pos*", kRelative},
      {"*layers.*.blocks.*", kWindows},
      {"*attn.q_norm.*", kQkNorm},
      {"*attn.k_norm.*", kQkNorm},
      {"*patch_embed.backbone.*", kStem},
      {"*patch_embed.conv*", kStem},
      {"*attn_pool.*", "attention pooling"},
  };
  for (const Known& known : kKnown)
    if (matches_pattern(known.pattern, name)) return known.note;
  return nullptr;
}

std::string unsupported_text(const std::string& source, const char* part) {
  return source + " belongs to " + part + ", which no network here has";
}

}  // namespace shiftadd
