// An object in another program's JSON, of which only some keys are asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/config/node.h"

namespace shiftadd {

/// A key that is absent or null gives nothing; one that nobody asks for is no error. A value of a
/// wrong type throws Error (user) "FILE:LINE: outer.key: expected a number, got "abc"".
class ForeignObject {
 public:
  /// `node` must outlive it. Throws Error (user) unless it is an object; `path` is what errors call
  /// it, "" for the whole file.
  explicit ForeignObject(const ConfigNode& node, std::string path = "");

  /// The value; null where it is absent or null.
  const ConfigNode* find(std::string_view key) const;
  /// A whole number from `least` to 2^53.
  std::optional<int64_t> count(std::string_view key, int64_t least = 1) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> flag(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  std::optional<ForeignObject> object(std::string_view key) const;

  /// "FILE:LINE: outer.key", the line being the value's.
  std::string where(std::string_view key) const;
  /// Throws Error (user) "FILE:LINE: outer.key: expected WHAT, got 12" for a value that is there.
  [[noreturn]] void expected(std::string_view key, const std::string& what) const;

 private:
  const ConfigNode* of_kind(std::string_view key, ConfigNode::Kind kind,
                            const std::string& what) const;
  std::string path_of(std::string_view key) const;

  const ConfigNode* node_;
  std::string path_;
};

}  // namespace shiftadd
