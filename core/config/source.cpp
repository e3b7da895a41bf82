// Reads, extends and overrides config trees.
#include "core/config/source.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/io/input_file.h"
#include "core/io/not_weights.h"
#include "core/names.h"

namespace shiftadd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileBytes = 4u << 20;  // far above any config
constexpr std::size_t kMaxExtends = 16;

std::string read_config_text(const fs::path& path) {
  const std::vector<uint8_t> bytes = read_whole(path.string(), kMaxFileBytes);
  std::string text(bytes.begin(), bytes.end());
  require_no_placeholder(text, path.string());
  return text;
}

/// One name for one file, whichever way it was reached.
std::string identity(const fs::path& path) {
  std::error_code error;
  const fs::path canonical = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal().string() : canonical.string();
}

void remove_member(ConfigNode& object, std::string_view key) {
  std::erase_if(object.members, [&](const ConfigMember& member) { return member.key == key; });
}

struct Link {
  std::string path, identity;
};

// Reads a file and those that it extends.
class SourceLoader {
 public:
  ConfigNode load(std::string_view text, const std::string& path) {
    ConfigNode root = parse_config_node(text, path);
    if (!root.is_object())
      throw user_error(root.location(), ": a config is a JSON object {...}, got ",
                       root.described());
    chain_.push_back({path, identity(path)});
    if (std::find(files_.begin(), files_.end(), path) == files_.end()) files_.push_back(path);
    ConfigNode base;
    if (const ConfigNode* extends = root.find("extends"))
      for (const ConfigNode& each : extended(*extends)) {
        ConfigNode next = load_next(each, path);
        if (base.is_object())
          merge_config(base, std::move(next));
        else
          base = std::move(next);
      }
    chain_.pop_back();
    merged_.push_back(path);
    remove_member(root, "extends");
    remove_member(root, "$schema");
    if (!base.is_object()) return root;
    merge_config(base, std::move(root));
    return base;
  }
  /// In the order in which they were read.
  const std::vector<std::string>& files() const { return files_; }
  /// In the order in which they were merged; one that was reached twice stands there twice.
  const std::vector<std::string>& merged() const { return merged_; }

 private:
  // The paths that "extends" names: one, or a list.
  static std::vector<ConfigNode> extended(const ConfigNode& extends) {
    const bool list = extends.kind == ConfigNode::Kind::kArray;
    std::vector<ConfigNode> paths;
    if (list)
      paths = extends.items;
    else
      paths.push_back(extends);
    for (const ConfigNode& each : paths)
      if (each.kind != ConfigNode::Kind::kString || each.text.empty())
        throw user_error(each.location(), ": extends: expected the path of a JSON file",
                         list ? "" : ", or a list of paths", ", got ", each.described());
    return paths;
  }

  ConfigNode load_next(const ConfigNode& extends, const std::string& path) {
    const std::string where = extends.location() + ": extends: ";
    const std::string next =
        (fs::path(path).parent_path() / extends.text).lexically_normal().string();
    const std::string next_identity = identity(next);
    const bool cycle = std::any_of(chain_.begin(), chain_.end(), [&](const Link& link) {
      return link.identity == next_identity;
    });
    if (cycle || files_.size() == kMaxExtends) {
      std::string road;
      for (const Link& link : chain_) road += link.path + " -> ";
      throw user_error(
          where, cycle ? "the files extend each other in a circle: " : "more than 16 files: ", road,
          next);
    }
    std::error_code ignored;
    if (!fs::is_regular_file(next, ignored)) throw user_error(where, next, " is not a file");
    return load(read_config_text(next), next);
  }

  std::vector<Link> chain_;  // the files being read, each extended by the one before
  std::vector<std::string> files_, merged_;
};

/// The "name" of an object of a list, or null.
const std::string* name_in_list(const ConfigNode& item) {
  const ConfigNode* name = item.find("name");
  return name && name->kind == ConfigNode::Kind::kString ? &name->text : nullptr;
}

bool has_named_objects(const ConfigNode& list) {
  return list.kind == ConfigNode::Kind::kArray &&
         std::any_of(list.items.begin(), list.items.end(),
                     [](const ConfigNode& item) { return name_in_list(item) != nullptr; });
}

void merge_by_name(ConfigNode& list, ConfigNode over) {
  for (ConfigMember& member : over.members) {
    const auto same =
        std::find_if(list.items.begin(), list.items.end(), [&](const ConfigNode& item) {
          const std::string* name = name_in_list(item);
          return name && *name == member.key;
        });
    if (same == list.items.end()) {
      std::vector<std::string> names;
      for (const ConfigNode& item : list.items)
        if (const std::string* name = name_in_list(item)) names.push_back(*name);
      std::string text;
      for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
      throw user_error(member.value.location(), ": the list has no object that is called '",
                       member.key, "': expected one of ", text, did_you_mean(member.key, names));
    }
    merge_config(*same, std::move(member.value));
  }
}

}  // namespace

void merge_config(ConfigNode& base, ConfigNode over) {
  if (over.is_object() && has_named_objects(base)) {
    merge_by_name(base, std::move(over));
    return;
  }
  if (!base.is_object() || !over.is_object()) {
    base = std::move(over);
    return;
  }
  // --set a.b=1 sets b: a stays where the file has it
  if (over.line > 0) base.source = over.source, base.line = over.line;
  for (ConfigMember& member : over.members) {
    auto same = std::find_if(base.members.begin(), base.members.end(),
                             [&](const ConfigMember& other) { return other.key == member.key; });
    if (same == base.members.end()) {
      base.members.push_back(std::move(member));
    } else {
      same->line = member.line;
      merge_config(same->value, std::move(member.value));
    }
  }
}

ConfigNode load_config_text(std::string_view text, const std::string& name,
                            std::vector<std::string>* merged) {
  SourceLoader loader;
  ConfigNode root = loader.load(text, name);
  if (merged) *merged = loader.merged();
  return root;
}

std::vector<std::string> config_files(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return {path};
  SourceLoader loader;
  loader.load(read_config_text(path), path);
  return loader.files();
}

ConfigNode load_config_node(const std::string& path, std::vector<std::string>* merged) {
  return load_config_text(read_config_text(path), path, merged);
}

namespace {

void set_source(ConfigNode& node, const std::shared_ptr<const std::string>& source) {
  node.source = source, node.line = 0;
  for (ConfigNode& item : node.items) set_source(item, source);
  for (ConfigMember& member : node.members) {
    member.line = 0;
    set_source(member.value, source);
  }
}

ConfigNode override_value(const std::string& text, const std::string& source) {
  try {
    return parse_config_node(text, source);
  } catch (const Error&) {  // not JSON: a plain word
    ConfigNode node;
    node.kind = ConfigNode::Kind::kString;
    node.text = text;
    return node;
  }
}

}  // namespace

void apply_override(ConfigNode& root, const std::string& override_text) {
  apply_override(root, override_text, concat("--set ", override_text.substr(0, 200)));
}

void apply_override(ConfigNode& root, const std::string& override_text, const std::string& source) {
  const std::size_t equals = override_text.find('=');
  if (equals == std::string::npos)
    throw user_error(source, ": expected key.path=value, got no '='");
  const std::string path = override_text.substr(0, equals);
  ConfigNode node = override_value(override_text.substr(equals + 1), source);
  // built from the inside out: a.b.c=1 is {"a": {"b": {"c": 1}}}
  std::size_t end = path.size();
  for (int depth = 0;; ++depth) {
    if (depth == kMaxConfigDepth)
      throw user_error(source, ": the key has more than ", depth, " parts");
    const std::size_t dot = end == 0 ? std::string::npos : path.rfind('.', end - 1);
    const std::size_t start = dot == std::string::npos ? 0 : dot + 1;
    if (start == end) throw user_error(source, ": empty name in the key '", path, "'");
    ConfigNode parent;
    parent.kind = ConfigNode::Kind::kObject;
    parent.members.push_back({path.substr(start, end - start), std::move(node), 0});
    node = std::move(parent);
    if (dot == std::string::npos) break;
    end = dot;
  }
  set_source(node, std::make_shared<const std::string>(source));
  merge_config(root, std::move(node));
}

}  // namespace shiftadd
