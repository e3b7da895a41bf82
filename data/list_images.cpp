// Replaces folders and "-" among the arguments by the image files that they stand for.
#include "data/list_images.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "data/formats.h"
#include "data/tree.h"

namespace shiftadd::data {
namespace fs = std::filesystem;
namespace {

class Images {
 public:
  explicit Images(const std::function<void(const std::string&)>& note) : note_(note) {}

  void add(const std::string& name) {
    std::error_code ignored;
    if (fs::is_directory(name, ignored)) {
      add_folder(name);
    } else {
      paths_.push_back(name);
    }
  }

  std::vector<std::string> take() { return std::move(paths_); }

 private:
  void add_folder(const std::string& folder) {
    const std::string below = folder.ends_with('/') ? folder : folder + "/";
    std::vector<std::string> found, left_out;
    for (const TreeEntry& entry : walk_folder(folder)) {
      if (entry.kind == TreeEntry::Kind::kFolder) {
        if (!entry.problem.empty()) throw user_error(entry.problem);
        continue;
      }
      if (is_image_name(entry.name)) {
        found.push_back(below + entry.name);
      } else {
        left_out.push_back(entry.name);
        if (!entry.problem.empty()) say(entry.problem);
      }
    }
    const std::string unread = unread_formats(left_out);
    if (found.empty())
      throw user_error(folder, ": the folder holds no image (", kReadExtensions, ")",
                       unread.empty() ? "" : "; not read: " + unread);
    if (!unread.empty()) say(concat(folder, ": not read: ", unread));
    std::sort(found.begin(), found.end());
    paths_.insert(paths_.end(), found.begin(), found.end());
  }

  void say(const std::string& line) const {
    if (note_) note_(line);
  }

  const std::function<void(const std::string&)>& note_;
  std::vector<std::string> paths_;
};

/// Reads the next line, or returns false at the end; standard input may be anything, also endless.
bool read_line(std::istream& list, std::string& line) {
  constexpr std::size_t kLongestPath = 4096;  // of Linux
  line.clear();
  for (char c; list.get(c);) {
    if (c == '\n') return true;
    line += c;
    if (line.size() > kLongestPath)
      throw user_error(
          "-: a line of standard input is longer than any path: expected one path a "
          "line");
  }
  return !line.empty();
}

}  // namespace

std::vector<std::string> list_images(const std::vector<std::string>& arguments, std::istream& list,
                                     const std::function<void(const std::string&)>& note) {
  Images images(note);
  for (const std::string& argument : arguments) {
    if (argument != "-") {
      images.add(argument);
      continue;
    }
    constexpr int64_t kMostNames = 10'000'000;
    int64_t count = 0;
    for (std::string line; read_line(list, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      if (++count > kMostNames)
        throw user_error("-: more than ", kMostNames, " names on standard input");
      images.add(line);
    }
    if (count == 0)
      throw user_error("-: no image was named on standard input; give one path a line");
  }
  return images.take();
}

}  // namespace shiftadd::data
