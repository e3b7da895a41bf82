// Image files that would cost far more than they are worth, and the largest that are decoded.
#pragma once

#include <string>
#include <vector>

#include "tests/data/encoded_images.h"

namespace shiftadd::test {

struct NamedImage {
  std::string name;    // "scans.jpg"
  std::string reason;  // part of the error's text; empty: it is decoded
  Bytes bytes;
  int64_t zeros_behind = 0;  // bytes that follow (a file with a hole)
};

/// Beyond each limit, for each decoder.
std::vector<NamedImage> image_bombs();
/// Just within the limits: they take seconds and hundreds of MiB.
std::vector<NamedImage> largest_images();

/// Writes it as FOLDER/name; returns that path.
std::string write_image(const std::string& folder, const NamedImage& image);

}  // namespace shiftadd::test
