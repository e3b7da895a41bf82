// Rename rules that turn a foreign checkpoint's tensor names into ours.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace shiftadd {

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
  /// Throws Error (user) naming the rule that is wrong; `file` stands in the message.
  static NameMap from_json(const nlohmann::json& json, const std::string& file);
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
  static std::vector<Piece> parse(const std::string& pattern, const std::string& where);
  static std::optional<std::vector<std::string>> match(const Rule& rule, const std::string& name);

  std::vector<Rule> rules_;
};

}  // namespace shiftadd
