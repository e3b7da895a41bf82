// A field of a JSON object, and errors about it in our own words.
#pragma once

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace shiftadd {

/// Throws Error (user) that begins with the key, where it is absent or of the wrong type.
template <class Json, class Value>
void take_field(const Json& object, const char* key, Value& value) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end()) throw key_error(key, "is missing");
  try {
    value = found->template get<Value>();
  } catch (const nlohmann::json::exception&) {
    throw key_error(key, "is of the wrong type, ", found->type_name());
  }
}

}  // namespace shiftadd
