// Cyclic sums: published values, odd sizes, and all ways of computing one against each other.
#include "core/io/crc32.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "core/random.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

uint32_t sum_of(const std::string& text) {
  const uint32_t sum = crc32c(text.data(), text.size());
  CHECK(crc32c_by_table(text.data(), text.size()) == sum);
  return sum;
}

// A bit a step, as the polynomial is written.
uint32_t bit_by_bit(const uint8_t* bytes, std::size_t size, uint32_t polynomial) {
  uint32_t state = ~uint32_t{0};
  for (std::size_t i = 0; i < 8 * size; ++i) {
    const uint32_t out = (state ^ bytes[i / 8] >> i % 8) & 1;
    state = state >> 1 ^ (out ? polynomial : 0);
  }
  return ~state;
}

}  // namespace

TEST_CASE("CRC32C and zip's CRC-32 give the published values") {
  CHECK(sum_of("") == 0);
  CHECK(sum_of("123456789") == 0xe3069283);
  CHECK(sum_of(std::string(32, '\0')) == 0x8a9136aa);  // RFC 3720, B.4
  CHECK(sum_of(std::string(32, '\xff')) == 0x62a8ab43);
  std::string rising(32, '\0');
  std::iota(rising.begin(), rising.end(), '\0');
  CHECK(sum_of(rising) == 0x46dd794e);
  std::reverse(rising.begin(), rising.end());
  CHECK(sum_of(rising) == 0x113fdb5c);
  CHECK(crc32_of_zip("123456789", 9) == 0xcbf43926);
  CHECK(crc32_of_zip("", 0) == 0);
}

TEST_CASE("every way to a sum agrees at odd sizes and addresses, and in parts") {
  std::vector<uint8_t> bytes(3 * 12288 + 31);
  Random random(7, 1);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.next64());
  for (const std::size_t size : {1, 3, 7, 8, 9, 17, 197, 4096, 12287, 12288, 12289, 24576, 36880})
    for (const std::size_t start : {0, 1, 5}) {
      const uint8_t* from = bytes.data() + start;
      INFO(size, " bytes from ", start);
      const uint32_t sum = bit_by_bit(from, size, 0x82f63b78);
      CHECK(crc32c(from, size) == sum);
      CHECK(crc32c_by_table(from, size) == sum);
      CHECK(crc32_of_zip(from, size) == bit_by_bit(from, size, 0xedb88320));
      for (const std::size_t first : {std::size_t{0}, size / 3, size - 1}) {
        CHECK(crc32c(from + first, size - first, crc32c(from, first)) == sum);
        CHECK(crc32c_by_table(from + first, size - first, crc32c_by_table(from, first)) == sum);
      }
    }
}
