// Prints the brackets and commas of a JSON array around its objects.
#include "tools/report/json_array.h"

#include <nlohmann/json.hpp>

#include "core/io/json_text.h"

namespace shiftadd::tools {

JsonArray::JsonArray(std::ostream& out) : out_(out) { out_ << "["; }

void JsonArray::add(const nlohmann::ordered_json& object) {
  out_ << (first_ ? "\n" : ",\n") << json_text(object);
  first_ = false;
}

void JsonArray::finish() { out_ << (first_ ? "]\n" : "\n]\n"); }

}  // namespace shiftadd::tools
