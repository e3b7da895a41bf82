// Counter-based random numbers: a number is a pure function of (seed, stream, index), so that
// neither threads nor resumed runs change it. Philox4x32-10: Salmon et al., "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cstdint>

namespace shiftadd {

/// Four independent 32-bit words for a 64-bit key and a 128-bit counter.
std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_low, uint64_t counter_high);

/// A random-access sequence: element i of stream `stream` under `seed`.
class RandomStream {
 public:
  RandomStream(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}
  uint32_t bits(uint64_t index) const { return philox(seed_, index / 4, stream_)[index % 4]; }
  uint64_t bits64(uint64_t index) const;
  float uniform(uint64_t index) const {
    return static_cast<float>(bits(index) >> 8) * 0x1p-24f;
  }  // [0, 1)
  double uniform64(uint64_t index) const {
    return static_cast<double>(bits64(index) >> 11) * 0x1p-53;
  }
  double normal(uint64_t index) const;  // standard normal, Box-Muller
  uint64_t seed() const { return seed_; }
  uint64_t stream() const { return stream_; }

 private:
  uint64_t seed_, stream_;
};

/// Walks a RandomStream; its whole state is (seed, stream, position).
class Random {
 public:
  Random(uint64_t seed, uint64_t stream, uint64_t position = 0)
      : stream_(seed, stream), position_(position) {}
  uint64_t next64() { return stream_.bits64(position_++); }
  double uniform() { return stream_.uniform64(position_++); }  // [0, 1)
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  int64_t below(int64_t bound) { return static_cast<int64_t>(uniform() * bound); }  // 0 .. bound-1
  double normal() { return stream_.normal(position_++); }
  double gamma(double shape);  // Marsaglia and Tsang 2000, scale 1
  double beta(double a, double b);
  uint64_t position() const { return position_; }

 private:
  RandomStream stream_;
  uint64_t position_;
};

/// Mixes words into one stream number (SplitMix64), e.g. stream_of(epoch, sample).
uint64_t stream_of(uint64_t a, uint64_t b = 0, uint64_t c = 0);

}  // namespace shiftadd
