// Looks for words such as "train" in folder names, and refuses folders of parts as classes.
#include "data/set_parts.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "core/error.h"
#include "data/formats.h"

namespace shiftadd::data {
namespace {

enum class Part : uint8_t { kNone, kTrain, kVal, kTest };

Part part_of_word(std::string_view word) {
  for (const char* name : {"train", "training", "trn"})
    if (word == name) return Part::kTrain;
  for (const char* name : {"val", "valid", "validate", "validation", "dev", "eval", "evaluation"})
    if (word == name) return Part::kVal;
  for (const char* name : {"test", "testing", "tst", "holdout"})
    if (word == name) return Part::kTest;
  return Part::kNone;
}

struct FolderName {
  Part part = Part::kNone;  // that a word of the name says
  bool whole = false;       // and no word says anything else: "train", "Val2017", "test_images"
};

FolderName read_name(std::string_view name) {
  std::vector<std::string> words(1);  // of letters, in lower case
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper || (c >= 'a' && c <= 'z') || (c & 0x80))
      words.back() += upper ? static_cast<char>(c + 32) : c;
    else if (!words.back().empty())
      words.emplace_back();
  }
  FolderName result;
  result.whole = true;
  for (const std::string& word : words) {
    // "trainset", "valset"
    const bool is_set = word.size() > 3 && word.ends_with("set");
    Part part = part_of_word(word);
    if (part == Part::kNone && is_set) part = part_of_word(word.substr(0, word.size() - 3));
    if (part != Part::kNone) result.part = part;
    bool says_nothing = word.empty() || part != Part::kNone;
    for (const char* other : {"set", "split", "data", "dataset", "images", "image", "imgs", "img"})
      says_nothing = says_nothing || word == other;
    result.whole = result.whole && says_nothing;
  }
  result.whole = result.whole && result.part != Part::kNone;
  return result;
}

/// Content and Level count what lies in the folders directly below one folder.
struct Content {
  int64_t direct = 0, deeper = 0;  // images in the folder itself, and in folders below it
};
struct Level {
  std::map<std::string, Content> folders;
  int64_t loose = 0;  // images beside the folders
};

Level level_below(const std::string& prefix, const std::vector<TreeEntry>& entries) {
  Level level;
  for (const TreeEntry& entry : entries) {
    if (!entry.name.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(entry.name).substr(prefix.size());
    const std::size_t slash = rest.find('/');
    if (entry.kind == TreeEntry::Kind::kFolder) {
      level.folders[std::string(rest.substr(0, slash))];
    } else if (is_image_name(entry.name) && slash == std::string_view::npos) {
      ++level.loose;
    } else if (is_image_name(entry.name)) {
      Content& content = level.folders[std::string(rest.substr(0, slash))];
      ++(rest.find('/', slash + 1) == std::string_view::npos ? content.direct : content.deeper);
    }
  }
  return level;
}

/// Returns the folders that are parts, or none.
std::vector<std::string> parts_among(const Level& level) {
  bool any = false, all = true;
  std::vector<std::string> whole, nested;
  std::set<Part> nested_parts;
  for (const auto& [name, content] : level.folders) {
    const FolderName read = read_name(name);
    if (read.whole) whole.push_back(name);
    if (content.direct + content.deeper > 0) any = true, all = all && read.whole;
    if (read.part == Part::kNone || content.direct > 0) continue;
    nested.push_back(name);
    nested_parts.insert(read.part);
  }
  if (any && all && level.loose == 0) return whole;
  return nested_parts.size() > 1 ? nested : std::vector<std::string>();
}

std::string advice(const std::string& path, bool packed, const std::string& prefix,
                   const std::vector<std::string>& parts) {
  if (packed)
    return concat("pack each part as a tar of its own, e.g. tar -C ", prefix, parts.front(),
                  " -cf ", parts.front(), ".tar .");
  std::string train, val;
  for (const std::string& part : parts) {
    const Part says = read_name(part).part;
    if (says == Part::kTrain) train = concat(" data.train=", path, "/", prefix, part);
    if (says == Part::kVal) val = concat(" data.val=", path, "/", prefix, part);
  }
  return concat("name one of them, e.g. ", path, "/", prefix, parts.front(),
                train.empty() ? "" : concat("; to train:", train, val));
}

}  // namespace

void require_classes_not_parts(const std::string& path, bool packed,
                               const std::vector<TreeEntry>& entries) {
  std::string prefix;
  while (true) {
    const Level level = level_below(prefix, entries);
    if (const std::vector<std::string> parts = parts_among(level); !parts.empty()) {
      std::string names;
      for (const std::string& part : parts)
        names += concat(names.empty() ? "'" : ", '", prefix, part, "'");
      throw user_error(path, ": ", names, parts.size() > 1 ? " are parts" : " is a part",
                       " of a data set, not classes: ", advice(path, packed, prefix, parts));
    }
    // A single class that holds folders only may be the folder of the parts.
    if (level.folders.size() != 1 || level.loose > 0) return;
    const auto& [name, content] = *level.folders.begin();
    if (content.direct > 0 || content.deeper == 0) return;
    prefix += name + "/";
  }
}

}  // namespace shiftadd::data
