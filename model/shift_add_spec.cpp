// The JSON form of a ShiftAddSpec.
#include "model/shift_add_spec.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/json_text.h"
#include "core/names.h"

namespace shiftadd {
namespace {

// The names of each enumeration, in its order.
template <class Kind>
constexpr std::array<const char*, 0> kNames = {};
template <>
constexpr std::array kNames<AttentionKind> = {"softmax", "softmax_add", "linear", "linear_add"};
template <>
constexpr std::array kNames<LayerKind> = {"multiply", "shift", "mixture"};
template <>
constexpr std::array kNames<Codes> = {"none", "sign", "unit_head", "unit_batch"};
template <>
constexpr std::array kNames<LocalKind> = {"token_conv", "depthwise2d"};
template <>
constexpr std::array kNames<ShiftForm> = {"q", "ps"};
template <>
constexpr std::array kNames<ShiftFormat> = {"4bit", "5bit"};
template <>
constexpr std::array kNames<GateKind> = {"straight_through", "probability", "fixed_split"};
template <>
constexpr std::array kNames<ValueFormat> = {"float", "int8"};

template <class Kind>
const char* name_in_list(Kind kind) {
  return kNames<Kind>[static_cast<std::size_t>(kind)];
}

constexpr const char* kWhere = "[model] shift_add";

// Reads the keys of one object and refuses those nobody asked for.
class Reader {
 public:
  Reader(const nlohmann::json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object())
      throw user_error(where_, ": expected a JSON object, got ", json.type_name());
  }

  template <class Kind>
  void read(const char* key, Kind& value) {
    keys_.push_back(key);
    if (!json_.contains(key)) return;
    const auto& given = json_.at(key);
    const std::string path = where_ + "." + key;
    if (!given.is_string()) throw user_error(path, ": expected a name, got ", json_text(given));
    value = kind_of<Kind>(given.template get<std::string>(), path);
  }
  void read_int8(const char* key, bool& value) {
    ValueFormat format = value ? ValueFormat::kInt8 : ValueFormat::kFloat;
    read(key, format);
    value = format == ValueFormat::kInt8;
  }
  const nlohmann::json* list(const char* key) {
    keys_.push_back(key);
    if (!json_.contains(key)) return nullptr;
    if (!json_.at(key).is_array())
      throw user_error(where_, ".", key, ": expected a list, got ", json_.at(key).type_name());
    return &json_.at(key);
  }
  void finish() const {
    for (const auto& [key, value] : json_.items())
      if (std::find(keys_.begin(), keys_.end(), key) == keys_.end())
        throw user_error(where_, ": unknown key '", key, "'", did_you_mean(key, keys_));
  }

 private:
  const nlohmann::json& json_;
  std::string where_;
  std::vector<std::string> keys_;
};

}  // namespace

template <class Kind>
std::vector<std::string> names_of() {
  return {kNames<Kind>.begin(), kNames<Kind>.end()};
}
template std::vector<std::string> names_of<AttentionKind>();
template std::vector<std::string> names_of<LayerKind>();
template std::vector<std::string> names_of<Codes>();
template std::vector<std::string> names_of<LocalKind>();
template std::vector<std::string> names_of<ValueFormat>();
template std::vector<std::string> names_of<ShiftForm>();
template std::vector<std::string> names_of<ShiftFormat>();
template std::vector<std::string> names_of<GateKind>();

template <class Kind>
Kind kind_of(const std::string& name, const std::string& key) {
  const std::vector<std::string> names = names_of<Kind>();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (name == names[i]) return static_cast<Kind>(i);
  std::string known;
  for (const std::string& each : names) known += (known.empty() ? "" : ", ") + each;
  throw user_error(key, ": '", name, "' is not known: expected one of ", known,
                   did_you_mean(name, names));
}
template AttentionKind kind_of(const std::string&, const std::string&);
template LayerKind kind_of(const std::string&, const std::string&);
template Codes kind_of(const std::string&, const std::string&);
template LocalKind kind_of(const std::string&, const std::string&);
template ValueFormat kind_of(const std::string&, const std::string&);
template ShiftForm kind_of(const std::string&, const std::string&);
template ShiftFormat kind_of(const std::string&, const std::string&);
template GateKind kind_of(const std::string&, const std::string&);

const char* name_of(AttentionKind kind) { return name_in_list(kind); }
const char* name_of(LayerKind kind) { return name_in_list(kind); }
const char* name_of(Codes codes) { return name_in_list(codes); }
const char* name_of(ValueFormat format) { return name_in_list(format); }
const char* name_of(LocalKind kind) { return name_in_list(kind); }
const char* name_of(ShiftForm form) { return name_in_list(form); }
const char* name_of(ShiftFormat format) { return name_in_list(format); }
const char* name_of(GateKind gate) { return name_in_list(gate); }

void validate(const ShiftAddSpec& spec) {
  if (spec.codes == Codes::kNone)
    throw user_error(kWhere, ".codes: 'none' is what attention 'linear' is for");
  if (spec.form == ShiftForm::kPs && spec.format == ShiftFormat::k4Bit)
    throw user_error(kWhere, ": form 'ps' has no per-row scale: use it with format '5bit'");
}

ShiftAddSpec shift_add_spec_from_json(const nlohmann::json& json) {
  const std::string where = kWhere;
  ShiftAddSpec spec;
  Reader reader(json, where);
  reader.read("codes", spec.codes);
  reader.read("local", spec.local);
  reader.read("value", spec.values);
  reader.read("form", spec.form);
  reader.read("format", spec.format);
  reader.read_int8("activations", spec.int8_activations);
  reader.read("gate", spec.gate);
  if (const nlohmann::json* blocks = reader.list("blocks")) {
    for (const nlohmann::json& each : *blocks) {
      BlockKinds block;
      Reader fields(each, concat(where, ".blocks[", spec.blocks.size(), "]"));
      fields.read("attention", block.attention);
      fields.read("qkv", block.qkv);
      fields.read("proj", block.proj);
      fields.read("mlp", block.mlp);
      fields.finish();
      spec.blocks.push_back(block);
    }
  }
  reader.finish();
  validate(spec);
  return spec;
}

nlohmann::json to_json(const ShiftAddSpec& spec) {
  nlohmann::json json = {{"codes", name_of(spec.codes)},
                         {"local", name_of(spec.local)},
                         {"value", name_in_list(spec.values)},
                         {"form", name_of(spec.form)},
                         {"format", name_of(spec.format)},
                         {"activations", spec.int8_activations ? "int8" : "float"},
                         {"gate", name_of(spec.gate)},
                         {"blocks", nlohmann::json::array()}};
  for (const BlockKinds& block : spec.blocks)
    json["blocks"].push_back({{"attention", name_of(block.attention)},
                              {"qkv", name_of(block.qkv)},
                              {"proj", name_of(block.proj)},
                              {"mlp", name_of(block.mlp)}});
  return json;
}

}  // namespace shiftadd
