// Checks, normalises and measures text by utf8proc's tables of Unicode.
#include "core/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace shiftadd {
namespace {

bool is_plain(char c) { return c >= 0x20 && c < 0x7f; }

/// Returns the text as utf8proc maps it, or unchanged where it is not UTF-8.
std::string mapped(std::string_view text, int options) {
  utf8proc_uint8_t* buffer = nullptr;
  const utf8proc_ssize_t length = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
      static_cast<utf8proc_ssize_t>(text.size()), &buffer, static_cast<utf8proc_option_t>(options));
  if (length < 0) return std::string(text);
  std::string result(reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(length));
  std::free(buffer);
  return result;
}

/// Says how many bytes and columns the first character of a text that is not empty takes.
struct Character {
  std::size_t bytes;
  int64_t columns;
};
Character first_of(std::string_view text) {
  utf8proc_int32_t code = 0;
  const utf8proc_ssize_t used =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                       static_cast<utf8proc_ssize_t>(text.size()), &code);
  if (used <= 0) return {1, 1};
  return {static_cast<std::size_t>(used), utf8proc_charwidth(code)};
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    utf8proc_int32_t code = 0;
    const utf8proc_ssize_t used =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                         static_cast<utf8proc_ssize_t>(text.size()), &code);
    if (used <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(used));
  }
  return true;
}

std::string shown(std::string_view text) {
  std::string bytes;
  for (const char c : text) {
    char code[8];
    std::snprintf(code, sizeof code, is_plain(c) ? "%c" : "\\x%02x", static_cast<unsigned char>(c));
    bytes += code;
  }
  if (bytes.size() == text.size() || !is_utf8(text)) return "'" + bytes + "'";
  return "'" + std::string(text) + "' (" + bytes + ")";
}

std::string composed(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), is_plain)) return std::string(text);
  return mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}

std::string loosely(std::string_view text) {
  std::string name = mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                                      UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
  for (char& c : name)
    if (c == '_' || c == '-' || c == '\t') c = ' ';
  const std::size_t start = name.find_first_not_of(' ');
  if (start == std::string::npos) return "";
  name = name.substr(start, name.find_last_not_of(' ') + 1 - start);
  const bool is_number = name.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? name.substr(std::min(name.find_first_not_of('0'), name.size() - 1)) : name;
}

std::string plain_ascii(std::string_view text) {
  std::string plain;
  for (const char c : mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE |
                                       UTF8PROC_STRIPMARK | UTF8PROC_LUMP)) {
    const bool continues = (c & 0xC0) == 0x80;  // a character whose '?' is already there
    if (!continues) plain += is_plain(c) ? c : '?';
  }
  return plain;
}

int64_t columns_of(std::string_view text) {
  int64_t columns = 0;
  while (!text.empty()) {
    const Character first = first_of(text);
    columns += first.columns;
    text.remove_prefix(first.bytes);
  }
  return columns;
}

std::string_view first_columns(std::string_view text, int64_t columns) {
  std::size_t taken = 0;
  while (taken < text.size()) {
    const Character next = first_of(text.substr(taken));
    if (next.columns > columns) break;
    columns -= next.columns;
    taken += next.bytes;
  }
  return text.substr(0, taken);
}

}  // namespace shiftadd
