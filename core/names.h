// "Did you mean": the nearest valid name for error messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace shiftadd {

/// The candidate with the smallest edit distance to `name`; empty when none is near (distance above
/// a third of the length, at least 2).
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);
/// "; did you mean 'x'?" or "".
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace shiftadd
