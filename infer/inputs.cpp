// See inputs.h.
#include "infer/inputs.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include "core/error.h"

namespace shiftadd::infer {
namespace fs = std::filesystem;
namespace {

bool is_image_name(const fs::path& path) {
  static constexpr std::array<const char*, 5> kExtensions = {".jpg", ".jpeg", ".png", ".bmp",
                                                             ".gif"};
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

void add_folder(const std::string& folder, std::vector<std::string>& images) {
  std::vector<std::string> found;
  try {
    for (fs::recursive_directory_iterator it(folder), end; it != end; ++it) {
      if (is_hidden(it->path())) {
        if (it->is_directory()) it.disable_recursion_pending();
        continue;
      }
      if (it->is_regular_file() && is_image_name(it->path())) found.push_back(it->path().string());
    }
  } catch (const fs::filesystem_error& error) {
    throw user_error(folder, ": the folder cannot be read: ", error.code().message());
  }
  if (found.empty())
    throw user_error(folder, ": the folder holds no image (.jpg .jpeg .png .bmp .gif)");
  std::sort(found.begin(), found.end());
  images.insert(images.end(), found.begin(), found.end());
}

void add(const std::string& name, std::vector<std::string>& images) {
  std::error_code ignored;
  if (fs::is_directory(name, ignored)) {
    add_folder(name, images);
  } else {
    images.push_back(name);
  }
}

}  // namespace

std::vector<std::string> list_images(const std::vector<std::string>& arguments,
                                     std::istream& list) {
  std::vector<std::string> images;
  for (const std::string& argument : arguments) {
    if (argument != "-") {
      add(argument, images);
      continue;
    }
    bool any = false;
    for (std::string line; std::getline(list, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      add(line, images);
      any = true;
    }
    if (!any) throw user_error("-: no image was named on standard input; give one path a line");
  }
  return images;
}

}  // namespace shiftadd::infer
