// What tensors that the network has no place for are, and which of them may be left out.
#pragma once

#include <string>

namespace shiftadd {

/// Why a tensor of this name is no loss: a counter, a constant, training state, what only
/// pretraining uses. Null where it is not on the list (docs/conversion.md has it). What lies
/// `beside` the prefix of the network may be another network's head.
const char* harmless_leftover(const std::string& name, bool beside = false);

/// What a network has whose tensors are called so, where none here has it: "rotary positions
/// (RoPE)". Null where the name tells nothing of this kind (docs/conversion.md has the list).
const char* unsupported_part(const std::string& name);
/// Says so of a tensor of the file.
std::string unsupported_text(const std::string& source, const char* part);

}  // namespace shiftadd
