// Philox against the published known answers; distributions against their moments.
#include "core/random.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

using namespace shiftadd;

TEST_CASE("philox gives the known answers of Random123") {
  CHECK(philox(0, 0, 0) == std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox(~0ull, ~0ull, ~0ull) ==
        std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e) ==
        std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream is random access and its walker visits the same numbers") {
  const RandomStream stream(7, 3);
  Random random(7, 3);
  for (uint64_t i = 0; i < 9; ++i) CHECK(random.next64() == stream.bits64(i));
  Random resumed(7, 3, 5);
  CHECK(resumed.next64() == stream.bits64(5));
  CHECK(RandomStream(8, 3).bits64(0) != stream.bits64(0));
  CHECK(RandomStream(7, 4).bits64(0) != stream.bits64(0));
}

TEST_CASE("distributions have their moments") {
  Random random(1, 2);
  const int n = 20000;
  double uniform = 0, normal = 0, square = 0, beta = 0, beta_square = 0;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform(), x = random.normal(), b = random.beta(0.8, 0.8);
    CHECK_UNARY(u >= 0 && u < 1);
    CHECK_UNARY(b >= 0 && b <= 1);
    uniform += u, normal += x, square += x * x, beta += b, beta_square += b * b;
  }
  CHECK(uniform / n == doctest::Approx(0.5).epsilon(0.02));
  CHECK(std::abs(normal / n) < 0.03);
  CHECK(square / n == doctest::Approx(1).epsilon(0.04));
  CHECK(beta / n == doctest::Approx(0.5).epsilon(0.03));
  const double variance = beta_square / n - 0.25;  // a b / ((a+b)^2 (a+b+1)) = 1 / (4 (2a+1))
  CHECK(variance == doctest::Approx(1 / (4 * 2.6)).epsilon(0.05));
  for (int i = 0; i < 1000; ++i) {
    const int64_t k = random.below(3);
    CHECK_UNARY(k >= 0 && k < 3);
  }
}

TEST_CASE("stream_of separates its words") {
  std::set<uint64_t> seen;
  for (uint64_t a = 0; a < 20; ++a)
    for (uint64_t b = 0; b < 20; ++b) seen.insert(stream_of(a, b));
  CHECK(seen.size() == 400);
  CHECK(stream_of(1, 2) != stream_of(2, 1));
}
