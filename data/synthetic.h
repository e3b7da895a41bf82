// A deterministic set of drawn images whose classes need shape and texture, not mean colour.
#pragma once

#include <string>
#include <vector>

#include "data/image.h"

namespace shiftadd::data {

std::vector<std::string> synthetic_classes();  // at least 10, sorted
/// Image `index` of class `label`: random colours, position, size, rotation, clutter and noise, all from seed.
Image synthetic_image(int64_t size, int64_t label, int64_t index, uint64_t seed);

struct SyntheticOptions {
  int64_t size = 32, train_per_class = 500, val_per_class = 100;
  uint64_t seed = 0;
  bool jpeg = false;  // else PNG
};
/// Writes FOLDER/train/CLASS/0000.png and FOLDER/val/...; skips the work when FOLDER already holds exactly this set
/// (a stamp file records the options).
void write_synthetic(const std::string& folder, const SyntheticOptions& options);

}  // namespace shiftadd::data
