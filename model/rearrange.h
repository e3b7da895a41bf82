// What a rename rule does to tensors: stacks, transposes and cuts them.
#pragma once

#include <vector>

#include "core/tensor.h"
#include "model/name_map.h"

namespace shiftadd {

/// The tensors of `use.to` made of those of `use.from`, or their shapes alone: `from` has an element
/// for each name, whatever it is where zeros are meant. One tensor that only gets another name
/// shares its memory. Throws Error (user) that names the tensors which do not fit together, and
/// those that must be zeros and are not.
std::vector<Tensor> rearranged(const NameUse& use, const std::vector<Tensor>& from);
std::vector<Shape> rearranged_shapes(const NameUse& use, const std::vector<Shape>& from);

}  // namespace shiftadd
