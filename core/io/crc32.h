// 32-bit cyclic sums: CRC32C, which our own files carry, and the CRC-32 of zip archives.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shiftadd {

/// CRC32C (Castagnoli, RFC 3720) of `size` bytes; `before` is the sum of what stands in front of
/// them. By the CPU's instruction where it has one (SHIFTADD_ISA=generic: not), at memory speed.
uint32_t crc32c(const void* bytes, std::size_t size, uint32_t before = 0);
/// The same from tables, on any CPU.
uint32_t crc32c_by_table(const void* bytes, std::size_t size, uint32_t before = 0);
/// The sum of a zip archive's entries (ISO 3309).
uint32_t crc32_of_zip(const void* bytes, std::size_t size);

}  // namespace shiftadd
