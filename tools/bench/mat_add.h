// Part of shiftadd-bench ops: MatAdd, the products of linear attention on packed signs, in each of
// its forms.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace shiftadd::tools {

/// Of the shapes of the released code's kernel test (images, heads, tokens, head width, channels of
/// q and k) and of DeiT-T, on one thread; the best time of each form in microseconds.
nlohmann::ordered_json time_mat_add(double seconds);

void print_mat_add(const nlohmann::ordered_json& rows);

}  // namespace shiftadd::tools
