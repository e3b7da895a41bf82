// Reads rename rules, fits them to names and turns them round.
#include "model/name_map.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/config/visitor.h"
#include "model/spec_setting.h"

namespace shiftadd {
namespace {

using Piece = NameMap::Piece;
using Pattern = NameMap::Pattern;
using Rule = NameMap::Rule;
/// What placeholders stand for.
using Bindings = std::vector<std::pair<std::string, std::string>>;

constexpr int kMostPlaceholders = 6;  // each may try every length

bool is_upper(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isupper(c); });
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A placeholder that occurs twice must stand for the same text.
std::optional<Bindings> match(const Pattern& pattern, const std::string& name) {
  Bindings bound;
  const auto fits_from = [&](auto&& self, std::size_t index, std::size_t at) -> bool {
    if (index == pattern.pieces.size()) return at == name.size();
    const Piece& wanted = pattern.pieces[index];
    if (!wanted.is_placeholder)
      return name.compare(at, wanted.text.size(), wanted.text) == 0 &&
             self(self, index + 1, at + wanted.text.size());
    const auto known = std::find_if(bound.begin(), bound.end(),
                                    [&](const auto& each) { return each.first == wanted.text; });
    if (known != bound.end()) {
      const std::string text = known->second;
      return name.compare(at, text.size(), text) == 0 && self(self, index + 1, at + text.size());
    }
    const bool digits = is_upper(wanted.text);
    for (std::size_t end = at + 1; end <= name.size(); ++end) {
      if (digits && !is_digit(name[end - 1])) return false;
      bound.emplace_back(wanted.text, name.substr(at, end - at));
      if (self(self, index + 1, end)) return true;
      bound.pop_back();
    }
    return false;
  };
  if (!fits_from(fits_from, 0, 0)) return std::nullopt;
  return bound;
}

std::string filled(const Pattern& pattern, const Bindings& bound) {
  std::string name;
  if (pattern.is_zeros()) return name;
  for (const Piece& piece : pattern.pieces) {
    const auto found = std::find_if(bound.begin(), bound.end(), [&](const auto& each) {
      return piece.is_placeholder && each.first == piece.text;
    });
    name += found == bound.end() ? piece.text : found->second;
  }
  return name;
}

std::vector<std::string> placeholders_of(const Pattern& pattern) {
  std::vector<std::string> names;
  for (const Piece& piece : pattern.pieces)
    if (piece.is_placeholder) names.push_back(piece.text);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

const Pattern& first_name(const std::vector<Pattern>& patterns) {
  return *std::find_if(patterns.begin(), patterns.end(),
                       [](const Pattern& each) { return !each.is_zeros(); });
}

bool has_name(const std::vector<Pattern>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [](const Pattern& each) { return !each.is_zeros(); });
}

// Why a rule cannot be used; key and text are empty where it can.
std::pair<const char*, std::string> fault_of(const Rule& rule) {
  if (!has_name(rule.from)) return {"from", "expected a name"};
  const auto known = placeholders_of(first_name(rule.from));
  for (const Pattern& each : rule.from)
    if (!each.is_zeros() && placeholders_of(each) != known)
      return {"from", concat("'", each.text, "' has other placeholders than '",
                             first_name(rule.from).text, "'")};
  for (const Pattern& each : rule.to) {
    if (each.is_zeros()) return {"to", "{zeros} can only be read: expected a name"};
    for (const std::string& name : placeholders_of(each))
      if (!std::binary_search(known.begin(), known.end(), name))
        return {"to", concat("{", name, "} does not occur in \"from\"")};
  }
  if (rule.to.empty() != rule.ignored)
    return {"from", "takes either \"to\" or \"ignore\": true beside it"};
  if (rule.ignored && rule.from.size() > 1)
    return {"from", "expected one name, where it is to be ignored"};
  return {};
}

// Whether the placeholders of `to` tell those of `from`.
bool can_turn(const Rule& rule) {
  return !rule.ignored &&
         placeholders_of(first_name(rule.to)) == placeholders_of(first_name(rule.from));
}

}  // namespace

Pattern name_pattern(const std::string& text) {
  Pattern pattern{text, {}};
  int placeholders = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = std::min(text.find('{', at), text.size());
    if (open > at) pattern.pieces.push_back({text.substr(at, open - at), false});
    if (open == text.size()) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string::npos || close == open + 1)
      throw user_error("'", text, "' has a '{' without a name and '}'");
    if (++placeholders > kMostPlaceholders)
      throw user_error("'", text, "' has more than ", kMostPlaceholders, " placeholders");
    pattern.pieces.push_back({text.substr(open + 1, close - open - 1), true});
    at = close + 1;
  }
  return pattern;
}

bool fits(const Pattern& pattern, const std::string& name) {
  return match(pattern, name).has_value();
}

void list_rule(ConfigVisitor& v, Rule& rule) {
  const auto list = [&](const char* key, std::vector<Pattern>& patterns, const char* about) {
    std::vector<std::string> texts;
    for (const Pattern& each : patterns) texts.push_back(each.text);
    v.texts(key, texts, about);
    patterns.clear();
    try {
      for (const std::string& text : texts) {
        if (text.empty()) throw user_error("expected a name, got an empty one");
        patterns.push_back(name_pattern(text));
      }
    } catch (const Error& error) {
      v.reject(key, error.what());
    }
  };
  list("from", rule.from,
       "A whole name, with placeholders {N} (digits) or {any}; or a list, whose tensors are "
       "stacked along the first dimension, where {zeros} stands for zeros.");
  list("to", rule.to,
       "What it becomes, with the placeholders of from; or a list, into which it is cut evenly "
       "along the first dimension.");
  v.boolean("ignore", rule.ignored, "Drop it instead.");
  v.boolean("transpose", rule.transposed, "Exchange both dimensions, behind the stacking.");
  v.boolean("squeeze", rule.squeezed,
            "The file's tensor has no dimensions of 1: leave them out where it is written.");
  std::vector<Pattern> where;
  if (rule.where) where.push_back(*rule.where);
  list("where", where, "The rule holds only where the file has a tensor of such a name.");
  rule.where.reset();
  if (!where.empty()) rule.where = where.front();
  v.texts("spec", rule.spec, "What the rule's use says of the network: [\"activation=swiglu\"].");
  if (where.size() > 1) v.reject("where", "expected one name");
  try {
    for (const std::string& each : rule.spec) (void)with_setting({}, each);
  } catch (const Error& error) {
    v.reject("spec", error.what());
  }
  if (rule.from.empty()) return;  // a listing without a file
  if (const auto [key, text] = fault_of(rule); key) v.reject(key, text);
}

nlohmann::ordered_json to_json(const Rule& rule) {
  nlohmann::ordered_json json;
  const auto add = [&](const char* key, const std::vector<Pattern>& patterns) {
    if (patterns.size() == 1) json[key] = patterns[0].text;
    for (const Pattern& each : patterns)
      if (patterns.size() > 1) json[key].push_back(each.text);
  };
  add("from", rule.from);
  add("to", rule.to);
  if (rule.ignored) json["ignore"] = true;
  if (rule.transposed) json["transpose"] = true;
  if (rule.squeezed) json["squeeze"] = true;
  if (rule.where) json["where"] = rule.where->text;
  if (!rule.spec.empty()) json["spec"] = rule.spec;
  return json;
}

std::string NameUse::from_text() const {
  std::string text;
  for (const std::string& each : from)
    text += concat(text.empty() ? "" : ", ", each.empty() ? "zeros" : each);
  return text;
}

std::vector<NameUse> NameMap::apply(const std::vector<std::string>& names) const {
  std::vector<NameUse> uses(names.size());  // at the place of the first name of each
  std::unordered_map<std::string, std::size_t> left;
  for (std::size_t i = 0; i < names.size(); ++i) left.emplace(names[i], i);
  for (std::size_t index = 0; index < rules_.size(); ++index) {
    const Rule& rule = rules_[index];
    if (rule.where && std::none_of(names.begin(), names.end(), [&](const std::string& name) {
          return shiftadd::fits(*rule.where, name);
        }))
      continue;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto self = left.find(names[i]);
      if (self == left.end() || self->second != i) continue;
      const auto bound = match(first_name(rule.from), names[i]);
      if (!bound) continue;
      NameUse use{{}, {}, rule.transposed, false, index};
      for (const Pattern& each : rule.from) use.from.push_back(filled(each, *bound));
      if (std::any_of(use.from.begin(), use.from.end(), [&](const std::string& name) {
            return !name.empty() && !left.contains(name);
          }))
        continue;
      for (const Pattern& each : rule.to) use.to.push_back(filled(each, *bound));
      use.squeezes = rule.squeezed;
      for (const std::string& name : use.from) left.erase(name);
      uses[i] = std::move(use);
    }
  }
  for (const auto& [name, i] : left) uses[i] = {{name}, {name}, false, false, std::nullopt};
  std::erase_if(uses, [](const NameUse& use) { return use.from.empty(); });
  return uses;
}

bool NameMap::fits(const std::string& name) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return std::any_of(rule.from.begin(), rule.from.end(),
                       [&](const Pattern& each) { return shiftadd::fits(each, name); });
  });
}

NameMap NameMap::inverse(const ModelSpec& spec) const {
  std::vector<Rule> turned;
  for (const Rule& rule : rules_) {
    const bool holds =
        std::all_of(rule.spec.begin(), rule.spec.end(),
                    [&](const std::string& each) { return with_setting(spec, each) == spec; });
    if (!can_turn(rule) || !holds) continue;
    Rule other = rule;
    std::swap(other.from, other.to);
    other.where.reset();
    turned.push_back(std::move(other));
  }
  return NameMap(std::move(turned));
}

}  // namespace shiftadd
