// Finds the classes of a labelled set among a model's; says which names are nearly the same.
#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "core/class_names.h"
#include "core/error.h"
#include "core/unicode.h"

namespace shiftadd {
namespace {

// At most a handful of names, then how many more.
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i)
    text += (i ? ", " : "") + names[i];
  return names.size() > kShown ? concat(text, " and ", names.size() - kShown, " more") : text;
}

// Decimal digits and nothing else; numbers beyond 64 bits are the largest, which is no index.
std::optional<int64_t> number_in(const std::string& name) {
  if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
  return error == std::errc() ? value : INT64_MAX;
}

// For a model without names: the sets' own numbers, or nothing where no class is a number.
std::optional<std::vector<int64_t>> numbered(const std::vector<std::string>& set_names,
                                             int64_t model_classes, const std::string& set) {
  std::vector<int64_t> indices;
  std::map<int64_t, std::string> seen;
  for (const std::string& name : set_names) {
    const std::optional<int64_t> number = number_in(name);
    if (!number) continue;
    if (*number >= model_classes)
      throw user_error(set, ": the class '", name, "' is a number, but the model's ", model_classes,
                       " classes have no names and are counted from 0 to ", model_classes - 1,
                       ": rename the folders, or name the model's classes (shiftadd-convert "
                       "--classes FILE)");
    if (const auto [other, fresh] = seen.emplace(*number, name); !fresh)
      throw user_error(set, ": the classes '", other->second, "' and '", name,
                       "' are the same number: expected each class once");
    indices.push_back(*number);
  }
  if (indices.empty()) return std::nullopt;
  if (indices.size() < set_names.size())
    throw user_error(
        set, ": some classes are numbers and some are not (", listed(set_names),
        "), and the model's have no names to find them by: name them (shiftadd-convert "
        "--classes FILE)");
  return indices;
}

// Whether a stands behind b where runs of digits count as numbers: "class10" behind "class2".
bool is_behind(std::string_view a, std::string_view b) {
  const auto take_number = [](std::string_view& text) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
    std::string_view digits = text.substr(0, end);
    text.remove_prefix(end);
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    return digits;
  };
  const auto is_digit = [](std::string_view text) { return text[0] >= '0' && text[0] <= '9'; };
  while (!a.empty() && !b.empty()) {
    if (is_digit(a) && is_digit(b)) {
      const std::string_view x = take_number(a), y = take_number(b);
      if (x.size() != y.size()) return x.size() > y.size();
      if (x != y) return x > y;
    } else {
      if (a[0] != b[0]) return static_cast<uint8_t>(a[0]) > static_cast<uint8_t>(b[0]);
      a.remove_prefix(1), b.remove_prefix(1);
    }
  }
  return a.size() > b.size();
}

// For a model without names: the order of text has to be the order that people mean.
void require_plain_order(const std::vector<std::string>& names, const std::string& set) {
  for (std::size_t i = 0; i + 1 < names.size(); ++i)
    if (is_behind(names[i], names[i + 1]))
      throw user_error(
          set, ": the class '", names[i], "' stands before '", names[i + 1],
          "' as text and behind it as a number, and the model's classes have no names "
          "to find them by: name them (shiftadd-convert --classes FILE), or rename the "
          "folders with leading zeros");
}

// Names the first character of the text that no font shows and no language needs; "" without one.
std::string invisible_in(const std::string& name) {
  for (const char c : name)
    if ((c >= 0 && c < ' ') || c == 0x7f) return concat("a control character (", int{c}, ")");
  constexpr std::pair<const char*, const char*> kInvisible[] = {
      {"\xef\xbb\xbf", "a byte-order mark (U+FEFF)"},
      {"\xe2\x80\x8b", "a zero-width space (U+200B)"},
      {"\xe2\x81\xa0", "a word joiner (U+2060)"}};
  for (const auto& [bytes, what] : kInvisible)
    if (name.find(bytes) != std::string::npos) return what;
  return "";
}

}  // namespace

std::string near_misses(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  constexpr int kMost = 5;
  std::multimap<std::string, const std::string*> by_look;
  for (const std::string& name : b) by_look.emplace(loosely(name), &name);
  std::string text;
  int found = 0;
  for (const std::string& name : a) {
    const auto [begin, end] = by_look.equal_range(loosely(name));
    for (auto it = begin; it != end; ++it) {
      const std::string& other = *it->second;
      if (other == name || ++found > kMost) continue;
      text += concat("; ", shown(name), " and ", shown(other), " differ only in ",
                     composed(name) == composed(other)
                         ? "their Unicode normalisation (an accent is a character of its own in "
                           "one of them): rename one of them, e.g. with convmv --nfc"
                         : "case, spaces or leading zeros");
    }
  }
  return text;
}

void require_sound_names(const std::vector<std::string>& names, const std::string& source) {
  std::map<std::string, const std::string*> seen;
  for (const std::string& name : names) {
    if (!is_utf8(name))
      throw user_error(source, ": the class name ", shown(name),
                       " is not UTF-8: rename it, e.g. with convmv -f latin1 -t utf8");
    if (const std::string invisible = invisible_in(name); !invisible.empty())
      throw user_error(source, ": the class name ", shown(name), " holds ", invisible,
                       ", which nobody sees: rename it");
    const auto [first, fresh] = seen.emplace(composed(name), &name);
    if (!fresh && *first->second != name)
      throw user_error(source, ": two classes are one name", near_misses({*first->second}, {name}));
  }
}

std::vector<int64_t> match_classes(const std::vector<std::string>& model_names,
                                   const std::vector<std::string>& model_ids, int64_t model_classes,
                                   const std::vector<std::string>& set_names,
                                   const std::string& set) {
  const auto count = static_cast<int64_t>(set_names.size());
  std::vector<int64_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0);
  if (model_names.empty() && model_ids.empty()) {
    if (const auto numbers = numbered(set_names, model_classes, set)) return *numbers;
    if (count != model_classes)
      throw user_error(set, ": ", count, " class folders, but the model has ", model_classes,
                       " classes (unnamed): expected one folder per class");
    require_plain_order(set_names, set);
    return indices;
  }
  if (model_names == set_names || model_ids == set_names) return indices;
  // The classes of the set that are not in `known`; fills indices.
  const auto unknown_among = [&](const std::vector<std::string>& known) {
    std::multimap<std::string, int64_t> positions;
    for (std::size_t i = 0; i < known.size(); ++i)
      positions.emplace(known[i], static_cast<int64_t>(i));
    std::vector<std::string> unknown;
    for (int64_t i = 0; i < count; ++i) {
      const auto [found, end] = positions.equal_range(set_names[i]);
      if (found == end) {
        unknown.push_back(set_names[i]);
        continue;
      }
      if (const auto second = std::next(found); second != end)
        throw user_error(set, ": the class '", set_names[i],
                         "' is the name of the model's classes ", found->second, " and ",
                         second->second,
                         ": rename the folders to the classes' ids, or the model's classes");
      indices[i] = found->second;
    }
    return unknown;
  };
  const std::vector<std::string> unknown = unknown_among(model_names);
  if (unknown.empty() || (!model_ids.empty() && unknown_among(model_ids).empty())) return indices;
  throw user_error(set, ": classes the model does not know: ", listed(unknown),
                   ". The model's: ", listed(model_names), near_misses(unknown, model_names));
}

}  // namespace shiftadd
