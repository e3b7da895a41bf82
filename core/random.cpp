// Computes Philox4x32-10 and the distributions built on it.
#include "core/random.h"

#include <cmath>
#include <numbers>

namespace shiftadd {

std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  std::array<uint32_t, 4> c = {
      static_cast<uint32_t>(counter_low), static_cast<uint32_t>(counter_low >> 32),
      static_cast<uint32_t>(counter_high), static_cast<uint32_t>(counter_high >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{kMultiplier0} * c[0], p1 = uint64_t{kMultiplier1} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return c;
}

uint64_t RandomStream::bits64(uint64_t index) const {
  const auto words = philox(seed_, index / 2, stream_);
  const int at = index % 2 * 2;
  return words[at] | uint64_t{words[at + 1]} << 32;
}

double RandomStream::normal(uint64_t index) const {
  const auto words = philox(seed_, index, stream_);
  const double u = ((words[0] | uint64_t{words[1]} << 32) >> 11) * 0x1p-53;
  const double v = ((words[2] | uint64_t{words[3]} << 32) >> 11) * 0x1p-53;
  return std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * std::numbers::pi * v);
}

double Random::gamma(double shape) {
  if (shape < 1) {  // boost: Gamma(a) = Gamma(a+1) U^(1/a)
    const double u = 1 - uniform();
    return gamma(shape + 1) * std::pow(u, 1 / shape);
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal(), t = 1 + c * x;
    if (t <= 0) continue;
    const double v = t * t * t, u = 1 - uniform();
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double Random::beta(double a, double b) {
  const double x = gamma(a), y = gamma(b);
  return x + y > 0 ? x / (x + y) : 0.5;
}

uint64_t stream_of(uint64_t a, uint64_t b, uint64_t c) {
  uint64_t state = 0;
  for (uint64_t word : {a, b, c}) {
    state += word + 0x9E3779B97F4A7C15;
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB;
    state ^= state >> 31;
  }
  return state;
}

}  // namespace shiftadd
