// Finds out, before the work, which files a program will read and write, and refuses what collides.
#include "tools/outputs.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <utility>

#include "core/io/files.h"

namespace shiftadd::tools {
namespace {

namespace fs = std::filesystem;

// A file is written behind its links, those that lead to no file yet, too.
fs::path behind_links(fs::path path) {
  constexpr int kMostLinks = 40;  // as Linux allows
  std::error_code error;
  for (int i = 0; i < kMostLinks && fs::is_symlink(path, error); ++i) {
    const fs::path next = fs::read_symlink(path, error);
    if (error) break;
    path = path.parent_path() / next;
  }
  return path;
}

// One name for one file, whether it is there already or not.
fs::path target_of(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(fs::absolute(behind_links(path)), error);
  return error ? path : whole;
}

// The folder that a path names an entry of.
fs::path folder_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? "." : parent;
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  const auto [in_folder, in_path] =
      std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return in_folder == folder.end();
}

// By their names, what these programs write and no folder of images is read for.
bool is_no_image(const fs::path& path) {
  static constexpr std::array<const char*, 4> kWritten = {".safetensors", ".csv", ".json", ".svg"};
  return std::find(kWritten.begin(), kWritten.end(), path.extension()) != kWritten.end();
}

Error same_file(const std::string& option, const std::string& path, const std::string& other,
                const std::string& other_path) {
  return user_error(
      option, path.empty() ? "" : " ", path, " and ", other, other_path.empty() ? "" : " ",
      other_path, " are the same file, which would be overwritten: give ", option, " another name");
}

}  // namespace

std::optional<Outputs::Identity> Outputs::identity_of(const fs::path& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || S_ISCHR(status.st_mode)) return std::nullopt;
  return Identity{status.st_dev, status.st_ino};
}

void Outputs::input(const std::string& option, const std::string& path) {
  const auto identity = path.empty() ? std::nullopt : identity_of(path);
  if (!identity) return;
  std::error_code ignored;
  inputs_.push_back({option, path, identity, fs::is_directory(path, ignored)});
  std::string end = path.substr(path.size() - std::min<std::size_t>(path.size(), 4));
  std::transform(end.begin(), end.end(), end.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (end != ".tar") return;
  const std::string index = path + ".index";  // made beside it
  inputs_.push_back({"the index of " + option, index, identity_of(index), false});
}

void Outputs::standard_input() {
  struct stat status;
  if (fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode))
    inputs_.push_back({"standard input", "", Identity{status.st_dev, status.st_ino}, false});
}

void Outputs::add(const std::string& option, const std::string& path,
                  std::function<bool(const std::string&)> writes) {
  struct stat status;
  const bool exists = stat(path.c_str(), &status) == 0;
  outputs_.push_back({option, path, target_of(path), identity_of(path),
                      exists && S_ISCHR(status.st_mode), std::move(writes)});
}

void Outputs::file(const std::string& option, const std::string& path) {
  if (!path.empty()) add(option, path, {});
}

void Outputs::folder(const std::string& option, const std::string& path,
                     std::function<bool(const std::string& name)> writes) {
  add(option, path, std::move(writes));
}

void Outputs::check() const {
  for (const Output& output : outputs_)
    for (const Input& input : inputs_) require_distinct(output, input);
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) require_distinct(outputs_[i], outputs_[j]);
  }
  // What is printed goes to a file, too, where the shell says so.
  for (const auto& [number, name] :
       {std::pair{STDOUT_FILENO, "standard output"}, std::pair{STDERR_FILENO, "standard error"}}) {
    struct stat status;
    if (fstat(number, &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const Identity printed = {status.st_dev, status.st_ino};
    for (const Output& output : outputs_)
      if (output.identity == printed) throw same_file(output.option, output.path, name, "");
    for (const Input& input : inputs_)
      if (input.identity == printed) throw same_file(name, "", input.option, input.path);
  }
  for (const Output& output : outputs_) require_writable(output);
}

void Outputs::require_distinct(const Output& output, const Input& input) const {
  if (input.identity ? output.identity == input.identity : output.target == target_of(input.path)) {
    if (!input.folder) throw same_file(output.option, output.path, input.option, input.path);
    if (output.writes)
      throw user_error(output.option, " ", output.path, " and ", input.option, " ", input.path,
                       " are the same folder: give ", output.option, " another one");
  }
  if (input.folder && output.writes) require_outside(output, input);
  if (input.folder && !output.writes) require_no_image(output, input);
  if (!input.folder && output.writes) require_kept(output, input);
}

void Outputs::require_outside(const Output& folder, const Input& input) {
  if (lies_in(folder.target, target_of(input.path)))
    throw user_error(folder.option, " ", folder.path, " lies in ", input.option, " ", input.path,
                     ", which is read: give ", folder.option, " a folder elsewhere");
}

void Outputs::require_no_image(const Output& file, const Input& folder) {
  if (!file.identity || is_no_image(file.path)) return;
  constexpr int kDeepest = 16;  // links may lead in circles
  std::error_code ignored;
  fs::recursive_directory_iterator it(folder.path, fs::directory_options::follow_directory_symlink,
                                      ignored);
  for (; it != fs::recursive_directory_iterator(); it.increment(ignored)) {
    if (it.depth() > kDeepest) it.disable_recursion_pending();
    if (identity_of(it->path()) == file.identity && !is_no_image(it->path()))
      throw same_file(file.option, file.path, folder.option, it->path().string());
  }
}

void Outputs::require_kept(const Output& folder, const Input& input) {
  if (!input.identity) return;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder.path, ignored))
    if (folder.writes(entry.path().filename().string()) &&
        identity_of(entry.path()) == input.identity)
      throw user_error(folder.option, " ", folder.path, " would overwrite ", input.option, " ",
                       input.path, ": give ", folder.option, " another folder");
}

void Outputs::require_distinct(const Output& a, const Output& b) const {
  if (a.stream || b.stream) return;
  if (a.identity || b.identity ? a.identity == b.identity : a.target == b.target)
    throw same_file(a.option, a.path, b.option, b.path);
}

void Outputs::require_writable(const Output& output) {
  const auto refuse = [&](const auto&... what) {
    return user_error(output.option, " ", output.path, what...);
  };
  struct stat status;
  const bool exists = stat(output.path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT && errno != ENOTDIR)
    throw refuse(": cannot be written: ", std::strerror(errno));
  if (output.writes && exists && !S_ISDIR(status.st_mode)) throw refuse(" is a file, not a folder");
  if (!output.writes) {
    if (exists && S_ISDIR(status.st_mode)) throw refuse(" is a folder: name a file in it");
    if (!exists && output.path.ends_with('/')) throw refuse(" names a folder: expected a file");
    if (exists && (S_ISSOCK(status.st_mode) || S_ISBLK(status.st_mode)))
      throw refuse(" is a ", S_ISBLK(status.st_mode) ? "disk" : "socket", ": expected a file");
  }
  if (exists && access(output.path.c_str(), W_OK) != 0)
    throw refuse(": cannot be written: ", std::strerror(errno));
  if (exists && !S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) return;  // has no temporary

  // The deepest folder that is there already; what is missing below it can be made in it.
  fs::path folder = output.writes && exists ? output.target : folder_of(output.target);
  std::error_code ignored;
  while (!fs::exists(folder, ignored) && folder != folder_of(folder)) {
    if (fs::is_symlink(folder, ignored))
      throw refuse(": ", folder.string(), " is a link that leads nowhere");
    folder = folder_of(folder);
  }
  if (!fs::is_directory(folder, ignored))
    throw refuse(": ", folder.string(), " is a file, not a folder");
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    throw refuse(": the folder ", folder.string(), " cannot be written: ", std::strerror(errno));
  if (output.target.filename().string().size() > NAME_MAX - sizeof ".tmp-4194304" + 1)
    throw refuse(": the name is too long");
  try {
    AtomicFile(folder / ".shiftadd-probe").write("?");  // abandoned: nothing stays
  } catch (const Error& error) {
    throw failure(output.option, " ", output.path, ": ", error.what());
  }
}

void Outputs::make_folder_of(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) == 0) return;
  std::error_code problem;
  fs::create_directories(folder_of(behind_links(path)), problem);
  if (problem) throw failure(path, ": its folder cannot be made: ", problem.message());
}

void Outputs::report(const Error& error) {
  std::cout.flush();
  std::cerr << program_ << ": error: " << error.what() << std::endl;
  if (!status_) status_ = error.exit_code();
}

}  // namespace shiftadd::tools
