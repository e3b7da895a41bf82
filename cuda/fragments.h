// Weights in the order in which the lanes of a warp read them for mma.sync: no lane ever needs a
// neighbour's, and 16 bytes are read at once.
//
// The outputs are cut into groups of 32, the inputs into steps of 32 bytes. In an 8 x 32-byte block
// of the weight (outputs of a group: part j = 0..3) lane l holds bytes 4 (l % 4) .. + 3 and those
// 16 further of output l / 4. Nibbles: those eight codes in a word, first input lowest; the lane's
// words of parts 0 to 3 side by side, [group][step][lane][part]. int8 and bf16: two words a part,
// [group][step][part / 2][lane][part % 2][2]. What lies beyond the matrix is 0.
#pragma once

#include <cstdint>
#include <vector>

namespace shiftadd::cuda {

inline constexpr int kGroupOutputs = 32;

constexpr int64_t groups_of(int64_t outputs) {
  return (outputs + kGroupOutputs - 1) / kGroupOutputs;
}
/// Steps of 32 bytes over numbers of `bytes` bytes.
constexpr int64_t steps_of(int64_t inputs, int64_t bytes) { return (inputs * bytes + 31) / 32; }

/// nibbles: (outputs, nibble_stride(inputs)) as a model file stores them (core/kernels/int8.h).
std::vector<uint32_t> nibble_fragments(const uint8_t* nibbles, int64_t outputs, int64_t inputs);
/// weight: (outputs, inputs).
std::vector<uint32_t> int8_fragments(const int8_t* weight, int64_t outputs, int64_t inputs);
/// weight: (outputs, inputs), rounded to bf16, half to even.
std::vector<uint32_t> bf16_fragments(const float* weight, int64_t outputs, int64_t inputs);

}  // namespace shiftadd::cuda
