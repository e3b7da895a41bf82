// Small data sets for tests: BMP files written by hand, and tar archives built header by header.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "tests/support/support.h"

namespace shiftadd::test {

/// A 24-bit BMP of one colour, with the left upper pixel (255, 0, 0).
inline std::string bmp(int width, int height, uint8_t red, uint8_t green, uint8_t blue) {
  const int row = (width * 3 + 3) / 4 * 4;
  std::string out(54 + row * height, '\0');
  const auto put = [&out](int at, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out[at + i] = static_cast<char>(value >> 8 * i);
  };
  out[0] = 'B', out[1] = 'M';
  put(2, out.size(), 4), put(10, 54, 4), put(14, 40, 4), put(18, width, 4), put(22, height, 4);
  put(26, 1, 2), put(28, 24, 2), put(34, row * height, 4);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const bool corner = x == 0 && y == height - 1;  // rows go bottom up
      const int at = 54 + y * row + x * 3;
      out[at] = static_cast<char>(corner ? 0 : blue);
      out[at + 1] = static_cast<char>(corner ? 0 : green);
      out[at + 2] = static_cast<char>(corner ? 255 : red);
    }
  return out;
}

/// FOLDER/a/00.bmp ...: `per_class` images of 8x8 in each class, all of different colours.
inline void write_small_set(const std::string& folder, const std::vector<std::string>& classes,
                            int per_class) {
  for (std::size_t c = 0; c < classes.size(); ++c)
    for (int i = 0; i < per_class; ++i) {
      char leaf[32];
      std::snprintf(leaf, sizeof leaf, "/%02d.bmp", i);
      write_text(folder + "/" + classes[c] + leaf, bmp(8, 8, 20 + 10 * i, 30 * c, 7 * i));
    }
}

/// One tar header and its padded contents.
inline std::string tar_member(const std::string& name, const std::string& contents, char type = '0',
                              const std::string& link = "", const std::string& prefix = "") {
  std::string header(512, '\0');
  header.replace(0, std::min<std::size_t>(name.size(), 100), name.substr(0, 100));
  const auto octal = [&header](int at, int digits, uint64_t value) {
    for (int i = digits - 1; i >= 0; --i, value /= 8)
      header[at + i] = static_cast<char>('0' + value % 8);
  };
  octal(100, 7, 0644), octal(108, 7, 0), octal(116, 7, 0), octal(124, 11, contents.size()),
      octal(136, 11, 1);
  header[156] = type;
  header.replace(157, link.size(), link);
  header.replace(257, 8,
                 std::string("ustar\0"
                             "00",
                             8));
  header.replace(345, prefix.size(), prefix);
  uint64_t sum = 8 * ' ';
  for (unsigned char c : header) sum += c;
  octal(148, 6, sum);
  header[155] = ' ';
  return header + contents + std::string((512 - contents.size() % 512) % 512, '\0');
}

inline std::string tar_end() { return std::string(1024, '\0'); }

/// "LENGTH KEY=VALUE\n", the length counting itself.
inline std::string pax_record(const std::string& key, const std::string& value) {
  const std::size_t rest = key.size() + value.size() + 3;  // ' ', '=', '\n'
  std::size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) ++length;
  return std::to_string(length) + " " + key + "=" + value + "\n";
}

/// The message of the Error that `action` throws; fails the test when it throws none, or another
/// exit status belongs to it.
template <class Action>
std::string error_of(Action action, int exit_code = 2) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(error.exit_code() == exit_code);
    return error.what();
  }
  FAIL("expected an Error");
  return "";
}

inline void check_contains(const std::string& text, const std::string& part) {
  const bool found = contains(text, part);
  CHECK_MESSAGE(found, "'" << text << "' does not contain '" << part << "'");
}

}  // namespace shiftadd::test
