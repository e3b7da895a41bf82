// Reads options by their type, and words their errors.
#include "core/config/reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "core/names.h"

namespace shiftadd {
namespace {

std::string joined(const std::vector<std::string>& words, const char* quote) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + (quote + word) + quote;
  return out;
}

std::string with_range(const std::string& what, const ConfigRange& range) {
  const std::string text = range.text();
  return text.empty() ? what : what + " " + text;
}

/// 3, 3.0 and 3e0 are whole; 3.5 and anything beyond int64 are not.
std::optional<int64_t> whole(const ConfigNode& node) {
  int64_t value = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [stop, error] = std::from_chars(node.text.data(), end, value);
  if (error == std::errc() && stop == end) return value;
  const double number = node.number();
  constexpr double kExact = 9007199254740992;  // 2^53: above it float64 skips integers
  if (std::abs(number) > kExact || number != std::floor(number)) return std::nullopt;
  return static_cast<int64_t>(number);
}

/// What "key", or "key[3]" of a list, is in an object; null where there is no such key.
const ConfigNode* step_into(const ConfigNode& object, std::string_view name) {
  const std::size_t bracket = name.find('[');
  const ConfigNode* node = object.find(name.substr(0, bracket));
  if (!node || bracket == std::string_view::npos) return node;
  std::size_t index = node->items.size();
  std::from_chars(name.data() + bracket + 1, name.data() + name.size(), index);
  return index < node->items.size() ? &node->items[index] : nullptr;
}

}  // namespace

ConfigReader::ConfigReader(const ConfigNode& root, std::vector<std::string> paths, Absent absent)
    : root_(root), paths_(std::move(paths)), absent_(absent) {
  if (!root.is_object())
    throw user_error(root.location(), ": expected a JSON object {...}, got ", root.described());
  frames_.push_back({&root, "", {}});
}

void ConfigReader::finish() { refuse_unknown(frames_.front()); }

bool ConfigReader::has(std::string_view path) const {
  const ConfigNode* node = &root_;
  while (node && !path.empty()) {
    const std::size_t dot = path.find('.');
    node = step_into(*node, path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return node != nullptr;
}

void ConfigReader::fail(const std::string& path, const std::string& message) const {
  const ConfigNode* node = &root_;
  for (std::string_view rest = path; !rest.empty();) {
    const std::size_t dot = rest.find('.');
    const ConfigNode* next = step_into(*node, rest.substr(0, dot));
    if (!next) break;
    node = next;
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  }
  throw user_error(node->location(), ": ", path, path.empty() ? "" : ": ", message);
}

std::string ConfigReader::path_of(std::string_view key) const {
  const std::string& outer = frames_.back().path;
  return outer.empty() ? std::string(key) : outer + "." + std::string(key);
}

const ConfigNode* ConfigReader::take(const char* key) {
  Frame& frame = frames_.back();
  frame.keys.emplace_back(key);
  const ConfigNode* node = frame.node ? frame.node->find(key) : nullptr;
  if (!node && absent_ == Absent::kRefused) reject(key, "is missing");
  return node;
}

void ConfigReader::expected(const ConfigNode& node, const char* key,
                            const std::string& what) const {
  throw user_error(node.location(), ": ", path_of(key), ": expected ", what, ", got ",
                   node.described());
}

void ConfigReader::boolean(const char* key, bool& value, const char*) {
  const ConfigNode* node = take(key);
  if (!node) return;
  if (node->kind != ConfigNode::Kind::kBoolean) expected(*node, key, "true or false");
  value = node->text == "true";
}

void ConfigReader::integer(const char* key, int64_t& value, const ConfigRange& range, const char*) {
  const ConfigNode* node = take(key);
  if (!node) return;
  const auto number = node->kind == ConfigNode::Kind::kNumber ? whole(*node) : std::nullopt;
  if (!number || !range.contains(static_cast<double>(*number)))
    expected(*node, key, with_range("a whole number", range));
  value = *number;
}

void ConfigReader::number(const char* key, double& value, const ConfigRange& range, const char*) {
  const ConfigNode* node = take(key);
  if (!node) return;
  if (node->kind != ConfigNode::Kind::kNumber || !range.contains(node->number()))
    expected(*node, key, with_range("a number", range));
  value = node->number();
}

void ConfigReader::size(const char* key, Grid& value, const ConfigRange& range, const char*) {
  const ConfigNode* node = take(key);
  if (!node) return;
  const auto side = [&](const ConfigNode& each) {
    const auto number = each.kind == ConfigNode::Kind::kNumber ? whole(each) : std::nullopt;
    if (!number || !range.contains(static_cast<double>(*number)))
      expected(each, key, with_range("a whole number", range) + ", or [height, width]");
    return *number;
  };
  if (node->kind != ConfigNode::Kind::kArray)
    value = side(*node);
  else if (node->items.size() == 2)
    value = {side(node->items[0]), side(node->items[1])};
  else
    expected(*node, key, "a whole number, or a list of two: [height, width]");
}

void ConfigReader::text(const char* key, std::string& value, const char*) {
  const ConfigNode* node = take(key);
  if (!node) return;
  // --set name=12 means the word: only files can quote conveniently
  const bool bare = node->line == 0 && (node->kind == ConfigNode::Kind::kNumber ||
                                        node->kind == ConfigNode::Kind::kBoolean);
  if (node->kind != ConfigNode::Kind::kString && !bare) expected(*node, key, "a string");
  value = node->text;
}

std::string ConfigReader::word(const ConfigNode& node, const char* key,
                               const std::vector<std::string>& words,
                               const std::string& otherwise) const {
  const bool known = node.kind == ConfigNode::Kind::kString &&
                     std::find(words.begin(), words.end(), node.text) != words.end();
  if (known) return node.text;
  const std::string hint =
      node.kind == ConfigNode::Kind::kString ? did_you_mean(node.text.substr(0, 100), words) : "";
  throw user_error(node.location(), ": ", path_of(key), ": expected one of ", joined(words, "\""),
                   otherwise, ", got ", node.described(), hint);
}

void ConfigReader::choice(const char* key, std::string& value,
                          const std::vector<std::string>& words, const char*) {
  if (const ConfigNode* node = take(key)) value = word(*node, key, words, "");
}

void ConfigReader::texts(const char* key, std::vector<std::string>& value, const char*) {
  const ConfigNode* node = take(key);
  if (!node) return;
  if (node->kind != ConfigNode::Kind::kArray) expected(*node, key, "a list of strings");
  value.clear();
  for (const ConfigNode& item : node->items) {
    if (item.kind != ConfigNode::Kind::kString)
      expected(item, key, "a list of strings, each element a string");
    value.push_back(item.text);
  }
}

void ConfigReader::list(const ConfigNode& node, const char* key, std::vector<double>& out,
                        const ConfigRange& range, const std::string& what) const {
  out.clear();
  for (const ConfigNode& item : node.items) {
    if (item.kind != ConfigNode::Kind::kNumber || !range.contains(item.number()))
      expected(item, key, with_range(what + ", each", range));
    out.push_back(item.number());
  }
}

void ConfigReader::tuple(const char* key, std::vector<double>& value, const ConfigRange& range,
                         const char*) {
  const ConfigNode* node = take(key);
  if (!node) return;
  const std::string what = concat("a list of ", value.size(), " numbers");
  if (node->kind != ConfigNode::Kind::kArray || node->items.size() != value.size())
    expected(*node, key, what);
  list(*node, key, value, range, what);
}

void ConfigReader::numbers(const char* key, std::vector<double>& value, const ConfigRange& range,
                           const char*) {
  const ConfigNode* node = take(key);
  if (!node) return;
  if (node->kind != ConfigNode::Kind::kArray) expected(*node, key, "a list of numbers");
  list(*node, key, value, range, "a list of numbers");
}

void ConfigReader::word_or_numbers(const char* key, std::string& name,
                                   const std::vector<std::string>& words,
                                   std::vector<double>& numbers, const ConfigRange& range,
                                   const char*) {
  const ConfigNode* node = take(key);
  if (!node) return;
  numbers.clear();
  if (node->kind == ConfigNode::Kind::kArray && !node->items.empty()) {
    list(*node, key, numbers, range, "a list of numbers");
    name.clear();
  } else {
    name = word(*node, key, words, " or a list of numbers");
  }
}

void ConfigReader::begin(const char* key, const char*) {
  const ConfigNode* node = take(key);
  if (node && !node->is_object()) expected(*node, key, "an object {...}");
  frames_.push_back({node, path_of(key), {}});
}

bool ConfigReader::begin_optional(const char* key, bool& present, const char* about) {
  const ConfigNode* node = frames_.back().node ? frames_.back().node->find(key) : nullptr;
  present = node && node->kind != ConfigNode::Kind::kNull;
  if (!present) {
    frames_.back().keys.emplace_back(key);
    return false;
  }
  begin(key, about);
  return true;
}

void ConfigReader::end() {
  refuse_unknown(frames_.back());
  frames_.pop_back();
}

void ConfigReader::objects(const char* key, std::size_t,
                           const std::function<void(std::size_t)>& resize,
                           const std::function<void(std::size_t)>& item, const char*) {
  const ConfigNode* node = take(key);
  if (!node) return;
  if (node->kind != ConfigNode::Kind::kArray) expected(*node, key, "a list of objects");
  resize(node->items.size());
  for (std::size_t i = 0; i < node->items.size(); ++i) {
    const std::string numbered = concat(key, "[", i, "]");
    if (!node->items[i].is_object()) expected(node->items[i], numbered.c_str(), "an object {...}");
    frames_.push_back({&node->items[i], path_of(numbered), {}});
    item(i);
    end();
  }
}

void ConfigReader::reject(const char* key, const std::string& message) {
  const ConfigNode* object = frames_.back().node;
  if (!object) fail(path_of(key), message);
  const ConfigNode* value = object->find(key);
  throw user_error((value ? value : object)->location(), ": ", path_of(key), ": ", message);
}

void ConfigReader::refuse_unknown(const Frame& frame) const {
  if (!frame.node) return;
  for (const ConfigMember& member : frame.node->members) {
    if (std::find(frame.keys.begin(), frame.keys.end(), member.key) != frame.keys.end()) continue;
    const std::string key = member.key.substr(0, 100);
    std::string hint = did_you_mean(key, frame.keys);
    // a key in the wrong object: "lr" at the root is train.optimizer.lr
    for (std::size_t i = 0; hint.empty() && i < paths_.size(); ++i)
      if (paths_[i].ends_with("." + key)) hint = "; did you mean '" + paths_[i] + "'?";
    if (hint.empty()) hint = "; known here: " + joined(frame.keys, "");
    ConfigNode at = member.value;
    at.line = member.line;
    const std::string path = frame.path.empty() ? key : frame.path + "." + key;
    throw user_error(at.location(), ": ", path, ": unknown key", hint);
  }
}

}  // namespace shiftadd
