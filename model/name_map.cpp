// Parses, matches and applies rename rules.
#include "model/name_map.h"

#include <algorithm>
#include <cctype>

#include "core/config/options.h"
#include "core/io/files.h"
#include "core/io/not_weights.h"

namespace shiftadd {
namespace {

constexpr int kMostPlaceholders = 6;  // each may try every length

bool is_upper(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isupper(c); });
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::vector<NameMap::Piece> NameMap::pieces_of(const std::string& pattern) {
  std::vector<Piece> pieces;
  int placeholders = 0;
  for (std::size_t at = 0; at < pattern.size();) {
    const std::size_t open = std::min(pattern.find('{', at), pattern.size());
    if (open > at) pieces.push_back({pattern.substr(at, open - at), false});
    if (open == pattern.size()) break;
    const std::size_t close = pattern.find('}', open);
    if (close == std::string::npos || close == open + 1)
      throw user_error("'", pattern, "' has a '{' without a name and '}'");
    if (++placeholders > kMostPlaceholders)
      throw user_error("'", pattern, "' has more than ", kMostPlaceholders, " placeholders");
    pieces.push_back({pattern.substr(open + 1, close - open - 1), true});
    at = close + 1;
  }
  return pieces;
}

void NameMap::list_rule(ConfigVisitor& v, Rule& rule) {
  const auto pattern = [&](const char* key, std::vector<Piece>& pieces, const char* about) {
    std::string text;
    v.text(key, text, about);
    try {
      pieces = pieces_of(text);
    } catch (const Error& error) {
      v.reject(key, error.what());
    }
  };
  pattern("from", rule.from, "A whole name, with placeholders {N} (digits) or {any}.");
  pattern("to", rule.to, "What it becomes, with the placeholders of from.");
  v.boolean("ignore", rule.ignored, "Drop it instead.");
  for (const Piece& piece : rule.to) {
    const bool known = !piece.is_placeholder ||
                       std::any_of(rule.from.begin(), rule.from.end(), [&](const Piece& p) {
                         return p.is_placeholder && p.text == piece.text;
                       });
    if (!known) v.reject("to", concat("{", piece.text, "} does not occur in \"from\""));
  }
}

NameMap NameMap::parse(std::string_view text, const std::string& source) {
  const ConfigNode root = parse_config_node(text, source);
  NameMap map;
  const ConfigReader reader = read_options(root, map, [](ConfigVisitor& v, NameMap& read) {
    std::string description;
    v.text("description", description, "For people; not read.");
    list_objects(v, "rules", read.rules_, "The first that fits a name counts.", list_rule);
  });
  if (!reader.has("rules"))
    reader.fail("rules", "is missing: expected {\"rules\": [{\"from\": ..., \"to\": ...}, ...]}");
  for (std::size_t i = 0; i < map.rules_.size(); ++i)
    if (const Rule& rule = map.rules_[i]; rule.from.empty() || rule.to.empty() != rule.ignored)
      reader.fail(concat("rules[", i, "]"),
                  "expected \"from\", and either \"to\" or \"ignore\": true");
  return map;
}

NameMap NameMap::load(const std::string& path) {
  const std::string text = read_text(path);
  require_no_placeholder(text, path);
  return parse(text, path);
}

// The text each piece of `from` stands for. A placeholder that occurs twice must stand for the same
// text.
std::optional<std::vector<std::string>> NameMap::match(const Rule& rule, const std::string& name) {
  std::vector<std::string> found(rule.from.size());
  const auto fits = [&](auto&& self, std::size_t piece, std::size_t at) -> bool {
    if (piece == rule.from.size()) return at == name.size();
    const Piece& wanted = rule.from[piece];
    if (!wanted.is_placeholder) {
      found[piece] = wanted.text;
      return name.compare(at, wanted.text.size(), wanted.text) == 0 &&
             self(self, piece + 1, at + wanted.text.size());
    }
    const bool digits = is_upper(wanted.text);
    for (std::size_t end = at + 1; end <= name.size(); ++end) {
      if (digits && !is_digit(name[end - 1])) return false;
      found[piece] = name.substr(at, end - at);
      bool same = true;
      for (std::size_t i = 0; i < piece; ++i)
        same = same && !(rule.from[i].is_placeholder && rule.from[i].text == wanted.text &&
                         found[i] != found[piece]);
      if (same && self(self, piece + 1, end)) return true;
    }
    return false;
  };
  if (!fits(fits, 0, 0)) return std::nullopt;
  return found;
}

NameMap::Result NameMap::apply(const std::string& name) const {
  for (const Rule& rule : rules_) {
    const auto found = match(rule, name);
    if (!found) continue;
    if (rule.ignored) return {name, true};
    Result result;
    for (const Piece& piece : rule.to) {
      if (!piece.is_placeholder) {
        result.name += piece.text;
        continue;
      }
      for (std::size_t i = 0; i < rule.from.size(); ++i) {
        if (!rule.from[i].is_placeholder || rule.from[i].text != piece.text) continue;
        result.name += (*found)[i];
        break;
      }
    }
    return result;
  }
  return {name, false};
}

}  // namespace shiftadd
