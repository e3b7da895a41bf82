// Rename rules that turn a foreign checkpoint's tensor names into ours.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shiftadd {

class ConfigVisitor;

/// {"rules": [{"from": "transformer.{N}.mlp.0.{part}", "to": "blocks.{N}.mlp.fc1.{part}"},
///            {"from": "aux_head.{rest}", "ignore": true}]}
/// A rule holds for a whole name. A placeholder in capitals, {N}, stands for digits; any other,
/// {part}, for one or more characters. "to" may use the placeholders of its "from". The first rule
/// that fits counts; a name that no rule fits stays as it is.
class NameMap {
 public:
  struct Result {
    std::string name;
    bool ignored = false;
  };

  NameMap() = default;
  /// Throws Error (user) "SOURCE:LINE: rules[i].key: what is wrong".
  static NameMap parse(std::string_view text, const std::string& source);
  static NameMap load(const std::string& path);

  Result apply(const std::string& name) const;

 private:
  struct Piece {  // literal text or, where `is_placeholder`, the placeholder's name
    std::string text;
    bool is_placeholder;
  };
  struct Rule {
    std::vector<Piece> from, to;
    bool ignored = false;
  };
  static std::vector<Piece> pieces_of(const std::string& pattern);
  static void list_rule(ConfigVisitor& visitor, Rule& rule);
  static std::optional<std::vector<std::string>> match(const Rule& rule, const std::string& name);

  std::vector<Rule> rules_;
};

}  // namespace shiftadd
