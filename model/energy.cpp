// Estimates energy and time of every tiling that fits the array, and chooses the best compromise.
#include "model/energy.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace shiftadd {
namespace {

// Picojoule for moving 16 bits.
constexpr double kDram = 200, kBuffer = 6 * 3.7, kNetwork = 2 * 3.7, kSumNetwork = 3.7,
                 kRegister = 3.7, kWeightRegister = 2 * 3.7;
// The array: processing elements, and words of each buffer.
constexpr int64_t kMostOutputsAtOnce = 16, kElements = 192, kInputRegisters = 12,
                  kWeightRegisters = 960, kBufferWords = 65536;
constexpr double kHertz = 250e6;
constexpr double kShiftBits = 10, kBits = 32;

// In ascending order.
std::vector<int64_t> divisors(int64_t n) {
  std::vector<int64_t> list, above;
  for (int64_t d = 1; d * d <= n; ++d) {
    if (n % d != 0) continue;
    list.push_back(d);
    if (d != n / d) above.push_back(n / d);
  }
  list.insert(list.end(), above.rbegin(), above.rend());
  return list;
}

// Inner factors of each loop (level 0 in a register file, 1 over the array, 2 in the buffer); what
// is left of batch, outputs and rows runs outermost. Channels in have no outermost part.
struct Tiling {
  int64_t n0, m0, m1, m2, c0, c1, e1;
};

bool fits(const LoopNest& l, const Tiling& t) {
  const int64_t rows = (t.e1 - 1) * l.stride + l.kernel;
  const int64_t columns = (l.out_width - 1) * l.stride + l.kernel;
  return t.m1 * t.c1 * t.e1 * l.kernel < kElements && t.c0 * l.kernel < kInputRegisters &&
         t.m0 * t.c0 * l.kernel < kWeightRegisters &&
         t.n0 * (t.c1 * t.c0 * rows * columns + t.m2 * t.m1 * t.m0 * t.e1 * l.out_width) <
             kBufferWords;
}

EnergyEstimate estimate(const LoopNest& l, const Tiling& t) {
  const auto real = [](int64_t x) { return static_cast<double>(x); };
  const double batch = real(l.batch), in = real(l.in), out = real(l.out), k = real(l.kernel);
  const double rows = real(l.out_height), columns = real(l.out_width);
  const double n0 = real(t.n0), m0 = real(t.m0), m1 = real(t.m1), m2 = real(t.m2), c0 = real(t.c0),
               c1 = real(t.c1), e1 = real(t.e1);
  const double n3 = batch / n0, m3 = out / (m0 * m1 * m2), c2 = in / (c0 * c1), e3 = rows / e1;

  const double inputs = batch * real(l.in_height) * real(l.in_width) * in;
  const double weights = k * k * in * out;
  const double outputs = batch * rows * columns * out;
  const double steps = outputs * k * k * in;

  // Words that cross each level of the hierarchy.
  const double dram = inputs * m3 + weights * n3 * e3 + outputs;
  const double buffer = inputs * m3 * m2 + outputs * std::max(2 * (c2 - 1), 1.0);
  const double spread = inputs * m3 * m2 * m1 * k * rows / real(l.in_height);
  const double network = spread + weights * n3 * e3 * e1;
  const double sums = outputs * std::max(c2 * (c1 * k - 1), 1.0);
  const double registers = spread * m0 * (k * columns / real(l.in_width)) +
                           outputs * std::max(2 * c2 * c1 * k * (c0 * k - 1), 1.0);
  const double weight_registers = weights * n3 * e3 * e1 * columns * n0;

  double moved = sums * kSumNetwork + registers * kRegister + weight_registers * kWeightRegister;
  if (l.kind != StepKind::kAdd) moved += dram * kDram + buffer * kBuffer + network * kNetwork;
  const bool shift = l.kind == StepKind::kShift;
  const double step = shift                      ? kInt32Energy.shift
                      : l.kind == StepKind::kAdd ? kFloat32Energy.add
                                                 : kFloat32Energy.multiply;
  const double cycles = n3 * n0 * m3 * m2 * m0 * c2 * c0 * e3 * columns * k;
  return {1e-9 * (moved * (shift ? kShiftBits : kBits) / 16 + steps * step),
          1e3 * cycles / kHertz / (shift ? kBits / kShiftBits : 1)};
}

bool is_product(const LoopNest& l) {
  return l.in_height == 1 && l.in_width == 1 && l.out_height == 1 && l.out_width == 1 &&
         l.kernel == 1;
}

// Every tiling that fits the array. The rows of an image are spread over it, if asked.
std::vector<EnergyEstimate> candidates(const LoopNest& l, bool spread_rows) {
  std::vector<EnergyEstimate> list;
  for (const int64_t n0 : divisors(l.batch))
    for (const int64_t m0 : divisors(l.out)) {
      if (m0 > kMostOutputsAtOnce) break;
      for (const int64_t m1 : divisors(l.out / m0))
        for (const int64_t m2 : divisors(l.out / m0 / m1))
          for (const int64_t c0 : divisors(l.in)) {
            if (c0 * l.kernel >= kInputRegisters) break;
            for (const int64_t c1 : divisors(l.in / c0)) {
              if (m1 * c1 * l.kernel >= kElements) break;
              for (const int64_t e1 : divisors(l.out_height)) {
                if (e1 == 1 && spread_rows) continue;
                const Tiling tiling = {n0, m0, m1, m2, c0, c1, e1};
                if (fits(l, tiling)) list.push_back(estimate(l, tiling));
              }
            }
          }
    }
  return list;
}

}  // namespace

EnergyEstimate eyeriss_energy(const LoopNest& nest) {
  std::vector<EnergyEstimate> all = candidates(nest, !is_product(nest));
  if (all.empty()) all = candidates(nest, false);  // a prime number of rows, too many to spread
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EnergyEstimate least = {kInfinity, kInfinity}, most;
  for (const EnergyEstimate& each : all) {
    least.millijoules = std::min(least.millijoules, each.millijoules);
    least.milliseconds = std::min(least.milliseconds, each.milliseconds);
    most.millijoules = std::max(most.millijoules, each.millijoules);
    most.milliseconds = std::max(most.milliseconds, each.milliseconds);
  }
  EnergyEstimate best;
  double best_cost = kInfinity;
  for (const EnergyEstimate& each : all) {
    const double cost = (each.millijoules - least.millijoules) / most.millijoules +
                        (each.milliseconds - least.milliseconds) / most.milliseconds;
    if (cost < best_cost) best_cost = cost, best = each;
  }
  return best;
}

}  // namespace shiftadd
