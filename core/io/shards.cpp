// Reads every file that an index names, and holds what is in them against the index.
#include "core/io/shards.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/config/foreign.h"
#include "core/error.h"

namespace shiftadd {
namespace {

namespace fs = std::filesystem;

struct Place {
  std::string file;   // as the index names it
  std::string where;  // of the index: for errors
};

// Throws Error (user) for a name that could mean a file elsewhere.
void require_inside(const fs::path& file, const std::string& where) {
  if (!file.empty() && file.is_relative() &&
      std::find(file.begin(), file.end(), "..") == file.end())
    return;
  throw user_error(where, ": '", file.string(),
                   "' is no name of a file in the index's folder: expected a relative path "
                   "without '..'");
}

// Where the index says that each tensor lies, by name.
std::map<std::string, Place> places_of(const ForeignObject& index) {
  const auto map = index.object("weight_map");
  const ConfigNode* entries = index.find("weight_map");
  if (!map || entries->members.empty())
    index.expected("weight_map", "an object that names the file of each tensor");
  std::map<std::string, Place> places;
  for (const ConfigMember& entry : entries->members) {
    const auto file = map->text(entry.key);
    if (!file) map->expected(entry.key, "the name of a file");
    require_inside(*file, map->where(entry.key));
    places[entry.key] = {*file, map->where(entry.key)};
  }
  return places;
}

std::vector<std::string> names_in(const WeightsFile& shard) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : shard.tensors) names.push_back(name);
  for (const auto& [name, why] : shard.unread) names.push_back(name);
  return names;
}

// Throws Error (user) where the files hold other tensors than the index says.
void require_agreement(const std::string& path, const std::map<std::string, Place>& places,
                       const std::map<std::string, WeightsFile>& shards) {
  std::map<std::string, std::vector<std::string>> found;  // the files that a tensor lies in
  for (const auto& [file, shard] : shards)
    for (const std::string& name : names_in(shard)) {
      if (!places.contains(name))
        throw user_error((fs::path(path).parent_path() / file).string(), ": tensor '", name,
                         "' is not in the weight_map of ", path);
      found[name].push_back(file);
    }
  for (const auto& [name, place] : places) {
    const std::vector<std::string>& files = found[name];
    if (std::find(files.begin(), files.end(), place.file) == files.end())
      throw user_error(place.where, ": tensor '", name, "' is not in ", place.file,
                       files.empty() ? "" : ", but in " + files.front());
    for (const std::string& file : files)
      if (file != place.file)
        throw user_error(place.where, ": tensor '", name, "' is in ", place.file, " and in ", file,
                         ", too: it is not clear which one counts");
  }
}

}  // namespace

bool looks_like_shard_index(std::string_view text) {
  const std::size_t first = text.find_first_not_of("\xef\xbb\xbf \t\r\n");
  return first != std::string_view::npos && text[first] == '{' &&
         text.find("\"weight_map\"") != std::string_view::npos;
}

WeightsFile read_shards(const std::string& path, std::string_view text,
                        const std::function<WeightsFile(const std::string& file)>& read) {
  const ConfigNode root = parse_config_node(text, path);
  const std::map<std::string, Place> places = places_of(ForeignObject(root));
  std::map<std::string, WeightsFile> shards;
  for (const auto& [name, place] : places) {
    if (shards.contains(place.file)) continue;
    const fs::path file = fs::path(path).parent_path() / place.file;
    std::error_code ignored;
    if (!fs::exists(file, ignored))
      throw user_error(place.where, ": ", path, " is the index of a checkpoint in several files, ",
                       "of which ", place.file, " is missing: expected it beside the index");
    shards.emplace(place.file, read(file));
  }
  require_agreement(path, places, shards);
  WeightsFile all;
  all.files.push_back(path);
  const auto append = [](auto& to, auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  for (auto& [file, shard] : shards) {
    all.format = shard.format;
    all.wrapper = shard.wrapper;
    all.unread.merge(shard.unread);
    append(all.tensors, shard.tensors);
    append(all.files, shard.files);
    append(all.outside, shard.outside);
    append(all.placeholders, shard.placeholders);
  }
  return all;
}

}  // namespace shiftadd
