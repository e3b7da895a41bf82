// Reads the list of broken images at the start, and appends each new name to its file once.
#include "data/loader_parts.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "core/io/files.h"

namespace shiftadd::data {

QuarantineList::QuarantineList(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  std::error_code absent;
  if (!std::filesystem::exists(path_, absent)) return;
  std::istringstream in(read_text(path_));
  for (std::string line; std::getline(in, line);) names_.insert(line);
}

void QuarantineList::add(const std::string& name) {
  if (path_.empty() || !names_.insert(name).second) return;
  errno = 0;
  std::ofstream out(path_, std::ios::app);
  out << name << '\n' << std::flush;
  if (!out)
    throw failure(path_, ": cannot write the list of broken images: ", std::strerror(errno));
}

}  // namespace shiftadd::data
