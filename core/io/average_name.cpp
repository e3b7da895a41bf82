// Splits a name into words, and compares each of them with those that mean a moving average.
#include "core/io/average_name.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string>

namespace shiftadd {

bool is_average_name(std::string_view name) {
  static constexpr std::string_view kWords[] = {"ema", "swa",      "average", "averaged",
                                                "avg", "momentum", "polyak",  "shadow"};
  std::string word;
  for (std::size_t i = 0; i <= name.size(); ++i) {
    const bool ends = i == name.size() || name[i] == '.' || name[i] == '_';
    if (!ends) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
      continue;
    }
    if (std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords)) return true;
    word.clear();
  }
  return false;
}

}  // namespace shiftadd
