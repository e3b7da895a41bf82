// Recognises a file that holds no weights by its first bytes or words, and says what to do with it.
#include "core/io/not_weights.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "core/error.h"
#include "core/unicode.h"

namespace shiftadd {
namespace {

struct Magic {
  std::size_t at;  // where in the file
  std::string_view bytes;
  const char* what;
};

using std::string_view_literals::operator""sv;

constexpr Magic kMagics[] = {
    {0, "\x1f\x8b"sv, "is compressed (gzip): unpack it first, e.g. with gunzip"},
    {0, "BZh"sv, "is compressed (bzip2): unpack it first, e.g. with bunzip2"},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     "is compressed (xz): unpack it first, e.g. with unxz"},
    {0, "\x28\xb5\x2f\xfd"sv, "is compressed (zstd): unpack it first, e.g. with unzstd"},
    {0, "\x04\x22\x4d\x18"sv, "is compressed (lz4): unpack it first, e.g. with unlz4"},
    {0, "7z\xbc\xaf\x27\x1c"sv, "is a 7z archive: unpack it first"},
    {0, "Rar!\x1a\x07"sv, "is a RAR archive: unpack it first"},
    {257, "ustar"sv, "is a tar archive: unpack it, and give the file of weights inside"},
    {0, "\x89HDF\r\n\x1a\n"sv,
     "is an HDF5 file (Keras, TensorFlow): save the weights as safetensors"},
    {0, "GGUF"sv, "is a GGUF file: save the weights as safetensors"},
    {0, "\x93NUMPY"sv, "is one NumPy array: save the weights as safetensors"},
    {4, "TFL3"sv, "is a TensorFlow Lite model: save the weights as safetensors"},
    {0, "\x89PNG"sv, "is a PNG image"},
    {0, "\xff\xd8\xff"sv, "is a JPEG image"},
    {0, "GIF8"sv, "is a GIF image"},
    {0, "%PDF"sv, "is a PDF document"},
    {0,
     "\x7f"
     "ELF"sv,
     "is a program or library"},
};

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_space(c) || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  });
}

// Returns the first words on one line.
std::string beginning(std::string_view text) {
  constexpr std::size_t kShown = 80;
  std::string line;
  for (char c : text.substr(0, 2 * kShown)) {
    if (!is_space(c)) line += c;
    if (is_space(c) && !line.empty() && line.back() != ' ') line += ' ';
  }
  while (line.ends_with(' ')) line.pop_back();
  return shown(line.size() > kShown ? line.substr(0, kShown) + " ..." : line);
}

// Returns the rest of the line after `key` in a pointer file, or "".
std::string value_of(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = text.substr(at + key.size());
  return std::string(rest.substr(0, rest.find_first_of("\r\n")));
}

std::string what_xml(std::string_view text) {
  return concat("is XML, as servers send with an error: ", beginning(text));
}

// Returns what a text file says that another file should be here; "" where it says nothing of the
// kind.
std::string what_placeholder(std::string_view text) {
  if (text.starts_with("version https://git-lfs.github.com/") ||
      text.starts_with("version https://hawser.github.com/")) {
    const std::string size = value_of(text, "\nsize ");
    return concat("is a Git LFS pointer, not the file itself",
                  size.empty() ? "" : concat(" (of ", size, " bytes)"),
                  ": run git lfs pull where it was cloned, or download the file");
  }
  constexpr std::size_t kLongestPointer = 1000;
  if (text.size() < kLongestPointer && text.find("annex/objects/") != std::string_view::npos)
    return "is a git-annex pointer, not the file itself: run git annex get where it was cloned";
  std::string lower(text.substr(0, 256));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* tag : {"<!doctype html", "<html", "<head", "<body", "<script"})
    if (lower.starts_with(tag))
      return "is a web page (HTML), not the file itself: the link leads to a page about it, or the "
             "server asks for a login";
  if (lower.starts_with("<?xml")) return what_xml(text);
  return "";
}

std::string what_text(std::string_view text) {
  if (const std::string other = what_placeholder(text); !other.empty()) return other;
  if (text.starts_with("<")) return what_xml(text);
  if (text.find("\"weight_map\"") != std::string_view::npos)
    return "is the index of a checkpoint in several files, which shiftadd-convert makes a model of";
  if (text.starts_with("{") || text.starts_with("["))
    return concat("is JSON text, such as a server's error or a configuration: ", beginning(text));
  return concat("is text, not weights: ", beginning(text));
}

constexpr std::size_t kLooked = 4096;  // bytes

// Returns the text without a byte-order mark and space at its start.
std::string_view trimmed(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

}  // namespace

void require_no_placeholder(std::string_view text, const std::string& path) {
  if (const std::string other = what_placeholder(trimmed(text.substr(0, kLooked))); !other.empty())
    throw user_error(path, ": ", other);
}

std::string what_instead_of_weights(const uint8_t* bytes, std::size_t size) {
  constexpr std::size_t kLeastText = 4;
  if (size == 0) return "is empty: a download or a copy did not finish";
  std::string_view head(reinterpret_cast<const char*>(bytes), std::min(size, kLooked));
  for (const Magic& magic : kMagics)
    if (head.size() > magic.at && head.substr(magic.at).starts_with(magic.bytes)) return magic.what;
  if (head.find_first_not_of('\0') == std::string_view::npos)
    return "holds only zeros: a download or a copy did not finish";
  head = trimmed(head);
  // Pages in an 8-bit encoding count as text, the length of a header that is too long does not.
  const bool text = head.size() >= kLeastText && static_cast<unsigned char>(head.front()) < 0x80 &&
                    is_printable(head);
  return text ? what_text(head) : "";
}

}  // namespace shiftadd
