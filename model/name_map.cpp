// Parsing, matching and applying of rename rules.
#include "model/name_map.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/not_weights.h"
#include "core/names.h"

namespace shiftadd {
namespace {

constexpr int kMostPlaceholders = 6;  // each may try every length

bool is_upper(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isupper(c); });
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::vector<NameMap::Piece> NameMap::parse(const std::string& pattern, const std::string& where) {
  std::vector<Piece> pieces;
  int placeholders = 0;
  for (std::size_t at = 0; at < pattern.size();) {
    const std::size_t open = std::min(pattern.find('{', at), pattern.size());
    if (open > at) pieces.push_back({pattern.substr(at, open - at), false});
    if (open == pattern.size()) break;
    const std::size_t close = pattern.find('}', open);
    if (close == std::string::npos || close == open + 1)
      throw user_error(where, ": '", pattern, "' has a '{' without a name and '}'");
    if (++placeholders > kMostPlaceholders)
      throw user_error(where, ": '", pattern, "' has more than ", kMostPlaceholders,
                       " placeholders");
    pieces.push_back({pattern.substr(open + 1, close - open - 1), true});
    at = close + 1;
  }
  if (pieces.empty()) throw user_error(where, " is empty");
  return pieces;
}

NameMap NameMap::from_json(const nlohmann::json& json, const std::string& file) {
  if (!json.is_object() || !json.contains("rules") || !json.at("rules").is_array())
    throw user_error(file, ": expected {\"rules\": [{\"from\": ..., \"to\": ...}, ...]}");
  for (const auto& [key, value] : json.items())
    if (key != "rules" && key != "description")
      throw user_error(file, ": unknown key '", key, "'",
                       did_you_mean(key, {"rules", "description"}));
  NameMap map;
  for (std::size_t i = 0; i < json.at("rules").size(); ++i) {
    const auto& entry = json.at("rules")[i];
    const std::string where = concat(file, ": rules[", i, "]");
    if (!entry.is_object()) throw user_error(where, ": expected an object");
    for (const auto& [key, value] : entry.items()) {
      if (key == "ignore" ? !value.is_boolean()
                          : (key == "from" || key == "to") && !value.is_string())
        throw user_error(where, ".", key, ": wrong type");
      if (key != "from" && key != "to" && key != "ignore")
        throw user_error(where, ": unknown key '", key, "'",
                         did_you_mean(key, {"from", "to", "ignore"}));
    }
    Rule rule;
    rule.ignored = entry.value("ignore", false);
    if (!entry.contains("from") || entry.contains("to") == rule.ignored)
      throw user_error(where, ": expected \"from\", and either \"to\" or \"ignore\": true");
    rule.from = parse(entry.at("from").get<std::string>(), where + ".from");
    if (!rule.ignored) rule.to = parse(entry.at("to").get<std::string>(), where + ".to");
    for (const Piece& piece : rule.to) {
      const bool known = !piece.is_placeholder ||
                         std::any_of(rule.from.begin(), rule.from.end(), [&](const Piece& p) {
                           return p.is_placeholder && p.text == piece.text;
                         });
      if (!known) throw user_error(where, ".to: {", piece.text, "} does not occur in \"from\"");
    }
    map.rules_.push_back(std::move(rule));
  }
  return map;
}

NameMap NameMap::load(const std::string& path) {
  const std::string text = read_text(path);
  require_no_placeholder(text, path);
  try {
    return from_json(parse_json(text), path);
  } catch (const nlohmann::json::exception& problem) {
    throw user_error(path, ": not valid JSON: ", problem.what());
  }
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
