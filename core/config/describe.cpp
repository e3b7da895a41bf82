// Turns a list of options into text: one visitor records it, each output is made from the record.
#include "core/config/describe.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/json_text.h"

namespace shiftadd {

bool ConfigRange::contains(double value) const {
  return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
}

namespace {

using Json = nlohmann::ordered_json;

/// A whole value as an integer: 30 and not 30.0.
Json plain(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<int64_t>(value);
  return value;
}

Json plain(const Json& json) {
  if (json.is_number_float()) return plain(json.get<double>());
  if (!json.is_array()) return json;
  Json list = Json::array();
  for (const Json& item : json) list.push_back(plain(item));
  return list;
}

/// [0.9, 0.999].
std::string on_one_line(const Json& json) {
  if (!json.is_array()) return json_text(plain(json));
  std::string out;
  for (const Json& item : json) out += (out.empty() ? "[" : ", ") + json_text(plain(item));
  return out.empty() ? "[]" : out + "]";
}

struct Entry {
  std::string path, key;
  enum class Kind : uint8_t { kOption, kObject, kList, kItem, kEnd } kind;  // kItem: of a list
  Json value;                                                               // kOption
  Json schema;       // type, range and description
  std::string type;  // for people
};

Json range_schema(const char* type, const ConfigRange& range) {
  Json schema{{"type", type}};
  if (std::isfinite(range.low))
    schema[range.low_open ? "exclusiveMinimum" : "minimum"] = plain(range.low);
  if (std::isfinite(range.high))
    schema[range.high_open ? "exclusiveMaximum" : "maximum"] = plain(range.high);
  return schema;
}

std::string choices(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " | ") + ('"' + word + '"');
  return out;
}

class Recorder : public ConfigVisitor {
 public:
  /// everything: objects that may be null are listed even when they are.
  explicit Recorder(bool everything) : everything_(everything) {}
  std::vector<Entry> entries;

  void boolean(const char* key, bool& value, const char* about) override {
    add(key, value, Json{{"type", "boolean"}}, "true | false", about);
  }
  void integer(const char* key, int64_t& value, const ConfigRange& range,
               const char* about) override {
    add(key, value, range_schema("integer", range), named("whole number", range), about);
  }
  void number(const char* key, double& value, const ConfigRange& range,
              const char* about) override {
    add(key, value, range_schema("number", range), named("number", range), about);
  }
  void size(const char* key, Grid& value, const ConfigRange& range, const char* about) override {
    const Json side = range_schema("integer", range);
    const Json sides{{"type", "array"}, {"items", side}, {"minItems", 2}, {"maxItems", 2}};
    add(key, value.is_square() ? Json(value.height) : Json{value.height, value.width},
        Json{{"anyOf", Json::array({side, sides})}},
        named("whole number", range) + " | [height, width]", about);
  }
  void text(const char* key, std::string& value, const char* about) override {
    add(key, value, Json{{"type", "string"}}, "string", about);
  }
  void choice(const char* key, std::string& value, const std::vector<std::string>& words,
              const char* about) override {
    add(key, value, Json{{"enum", words}}, choices(words), about);
  }
  void texts(const char* key, std::vector<std::string>& value, const char* about) override {
    add(key, value, Json{{"type", "array"}, {"items", {{"type", "string"}}}}, "list of strings",
        about);
  }
  void tuple(const char* key, std::vector<double>& value, const ConfigRange& range,
             const char* about) override {
    const std::size_t count = value.size();
    add(key, value,
        Json{{"type", "array"},
             {"items", range_schema("number", range)},
             {"minItems", count},
             {"maxItems", count}},
        "list of " + std::to_string(count) + named(" numbers", range), about);
  }
  void numbers(const char* key, std::vector<double>& value, const ConfigRange& range,
               const char* about) override {
    add(key, value, Json{{"type", "array"}, {"items", range_schema("number", range)}},
        named("list of numbers", range), about);
  }
  void word_or_numbers(const char* key, std::string& word, const std::vector<std::string>& words,
                       std::vector<double>& numbers, const ConfigRange& range,
                       const char* about) override {
    const Json list{{"type", "array"}, {"items", range_schema("number", range)}, {"minItems", 1}};
    add(key, numbers.empty() ? Json(word) : Json(numbers),
        Json{{"anyOf", Json::array({Json{{"enum", words}}, list})}},
        choices(words) + " | list of" + named(" numbers", range), about);
  }
  void begin(const char* key, const char* about) override {
    open(Entry::Kind::kObject, key, Json{{"type", "object"}}, about);
  }
  bool begin_optional(const char* key, bool& present, const char* about) override {
    if (present || everything_) {
      open(Entry::Kind::kObject, key, Json{{"type", {"object", "null"}}}, about);
      return true;
    }
    add(key, nullptr, {}, "object | null", about);
    return false;
  }
  void end() override {
    mark(Entry::Kind::kEnd);
    const std::size_t dot = path_.rfind('.');
    path_.resize(dot == std::string::npos ? 0 : dot);
  }
  void objects(const char* key, std::size_t size, const std::function<void(std::size_t)>&,
               const std::function<void(std::size_t)>& item, const char* about) override {
    open(Entry::Kind::kList, key, Json{{"type", "array"}}, about);
    path_ += "[]";
    const std::size_t first = everything_ ? size : 0;  // a new one is like any other
    for (std::size_t i = first; i < size + everything_; ++i) {
      mark(Entry::Kind::kItem);
      item(i);
      mark(Entry::Kind::kEnd);
    }
    end();
  }
  [[noreturn]] void reject(const char* key, const std::string& message) override {
    throw user_error(path_of(key), ": ", message);
  }

 private:
  static std::string named(const std::string& what, const ConfigRange& range) {
    const std::string text = range.text();
    return text.empty() ? what : what + " " + text;
  }
  std::string path_of(const char* key) const { return path_.empty() ? key : path_ + "." + key; }
  void add(const char* key, Json value, Json schema, std::string type, const char* about) {
    schema["description"] = about;
    entries.push_back({path_of(key), key, Entry::Kind::kOption, std::move(value), std::move(schema),
                       std::move(type)});
  }
  void open(Entry::Kind kind, const char* key, Json schema, const char* about) {
    schema["description"] = about;
    path_ = path_of(key);
    entries.push_back({path_, key, kind, {}, std::move(schema), ""});
  }
  void mark(Entry::Kind kind) { entries.push_back({path_, "", kind, {}, {}, ""}); }

  bool everything_;
  std::string path_;
};

std::vector<Entry> record(const ConfigListing& listing, bool everything) {
  Recorder recorder(everything);
  listing(recorder);
  return std::move(recorder.entries);
}

/// The values of one object, from entries[at] to its end.
Json values(const std::vector<Entry>& entries, std::size_t& at) {
  Json out = Json::object();
  for (; at < entries.size() && entries[at].kind != Entry::Kind::kEnd; ++at) {
    Json& value = out[entries[at].key] = entries[at].value;
    if (entries[at].kind == Entry::Kind::kObject) value = values(entries, ++at);
    if (entries[at].kind != Entry::Kind::kList) continue;
    value = Json::array();
    for (++at; entries[at].kind == Entry::Kind::kItem; ++at) value.push_back(values(entries, ++at));
  }
  return out;
}

/// An object a line per key; lists on one line.
std::string printed(const Json& json, std::size_t depth) {
  if (!json.is_object()) return on_one_line(json);
  const std::string indent(2 * depth, ' ');
  std::string out;
  for (const auto& [key, value] : json.items())
    out += (out.empty() ? "\n  " : ",\n  ") + indent + json_text(Json(key)) + ": " +
           printed(value, depth + 1);
  return "{" + out + "\n" + indent + "}";
}

/// The properties of one object, from entries[at] to its end.
Json properties(const std::vector<Entry>& entries, std::size_t& at) {
  Json out = Json::object();
  for (; at < entries.size() && entries[at].kind != Entry::Kind::kEnd; ++at) {
    const Entry& entry = entries[at];
    Json& schema = out[entry.key] = entry.schema;
    if (entry.kind == Entry::Kind::kOption) {
      schema["default"] = plain(entry.value);
      continue;
    }
    const bool is_list = entry.kind == Entry::Kind::kList;
    Json& object = is_list ? schema["items"] = Json{{"type", "object"}} : schema;
    if (is_list) ++at;  // the element that stands for all
    object["properties"] = properties(entries, ++at);
    object["additionalProperties"] = false;
    if (is_list) ++at;
  }
  return out;
}

}  // namespace

std::string ConfigRange::text() const {
  const std::string from = json_text(plain(low)), to = json_text(plain(high));
  const bool has_low = std::isfinite(low), has_high = std::isfinite(high);
  if (has_low && has_high) {
    if (!low_open && !high_open) return "from " + from + " to " + to;
    return (low_open ? "> " : ">= ") + from + " and " + (high_open ? "< " : "<= ") + to;
  }
  if (has_low) return (low_open ? "> " : ">= ") + from;
  if (has_high) return (high_open ? "< " : "<= ") + to;
  return "";
}

nlohmann::ordered_json config_json(const ConfigListing& listing) {
  std::size_t at = 0;
  return values(record(listing, false), at);
}

std::string print_config(const ConfigListing& listing) {
  return printed(config_json(listing), 0) + "\n";
}

std::string config_schema(const ConfigListing& listing, const std::string& title,
                          const std::string& about) {
  std::size_t at = 0;
  const std::vector<Entry> entries = record(listing, true);
  Json own{
      {"$schema", {{"type", "string"}, {"description", "For editors; not read."}}},
      {"extends",
       {{"type", {"string", "array"}},
        {"items", {{"type", "string"}}},
        {"description",
         "A config this one adds to, relative to this file's folder, or a list of such, each added "
         "to those before it: objects merge key by key, everything else replaces what is "
         "there."}}}};
  own.update(properties(entries, at));
  const Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                    {"title", title},
                    {"description", about},
                    {"type", "object"},
                    {"properties", own},
                    {"additionalProperties", false}};
  return json_text(schema, 2) + "\n";
}

std::string config_help(const ConfigListing& listing) {
  std::string out;
  for (const Entry& entry : record(listing, true)) {
    if (entry.key.empty()) continue;
    const std::string about = entry.schema.at("description").get<std::string>();
    if (entry.kind != Entry::Kind::kOption) {
      out += entry.path + ": " + about + "\n";
    } else {
      out += "  " + entry.path + " = " + on_one_line(entry.value) + " (" + entry.type +
             "): " + about + "\n";
    }
  }
  return out;
}

std::vector<std::string> option_paths(const ConfigListing& listing) {
  std::vector<std::string> out;
  for (const Entry& entry : record(listing, true))
    if (!entry.key.empty()) out.push_back(entry.path);
  return out;
}

}  // namespace shiftadd
