// The order in which an epoch visits the samples.
#pragma once

#include <cstdint>
#include <vector>

#include "core/random.h"

namespace shiftadd::data {

/// 0 .. n-1 in an order drawn from `random` (Fisher-Yates).
std::vector<int64_t> shuffled(int64_t n, Random random);

/// Sample numbers (size of them) for one training epoch: a function of its arguments alone. With
/// repeats > 1 each image of a random order comes that many times in a row and the list is cut to
/// `size`, so that an epoch costs the same and sees 1/repeats of the images (repeated augmentation,
/// Hoffer et al., CVPR 2020, as DeiT's RASampler on one process).
std::vector<int64_t> epoch_order(int64_t size, int64_t repeats, uint64_t seed, int64_t epoch);

}  // namespace shiftadd::data
