// Puts weights in the order of mma.sync's fragments.
#include "cuda/fragments.h"

#include <bit>
#include <cstring>

#include "core/kernels/int8.h"

namespace shiftadd::cuda {
namespace {

constexpr int64_t kParts = 4, kPartOutputs = 8, kLanes = 32;

// Calls body(word index of a lane's first word of a part, output, first byte of its four within the
// row, step) for every lane of every part of a weight.
template <class Body>
void for_lanes(int64_t outputs, int64_t steps, Body body) {
  for (int64_t group = 0; group < groups_of(outputs); ++group)
    for (int64_t step = 0; step < steps; ++step)
      for (int64_t part = 0; part < kParts; ++part)
        for (int64_t lane = 0; lane < kLanes; ++lane)
          body(group * steps + step, part, lane,
               group * kGroupOutputs + part * kPartOutputs + lane / 4, step * 32 + lane % 4 * 4);
}

// Rows of `row_bytes` bytes.
std::vector<uint32_t> byte_fragments(const uint8_t* rows, int64_t outputs, int64_t row_bytes) {
  const int64_t steps = (row_bytes + 31) / 32;
  std::vector<uint32_t> words(
      static_cast<std::size_t>(groups_of(outputs) * steps * kParts * kLanes * 2));
  for_lanes(outputs, steps,
            [&](int64_t block, int64_t part, int64_t lane, int64_t output, int64_t first) {
              if (output >= outputs) return;
              for (int64_t half = 0; half < 2; ++half) {
                const int64_t from = first + half * 16;
                uint8_t bytes[4] = {};
                for (int64_t i = 0; i < 4 && from + i < row_bytes; ++i)
                  bytes[i] = rows[output * row_bytes + from + i];
                uint32_t& word = words[static_cast<std::size_t>(
                    (((block * 2 + part / 2) * kLanes + lane) * 2 + part % 2) * 2 + half)];
                std::memcpy(&word, bytes, sizeof word);
              }
            });
  return words;
}

uint16_t to_bf16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<uint16_t>(bits >> 16 | 0x40);  // NaN
  return static_cast<uint16_t>((bits + 0x7fffU + (bits >> 16 & 1)) >> 16);
}

}  // namespace

std::vector<uint32_t> nibble_fragments(const uint8_t* nibbles, int64_t outputs, int64_t inputs) {
  const int64_t steps = steps_of(inputs, 1), stride = nibble_stride(inputs);
  std::vector<uint32_t> words(
      static_cast<std::size_t>(groups_of(outputs) * steps * kParts * kLanes));
  for_lanes(outputs, steps,
            [&](int64_t block, int64_t part, int64_t lane, int64_t output, int64_t first) {
              if (output >= outputs) return;
              uint32_t word = 0;
              for (int64_t i = 0; i < 8; ++i) {
                const int64_t input = first + i % 4 + i / 4 * 16;
                if (input >= inputs) continue;
                const uint32_t pair = nibbles[output * stride + input / 2];
                word |= (input % 2 ? pair >> 4 : pair & 15) << (4 * i);
              }
              words[static_cast<std::size_t>((block * kLanes + lane) * kParts + part)] = word;
            });
  return words;
}

std::vector<uint32_t> int8_fragments(const int8_t* weight, int64_t outputs, int64_t inputs) {
  return byte_fragments(reinterpret_cast<const uint8_t*>(weight), outputs, inputs);
}

std::vector<uint32_t> bf16_fragments(const float* weight, int64_t outputs, int64_t inputs) {
  std::vector<uint16_t> rounded(static_cast<std::size_t>(outputs * inputs));
  for (std::size_t i = 0; i < rounded.size(); ++i) rounded[i] = to_bf16(weight[i]);
  return byte_fragments(reinterpret_cast<const uint8_t*>(rounded.data()), outputs, 2 * inputs);
}

}  // namespace shiftadd::cuda
