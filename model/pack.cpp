// Lists the tensors of a packed model file, and converts trained weights into the form of each.
#include "model/pack.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "core/int8_matrix.h"
#include "core/kernels.h"
#include "core/kernels_int8.h"
#include "model/model_file.h"

namespace shiftadd {
namespace {

constexpr int kVersion = 1;
constexpr const char* kFormats[] = {"float32", "bf16", "int8"};

bool is_nibbles(const ShiftAddSpec& options) {
  return options.int8_activations && options.format == ShiftFormat::k4Bit;
}

void require_finite(const Tensor& values, const std::string& name, const std::string& where) {
  if (const int64_t bad = count_not_finite(values))
    throw user_error("[pack] ", name, " has ", bad, " values that are not finite", where);
}

void require_weights(const std::vector<Parameter>& parameters,
                     const std::map<std::string, Tensor>& weights) {
  for (const Parameter& expected : parameters) {
    const auto found = weights.find(expected.name);
    if (found == weights.end() || found->second.shape() != expected.shape)
      throw user_error("[pack] the weight ", expected.name, " is ",
                       found == weights.end() ? "missing" : concat(found->second.shape()),
                       ": expected shape ", expected.shape);
  }
}

// What this writes, infer reads: it refuses numbers that are not finite, and wider products.
void require_readable(const StoredTensor& stored, const Tensor& value, int64_t inputs) {
  if (is_floating(value.dtype()))
    require_finite(value, stored.source,
                   concat(" as ", value.dtype(), ", in which the largest is ",
                          value.dtype() == DType::kBF16 ? "3.39e38" : "3.40e38",
                          ": pack its layer in another format"));
  const bool is_dot = stored.form == StoredForm::kInt8 || stored.form == StoredForm::kNibbles;
  if (is_dot && inputs > kMostDotInputs)
    throw user_error("[pack] ", stored.source, " has ", inputs,
                     " inputs: int8 products have at most ", kMostDotInputs,
                     "; pack with float32 or bf16");
}

// The weights that a Shift layer multiplies by: of form ps where `sign` is defined.
Tensor powers_of_two(const Tensor& latent, const Tensor& sign, ShiftFormat format) {
  const Tensor powers(latent.shape());
  if (sign.defined())
    kernels<float>().shift_compose(
        {latent.numel(), latent.data<float>(), sign.data<float>(), powers.data<float>()});
  else
    kernels<float>().shift_quantize({latent.dim(0), latent.dim(1), format, latent.data<float>(),
                                     powers.data<float>(), nullptr, nullptr});
  return powers;
}

Shape matrix_shape(const Shape& shape) { return {shape[0], element_count(shape) / shape[0]}; }

}  // namespace

const char* name_of(MultiplyFormat format) { return kFormats[static_cast<int>(format)]; }

PackSpec pack_in(const std::string& format) {
  const auto* const found = std::find(std::begin(kFormats), std::end(kFormats), format);
  if (found == std::end(kFormats))
    throw user_error("[pack] '", format, "' is not known: expected float32, bf16 or int8");
  PackSpec pack;
  pack.multiply = static_cast<MultiplyFormat>(found - std::begin(kFormats));
  pack.int8_attention = pack.multiply == MultiplyFormat::kInt8;
  return pack;
}

nlohmann::ordered_json to_json(const PackSpec& pack) {
  nlohmann::ordered_json json = {{"version", kVersion},
                                 {"multiply", name_of(pack.multiply)},
                                 {"attention", pack.int8_attention ? "int8" : "float32"}};
  if (!pack.shift_shares.empty()) json["shift_shares"] = pack.shift_shares;
  return json;
}

PackSpec pack_spec_from_json(const nlohmann::json& json) {
  if (!json.is_object()) throw user_error("[pack] expected a JSON object, got ", json.type_name());
  const auto version = json.find("version");
  if (version == json.end() || !version->is_number_integer() || *version != kVersion)
    throw user_error("[pack] this program reads packed models of version ", kVersion,
                     ": pack the trained model again with shiftadd-convert --pack");
  const auto one_of = [&](const char* key, std::initializer_list<const char*> names) {
    const auto value = json.find(key);
    int index = 0;
    for (const char* name : names) {
      if (value != json.end() && value->is_string() && *value == name) return index;
      ++index;
    }
    throw user_error("[pack] ", key,
                     " is not one this program knows: pack the trained model again");
  };
  PackSpec pack;
  pack.multiply = static_cast<MultiplyFormat>(one_of("multiply", {"float32", "bf16", "int8"}));
  pack.int8_attention = one_of("attention", {"float32", "int8"}) == 1;
  if (const auto shares = json.find("shift_shares"); shares != json.end()) {
    if (!shares->is_array()) throw user_error("[pack] shift_shares: expected an array of numbers");
    for (const auto& share : *shares) {
      if (!share.is_number()) throw user_error("[pack] shift_shares: expected only numbers");
      pack.shift_shares.push_back(share.get<double>());
    }
  }
  return pack;
}

std::vector<StoredTensor> stored_tensors(const std::vector<Parameter>& parameters,
                                         const ShiftAddSpec& options, const PackSpec& pack) {
  std::vector<StoredTensor> stored;
  for (const Parameter& each : parameters) {
    const auto add = [&](const std::string& name, Shape shape, DType dtype, StoredForm form) {
      stored.push_back({name, std::move(shape), dtype, form, each.name, ""});
    };
    const std::string& layer = each.layer;
    const bool is_matrix = each.role == Role::kMatrix;
    if (each.role == Role::kShiftSign) {  // goes with its power, which stands before it
      stored.back().sign = each.name;
      continue;
    }
    if (each.is_shift() && is_nibbles(options)) {
      add(layer + ".codes", {each.shape[0], nibble_stride(each.shape[1])}, DType::kU8,
          StoredForm::kNibbles);
      add(layer + ".exponents", {each.shape[0]}, DType::kI16, StoredForm::kExponents);
    } else if (each.is_shift()) {
      add(layer + ".weight", each.shape, DType::kF32, StoredForm::kPowers);
    } else if (is_matrix && pack.multiply == MultiplyFormat::kInt8) {
      add(each.name, matrix_shape(each.shape), DType::kI8, StoredForm::kInt8);
      add(layer + ".scales", {each.shape[0]}, DType::kF32, StoredForm::kScales);
    } else if (is_matrix && pack.multiply == MultiplyFormat::kBf16) {
      add(each.name, each.shape, DType::kBF16, StoredForm::kAsIs);
    } else {
      add(each.name, each.shape, DType::kF32, StoredForm::kAsIs);
    }
  }
  return stored;
}

std::vector<StoredTensor> stored_tensors(const ModelSpec& spec, const PackSpec& pack) {
  return stored_tensors(parameters_of(spec), spec.shift_add, pack);
}

NamedTensors pack_weights(const std::vector<Parameter>& parameters, const ShiftAddSpec& options,
                          const NamedTensors& given, const PackSpec& pack) {
  const std::map<std::string, Tensor> weights(given.begin(), given.end());
  require_weights(parameters, weights);
  const auto take = [&](const std::string& name) {
    const Tensor values = weights.at(name).to(DType::kF32);
    require_finite(values, name, "");
    return values;
  };
  NamedTensors packed;
  ShiftRows rows;  // of the weight before: its second tensor follows its first
  Int8Rows integers;
  for (const StoredTensor& each : stored_tensors(parameters, options, pack)) {
    Tensor value;
    switch (each.form) {
      case StoredForm::kNibbles:
        rows = shift_rows(take(each.source));
        value = rows.nibbles;
        break;
      case StoredForm::kExponents:
        value = rows.exponents;
        break;
      case StoredForm::kInt8:
        integers = int8_rows(take(each.source).reshape(each.shape));
        value = integers.weight;
        break;
      case StoredForm::kScales:
        value = integers.scales;
        break;
      case StoredForm::kPowers:
        value = powers_of_two(take(each.source), each.sign.empty() ? Tensor() : take(each.sign),
                              options.format);
        break;
      case StoredForm::kAsIs:
        value = take(each.source).to(each.dtype);
        break;
    }
    require_readable(each, value, weights.at(each.source).numel() / each.shape[0]);
    packed.emplace_back(each.name, value);
  }
  return packed;
}

ModelFile pack_model(const ModelFile& model, const PackSpec& pack) {
  if (model.pack) throw user_error("[pack] the model is packed already: pack the trained one");
  require_deployable(model.spec);
  ModelFile packed = model;
  packed.pack = pack;
  packed.weights =
      pack_weights(parameters_of(model.spec), model.spec.shift_add, model.weights, pack);
  return packed;
}

}  // namespace shiftadd
