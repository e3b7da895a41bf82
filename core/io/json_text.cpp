// Calls nlohmann's parser and writer for all other files, which compile faster without them.
#include "core/io/json_text.h"

#include <nlohmann/json.hpp>

#include "core/config/node.h"
#include "core/error.h"

namespace shiftadd {
namespace {

template <class Json>
Json parsed(std::string_view text, const std::string& source) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_discarded()) return json;
  parse_config_node(text, source);  // is at least as strict, and says what is wrong
  throw user_error(source, ": is not valid JSON");
}

template <class Json>
std::string written(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& source) {
  return parsed<nlohmann::json>(text, source);
}
nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& source) {
  return parsed<nlohmann::ordered_json>(text, source);
}
std::string json_text(const nlohmann::json& json, int indent) { return written(json, indent); }
std::string json_text(const nlohmann::ordered_json& json, int indent) {
  return written(json, indent);
}

}  // namespace shiftadd
