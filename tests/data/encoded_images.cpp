// See encoded_images.h.
#include "tests/data/encoded_images.h"

#include <zlib.h>

#include <cmath>

#include "core/error.h"
#include "data/decode.h"

// jpeglib.h leaves the declaration of size_t and FILE to its user.
#include <jpeglib.h>

namespace shiftadd::test {

void put_big32(Bytes& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<uint8_t>(value >> shift));
}
void put_little16(Bytes& bytes, uint32_t value) {
  bytes.push_back(static_cast<uint8_t>(value));
  bytes.push_back(static_cast<uint8_t>(value >> 8));
}
void put_little32(Bytes& bytes, uint32_t value) {
  put_little16(bytes, value);
  put_little16(bytes, value >> 16);
}

Bytes png_chunk(const std::string& type, std::span<const uint8_t> data) {
  Bytes bytes;
  put_big32(bytes, static_cast<uint32_t>(data.size()));
  bytes.insert(bytes.end(), type.begin(), type.end());
  append(bytes, data);
  put_big32(bytes,
            static_cast<uint32_t>(crc32(0, bytes.data() + 4, static_cast<uInt>(data.size()) + 4)));
  return bytes;
}

Bytes zlib_bytes(std::span<const uint8_t> data) {
  uLongf size = compressBound(data.size());
  Bytes bytes(size);
  if (compress(bytes.data(), &size, data.data(), data.size()) != Z_OK)
    throw failure("[test] zlib cannot compress");
  bytes.resize(size);
  return bytes;
}

Bytes zlib_zeros(std::size_t count) {
  z_stream stream{};
  if (deflateInit(&stream, Z_DEFAULT_COMPRESSION) != Z_OK) throw failure("[test] zlib");
  Bytes zeros(std::size_t{1} << 20), bytes(zeros.size()), all;
  for (bool done = false; !done;) {
    stream.next_in = zeros.data();
    stream.avail_in = static_cast<uInt>(std::min(count, zeros.size()));
    count -= stream.avail_in;
    do {
      stream.next_out = bytes.data();
      stream.avail_out = static_cast<uInt>(bytes.size());
      done = deflate(&stream, count == 0 ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_END;
      append(all, std::span(bytes).first(bytes.size() - stream.avail_out));
    } while (stream.avail_out == 0);
  }
  deflateEnd(&stream);
  return all;
}

Bytes PngMaker::rows() const {
  struct Pass {
    uint32_t x, y, step_x, step_y;
  };
  static const std::vector<Pass> kAdam7{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                        {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
  Bytes bytes;
  for (const Pass& pass : interlaced ? kAdam7 : std::vector<Pass>{{0, 0, 1, 1}})
    for (uint32_t y = pass.y; y < height && pass.x < width; y += pass.step_y) {
      bytes.push_back(0);  // no filter
      uint32_t bit = 0;
      for (uint32_t x = pass.x; x < width; x += pass.step_x)
        for (int c = 0; c < channels(); ++c)
          for (int shift = depth - 1; shift >= 0; --shift, ++bit) {
            if (bit % 8 == 0) bytes.push_back(0);
            bytes.back() |= (stored(x, y, c) >> shift & 1) << (7 - bit % 8);
          }
    }
  return bytes;
}

Bytes PngMaker::file(std::span<const uint8_t> compressed) const {
  Bytes bytes{0x89, 'P', 'N', 'G', 13, 10, 26, 10}, header;
  put_big32(header, width);
  put_big32(header, height);
  for (const uint8_t b : {depth, color, uint8_t{0}, uint8_t{0}, uint8_t{interlaced}})
    header.push_back(b);
  append(bytes, png_chunk("IHDR", header));
  if (!palette.empty()) append(bytes, png_chunk("PLTE", palette));
  append(bytes, before);
  append(bytes, png_chunk("IDAT", compressed));
  append(bytes, after);
  append(bytes, png_chunk("IEND", {}));
  return bytes;
}

Bytes BmpMaker::file() const {
  Bytes fields;
  put_little32(fields, header);
  if (header == 12) {
    put_little16(fields, static_cast<uint32_t>(width));
    put_little16(fields, static_cast<uint32_t>(height));
  } else {
    put_little32(fields, static_cast<uint32_t>(width));
    put_little32(fields, static_cast<uint32_t>(height));
  }
  put_little16(fields, planes);
  put_little16(fields, bits);
  if (header >= 40) {
    put_little32(fields, compression);
    for (int i = 0; i < 3; ++i) put_little32(fields, 0);  // bytes of the pixels, resolution
    put_little32(fields, colors);
    put_little32(fields, 0);
    for (const uint32_t mask : masks) put_little32(fields, mask);
  }
  if (fields.size() < header) fields.resize(header);
  Bytes bytes{'B', 'M'};
  const auto at = static_cast<uint32_t>(14 + fields.size() + palette.size());
  put_little32(bytes, at + static_cast<uint32_t>(pixels.size()));
  put_little32(bytes, 0);
  put_little32(bytes, at + static_cast<uint32_t>(offset_shift));
  append(bytes, fields);
  append(bytes, palette);
  append(bytes, pixels);
  return bytes;
}

void append_gif_data(Bytes& bytes, std::span<const uint8_t> data) {
  for (std::size_t at = 0; at < data.size(); at += 255) {
    const std::size_t size = std::min<std::size_t>(255, data.size() - at);
    bytes.push_back(static_cast<uint8_t>(size));
    append(bytes, data.subspan(at, size));
  }
  append(bytes, Bytes{0, 0x3B});
}

Bytes GifMaker::file() const {
  const auto flags_of = [](const Bytes& palette) {
    return palette.empty() ? 0 : 0x80 | (std::lround(std::log2(palette.size() / 3)) - 1);
  };
  Bytes bytes{'G', 'I', 'F', '8', '9', 'a'};
  put_little16(bytes, canvas_width);
  put_little16(bytes, canvas_height);
  append(bytes, Bytes{static_cast<uint8_t>(flags_of(global)), 0, 0});
  append(bytes, global);
  if (transparent >= 0)
    append(bytes, Bytes{0x21, 0xF9, 4, 1, 0, 0, static_cast<uint8_t>(transparent), 0});
  bytes.push_back(0x2C);
  for (const uint32_t value : {left, top, width, height}) put_little16(bytes, value);
  bytes.push_back(static_cast<uint8_t>(flags_of(local) | (interlaced ? 0x40 : 0)));
  append(bytes, local);
  bytes.push_back(code_size);
  Bytes data;
  std::size_t bit = 0;
  const auto put_code = [&](uint32_t code) {
    for (int i = 0; i <= code_size; ++i, ++bit) {
      if (bit % 8 == 0) data.push_back(0);
      data.back() |= (code >> i & 1) << bit % 8;
    }
  };
  const uint32_t clear = 1u << code_size;
  std::size_t since = 0;
  for (std::size_t i = 0; i < indices.size(); ++i, ++since) {
    if (since % (clear / 2) == 0) put_code(clear);
    put_code(indices[i]);
  }
  if (end) put_code(clear + 1);
  append_gif_data(bytes, data);
  return bytes;
}

Bytes JpegMaker::file() const {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = components;
  info.in_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  info.arith_code = arithmetic;
  if (full_chroma) info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
  if (progressive) jpeg_simple_progression(&info);
  std::vector<jpeg_scan_info> scans;  // one for each component, all its coefficients
  for (int c = 0; c < components; ++c) scans.push_back({1, {c, 0, 0, 0}, 0, 63, 0, 0});
  if (separate) {
    info.scan_info = scans.data();
    info.num_scans = components;
  }
  jpeg_start_compress(&info, TRUE);
  Bytes row(static_cast<std::size_t>(width) * info.input_components);
  for (int y = 0; y < height; ++y) {
    for (std::size_t i = 0; i < row.size() && !flat; ++i)
      row[i] = static_cast<uint8_t>(i * 5 + y * 3);
    uint8_t* start = row.data();
    jpeg_write_scanlines(&info, &start, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  Bytes bytes(buffer, buffer + size);
  std::free(buffer);
  return bytes;
}

Bytes with_scans(const Bytes& once, int copies) {
  const auto marker = [&](std::size_t from, uint8_t code) {
    while (once[from] != 0xFF || once[from + 1] != code) ++from;
    return from;
  };
  // libjpeg writes a table of codes before each scan: the first scan ends where the next begins.
  const std::size_t begin = marker(0, 0xDA), end = marker(begin, 0xC4);
  Bytes bytes(once.begin(), once.begin() + end);
  for (int i = 1; i < copies; ++i)
    bytes.insert(bytes.end(), once.begin() + begin, once.begin() + end);
  bytes.insert(bytes.end(), once.begin() + end, once.end());
  return bytes;
}

Bytes progressive_jpeg(int width, int height, int copies) {
  const JpegMaker gray{.width = width, .height = height, .components = 1, .progressive = true};
  return with_scans(gray.file(), copies);
}

Bytes baseline_jpeg(int width, int height) {
  return JpegMaker{.width = width, .height = height}.file();
}

Bytes claiming(Bytes jpeg, uint32_t width, uint32_t height) {
  for (std::size_t at = 2; at + 8 < jpeg.size(); at += 2 + (jpeg[at + 2] << 8 | jpeg[at + 3])) {
    const uint8_t marker = jpeg[at + 1];
    if (marker < 0xC0 || marker > 0xCB || marker == 0xC4) continue;  // no frame header
    for (int i = 0; i < 2; ++i) {
      jpeg[at + 5 + i] = static_cast<uint8_t>(height >> (8 - 8 * i));
      jpeg[at + 7 + i] = static_cast<uint8_t>(width >> (8 - 8 * i));
    }
    return jpeg;
  }
  throw failure("[test] a JPEG without a frame");
}

std::string outcome_of(std::span<const uint8_t> bytes, bool exif_orientation) {
  try {
    const data::Image image = data::decode_image(bytes, "x.img", exif_orientation);
    return concat(image.width, "x", image.height, " ") +
           std::string(image.pixels.begin(), image.pixels.end());
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace shiftadd::test
