// Decodes every image of a set in parallel, and writes a line for each that is broken or odd.
#include "data/check.h"

#include <array>
#include <mutex>
#include <span>
#include <string_view>

#include "core/error.h"
#include "core/parallel.h"
#include "data/formats.h"

namespace shiftadd::data {
namespace {

constexpr std::array<std::string_view, 4> kFormatNames = {"JPEG", "PNG", "BMP",
                                                          "GIF"};  // by FileKind

struct Samples {
  int channels = 3, bits = 8;
};

/// Reads what a pixel is made of in the frame header (JPEG: ITU T.81, B.2.2) or IHDR (PNG, 11.2.2).
/// The file has been decoded before: its header is known to be sound, but every read is checked all
/// the same.
Samples samples_of(std::span<const uint8_t> bytes, FileKind kind) {
  if (kind == FileKind::kPng && bytes.size() > 25) {
    constexpr int kGray = 0, kGrayAlpha = 4;
    const int color = bytes[25];
    return {color == kGray || color == kGrayAlpha ? 1 : 3, bytes[24]};
  }
  if (kind != FileKind::kJpeg) return {};
  std::size_t at = 2;
  while (at + 9 < bytes.size()) {
    if (bytes[at] != 0xff || bytes[at + 1] == 0xff) {  // fill bytes
      ++at;
      continue;
    }
    const int marker = bytes[at + 1];
    // The frame markers are SOF0..SOF15 without DHT (C4), JPG (C8) and DAC (CC).
    if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc)
      return {bytes[at + 9], bytes[at + 4]};
    at += 2 + (bytes[at + 2] << 8 | bytes[at + 3]);
  }
  return {};
}

/// Returns remarks on a file that could be decoded, separated by ", "; empty for an ordinary one.
std::string oddities(std::span<const uint8_t> bytes, const std::string& name,
                     const std::string& full_name, const DecodeLimits& limits) {
  const ImageHeader header = read_header(bytes, full_name, limits.max_pixels);
  std::string text;
  const auto remark = [&text](const std::string& what) {
    text += (text.empty() ? "" : ", ") + what;
  };
  const auto format_of = [](FileKind kind) { return kFormatNames[static_cast<int>(kind)]; };
  const std::string size = concat(header.width, "x", header.height);
  const FileKind promised = promised_kind(name).value_or(header.kind);
  if (header.kind != promised)
    remark(
        concat("contents are ", format_of(header.kind), ", the name says ", format_of(promised)));
  if (header.width < kTinySide || header.height < kTinySide) remark("tiny (" + size + ")");
  if (header.width * header.height > kHugePixels) remark("huge (" + size + ")");
  const Samples samples = samples_of(bytes, header.kind);
  if (samples.channels == 1) remark("gray");
  if (samples.channels == 4) remark("CMYK");
  if (samples.bits > 8) remark(concat(samples.bits, " bits a sample"));
  if (header.orientation != 1)
    remark(concat("turned by EXIF (orientation ", header.orientation, ")"));
  return text;
}

}  // namespace

DataReport check_data(const ImageFolder& dataset, const DecodeLimits& limits,
                      const std::function<void(int64_t, int64_t)>& progress) {
  DataReport report;
  std::mutex mutex;
  int64_t done = 0;
  if (progress) progress(done, dataset.size());
  report.images = dataset.size();
  report.lines = dataset.notes();
  for (const std::string& problem : dataset.hidden()) {
    ++report.broken;
    report.lines.push_back("broken: " + problem);
  }
  std::vector<std::string> broken(dataset.size()), odd(dataset.size());
  parallel_for(dataset.size(), [&](int64_t sample) {
    const std::string name = dataset.full_name(sample);
    try {
      const std::vector<uint8_t> bytes = dataset.read(sample, limits);
      decode_image(bytes, name, false, limits);
      odd[sample] = oddities(bytes, dataset.name(sample), name, limits);
    } catch (const Error& error) {
      if (error.kind() == Error::Kind::kFailure) throw;  // the machine, not the image
      broken[sample] = error.what();
      if (!broken[sample].starts_with(name)) broken[sample] = name + ": " + broken[sample];
    }
    if (!progress) return;
    const std::lock_guard lock(mutex);
    progress(++done, dataset.size());
  });
  for (int64_t sample = 0; sample < dataset.size(); ++sample) {
    if (!broken[sample].empty()) {
      ++report.broken;
      report.lines.push_back("broken: " + broken[sample]);
    } else if (!odd[sample].empty()) {
      ++report.odd;
      report.lines.push_back("odd: " + dataset.full_name(sample) + ": " + odd[sample]);
    }
  }
  for (const std::string& name : dataset.ignored())
    report.lines.push_back("ignored: " + dataset.path() + "/" + name);
  report.ignored = static_cast<int64_t>(dataset.ignored().size());
  return report;
}

}  // namespace shiftadd::data
