// Finds a name among those of an enumeration, or says which are known.
#include "core/enum_names.h"

#include <algorithm>

#include "core/error.h"
#include "core/names.h"

namespace shiftadd {

std::size_t index_of_name(const std::string& name, const std::vector<std::string>& names,
                          const std::string& where) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  std::string known;
  for (const std::string& each : names) known += (known.empty() ? "" : ", ") + each;
  throw user_error(where, ": '", name, "' is not known: expected one of ", known,
                   did_you_mean(name, names));
}

}  // namespace shiftadd
