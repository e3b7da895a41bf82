// Holds the lists of extensions and of first bytes by which formats and archives are recognised.
#include "data/formats.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "core/error.h"

namespace shiftadd::data {
namespace {

// Returns what follows the last dot of the path's last part, in lower case; "" without a dot.
std::string extension_of(std::string_view path) {
  const std::string_view leaf = path.substr(path.rfind('/') + 1);
  const std::size_t dot = leaf.rfind('.');
  if (dot == std::string_view::npos) return "";
  std::string extension(leaf.substr(dot + 1));
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return extension;
}

// These are pictures of other formats: of browsers, phones, scanners, sensors, editors, science.
constexpr std::string_view kUnread[] = {
    "3fr",  "apng", "arw",  "avif", "cr2",  "cr3", "cur",  "dcm",  "dcr", "dds",  "dib",
    "dng",  "emf",  "eps",  "erf",  "exr",  "fit", "fits", "flif", "hdr", "heic", "heics",
    "heif", "hif",  "icns", "ico",  "j2c",  "j2k", "jls",  "jng",  "jp2", "jpf",  "jpm",
    "jpx",  "jxl",  "jxr",  "kdc",  "mng",  "mpo", "mrw",  "nef",  "nrw", "orf",  "pam",
    "pbm",  "pcx",  "pef",  "pfm",  "pgm",  "ppm", "pnm",  "psb",  "psd", "qoi",  "raf",
    "raw",  "rgb",  "rw2",  "rwl",  "sgi",  "sr2", "srf",  "srw",  "svg", "svgz", "tga",
    "tif",  "tiff", "wbmp", "wdp",  "webp", "wmf", "x3f",  "xbm",  "xcf", "xpm"};
constexpr std::string_view kArchives[] = {"7z",   "bz2", "gz",  "lz4",  "rar", "tar", "tbz",
                                          "tbz2", "tgz", "txz", "tzst", "xz",  "zip", "zst"};

template <std::size_t N>
bool contains(const std::string_view (&list)[N], std::string_view extension) {
  return std::find(std::begin(list), std::end(list), extension) != std::end(list);
}

// Returns the counts as "5 .tif, 5 .webp".
std::string counted(const std::map<std::string, int64_t>& counts) {
  std::string text;
  for (const auto& [extension, count] : counts)
    text += concat(text.empty() ? "" : ", ", count, " .", extension);
  return text;
}

}  // namespace

std::optional<FileKind> promised_kind(std::string_view path) {
  const std::string extension = extension_of(path);
  if (extension == "png") return FileKind::kPng;
  if (extension == "bmp") return FileKind::kBmp;
  if (extension == "gif") return FileKind::kGif;
  for (const char* jpeg : {"jpg", "jpeg", "jpe", "jfif", "jif", "jfi", "pjpeg", "pjp"})
    if (extension == jpeg) return FileKind::kJpeg;
  return std::nullopt;
}

bool is_archive_name(std::string_view path) { return contains(kArchives, extension_of(path)); }

std::string unread_formats(const std::vector<std::string>& names) {
  std::map<std::string, int64_t> images, archives;
  for (const std::string& name : names) {
    const std::string extension = extension_of(name);
    if (contains(kUnread, extension)) ++images[extension];
    if (contains(kArchives, extension)) ++archives[extension];
  }
  std::string text = counted(images);
  if (!images.empty()) text += " (formats that are not read: convert them to PNG or JPEG)";
  if (!archives.empty())
    text += concat(images.empty() ? "" : ", ", counted(archives),
                   " (archives inside are not read: extract them)");
  return text;
}

std::string foreign_contents(std::span<const uint8_t> bytes) {
  using namespace std::string_view_literals;
  struct Magic {
    std::size_t offset;
    std::string_view bytes, contents;
  };
  static constexpr Magic kMagics[] = {
      {8, "WEBP", "WebP"},
      {0, "II*\0"sv, "TIFF"},
      {0, "MM\0*"sv, "TIFF"},
      {4, "ftypavif", "AVIF"},
      {4, "ftyp", "HEIC or another of the MP4 family"},
      {4, "jP  ", "JPEG 2000"},
      {0, "\xff\x4f\xff\x51", "JPEG 2000"},
      {0, "\xff\x0a", "JPEG XL"},
      {4, "JXL ", "JPEG XL"},
      {0, "8BPS", "a Photoshop document"},
      {0, "%PDF", "PDF"},
      {0, "P5", "PGM"},
      {0, "P6", "PPM"},
      {0, "<svg", "SVG"},
      {0, "<?xml", "XML, perhaps SVG"},
      {0, "<!DOCTYPE", "a web page"},
      {0, "<html", "a web page"},
      {0, "\0\0\1\0"sv, "an icon"},
      {0, "\x1f\x8b", "compressed with gzip"},
      {0, "PK\3\4", "a zip archive"},
      {257, "ustar", "a tar archive"},
      {0, "version https://git-lfs", "a pointer of Git LFS in place of the image: git lfs pull"}};
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Magic& magic : kMagics)
    if (text.size() > magic.offset && text.substr(magic.offset).starts_with(magic.bytes))
      return std::string(magic.contents);
  return "";
}

}  // namespace shiftadd::data
