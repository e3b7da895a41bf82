// JSON values that remember the file and line they came from, so that every later error can name
// them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shiftadd {

struct ConfigMember;

struct ConfigNode {
  enum class Kind : uint8_t { kNull, kBoolean, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  std::string text;                   // kString: the value; kNumber, kBoolean, kNull: as written
  std::vector<ConfigNode> items;      // kArray
  std::vector<ConfigMember> members;  // kObject, in file order, keys unique
  std::shared_ptr<const std::string> source;  // the file, or "--set key=value"
  int64_t line = 0;                           // from 1; 0: not from a file

  bool is_object() const { return kind == Kind::kObject; }
  const ConfigNode* find(std::string_view key) const;  // a member of an object, or null
  ConfigNode* find(std::string_view key);
  /// "configs/a.json:12", or "--set a=1".
  std::string location() const;
  /// What an error calls this value: "abc" (quoted), 12, an object, ...; long strings are cut.
  std::string described() const;
  double number() const;  // kNumber, as float64
};

struct ConfigMember {
  std::string key;
  ConfigNode value;
  int64_t line = 0;  // of the key
};

/// The most nested value that is read.
inline constexpr int kMaxConfigDepth = 64;
/// The most keys of one object: keeps every look-up by key cheap, and leaves room for the names of
/// ImageNet-21k's classes.
inline constexpr std::size_t kMaxConfigMembers = 50'000;

/// Strict JSON (RFC 8259, UTF-8, a byte order mark is skipped). Throws Error (user)
/// "SOURCE:LINE:COLUMN: what is wrong"; columns count characters from 1. Refused with an own
/// message: comments, trailing commas, duplicate keys, single quotes, unescaped line breaks,
/// invalid UTF-8, nesting deeper than kMaxConfigDepth, objects with more than kMaxConfigMembers
/// keys, numbers outside float64.
ConfigNode parse_config_node(std::string_view text, const std::string& source);

}  // namespace shiftadd
