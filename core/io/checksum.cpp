// Writes a checksum into the first bytes of a file, and compares the two when the file is read.
#include "core/io/checksum.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <numeric>

#include "core/error.h"
#include "core/io/crc32.h"
#include "core/io/files.h"
#include "core/io/not_weights.h"
#include "core/io/notices.h"

namespace shiftadd {
namespace {

constexpr std::string_view kZeros = "00000000";
// An opening with at most this many wrong bytes is damaged; those of other writers differ in more.
constexpr std::ptrdiff_t kMostDamaged = 5;

std::string digits_of(uint32_t sum) {
  std::string digits(kZeros);
  for (std::size_t i = 0; i < digits.size(); ++i)
    digits[i] = "0123456789abcdef"[sum >> (28 - 4 * i) & 15];
  return digits;
}

}  // namespace

std::string unsummed(const ChecksumPlace& place) {
  return std::string(place.opening).append(kZeros) + "\"";
}

void set_checksum(const ChecksumPlace& place, std::string& head, uint32_t sum) {
  head.replace(place.offset + place.opening.size(), kZeros.size(), digits_of(sum));
}

bool has_right_checksum(const ChecksumPlace& place, std::span<const uint8_t> file,
                        const std::string& who) {
  const std::size_t digits_at = place.offset + place.opening.size();
  const std::size_t rest = digits_at + kZeros.size();
  if (file.size() <= rest) return false;
  const char* opening = reinterpret_cast<const char*>(file.data()) + place.offset;
  const auto wrong = static_cast<std::ptrdiff_t>(place.opening.size()) -
                     std::inner_product(place.opening.begin(), place.opening.end(), opening,
                                        std::ptrdiff_t{0}, std::plus<>(), std::equal_to<>());
  if (wrong > kMostDamaged) return false;
  const std::string_view said(opening + place.opening.size(), kZeros.size());
  uint32_t sum = crc32c(file.data(), digits_at);
  sum = crc32c(kZeros.data(), kZeros.size(), sum);
  sum = crc32c(file.data() + rest, file.size() - rest, sum);
  if (wrong == 0 && said == digits_of(sum)) return true;
  throw user_error(who, ": the file is damaged or cut short, or was edited: its bytes give the ",
                   "checksum ", digits_of(sum), ", it says ",
                   wrong == 0 && std::all_of(said.begin(), said.end(),
                                             [](unsigned char c) { return std::isxdigit(c) != 0; })
                       ? std::string(said)
                       : "something unreadable");
}

std::string with_checksum(std::string_view object) {
  std::string text = unsummed(kJsonChecksum) + "," + std::string(object.substr(1));
  set_checksum(kJsonChecksum, text, crc32c(text.data(), text.size()));
  return text;
}

std::string read_checked_json(const std::string& path) {
  std::string text = read_text(path);
  require_no_placeholder(text, path);
  const std::span bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  if (!has_right_checksum(kJsonChecksum, bytes, path)) notice_no_checksum(path);
  return text;
}

void notice_no_checksum(const std::string& path) {
  notice(path +
         ": has no checksum (it is older, or was saved again elsewhere): read, but damage to it "
         "may go unnoticed");
}

}  // namespace shiftadd
