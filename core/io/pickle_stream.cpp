// Reads pickle streams and their two kinds of escaped text.
#include "core/io/pickle_stream.h"

#include <cerrno>
#include <cstdlib>

namespace shiftadd {
namespace {

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 63));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 63));
    out += static_cast<char>(0x80 | (code & 63));
  } else {
    out += static_cast<char>(0xf0 | ((code >> 18) & 7));
    out += static_cast<char>(0x80 | ((code >> 12) & 63));
    out += static_cast<char>(0x80 | ((code >> 6) & 63));
    out += static_cast<char>(0x80 | (code & 63));
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The `digits` hex digits at text[at...]; false when there are fewer.
bool read_hex(std::string_view text, std::size_t at, std::size_t digits, uint32_t& code) {
  if (at + digits > text.size()) return false;
  code = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int digit = hex_digit(text[at + i]);
    if (digit < 0) return false;
    code = code * 16 + static_cast<uint32_t>(digit);
  }
  return true;
}

}  // namespace

std::string_view PickleStream::take_bytes(uint64_t count) {
  if (count > size_ - at_) throw error("the pickle is cut short");
  const char* start = reinterpret_cast<const char*>(bytes_ + at_);
  at_ += count;
  return {start, static_cast<std::size_t>(count)};
}

std::string_view PickleStream::take_line() {
  const void* end = at_ < size_ ? std::memchr(bytes_ + at_, '\n', size_ - at_) : nullptr;
  if (!end) throw error("the pickle is cut short");
  const std::string_view line =
      take_bytes(static_cast<uint64_t>(static_cast<const uint8_t*>(end) - (bytes_ + at_)));
  ++at_;
  return line;
}

int64_t PickleStream::to_integer(std::string_view digits) const {
  const std::string text(digits.substr(0, 32));
  char* end = nullptr;
  errno = 0;
  const int64_t value = std::strtoll(text.c_str(), &end, 10);
  if (errno || text.empty() || *end || digits.size() > 32)
    throw error("'", text, "' is not a 64-bit integer");
  return value;
}

std::string unescape_string(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char what = text[++i];
    uint32_t code;
    if (what == 'x' && read_hex(text, i + 1, 2, code)) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += what == 'n' ? '\n' : what == 't' ? '\t' : what == 'r' ? '\r' : what;
    }
  }
  return out;
}

std::string unescape_unicode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char what = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
    const std::size_t digits = what == 'u' ? 4 : what == 'U' ? 8 : 0;
    uint32_t code;
    if (digits && read_hex(text, i + 2, digits, code)) {
      append_utf8(out, code);
      i += 1 + digits;
    } else {
      append_utf8(out, static_cast<uint8_t>(text[i]));
    }
  }
  return out;
}

}  // namespace shiftadd
