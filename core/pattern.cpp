// Matches a name against a pattern in one loop, which goes back to no more than the last '*'.
#include "core/pattern.h"

namespace shiftadd {

bool matches_pattern(std::string_view pattern, std::string_view name) {
  // the last '*' seen takes one character more each time the rest does not fit
  std::size_t p = 0, n = 0, star = std::string_view::npos, taken = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++, taken = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1, n = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace shiftadd
