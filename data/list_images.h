// What the user named on the command line, turned into a list of image files.
#pragma once

#include <functional>
#include <istream>
#include <string>
#include <vector>

namespace shiftadd::data {

/// Files stay as they are (an unreadable one is reported when it is its turn); a folder gives every
/// image file below it in byte order of its path, linked folders included and hidden ones apart,
/// also links that lead nowhere and named pipes, which are reported in turn as well; "-" gives the
/// lines of `list`, each a file or folder, blank lines skipped. `note` receives a line on what
/// folders hold that is not read: images of other formats, and links that lead nowhere. Throws
/// Error (user) for a folder without images or with itself below it, a list without names, and one
/// that is no list (a line longer than any path, or names without end).
std::vector<std::string> list_images(const std::vector<std::string>& arguments, std::istream& list,
                                     const std::function<void(const std::string&)>& note = {});

}  // namespace shiftadd::data
