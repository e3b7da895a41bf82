// RandAugment (Cubuk et al. 2019, arXiv:1909.13719) in the variant and with the grammar of timm.
#pragma once

#include <string>

#include "core/random.h"
#include "data/augment_geometry.h"
#include "data/image.h"

namespace shiftadd::data {

/// "rand" and then, in any order and each joined by '-': mN magnitude 0..10 (10), nN operations per
/// image (2), mstdX standard deviation of the magnitude (0; above 100: uniform from 0 to m), mmaxN
/// its upper bound (10), pX probability of each operation (0.5), inc0/inc1 operations whose
/// strength grows with the magnitude (0).
struct RandAugment {
  double magnitude = 10, magnitude_std = 0, magnitude_max = 10, probability = 0.5;
  int64_t operations = 2;
  bool increasing = false;
};

/// Throws Error (user) naming `where`, the part and what is allowed.
RandAugment parse_rand_augment(const std::string& text, const std::string& where);

/// Applies the policy; empty areas of geometric operations become `fill`.
void rand_augment(Image& image, const RandAugment& policy, const Colour& fill, Random& random);

/// One operation at a magnitude of 0..10, for tests and previews; index 0 .. kRandOperations - 1.
constexpr int kRandOperations = 15;
const char* rand_operation_name(int operation);
void apply_rand_operation(Image& image, int operation, double magnitude, bool increasing,
                          const Colour& fill, Random& random);

}  // namespace shiftadd::data
