// Rename rules that turn a foreign checkpoint's tensor names into ours, and ours into theirs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/model_spec.h"

namespace shiftadd {

/// What a rule does to the tensors of these names: those of `from`, one after the other along the
/// first dimension, transposed, then cut evenly into those of `to`.
struct NameUse {
  std::vector<std::string> from;  // "": zeros, shaped as the first of the others
  std::vector<std::string> to;    // "": must be zeros, and is dropped; none: all is left out
  bool transposes = false;
  bool squeezes = false;            // drops dimensions of 1
  std::optional<std::size_t> rule;  // of NameMap::rules(); none: the name stays as it is

  std::string from_text() const;  // "a.q, zeros, a.v"
};

/// {"rules": [{"from": "transformer.{N}.mlp.0.{part}", "to": "blocks.{N}.mlp.fc1.{part}"},
///            {"from": ["q.{part}", "k.{part}", "v.{part}"], "to": "qkv.{part}"},
///            {"from": "aux_head.{rest}", "ignore": true}]}
/// A rule holds for whole names; configs/mappings/README.md describes it. The first rule that fits
/// a name, and of which every other name is there as well, counts; a name that no rule fits stays
/// as it is.
class NameMap {
 public:
  struct Piece {  // literal text or, where `is_placeholder`, the placeholder's name
    std::string text;
    bool is_placeholder;
  };
  struct Pattern {
    std::string text;  // "blocks.{N}.norm1.{part}"
    std::vector<Piece> pieces;

    bool is_zeros() const { return text == "{zeros}"; }
  };
  struct Rule {
    std::vector<Pattern> from, to;
    std::optional<Pattern> where;   // the rule holds where a tensor has such a name
    std::vector<std::string> spec;  // "activation=swiglu": what the rule's use says of the network
    bool ignored = false, transposed = false, squeezed = false;
  };

  NameMap() = default;
  explicit NameMap(std::vector<Rule> rules) : rules_(std::move(rules)) {}

  const std::vector<Rule>& rules() const { return rules_; }
  /// What becomes of these names, each in one use.
  std::vector<NameUse> apply(const std::vector<std::string>& names) const;
  /// Whether any rule's "from" fits the name.
  bool fits(const std::string& name) const;
  /// The rules the other way round, as far as they leave nothing out and hold for a network of this
  /// description: what apply() makes of our names is then how the file's publisher writes them.
  NameMap inverse(const ModelSpec& spec) const;

 private:
  std::vector<Rule> rules_;
};

/// Lists the options of a rule; `from` and `to` are lists.
void list_rule(ConfigVisitor& visitor, NameMap::Rule& rule);
/// A rule as it is read.
nlohmann::ordered_json to_json(const NameMap::Rule& rule);
/// Whether the whole name fits the pattern, whatever its placeholders stand for. Throws Error
/// (user) for a pattern that is none.
NameMap::Pattern name_pattern(const std::string& text);
bool fits(const NameMap::Pattern& pattern, const std::string& name);

}  // namespace shiftadd
