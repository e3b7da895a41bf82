// Class names from a text file.
#pragma once

#include <string>
#include <vector>

namespace shiftadd {

/// One name a line; or, when the first line holds tabs, a table: the column "label" (else "name",
/// "class", else the last). Throws Error (user) for an empty file, an empty name, or a column
/// "index" that does not count from 0.
std::vector<std::string> read_class_names(const std::string& path);

}  // namespace shiftadd
