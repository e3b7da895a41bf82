// Files with one bit turned over: what a disk or a copy does to them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.h"
#include "tests/support/support.h"

namespace shiftadd::test {

inline std::string flipped(std::string bytes, std::size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
  return bytes;
}

/// Every bit of the first `dense` bytes, and 200 spread over all of the file.
inline std::vector<std::size_t> bits_to_flip(std::size_t size, std::size_t dense = 80) {
  std::vector<std::size_t> bits;
  for (std::size_t bit = 0; bit < 8 * std::min(size, dense); ++bit) bits.push_back(bit);
  for (std::size_t i = 0; i < 200; ++i) bits.push_back((8 * size - 1) * i / 199);
  return bits;
}

/// `read` gives what a file says, as text, or throws an Error. Whichever of `bits` is turned over,
/// it must refuse the file or say the same as of the whole one; returns how often it refused.
template <class Read>
std::size_t check_flips(const std::string& bytes, const std::vector<std::size_t>& bits,
                        const Read& read) {
  const std::string whole = read(bytes);
  std::size_t refused = 0;
  for (const std::size_t bit : bits) {
    INFO("bit ", bit % 8, " of byte ", bit / 8);
    try {
      const bool same = read(flipped(bytes, bit)) == whole;
      CHECK(same);
    } catch (const Error& error) {
      CHECK(error.exit_code() == 2);
      ++refused;
    }
  }
  return refused;
}

/// Of a file of ours: every flip is refused.
template <class Read>
void check_all_refused(const std::string& bytes, const Read& read) {
  const std::vector<std::size_t> bits = bits_to_flip(bytes.size());
  CHECK(check_flips(bytes, bits, read) == bits.size());
}

}  // namespace shiftadd::test
