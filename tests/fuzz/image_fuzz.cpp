// libFuzzer target: image headers and decoders. A mutated PNG gets right checksums again, so that
// what lies behind their verification is reached, and now and then is mutated before compression.
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/decode.h"
#include "data/decode_codecs.h"
#include "data/decode_header.h"

using namespace shiftadd;

extern "C" std::size_t LLVMFuzzerMutate(uint8_t* bytes, std::size_t size, std::size_t most);

namespace {

using Bytes = std::vector<uint8_t>;
constexpr std::size_t kSignature = 8, kFrame = 12, kHeaderEnd = kSignature + kFrame + 13;
constexpr std::size_t kMostExpanded = 1 << 16;

void put_big32(uint8_t* to, uint32_t value) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

// Sets length and checksum of the chunk at `at`, of which `length` bytes of data are there.
void finish_chunk(uint8_t* bytes, std::size_t at, std::size_t length) {
  put_big32(bytes + at, static_cast<uint32_t>(length));
  put_big32(bytes + at + 8 + length,
            static_cast<uint32_t>(crc32(0, bytes + at + 4, static_cast<uInt>(4 + length))));
}

// Right checksums for all chunks; one that reaches beyond the file ends with it.
void repair(uint8_t* bytes, std::size_t size) {
  for (std::size_t at = kSignature; at + kFrame <= size;) {
    const std::size_t length = std::min<std::size_t>(data::big32(bytes + at), size - at - kFrame);
    finish_chunk(bytes, at, length);
    at += kFrame + length;
  }
}

// What the IDAT chunks expand to, as far as it can be expanded.
Bytes expanded(const uint8_t* bytes, std::size_t size) {
  Bytes rows(kMostExpanded);
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) std::abort();
  stream.next_out = rows.data();
  stream.avail_out = static_cast<uInt>(rows.size());
  for (std::size_t at = kSignature; at + kFrame <= size;) {
    const std::size_t length = std::min<std::size_t>(data::big32(bytes + at), size - at - kFrame);
    if (std::memcmp(bytes + at + 4, "IDAT", 4) == 0) {
      stream.next_in = const_cast<uint8_t*>(bytes + at + 8);
      stream.avail_in = static_cast<uInt>(length);
      if (inflate(&stream, Z_NO_FLUSH) != Z_OK) break;
    }
    at += kFrame + length;
  }
  rows.resize(rows.size() - stream.avail_out);
  inflateEnd(&stream);
  return rows;
}

// The same header and palette, but other rows, as many as the header asks for: filters and pixels
// are mutated, not the compressed bits. Returns the new size, or 0 if it does not fit.
std::size_t mutate_rows(uint8_t* bytes, std::size_t size, std::size_t most) {
  if (size < kHeaderEnd) return 0;
  const uint8_t* header = bytes + kSignature + 8;
  const int64_t bits = int64_t{header[8]} * data::png_samples(header[9]);
  const int64_t width = data::big32(header), height = data::big32(header + 4);
  constexpr int64_t kMost = kMostExpanded;
  if (width > kMost || height > kMost) return 0;
  const int64_t wanted = data::png_expanded_bytes(width, height, bits, header[12] != 0);
  if (wanted > kMost) return 0;
  Bytes rows = expanded(bytes, size);
  const std::size_t have = rows.size();
  rows.resize(kMostExpanded);
  LLVMFuzzerMutate(rows.data(), have, rows.size());
  rows.resize(wanted);
  Bytes result(bytes, bytes + kHeaderEnd);
  const auto add = [&](const char* type, const uint8_t* data, std::size_t length) {
    const std::size_t at = result.size();
    result.resize(at + kFrame + length);
    std::memcpy(&result[at + 4], type, 4);
    if (length > 0) std::memcpy(&result[at + 8], data, length);
    finish_chunk(result.data(), at, length);
  };
  if (header[9] == 3) {
    Bytes palette(3 * std::size_t{256});
    for (std::size_t i = 0; i < palette.size(); ++i) palette[i] = static_cast<uint8_t>(5 * i);
    add("PLTE", palette.data(), palette.size());
  }
  uLongf length = compressBound(rows.size());
  Bytes data(length);
  if (compress2(data.data(), &length, rows.data(), rows.size(), 1) != Z_OK) std::abort();
  add("IDAT", data.data(), length);
  add("IEND", nullptr, 0);
  if (result.size() > most) return 0;
  std::copy(result.begin(), result.end(), bytes);
  return result.size();
}

bool is_png(const uint8_t* bytes, std::size_t size) {
  return data::file_kind({bytes, size}) == data::FileKind::kPng;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(uint8_t* bytes, std::size_t size, std::size_t most,
                                               unsigned seed) {
  if (is_png(bytes, size) && seed % 3 == 0)
    if (const std::size_t mutated = mutate_rows(bytes, size, most)) return mutated;
  size = LLVMFuzzerMutate(bytes, size, most);
  if (is_png(bytes, size) && seed % 16 != 1) repair(bytes, size);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size) {
  const std::string name = "input";
  data::ImageSize claimed{0, 0};
  try {
    claimed = data::image_size({bytes, size}, name);
  } catch (const Error&) {
  }
  // Larger pictures are decoded elsewhere: here many small ones are worth more than a few slow
  // ones.
  constexpr int64_t kMaxPixels = 1 << 18;
  if (claimed.width > kMaxPixels || claimed.width * claimed.height > kMaxPixels) return 0;
  try {
    const data::Image image = data::decode_image({bytes, size}, name, true);
    if (claimed.width * claimed.height != image.width * image.height) std::abort();
    if (data::decode_image({bytes, size}, name, true).pixels != image.pixels) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
