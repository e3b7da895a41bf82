// The checksum that a file of ours carries in its own first bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace shiftadd {

inline constexpr const char* kChecksumKey = "shiftadd.checksum";

/// Where a kind of file has it: `opening` stands at byte `offset`, then the CRC32C of the whole
/// file as eight hexadecimal digits, summed with these digits as zeros, and a quote. The opening is
/// valid JSON with a space where no other writer puts one: a file that another program saved again,
/// with the old sum among its metadata, does not start like this.
struct ChecksumPlace {
  std::size_t offset;
  std::string_view opening;
};
inline constexpr ChecksumPlace kSafetensorsChecksum{
    8, R"({"__metadata__":{ "shiftadd.checksum":"crc32c:)"};
inline constexpr ChecksumPlace kJsonChecksum{0, R"({ "shiftadd.checksum":"crc32c:)"};

/// `opening` with zeros for digits, and the quote: what a writer begins with.
std::string unsummed(const ChecksumPlace& place);
/// Sets the digits in `head`, the first bytes of a file, `sum` being the CRC32C of all of it.
void set_checksum(const ChecksumPlace& place, std::string& head, uint32_t sum);

/// True: the file has a checksum, and its bytes are what it says. False: it has none; a file that
/// starts nearly as one with a checksum is a damaged one. Throws Error (user) "WHO: the file is
/// damaged ...".
bool has_right_checksum(const ChecksumPlace& place, std::span<const uint8_t> file,
                        const std::string& who);

/// The JSON text of an object, with its checksum as the first member.
std::string with_checksum(std::string_view object);
/// Reads such a file; one without a checksum gives a notice (notices.h). Throws Error (user).
std::string read_checked_json(const std::string& path);

/// "has no checksum ...": the notice about `path`.
void notice_no_checksum(const std::string& path);

}  // namespace shiftadd
