// Reads a whole data set once and reports what is broken or odd.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/decode.h"

namespace shiftadd::data {

/// `lines` holds the set's notes, what may hide a class (OddFiles::kList), then one line per broken or
/// odd file, in the data set's order, then the files that are not read.
struct DataReport {
  int64_t images = 0, broken = 0, odd = 0;  // images: all files; the broken ones may be no files
  int64_t ignored = 0;                      // files that are not read at all
  std::vector<std::string>
      lines;  // "broken: PATH: reason" or "odd: PATH: remarks" or "ignored: PATH"
};

/// Reads and decodes everything, on all threads of the pool. Odd: a side under kTinySide pixels,
/// more than kHugePixels, gray, CMYK, 16 bits a sample, turned by EXIF, or contents of another
/// format than the extension says. progress(images done, of all) is called at the start and after
/// each image, by one thread at a time.
DataReport check_data(const ImageFolder& dataset, const DecodeLimits& limits = {},
                      const std::function<void(int64_t, int64_t)>& progress = {});
inline constexpr int64_t kTinySide = 8;
inline constexpr int64_t kHugePixels = int64_t{1} << 26;

}  // namespace shiftadd::data
