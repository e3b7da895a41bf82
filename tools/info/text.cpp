// Prints facts for people: aligned keys, numbers in groups of three, tables, long lists cut.
#include <algorithm>
#include <iomanip>

#include "core/io/json_text.h"
#include "core/unicode.h"
#include "model/model_spec.h"
#include "tools/info/facts.h"

namespace shiftadd::tools {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMostListed = 8, kMostLines = 20;
constexpr int64_t kColumns = 100;

std::string grouped(std::string digits) {
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, ",");
  return digits;
}

// A name of a foreign file must not steer the terminal.
std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text;
}

std::string scalar(const ordered_json& value) {
  if (value.is_string()) return printable(value.get<std::string>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_integer()) return grouped(json_text(value));
  if (value.is_number_float()) return concat(std::setprecision(7), value.get<double>());
  return json_text(value);
}

bool is_table(const ordered_json& value) {
  return value.is_array() && !value.empty() && value.front().is_object();
}

std::string list(const ordered_json& values) {
  const bool is_shape = std::all_of(values.begin(), values.end(),
                                    [](const ordered_json& v) { return v.is_number_integer(); });
  std::string text;
  for (std::size_t i = 0; i < values.size() && i < kMostListed; ++i)
    text += (i ? ", " : "") + (is_shape ? json_text(values[i]) : scalar(values[i]));
  if (values.size() > kMostListed) text += ", ...";
  return is_shape ? "(" + text + ")" : text;
}

// "count 12, dtypes f32 12"; of a value that holds a table, nothing that could be printed.
std::string in_line(const ordered_json& value) {
  if (value.is_array()) return list(value);
  if (!value.is_object()) return scalar(value);
  std::string text;
  for (const auto& [key, member] : value.items())
    text += (text.empty() ? "" : ", ") + printable(key) + " " + in_line(member);
  return text;
}

bool holds_table(const ordered_json& value) {
  return is_table(value) ||
         (value.is_object() && std::any_of(value.begin(), value.end(), holds_table));
}

bool is_list_of_texts(const ordered_json& value) {
  return value.is_array() && !value.empty() && value.front().is_string();
}

// A line a text, for those that are too long for one line together.
std::string lines(const ordered_json& texts, const std::string& indent) {
  std::string all;
  for (std::size_t i = 0; i < texts.size() && i < kMostLines; ++i)
    all += indent + scalar(texts[i]) + "\n";
  return all + (texts.size() > kMostLines ? indent + "...\n" : "");
}

std::string padded(const std::string& text, int64_t width) {
  return text + std::string(std::max<int64_t>(0, width - columns_of(text)), ' ');
}

// A head of all keys, and a line a row.
std::string table(const ordered_json& rows, const std::string& indent) {
  std::vector<std::string> keys;
  for (const ordered_json& row : rows)
    for (const auto& item : row.items())
      if (std::find(keys.begin(), keys.end(), item.key()) == keys.end()) keys.push_back(item.key());
  std::vector<std::vector<std::string>> lines = {keys};
  for (const ordered_json& row : rows) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const std::string& key : keys) line.push_back(row.contains(key) ? in_line(row[key]) : "");
  }
  std::vector<int64_t> widths(keys.size());
  for (const auto& line : lines)
    for (std::size_t i = 0; i < keys.size(); ++i)
      widths[i] = std::max(widths[i], columns_of(line[i]));
  std::string text;
  for (const auto& line : lines) {
    std::string whole = indent;
    for (std::size_t i = 0; i < keys.size(); ++i) whole += padded(line[i], widths[i] + 2);
    text += whole.substr(0, whole.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string block(const ordered_json& object, const std::string& indent) {
  int64_t width = 0;
  for (const auto& item : object.items()) width = std::max(width, columns_of(item.key()));
  std::string text;
  for (const auto& [key, value] : object.items()) {
    const std::string line = indent + padded(printable(key), width + 2) + in_line(value);
    const bool is_long = columns_of(line) > kColumns, texts = is_list_of_texts(value);
    const bool splits = is_table(value) || (texts && is_long) ||
                        (value.is_object() && (is_long || holds_table(value)));
    if (!splits) {
      text += line + "\n";
      continue;
    }
    const std::string deeper = indent + "  ";
    text += indent + printable(key) + "\n";
    text += texts             ? lines(value, deeper)
            : is_table(value) ? table(value, deeper)
                              : block(value, deeper);
  }
  return text;
}

// Of a network's description: its sizes, and what is not as it usually is. What each block is like
// stands elsewhere, in fewer words.
ordered_json unusual(const ordered_json& architecture) {
  static const ordered_json usual = to_json(ModelSpec());
  constexpr std::array kSizes = {"name",  "image_size", "patch_size", "width",
                                 "depth", "heads",      "mlp_hidden"};
  ordered_json shown;
  for (const auto& [key, value] : architecture.items())
    if (std::find(kSizes.begin(), kSizes.end(), key) != kSizes.end() || !usual.contains(key) ||
        usual[key] != value)
      shown[key] = value;
  if (shown.contains("shift_add")) shown["shift_add"].erase("blocks");
  return shown;
}

// What people read of the facts.
ordered_json for_people(const ordered_json& facts, bool tensors) {
  ordered_json shown;
  for (const auto& [key, value] : facts.items()) {
    if (key == "problems" || (key == "tensor_list" && !tensors)) continue;  // said elsewhere
    if (key == "architecture" && value.is_object())
      shown[key] = unusual(value);
    else if (value.is_object())
      shown[key] = for_people(value, tensors);
    else
      shown[key] = value;
  }
  return shown;
}

}  // namespace

std::string text_of(const ordered_json& facts, bool tensors) {
  if (!facts.contains("stages")) return block(for_people(facts, tensors), "");
  std::string text = "path  " + scalar(facts["path"]) + "\n";
  for (const ordered_json& stage : facts["stages"])
    text += "\n" + block(for_people(stage, tensors), "");
  return text;
}

}  // namespace shiftadd::tools
