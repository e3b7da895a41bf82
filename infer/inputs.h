// What the user named on the command line, turned into a list of image files.
#pragma once

#include <istream>
#include <string>
#include <vector>

namespace shiftadd::infer {

/// Files stay as they are (an unreadable one is reported when it is its turn); a folder gives every
/// image file below it in byte order of its path, hidden ones apart; "-" gives the lines of `list`,
/// each a file or folder, blank lines skipped. Throws Error (user) for a folder without images or a
/// list without names.
std::vector<std::string> list_images(const std::vector<std::string>& arguments, std::istream& list);

}  // namespace shiftadd::infer
