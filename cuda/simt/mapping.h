// Memory straight from the system: zero, and taken page by page as it is touched.
#pragma once

#include <cstddef>

namespace shiftadd::simt {

/// The unit that rights to memory go by.
std::size_t page_bytes();
/// Throws failure() where the system has no such address range.
unsigned char* map_memory(std::size_t bytes);
/// Zeroes the bytes and gives the whole pages among them back until they are touched again.
void zero_memory(void* p, std::size_t bytes);
/// Makes any access to the pages of these bytes a fault of the system, or none again.
void forbid_pages(void* p, std::size_t bytes, bool forbidden);

}  // namespace shiftadd::simt
