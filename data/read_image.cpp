// Reads an image's bytes; of a large file, its beginning is checked before the rest is read.
#include "data/read_image.h"

#include <filesystem>

#include "core/error.h"

namespace shiftadd::data {

std::vector<uint8_t> read_image(const InputFile& file, int64_t offset, int64_t size,
                                const std::string& name, const DecodeLimits& limits) {
  constexpr int64_t kMiB = int64_t{1} << 20, kLarge = 16 * kMiB, kFirst = kMiB;
  std::vector<uint8_t> bytes;
  if (size > kLarge) {
    bytes.resize(kFirst);
    file.read(offset, bytes);
    check_start(bytes, size, name, limits);
  }
  if (size > kMaxDecodeBytes)
    throw user_error(name, ": ", size / kMiB, " MiB exceed the limit of ", kMaxDecodeBytes / kMiB,
                     " MiB of one image");
  bytes.resize(static_cast<std::size_t>(size));
  file.read(offset, bytes);
  return bytes;
}

std::vector<uint8_t> read_image(const std::string& path, const DecodeLimits& limits) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return read_whole(path, kMaxDecodeBytes);  // a pipe, or refused for what it is
  const InputFile file(path);
  return read_image(file, 0, file.size(), path, limits);
}

}  // namespace shiftadd::data
