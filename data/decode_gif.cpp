// Decodes the first frame of a GIF, with every code, index and size checked.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "core/error.h"
#include "data/decode_codecs.h"
#include "data/decode_header.h"

namespace shiftadd::data {
namespace {

constexpr std::size_t kScreenEnd = 13;  // bytes of the signature and the canvas's description

struct GifFrame {
  int64_t canvas_width = 0, canvas_height = 0;
  int64_t left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
  std::span<const uint8_t> palette;  // 3 bytes a colour
  std::optional<std::size_t> transparent;
  int code_size = 0;          // bits of a literal
  std::size_t blocks_at = 0;  // offset of the compressed data
};

// Source: GIF89a specification. Walks to the end of the first frame's data.
GifFrame read_frame(std::span<const uint8_t> bytes, const std::string& name) {
  const auto need = [&](std::size_t end) {
    if (end > bytes.size()) throw user_error(name, ": the file is cut short");
  };
  std::size_t at = kScreenEnd;
  need(at);
  GifFrame frame;
  frame.canvas_width = little16(&bytes[6]);
  frame.canvas_height = little16(&bytes[8]);
  const auto read_palette = [&](uint8_t flags) {
    if (!(flags & 0x80)) return;
    const std::size_t size = std::size_t{3} << ((flags & 7) + 1);
    need(at + size);
    frame.palette = bytes.subspan(at, size);
    at += size;
  };
  const auto skip_blocks = [&] {
    need(at + 1);
    while (bytes[at] != 0) {
      at += 1 + std::size_t{bytes[at]};
      need(at + 1);
    }
    ++at;
  };
  read_palette(bytes[10]);
  for (;;) {
    need(at + 2);
    const uint8_t kind = bytes[at];
    if (kind == 0x2C) break;
    if (kind != 0x21)
      throw user_error(name, kind == 0x3B ? ": a GIF without an image"
                                          : ": broken GIF: what follows is neither an extension "
                                            "nor an image");
    if (bytes[at + 1] == 0xF9) {  // graphic control: size 4, flags, delay, transparent index
      need(at + 7);
      if (bytes[at + 2] >= 4 && (bytes[at + 3] & 1)) frame.transparent = bytes[at + 6];
    }
    at += 2;
    skip_blocks();
  }
  need(at + 10);
  frame.left = little16(&bytes[at + 1]);
  frame.top = little16(&bytes[at + 3]);
  frame.width = little16(&bytes[at + 5]);
  frame.height = little16(&bytes[at + 7]);
  const uint8_t flags = bytes[at + 9];
  frame.interlaced = flags & 0x40;
  at += 10;
  read_palette(flags);
  need(at + 1);
  frame.code_size = bytes[at++];
  frame.blocks_at = at;
  skip_blocks();
  return frame;
}

// Where the decoded indices go: pixel after pixel of the frame, in the order of its rows.
class FrameWriter {
 public:
  FrameWriter(Image& image, const GifFrame& frame, const std::string& name)
      : image_(image), frame_(frame), name_(name) {}

  bool full() const { return y_ >= frame_.height; }

  void put(std::size_t index) {
    const std::span<const uint8_t> color = color_of(index);
    std::copy(color.begin(), color.end(), image_.row(frame_.top + y_) + 3 * (frame_.left + x_));
    if (++x_ < frame_.width) return;
    x_ = 0;
    // Interlaced rows come as 0, 8, 16 ...; 4, 12 ...; 2, 6 ...; 1, 3 ...
    static constexpr int64_t kStart[] = {0, 4, 2, 1}, kStep[] = {8, 8, 4, 2};
    y_ += frame_.interlaced ? kStep[pass_] : 1;
    while (frame_.interlaced && y_ >= frame_.height && pass_ < 3) y_ = kStart[++pass_];
  }

  std::span<const uint8_t> color_of(std::size_t index) const {
    if (3 * index >= frame_.palette.size())
      throw user_error(name_, ": broken GIF: a pixel has colour ", index, " of a palette of ",
                       frame_.palette.size() / 3);
    return frame_.palette.subspan(3 * index, 3);
  }

 private:
  Image& image_;
  const GifFrame& frame_;
  const std::string& name_;
  int64_t x_ = 0, y_ = 0;
  int pass_ = 0;
};

// Codes of `bits` bits, lowest first, from blocks of up to 255 bytes.
class CodeReader {
 public:
  CodeReader(std::span<const uint8_t> bytes, std::size_t at) : bytes_(bytes), at_(at) {}

  /// Nothing at the end of the blocks.
  std::optional<std::size_t> next(int bits) {
    while (have_ < bits) {
      if (left_ == 0) left_ = bytes_[at_++];
      if (left_ == 0) {
        --at_;  // stays at the end
        return std::nullopt;
      }
      buffer_ |= uint32_t{bytes_[at_++]} << have_;
      have_ += 8;
      --left_;
    }
    const std::size_t code = buffer_ & ((1u << bits) - 1);
    buffer_ >>= bits;
    have_ -= bits;
    return code;
  }

 private:
  std::span<const uint8_t> bytes_;
  std::size_t at_;
  std::size_t left_ = 0;  // bytes of this block
  uint32_t buffer_ = 0;
  int have_ = 0;  // bits in the buffer
};

// LZW as GIF uses it: codes grow from code_size + 1 to 12 bits; a full table stays as it is until
// it is cleared.
void decode_lzw(std::span<const uint8_t> bytes, const GifFrame& frame, const std::string& name,
                FrameWriter& out) {
  constexpr int kMostBits = 12;
  struct Entry {
    uint16_t prefix;
    uint8_t first, last;
  };
  std::array<Entry, 1 << kMostBits> table{};
  std::array<uint8_t, 1 << kMostBits> text{};
  const std::size_t clear = std::size_t{1} << frame.code_size, end = clear + 1;
  for (std::size_t i = 0; i < clear; ++i)
    table[i] = {0, static_cast<uint8_t>(i), static_cast<uint8_t>(i)};
  CodeReader codes(bytes, frame.blocks_at);
  std::size_t next = end + 1;
  int bits = frame.code_size + 1;
  std::optional<std::size_t> previous;
  while (!out.full()) {
    const std::optional<std::size_t> code = codes.next(bits);
    if (!code || *code == end) throw user_error(name, ": cut short: the GIF's data ends too early");
    if (*code == clear) {
      next = end + 1;
      bits = frame.code_size + 1;
      previous.reset();
      continue;
    }
    // The one code that may be used before it is complete repeats the previous text and its first
    // index.
    if (*code > next || (*code == next && !previous) || *code >= table.size())
      throw user_error(name, ": broken GIF: code ", *code, " of a table of ", next);
    if (previous && next < table.size()) {
      const uint8_t last = table[*code == next ? *previous : *code].first;
      table[next++] = {static_cast<uint16_t>(*previous), table[*previous].first, last};
      if (next == std::size_t{1} << bits && bits < kMostBits) ++bits;
    }
    std::size_t length = 0;
    for (std::size_t c = *code;; c = table[c].prefix) {
      text[length++] = table[c].last;
      if (c < clear) break;
    }
    while (length > 0 && !out.full()) out.put(text[--length]);
    previous = code;
  }
}

}  // namespace

void read_gif_header(std::span<const uint8_t> bytes, const std::string& name, ImageHeader& header) {
  if (bytes.size() < kScreenEnd) throw user_error(name, ": the file is cut short");
  header.width = little16(&bytes[6]);
  header.height = little16(&bytes[8]);
  // The frame may be much smaller than the canvas: decode_gif asks for its pixels.
  header.max_pixels_per_byte = std::numeric_limits<int64_t>::max();
}

Image decode_gif(std::span<const uint8_t> bytes, const std::string& name) {
  const GifFrame frame = read_frame(bytes, name);
  if (frame.width < 1 || frame.height < 1 || frame.left + frame.width > frame.canvas_width ||
      frame.top + frame.height > frame.canvas_height)
    throw user_error(name, ": broken GIF: its first frame is empty or reaches beyond the image");
  // A 12-bit code stands for at most 4096 pixels.
  if (frame.width * frame.height > 4096 * static_cast<int64_t>(bytes.size()))
    throw user_error(name, ": cut short: ", bytes.size(), " bytes cannot hold ", frame.width, " x ",
                     frame.height, " pixels");
  if (frame.palette.empty()) throw user_error(name, ": broken GIF: it has no colour table");
  if (frame.code_size < 2 || frame.code_size > 8)
    throw user_error(name, ": broken GIF: codes of ", frame.code_size, " bits, expected 2 to 8");
  Image image;
  image.width = frame.canvas_width;
  image.height = frame.canvas_height;
  image.pixels.resize(3 * image.width * image.height);
  FrameWriter writer(image, frame, name);
  if (frame.width < image.width || frame.height < image.height) {
    const std::span<const uint8_t> bare = writer.color_of(frame.transparent.value_or(0));
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = bare[i % 3];
  }
  decode_lzw(bytes, frame, name, writer);
  return image;
}

}  // namespace shiftadd::data
