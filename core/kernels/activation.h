// What lies between the two layers of an MLP.
#pragma once

#include <cstdint>

namespace shiftadd {

/// gelu: x/2 (1 + erf(x / sqrt 2)); gelu_tanh: x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)));
/// quick_gelu: x / (1 + exp(-1.702 x)); relu: max(x, 0); swiglu: of twice as many channels, x1 then
/// x2, x1 / (1 + exp(-x1)) x2 (Shazeer 2020, arXiv 2002.05202).
enum class HiddenActivation : uint8_t { kGelu, kGeluTanh, kQuickGelu, kRelu, kSwiGlu };

/// Channels that fc1 makes of each hidden channel.
constexpr int64_t inputs_of(HiddenActivation kind) {
  return kind == HiddenActivation::kSwiGlu ? 2 : 1;
}

}  // namespace shiftadd
