// What ShiftAdd changes in a plain transformer, as data: which block multiplies, adds or shifts.
//
// Source: You et al., ShiftAddViT, NeurIPS 2023 (arXiv 2306.06446).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/enum_names.h"
#include "core/kernels/attention.h"
#include "core/kernels/shift.h"

namespace shiftadd {

enum class AttentionKind : uint8_t {
  kSoftmax,     // softmax(q k^T / sqrt(d)) v
  kSoftmaxAdd,  // the same on codes of q and k: q k^T is counted, not multiplied
  kLinear,      // linear-angular: v / 2 + q (k^T v) / pi, normalised, plus a local convolution of v
  kLinearAdd,   // linear attention on codes, both products only add and subtract: linear-angular,
                // or, on codes of two bits, with a window of softmax
};
/// Linear attention with a window.
constexpr bool is_windowed(AttentionKind kind, Codes codes) {
  return kind == AttentionKind::kLinearAdd && codes == Codes::kBipolar2;
}
template <>
inline constexpr std::array kEnumNames<AttentionKind> = {"softmax", "softmax_add", "linear",
                                                         "linear_add"};

/// A linear layer, or a whole MLP: multiplied, shifted (weights are signed powers of two), or a
/// router that sends each token to one of the two.
enum class LayerKind : uint8_t { kMultiply, kShift, kMixture };
template <>
inline constexpr std::array kEnumNames<LayerKind> = {"multiply", "shift", "mixture"};

/// The convolution of v beside linear attention: 9 taps along the tokens, or 5 x 5 on the patches.
enum class LocalKind : uint8_t { kTokenConv, kDepthwise2d };
constexpr int64_t kTokenTaps = 9, kPatchTaps = 5;
template <>
inline constexpr std::array kEnumNames<LocalKind> = {"token_conv", "depthwise2d"};

/// Latent parameters of a Shift layer: one weight, or a shift and a sign.
enum class ShiftForm : uint8_t { kQ, kPs };
template <>
inline constexpr std::array kEnumNames<ShiftForm> = {"q", "ps"};

// What the kernels call by these enumerators, JSON calls by these names.
template <>
inline constexpr std::array kEnumNames<ShiftFormat> = {"4bit", "5bit"};
template <>
inline constexpr std::array kEnumNames<Codes> = {"none", "sign", "unit_head", "unit_batch",
                                                 "bipolar2"};
template <>
inline constexpr std::array kEnumNames<ValueFormat> = {"float", "int8"};

/// What a mixture's output is multiplied by: 1 in value with the router's gradient, or the chosen
/// expert's probability. kFixedSplit has no router: every second token of an image is shifted,
/// fixed_split_expert says which; what a router is compared with.
enum class GateKind : uint8_t { kStraightThrough, kProbability, kFixedSplit };
template <>
inline constexpr std::array kEnumNames<GateKind> = {"straight_through", "probability",
                                                    "fixed_split"};
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

class ConfigVisitor;
/// Lists the options common to all blocks: codes, value, local, form, format, activations,
/// gate.
void list_conversion(ConfigVisitor& visitor, ShiftAddSpec& spec);
/// The same, and "blocks": a list of {"attention": "linear_add", "qkv": "shift", "proj": "shift",
/// "mlp": "mixture"}.
void list_options(ConfigVisitor& visitor, ShiftAddSpec& spec);

nlohmann::json to_json(const ShiftAddSpec& spec);
/// Throws Error (user) with the key, for options that exclude each other.
void validate(const ShiftAddSpec& spec);

}  // namespace shiftadd
