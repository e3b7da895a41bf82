// Cyclic sums eight bytes a step: tables anywhere, three streams of the CRC32 instruction on x86.
#include "core/io/crc32.h"

#include <array>
#include <cstring>

#include "core/cpu/isa.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace shiftadd {
namespace {

constexpr uint32_t kCastagnoli = 0x82f63b78, kIso3309 = 0xedb88320;  // bits reversed
constexpr std::size_t kStep = 8;

using Bytewise = std::array<uint32_t, 256>;

// [k][b]: what byte b does to a state that k more bytes are shifted into.
constexpr std::array<Bytewise, kStep> tables_of(uint32_t polynomial) {
  std::array<Bytewise, kStep> tables{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t state = b;
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? polynomial : 0);
    tables[0][b] = state;
  }
  for (std::size_t k = 1; k < kStep; ++k)
    for (uint32_t b = 0; b < 256; ++b) {
      const uint32_t before = tables[k - 1][b];
      tables[k][b] = before >> 8 ^ tables[0][before & 255];
    }
  return tables;
}
constexpr auto kCastagnoliTables = tables_of(kCastagnoli), kIso3309Tables = tables_of(kIso3309);

uint32_t by_table(const std::array<Bytewise, kStep>& tables, uint32_t state, const uint8_t* next,
                  std::size_t size) {
  for (; size >= kStep; size -= kStep, next += kStep) {
    uint64_t word;
    std::memcpy(&word, next, kStep);
    word ^= state;
    state = 0;
    for (std::size_t k = 0; k < kStep; ++k) state ^= tables[kStep - 1 - k][word >> (8 * k) & 255];
  }
  for (; size > 0; --size) state = state >> 8 ^ tables[0][(state ^ *next++) & 255];
  return state;
}

#if defined(__x86_64__)
// The instruction takes three cycles and one can start each cycle: three streams, of so many bytes.
constexpr std::size_t kStream = 4096;

// Shifting zero bytes into a state is linear in its bits: column i is what bit i becomes.
using Matrix = std::array<uint32_t, 32>;
constexpr uint32_t times(const Matrix& matrix, uint32_t state) {
  uint32_t sum = 0;
  for (std::size_t i = 0; state != 0; state >>= 1, ++i)
    if (state & 1) sum ^= matrix[i];
  return sum;
}

// [k][b]: what byte k of a state becomes when kStream zero bytes are shifted in.
constexpr std::array<Bytewise, 4> stream_shift() {
  Matrix shift{};  // by one byte
  for (std::size_t i = 0; i < 32; ++i) {
    const uint32_t bit = uint32_t{1} << i;
    shift[i] = bit >> 8 ^ kCastagnoliTables[0][bit & 255];
  }
  for (std::size_t bytes = 1; bytes < kStream; bytes *= 2) {
    const Matrix half = shift;
    for (std::size_t i = 0; i < 32; ++i) shift[i] = times(half, half[i]);
  }
  std::array<Bytewise, 4> tables{};
  for (uint32_t k = 0; k < 4; ++k)
    for (uint32_t b = 0; b < 256; ++b) tables[k][b] = times(shift, b << (8 * k));
  return tables;
}
constexpr std::array<Bytewise, 4> kStreamShift = stream_shift();

uint64_t shifted(uint64_t state) {
  return kStreamShift[0][state & 255] ^ kStreamShift[1][state >> 8 & 255] ^
         kStreamShift[2][state >> 16 & 255] ^ kStreamShift[3][state >> 24 & 255];
}

__attribute__((target("sse4.2"))) uint32_t by_instruction(uint32_t before, const uint8_t* next,
                                                          std::size_t size) {
  uint64_t state = before, word[3];
  for (; size >= 3 * kStream; size -= 3 * kStream, next += 3 * kStream) {
    uint64_t second = 0, third = 0;
    for (std::size_t i = 0; i < kStream; i += kStep) {
      for (std::size_t s = 0; s < 3; ++s) std::memcpy(word + s, next + s * kStream + i, kStep);
      state = _mm_crc32_u64(state, word[0]);
      second = _mm_crc32_u64(second, word[1]);
      third = _mm_crc32_u64(third, word[2]);
    }
    state = shifted(shifted(state) ^ second) ^ third;
  }
  for (; size >= kStep; size -= kStep, next += kStep) {
    std::memcpy(word, next, kStep);
    state = _mm_crc32_u64(state, word[0]);
  }
  auto narrow = static_cast<uint32_t>(state);
  for (; size > 0; --size) narrow = _mm_crc32_u8(narrow, *next++);
  return narrow;
}

bool has_instruction() {
  static const bool has = __builtin_cpu_supports("sse4.2") && isa() != Isa::kGeneric;
  return has;
}
#endif

}  // namespace

uint32_t crc32c_by_table(const void* bytes, std::size_t size, uint32_t before) {
  return ~by_table(kCastagnoliTables, ~before, static_cast<const uint8_t*>(bytes), size);
}

uint32_t crc32c(const void* bytes, std::size_t size, uint32_t before) {
#if defined(__x86_64__)
  if (has_instruction()) return ~by_instruction(~before, static_cast<const uint8_t*>(bytes), size);
#endif
  return crc32c_by_table(bytes, size, before);
}

uint32_t crc32_of_zip(const void* bytes, std::size_t size) {
  return ~by_table(kIso3309Tables, ~uint32_t{0}, static_cast<const uint8_t*>(bytes), size);
}

}  // namespace shiftadd
