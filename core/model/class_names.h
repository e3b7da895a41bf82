// Class names from a text file.
#pragma once

#include <string>
#include <vector>

namespace shiftadd {

/// One name a line; or, when the first line holds tabs, a table: the column "label" (else "name",
/// "class", else the last). Throws Error (user) for an empty file, an empty name, or a column
/// "index" that does not count from 0.
struct ClassNames {
  std::vector<std::string> names;
  std::vector<std::string> ids;  // the column "wnid" or "id", by which folders are named; or empty
};
ClassNames read_class_names(const std::string& path);

}  // namespace shiftadd
