// Shuffles the sample numbers with the epoch's random numbers, and repeats them where asked.
#include "data/sampler.h"

#include <algorithm>
#include <numeric>

namespace shiftadd::data {

std::vector<int64_t> shuffled(int64_t n, Random random) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
  return order;
}

std::vector<int64_t> epoch_order(int64_t size, int64_t repeats, uint64_t seed, int64_t epoch) {
  constexpr uint64_t kOrderStream =
      0x6f72646572;  // "order": apart from the streams of augmentation
  std::vector<int64_t> order = shuffled(size, Random(seed, stream_of(epoch, 0, kOrderStream)));
  if (repeats > 1)  // in place from the back: entry i is read no later than it is overwritten
    for (int64_t i = size - 1; i >= 0; --i) order[i] = order[i / repeats];
  return order;
}

}  // namespace shiftadd::data
