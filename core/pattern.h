// Names chosen by a pattern with '*'.
#pragma once

#include <string_view>

namespace shiftadd {

/// Whole-name match; '*' stands for any run of characters: "blocks.0.*" matches
/// "blocks.0.attn.qkv.weight".
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace shiftadd
