// The text of a surgery recipe.
#pragma once

#include <string>
#include <vector>

#include "layers/surgery.h"

namespace shiftadd::train {

/// One line: "BLOCKS: LAYER=KIND, LAYER=KIND". BLOCKS is "all", "3" or "2-5" (from 0, inclusive);
/// LAYER is attention (softmax, softmax_add, linear, linear_add), or qkv, proj, mlp (multiply,
/// shift, mixture). Throws Error (user) naming the line and the nearest valid word.
layers::SurgeryStep parse_recipe_line(const std::string& line);

}  // namespace shiftadd::train
