// The bytes of one pickle, read in order and never past their end.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/error.h"

namespace shiftadd {

class PickleStream {
 public:
  PickleStream(const uint8_t* bytes, std::size_t size, const std::string& file)
      : bytes_(bytes), size_(size), file_(file) {}

  std::size_t position() const { return at_; }
  std::size_t size() const { return size_; }

  template <class... Parts>
  Error error(const Parts&... parts) const {
    return user_error("[pickle] ", file_, ": ", parts..., " (at byte ", at_, " of the pickle)");
  }

  /// The next `count` bytes; throws Error (user) where the stream is shorter.
  std::string_view take_bytes(uint64_t count);
  /// A little-endian number.
  template <class T>
  T take() {
    T value;
    std::memcpy(&value, take_bytes(sizeof(T)).data(), sizeof(T));
    return value;
  }
  /// Up to the next line feed, which is skipped.
  std::string_view take_line();
  /// Decimal digits as protocol 0 writes them.
  int64_t to_integer(std::string_view digits) const;

 private:
  const uint8_t* bytes_;
  std::size_t size_, at_ = 0;
  const std::string& file_;
};

/// Decodes \n, \t, \r and \xNN of a protocol 0 byte string; any other escaped character stands for
/// itself.
std::string unescape_string(std::string_view text);
/// Decodes raw-unicode-escape (\uNNNN, \UNNNNNNNN, else Latin-1) into UTF-8.
std::string unescape_unicode(std::string_view text);

}  // namespace shiftadd
