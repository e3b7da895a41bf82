// What the executor tells the address sanitizer, and nothing in builds without it.
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIMT_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SIMT_ASAN 1
#endif

#if defined(SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SIMT_IF_ASAN(...) __VA_ARGS__
#else
#define SIMT_IF_ASAN(...)
#endif

namespace shiftadd::simt {

/// Makes an access to these bytes an error of the address sanitizer's, or none again.
inline void forbid_bytes([[maybe_unused]] const void* p, [[maybe_unused]] unsigned long bytes) {
  SIMT_IF_ASAN(__asan_poison_memory_region(p, bytes);)
}
inline void allow_bytes([[maybe_unused]] const void* p, [[maybe_unused]] unsigned long bytes) {
  SIMT_IF_ASAN(__asan_unpoison_memory_region(p, bytes);)
}

}  // namespace shiftadd::simt
