// Lists the tensors of a packed model file, and converts trained weights into the form of each.
#include "model/pack.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/config/options.h"
#include "core/int8_matrix.h"
#include "core/kernels.h"
#include "model/model_file.h"

namespace shiftadd {
namespace {

constexpr int kVersion = 1;

void list_pack(ConfigVisitor& v, PackSpec& pack) {
  int64_t version = kVersion;
  v.integer("version", version, ConfigRange::any(), "Of this list.");
  if (version != kVersion)
    v.reject("version", concat("this program reads packed models of version ", kVersion));
  list_choice(v, "multiply", pack.multiply, "What layers that multiply are stored as.");
  std::string attention = pack.int8_attention ? "int8" : "float32";
  v.choice("attention", attention, {"float32", "int8"}, "What softmax attention computes in.");
  pack.int8_attention = attention == "int8";
  v.numbers("shift_shares", pack.shift_shares, ConfigRange::between(0, 1),
            "Share of tokens on Shift at each router, where it was measured.");
}

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

// Row i times factors[i], with the bits of the training graph.
Tensor scaled_rows(const Tensor& values, const Tensor& factors) {
  const Tensor result(values.shape());
  const int64_t rows = values.dim(0);
  kernels<float>().scale_rows({rows, values.numel() / rows, values.data<float>(),
                               factors.data<float>(), result.data<float>()});
  return result;
}

Shape matrix_shape(const Shape& shape) { return {shape[0], element_count(shape) / shape[0]}; }

}  // namespace

PackSpec pack_in(const std::string& format) {
  PackSpec pack;
  pack.multiply = kind_of<MultiplyFormat>(format, "[pack]");
  pack.int8_attention = pack.multiply == MultiplyFormat::kInt8;
  return pack;
}

nlohmann::ordered_json to_json(const PackSpec& pack) {
  PackSpec copy = pack;
  nlohmann::ordered_json json = config_json([&](ConfigVisitor& v) { list_pack(v, copy); });
  if (pack.shift_shares.empty()) json.erase("shift_shares");
  return json;
}

PackSpec parse_pack_spec(std::string_view text, const std::string& source) {
  const ConfigNode root = parse_config_node(text, source);
  PackSpec pack;
  try {
    const ConfigReader reader = read_options(root, pack, list_pack);
    for (const char* key : {"version", "multiply", "attention"})
      if (!reader.has(key)) reader.fail(key, "is missing");
  } catch (const Error& problem) {
    throw user_error(problem.what(), ": pack the trained model again with shiftadd-convert --pack");
  }
  return pack;
}

std::vector<StoredTensor> stored_tensors(const std::vector<Parameter>& parameters,
                                         const ShiftAddSpec& options, const PackSpec& pack) {
  std::vector<StoredTensor> stored;
  for (const Parameter& each : parameters) {
    if (each.folds) continue;
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
  std::map<std::string, std::string> scales;  // of a parameter: the factors of its rows
  for (const Parameter& each : parameters)
    if (!each.scale.empty()) scales.emplace(each.name, each.scale);
  const auto take = [&](const std::string& name) {
    Tensor values = weights.at(name).to(DType::kF32);
    require_finite(values, name, "");
    if (const auto factors = scales.find(name); factors != scales.end())
      values = scaled_rows(values, weights.at(factors->second).to(DType::kF32));
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
