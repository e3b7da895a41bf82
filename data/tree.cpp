// Walks a folder or a tar's index and lists what lies below it, with the reason why an entry cannot
// be read.
#include "data/tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "data/formats.h"
#include "data/tar.h"

namespace shiftadd::data {
namespace {

namespace fs = std::filesystem;

class Walker {
 public:
  explicit Walker(const std::string& root) : root_(root) {}
  std::vector<TreeEntry> run() {
    if (const std::string problem = walk(""); !problem.empty()) throw user_error(problem);
    return std::move(entries_);
  }

 private:
  /// Returns what prevents the folder from being read, as a whole error; empty when nothing does.
  std::string walk(const std::string& below) {
    const std::string folder = below.empty() ? root_ : path_of(below);
    struct stat status {};
    if (stat(folder.c_str(), &status) != 0)
      return concat(folder, ": cannot be read: ", std::strerror(errno));
    const std::pair identity(status.st_dev, status.st_ino);
    if (!open_.insert(identity).second)
      return folder + ": a link back to a folder that contains it: remove it";
    constexpr int kMostWays = 100;  // linked folders that link on would double at each level
    if (++ways_[identity] > kMostWays) {
      open_.erase(identity);
      return concat(folder, ": more than ", kMostWays, " ways of links lead here: remove some");
    }
    std::error_code error;
    for (auto it = fs::directory_iterator(folder, error); !error && it != fs::directory_iterator();
         it.increment(error)) {
      const std::string leaf = it->path().filename().string();
      if (!leaf.starts_with('.')) add(below.empty() ? leaf : below + "/" + leaf);
    }
    open_.erase(identity);
    return error ? concat(folder, ": cannot be read: ", error.message()) : "";
  }

  void add(const std::string& name) {
    const std::string path = path_of(name);
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) {
      const std::string reason = std::strerror(errno);
      std::error_code no_link;
      const std::string target = fs::read_symlink(path, no_link).string();
      entries_.push_back(
          {name, 0, 0, TreeEntry::Kind::kLink,
           no_link ? concat(path, ": cannot be read: ", reason)
                   : concat(path, ": not a file: a link to '", target, "', which leads nowhere (",
                            reason, "): remove it, or mend it")});
    } else if (S_ISDIR(status.st_mode)) {
      const std::size_t at = entries_.size();
      entries_.push_back({name, 0, 0, TreeEntry::Kind::kFolder, ""});
      entries_[at].problem = walk(name);
    } else if (S_ISREG(status.st_mode)) {
      entries_.push_back({name, 0, status.st_size, TreeEntry::Kind::kFile, ""});
    } else {
      entries_.push_back({name, 0, 0, TreeEntry::Kind::kSpecial,
                          concat(path, ": not a file: ", special_kind(status.st_mode))});
    }
  }

  // The root may be given with a '/' at its end.
  std::string path_of(const std::string& name) const { return (fs::path(root_) / name).string(); }

  const std::string& root_;
  std::set<std::pair<dev_t, ino_t>> open_;       // the folders between the root and here
  std::map<std::pair<dev_t, ino_t>, int> ways_;  // how often each folder was walked
  std::vector<TreeEntry> entries_;
};

bool has_hidden_part(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

TreeEntry::Kind kind_of(TarMember::Kind kind) {
  switch (kind) {
    case TarMember::Kind::kFolder:
      return TreeEntry::Kind::kFolder;
    case TarMember::Kind::kLink:
      return TreeEntry::Kind::kLink;
    case TarMember::Kind::kSpecial:
      return TreeEntry::Kind::kSpecial;
    case TarMember::Kind::kFile:
      break;
  }
  return TreeEntry::Kind::kFile;
}

}  // namespace

std::vector<TreeEntry> walk_folder(const std::string& root) { return Walker(root).run(); }

std::vector<TreeEntry> tar_entries(const InputFile& tar, const std::string& path) {
  std::vector<TarMember> members = index_tar_cached(tar, path);
  std::erase_if(members, [](const TarMember& member) { return has_hidden_part(member.name); });
  std::stable_sort(members.begin(), members.end(),
                   [](const TarMember& a, const TarMember& b) { return a.name < b.name; });
  std::unordered_map<std::string_view, const TarMember*> by_name;  // the last of each name
  for (const TarMember& member : members) by_name[member.name] = &member;
  std::vector<TreeEntry> entries;
  for (const TarMember& member : members) {
    if (by_name[member.name] != &member) continue;
    TreeEntry entry{member.name, member.offset, member.size, kind_of(member.kind), ""};
    if (entry.kind == TreeEntry::Kind::kSpecial)
      entry.problem = concat(path, ": '", member.name, "' is a named pipe or a device");
    if (entry.kind == TreeEntry::Kind::kLink) {
      const fs::path target = fs::path(member.name).parent_path() / member.link;
      const auto found = by_name.find(target.lexically_normal().string());
      const bool harmless = found != by_name.end() && !is_image_name(member.name) &&
                            found->second->kind == TarMember::Kind::kFile;
      if (harmless)
        entry.kind = TreeEntry::Kind::kFile;
      else
        entry.problem = concat(path, ": '", member.name, "' is a symbolic link to '", member.link,
                               "', which is not followed: pack the archive with tar --dereference");
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace shiftadd::data
