// Looks keys up in another program's JSON, and checks the types of those that are asked for.
#include "core/config/foreign.h"

#include <cmath>

#include "core/error.h"

namespace shiftadd {

using Kind = ConfigNode::Kind;

ForeignObject::ForeignObject(const ConfigNode& node, std::string path)
    : node_(&node), path_(std::move(path)) {
  if (!node.is_object())
    throw user_error(node.location(), ": ", path_.empty() ? "" : path_ + ": ",
                     "expected an object, got ", node.described());
}

std::string ForeignObject::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const ConfigNode* ForeignObject::find(std::string_view key) const {
  const ConfigNode* value = node_->find(key);
  return value && value->kind == Kind::kNull ? nullptr : value;
}

std::string ForeignObject::where(std::string_view key) const {
  const ConfigNode* value = find(key);
  return (value ? value : node_)->location() + ": " + path_of(key);
}

void ForeignObject::expected(std::string_view key, const std::string& what) const {
  const ConfigNode* value = find(key);
  throw user_error(where(key), ": expected ", what, ", got ",
                   value ? value->described() : "nothing");
}

const ConfigNode* ForeignObject::of_kind(std::string_view key, Kind kind,
                                         const std::string& what) const {
  const ConfigNode* value = find(key);
  if (value && value->kind != kind) expected(key, what);
  return value;
}

std::optional<int64_t> ForeignObject::count(std::string_view key, int64_t least) const {
  constexpr double kMost = 9007199254740992.0;  // 2^53: up to here float64 holds each whole number
  const ConfigNode* value = of_kind(key, Kind::kNumber, "a whole number");
  if (!value) return std::nullopt;
  const double number = value->number();
  if (number != std::floor(number) || number < static_cast<double>(least) || number > kMost)
    expected(key, concat("a whole number from ", least));
  return static_cast<int64_t>(number);
}

std::optional<double> ForeignObject::number(std::string_view key) const {
  const ConfigNode* value = of_kind(key, Kind::kNumber, "a number");
  return value ? std::optional(value->number()) : std::nullopt;
}

std::optional<bool> ForeignObject::flag(std::string_view key) const {
  const ConfigNode* value = of_kind(key, Kind::kBoolean, "true or false");
  return value ? std::optional(value->text == "true") : std::nullopt;
}

std::optional<std::string> ForeignObject::text(std::string_view key) const {
  const ConfigNode* value = of_kind(key, Kind::kString, "a string");
  return value ? std::optional(value->text) : std::nullopt;
}

std::optional<ForeignObject> ForeignObject::object(std::string_view key) const {
  const ConfigNode* value = find(key);
  return value ? std::optional(ForeignObject(*value, path_of(key))) : std::nullopt;
}

}  // namespace shiftadd
