// Lists patterns of the names of tensors that a network does without, each with the reason why.
#include "model/leftovers.h"

#include "core/io/average_name.h"
#include "core/pattern.h"

namespace shiftadd {

const char* harmless_leftover(const std::string& name) {
  struct Known {
    const char* pattern;
    const char* note;
  };
  static constexpr const char* kCounter = "a counter";
  static constexpr const char* kConstant = "a constant";
  static constexpr const char* kState = "training state";
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
      {"head_dist.*", "the distillation head is not used at inference"},
      {"dist_token", "the distillation token is not used"},
      {"*mask_token", "for pretraining only"},
      {"*optimizer*.*", kState},
      {"optim.*", kState},
      {"*scheduler*.*", kState},
      {"scaler.*", kState},
      {"*_scaler.*", kState},
      {"*rng_state*", kState},
  };
  for (const Known& known : kKnown)
    if (matches_pattern(known.pattern, name)) return known.note;
  const std::size_t dot = name.find('.');
  if (dot != std::string::npos && is_average_name(name.substr(0, dot)))
    return "a moving average of the weights";
  return nullptr;
}

}  // namespace shiftadd
