// Dropout and drop path.
#include <algorithm>

#include "core/cpu/targets.h"
#include "core/parallel.h"
#include "core/random.h"

namespace shiftadd {
namespace {

constexpr int64_t kGrain = 16384;  // a multiple of 4, the words of one Philox block

// One draw per element: a Philox block serves four.
void drop_elements(const DropArgs<float>& args) {
  const float factor = static_cast<float>(1 / args.keep);
  parallel_chunks(args.n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 4) {
      const auto words = philox(args.seed, i / 4, args.stream);
      for (int64_t j = i; j < std::min(i + 4, end); ++j) {
        const bool kept = static_cast<float>(words[j - i] >> 8) * 0x1p-24f < args.keep;
        args.y[j] = kept ? args.x[j] * factor : 0.f;
      }
    }
  });
}

}  // namespace

void drop(const DropArgs<float>& args) {
  if (args.group == 1) return drop_elements(args);
  const RandomStream random(args.seed, args.stream);
  const float factor = static_cast<float>(1 / args.keep);
  parallel_for((args.n + args.group - 1) / args.group, [&](int64_t group) {
    const int64_t begin = group * args.group, end = std::min(args.n, begin + args.group);
    if (random.uniform(group) < args.keep)
      std::transform(args.x + begin, args.x + end, args.y + begin,
                     [=](float x) { return x * factor; });
    else
      std::fill(args.y + begin, args.y + end, 0.f);
  });
}

}  // namespace shiftadd
