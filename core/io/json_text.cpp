// Calls nlohmann's parser and writer for all other files, which compile faster without them.
#include "core/io/json_text.h"

#include <nlohmann/json.hpp>

namespace shiftadd {
namespace {

template <class Json>
std::string written(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

nlohmann::json parse_json(std::string_view text) { return nlohmann::json::parse(text); }
nlohmann::ordered_json parse_ordered_json(std::string_view text) {
  return nlohmann::ordered_json::parse(text);
}
std::string json_text(const nlohmann::json& json, int indent) { return written(json, indent); }
std::string json_text(const nlohmann::ordered_json& json, int indent) {
  return written(json, indent);
}

}  // namespace shiftadd
