// What an environment variable may lower: a machine's best instructions to lesser ones.
#pragma once

#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/error.h"

namespace shiftadd {

/// The one of `all`, ascending, that the variable names, or `best` where it is unset or empty.
/// Throws Error (user) for another name, and for more than `best`.
template <class Enum>
Enum lowered_choice(const char* variable, Enum best, std::initializer_list<Enum> all) {
  const char* wish = std::getenv(variable);
  if (!wish || !*wish) return best;
  std::string names;
  for (const Enum& each : all) {
    if (std::string_view(wish) == name_of(each)) {
      if (each > best)
        throw user_error(variable, "=", wish, ": this CPU offers ", name_of(best),
                         "; unset the variable or choose that");
      return each;
    }
    const char* separator = names.empty() ? "" : &each + 1 == all.end() ? " or " : ", ";
    names += concat(separator, name_of(each));
  }
  throw user_error(variable, "=", wish, ": expected ", names);
}

}  // namespace shiftadd
