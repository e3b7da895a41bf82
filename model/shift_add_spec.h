// What ShiftAdd changes in a plain transformer, as data: which block multiplies, adds or shifts.
//
// Source: You et al., ShiftAddViT, NeurIPS 2023 (arXiv 2306.06446).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/attention_args.h"
#include "core/kernels_shift.h"

namespace shiftadd {

enum class AttentionKind : uint8_t {
  kSoftmax,     // softmax(q k^T / sqrt(d)) v
  kSoftmaxAdd,  // the same on +-1 codes of q and k: q k^T is counted, not multiplied
  kLinear,      // linear-angular: v / 2 + q (k^T v) / pi, normalised, plus a local convolution of v
  kLinearAdd,   // the same on codes: both products only add and subtract
};

/// A linear layer, or a whole MLP: multiplied, shifted (weights are signed powers of two), or a
/// router that sends each token to one of the two.
enum class LayerKind : uint8_t { kMultiply, kShift, kMixture };

/// The convolution of v beside linear attention: 9 taps along the tokens, or 5 x 5 on the patches.
enum class LocalKind : uint8_t { kTokenConv, kDepthwise2d };
constexpr int64_t kTokenTaps = 9, kPatchTaps = 5;

/// Latent parameters of a Shift layer: one weight, or a shift and a sign.
enum class ShiftForm : uint8_t { kQ, kPs };

/// What a mixture's output is multiplied by: 1 in value with the router's gradient, or the chosen
/// expert's probability. kFixedSplit has no router: every second token of an image is shifted,
/// fixed_split_expert says which; what a router is compared with.
enum class GateKind : uint8_t { kStraightThrough, kProbability, kFixedSplit };
/// The experts of every mixture, in the order of their parameters.
inline constexpr uint8_t kMultExpert = 0, kShiftExpert = 1;
/// The expert of token `n` of an image where the split is fixed.
constexpr uint8_t fixed_split_expert(int64_t n) { return n % 2 ? kShiftExpert : kMultExpert; }

struct BlockKinds {
  AttentionKind attention = AttentionKind::kSoftmax;
  LayerKind qkv = LayerKind::kMultiply, proj = LayerKind::kMultiply, mlp = LayerKind::kMultiply;

  /// Linear-angular attention, which has a local convolution of v.
  bool is_linear() const {
    return attention == AttentionKind::kLinear || attention == AttentionKind::kLinearAdd;
  }
  bool operator==(const BlockKinds&) const = default;
};

/// Whether q and k of such attention become signs, where linear_add's codes are `codes`.
constexpr bool has_sign_codes(AttentionKind kind, Codes codes) {
  return kind == AttentionKind::kSoftmaxAdd ||
         (kind == AttentionKind::kLinearAdd && codes == Codes::kSign);
}

/// Options common to all blocks, and what each block is.
struct ShiftAddSpec {
  /// Of q and k. kUnitBatch thresholds on the whole batch, as the released code does: an image's
  /// answer depends on its neighbours, so it cannot be exported. Never kNone.
  Codes codes = Codes::kSign;
  LocalKind local = LocalKind::kTokenConv;
  ValueFormat values = ValueFormat::kFloat;  // v beside codes
  ShiftForm form = ShiftForm::kQ;
  ShiftFormat format = ShiftFormat::k4Bit;
  bool int8_activations = false;  // inputs of Shift layers as int8, one scale per token
  GateKind gate = GateKind::kStraightThrough;
  std::vector<BlockKinds> blocks;  // one per block of the network, or empty: all plain

  bool operator==(const ShiftAddSpec&) const = default;
};

/// {"codes": "sign", "local": "token_conv", "value": "float"|"int8", "form": "q"|"ps", "format":
/// "4bit"|"5bit", "activations": "float"|"int8", "gate":
/// "straight_through"|"probability"|"fixed_split", "blocks": [{"attention": "linear_add", "qkv":
/// "shift", "proj": "shift", "mlp": "mixture"},
/// ...]}. Absent keys take the defaults above. Throws Error (user) naming an unknown key or value
/// with the nearest valid one, and for form ps with format 4bit.
ShiftAddSpec shift_add_spec_from_json(const nlohmann::json& json);
nlohmann::json to_json(const ShiftAddSpec& spec);
/// Throws Error (user) for options that exclude each other.
void validate(const ShiftAddSpec& spec);

/// The names used in JSON: "linear_add", "mixture", ...
const char* name_of(AttentionKind kind);
const char* name_of(LayerKind kind);
const char* name_of(Codes codes);
const char* name_of(ValueFormat format);
const char* name_of(LocalKind kind);
const char* name_of(ShiftForm form);
const char* name_of(ShiftFormat format);
const char* name_of(GateKind gate);

/// All of them, in the order of the enumerators.
template <class Kind>
std::vector<std::string> names_of();

/// The kind of a name; throws Error (user) "KEY: 'NAME' is not known. Did you mean ...".
template <class Kind>
Kind kind_of(const std::string& name, const std::string& key);

}  // namespace shiftadd
