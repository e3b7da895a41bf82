// Networks by the names that timm's hub gives them, with or without the tag of their weights.
#pragma once

#include <optional>
#include <string>

#include "core/preprocess.h"
#include "model/model_spec.h"

namespace shiftadd {

struct HubNetwork {
  ModelSpec spec;
  Preprocess preprocess;  // with which the weights of this tag were published
};

/// {vit,deit,deit3}_{tiny,small,base,...}_patchP_S, deit_*_distilled_patchP_S and
/// vit_*_patch14[_reg4]_dinov2, each with a tag behind a dot or without: its usual weights are
/// meant then, those of 1000 classes. None for any other name, and for a tag that is not known.
std::optional<HubNetwork> hub_network(const std::string& name);

}  // namespace shiftadd
