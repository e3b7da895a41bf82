// Changes the colours of images for augmentation.
#include "data/color.h"

#include <algorithm>
#include <array>

namespace shiftadd::data {

namespace {

using Table = std::array<uint8_t, 256>;

// degenerate + factor * (value - degenerate), truncated and clamped.
uint8_t blend(int degenerate, int value, float factor) {
  const float mixed =
      static_cast<float>(degenerate) + factor * static_cast<float>(value - degenerate);
  return mixed <= 0 ? 0 : mixed >= 255 ? 255 : static_cast<uint8_t>(mixed);
}

template <class Entry>
void map_values(Image& image, Entry entry) {
  Table table;
  for (int v = 0; v < 256; ++v) table[v] = static_cast<uint8_t>(entry(v));
  for (uint8_t& v : image.pixels) v = table[v];
}

// table(histogram) for each channel, then looked up.
template <class MakeTable>
void map_channels(Image& image, MakeTable make_table) {
  for (int c = 0; c < 3; ++c) {
    std::array<int64_t, 256> histogram{};
    for (std::size_t i = c; i < image.pixels.size(); i += 3) ++histogram[image.pixels[i]];
    const Table table = make_table(histogram);
    for (std::size_t i = c; i < image.pixels.size(); i += 3)
      image.pixels[i] = table[image.pixels[i]];
  }
}

Table identity() {
  Table table;
  for (int v = 0; v < 256; ++v) table[v] = static_cast<uint8_t>(v);
  return table;
}

}  // namespace

void adjust_brightness(Image& image, double factor) {
  map_values(image, [&](int v) { return blend(0, v, static_cast<float>(factor)); });
}

void adjust_contrast(Image& image, double factor) {
  int64_t total = 0;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) total += luma(&image.pixels[i]);
  const double count = static_cast<double>(image.width * image.height);
  const int mean = static_cast<int>(static_cast<double>(total) / count + 0.5);
  map_values(image, [&](int v) { return blend(mean, v, static_cast<float>(factor)); });
}

void adjust_saturation(Image& image, double factor) {
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    uint8_t* rgb = &image.pixels[i];
    const int gray = luma(rgb);
    for (int c = 0; c < 3; ++c) rgb[c] = blend(gray, rgb[c], static_cast<float>(factor));
  }
}

void adjust_sharpness(Image& image, double factor) {
  const Image source = image;  // the border keeps its pixels
  for (int64_t y = 1; y + 1 < image.height; ++y) {
    uint8_t* out = image.row(y);
    const uint8_t *above = source.row(y - 1), *here = source.row(y), *below = source.row(y + 1);
    for (int64_t i = 3; i < (image.width - 1) * 3; ++i) {
      const int sum = above[i - 3] + above[i] + above[i + 3] + here[i - 3] + 5 * here[i] +
                      here[i + 3] + below[i - 3] + below[i] + below[i + 3];
      const int smooth = (2 * sum + 13) / 26;  // sum / 13, rounded
      out[i] = blend(smooth, here[i], static_cast<float>(factor));
    }
  }
}

void autocontrast(Image& image) {
  map_channels(image, [](const std::array<int64_t, 256>& histogram) {
    int low = 0, high = 255;
    while (low < 255 && histogram[low] == 0) ++low;
    while (high > 0 && histogram[high] == 0) --high;
    Table table = identity();
    if (high <= low) return table;
    const double scale = 255.0 / (high - low), offset = -low * scale;
    for (int v = 0; v < 256; ++v)
      table[v] = static_cast<uint8_t>(std::clamp(static_cast<int>(v * scale + offset), 0, 255));
    return table;
  });
}

void equalize(Image& image) {
  map_channels(image, [](const std::array<int64_t, 256>& histogram) {
    int64_t total = 0, last = 0;
    for (const int64_t n : histogram) {
      total += n;
      if (n > 0) last = n;
    }
    Table table = identity();
    const int64_t step = (total - last) / 255;
    if (step == 0) return table;
    int64_t below = step / 2;
    for (int v = 0; v < 256; ++v) {
      table[v] = static_cast<uint8_t>(std::min<int64_t>(255, below / step));
      below += histogram[v];
    }
    return table;
  });
}

void invert(Image& image) {
  map_values(image, [](int v) { return 255 - v; });
}

void posterize(Image& image, int bits) {
  const int mask = ~((1 << (8 - std::clamp(bits, 0, 8))) - 1) & 255;
  map_values(image, [&](int v) { return v & mask; });
}

void solarize(Image& image, int threshold) {
  map_values(image, [&](int v) { return v < threshold ? v : 255 - v; });
}

void solarize_add(Image& image, int add) {
  map_values(image, [&](int v) { return v < 128 ? std::min(255, v + add) : v; });
}

}  // namespace shiftadd::data
