// What tensors that the network has no place for are, and which of them may be left out.
#pragma once

#include <string>

namespace shiftadd {

/// Why a tensor of this name is no loss: a counter, a constant, training state, another head that
/// is not used at inference. Null where it is not on the list (docs/conversion.md has it).
const char* harmless_leftover(const std::string& name);

}  // namespace shiftadd
