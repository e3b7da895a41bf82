// A deterministic set of drawn images whose classes need shape and texture, not mean colour.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/image.h"

namespace shiftadd::data {

std::vector<std::string> synthetic_classes();  // 12, sorted
inline constexpr int64_t kMinSyntheticSize = 8, kMaxSyntheticSize = 4096;
/// Image `index` (0 or more) of class `label`, size x size pixels: random colours, position, size,
/// rotation, clutter and noise, a pure function of the arguments. Figure and ground are drawn from
/// the same distribution of colours in every class. Throws Error (user) for arguments out of range.
Image synthetic_image(int64_t size, int64_t label, int64_t index, uint64_t seed);

struct SyntheticOptions {
  int64_t size = 32, train_per_class = 500, val_per_class = 100;
  uint64_t seed = 0;
  bool jpeg = false;  // else PNG
};
/// Writes FOLDER/train/CLASS/0000.png and FOLDER/val/...; skips the work when FOLDER already holds
/// exactly this set (a stamp file, FOLDER/synthetic.txt, records the options), and draws it anew
/// when an earlier run was cut off; a second process waits for the first. Validation images have
/// other indices than any training image. Throws Error (user) when FOLDER holds something else,
/// another synthetic set included, Error (failure) when writing fails.
void write_synthetic(const std::string& folder, const SyntheticOptions& options);

}  // namespace shiftadd::data
