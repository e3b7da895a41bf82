// A network as it is deployed: each layer's weight in the form its product reads.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/enum_names.h"
#include "core/tensor.h"
#include "model/network.h"

namespace shiftadd {

/// What a layer that multiplies is stored as, and computed in: float32; bf16, its inputs rounded as
/// well and sums in float32, by AVX512-BF16 or AMX (a CPU without: inputs as they are); int8 with a
/// scale for each row, on int8 inputs with a scale for each token.
enum class MultiplyFormat : uint8_t { kFloat32, kBf16, kInt8 };
template <>
inline constexpr std::array kEnumNames<MultiplyFormat> = {"float32", "bf16", "int8"};

/// Of a packed model. Shift layers with 4bit weights and int8 activations are always stored as
/// nibbles; other Shift layers as what their powers of two are as floats. Routers and the
/// classification head, one row an image, stay float32.
struct PackSpec {
  MultiplyFormat multiply = MultiplyFormat::kFloat32;
  bool int8_attention = false;  // softmax attention in integers (Int8AttentionArgs)
  /// Share of tokens on Shift at each router of router_names(spec), where it was measured.
  std::vector<double> shift_shares = {};

  bool operator==(const PackSpec&) const = default;
};
/// All that is multiplied in one format: "float32", "bf16" or, softmax attention too, "int8".
/// Throws Error (user) for another name.
PackSpec pack_in(const std::string& format);
/// {"version": 1, "multiply": "int8", "attention": "int8", "shift_shares": [0.6, ...]}
nlohmann::ordered_json to_json(const PackSpec& pack);
/// Throws Error (user) "SOURCE:LINE: key: what is wrong".
PackSpec parse_pack_spec(std::string_view text, const std::string& source);

/// The weights of a trained network as a packed model file stores them, under their names:
///   NAME.codes (u8, outputs x nibble_stride(inputs)) and NAME.exponents (i16) for nibbles,
///   NAME.weight (i8) and NAME.scales (f32) for int8, NAME.weight for bf16 and float32,
/// biases, norms, tokens and filters as they were. No latent weights. Throws Error (user) for a
/// network that cannot be deployed, for a model that is packed already, and for weights that the
/// format cannot hold (3.4e38 rounds to infinity in bf16): the error names them.
struct ModelFile;
ModelFile pack_model(const ModelFile& model, const PackSpec& pack);
/// The weights alone; `weights` holds those of `parameters`, by name.
NamedTensors pack_weights(const std::vector<Parameter>& parameters, const ShiftAddSpec& options,
                          const NamedTensors& weights, const PackSpec& pack);

/// What a packed file holds, in order, and the parameter of parameters_of(spec) each comes from.
enum class StoredForm : uint8_t { kAsIs, kPowers, kNibbles, kExponents, kInt8, kScales };
struct StoredTensor {
  std::string name;
  Shape shape;
  DType dtype;
  StoredForm form;
  std::string source;
  std::string sign;  // of powers of form ps: the parameter that holds their signs
};
std::vector<StoredTensor> stored_tensors(const std::vector<Parameter>& parameters,
                                         const ShiftAddSpec& options, const PackSpec& pack);
std::vector<StoredTensor> stored_tensors(const ModelSpec& spec, const PackSpec& pack);

}  // namespace shiftadd
