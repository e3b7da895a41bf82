// Each part of the vocabulary against plain computations, in all orders.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "tests/cuda/simt_kernels.h"
#include "tests/cuda/simt_test.h"

namespace shiftadd::test {
namespace {

using namespace cuda;

constexpr int kThreads = 96, kBlocks = 3, kCount = kThreads * kBlocks;
const simt::Shape kShape = {.grid_x = kBlocks, .block_x = kThreads};

// Numbers of all magnitudes and both signs, the same on each machine.
std::vector<int> numbers(int count, uint32_t seed) {
  std::vector<int> values;
  uint32_t state = seed * 747796405u + 1;
  for (int i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    values.push_back(static_cast<int>(state) >> (i % 29));
  }
  return values;
}

std::vector<float> floats(int count, uint32_t seed) {
  std::vector<float> values;
  for (int value : numbers(count, seed)) values.push_back(static_cast<float>(value) * 0x1p-12f);
  return values;
}

// Runs a kernel of IntegerArgs and gives its results [result][thread].
std::vector<int> results(const simt::Kernel& kernel, int count, const std::vector<int>& a,
                         const std::vector<int>& b) {
  const EmulatedArray<int> in_a(a), in_b(b);
  const EmulatedArray<int> out(static_cast<std::size_t>(count) * kCount);
  const IntegerArgs args = {in_a.data(), in_b.data(), out.data()};
  simt::run(kernel, kShape, &args);
  check_no_reports();
  return out.values();
}

TEST_CASE("shuffles take the value of the lane that they name") {
  const auto a = numbers(kCount, 1), b = numbers(kCount, 2);
  in_all_orders([&] {
    const auto out = results(shuffles_kernel(), kShuffles, a, b);
    for (int i = 0; i < kCount; ++i) {
      const int lane = i % 32, warp = i - lane;
      const auto modulo = [&](int n) { return static_cast<int>(static_cast<unsigned>(b[i]) % n); };
      const int sources[kShuffles] = {modulo(32),
                                      lane ^ 16,
                                      lane ^ 5,
                                      lane + 3 < 32 ? lane + 3 : lane,
                                      lane >= 7 ? lane - 7 : lane,
                                      lane / 8 * 8 + modulo(8),
                                      lane % 8 + 3 < 8 ? lane + 3 : lane,
                                      lane ^ 1};
      for (int k = 0; k < kShuffles; ++k) {
        CAPTURE(k);
        CHECK(out[k * kCount + i] == a[warp + sources[k]]);
      }
    }
  });
}

TEST_CASE("votes and reductions see all lanes of the warp") {
  auto a = numbers(kCount, 3);
  for (int i = 0; i < 32; ++i) a[32 + i] = (a[32 + i] & ~2) | 4;  // one warp for each answer
  in_all_orders([&] {
    const auto out = results(votes_kernel(), kVotes, a, a);
    for (int i = 0; i < kCount; ++i) {
      const auto begin = a.begin() + i / 32 * 32, end = begin + 32;
      uint32_t ballot = 0;
      for (int lane = 0; lane < 32; ++lane) ballot |= uint32_t(begin[lane] & 1) << lane;
      const auto as_unsigned = [](int x) { return static_cast<unsigned>(x); };
      const unsigned sum = std::transform_reduce(begin, end, 0u, std::plus<>(), as_unsigned);
      const unsigned most = std::transform_reduce(
          begin, end, 0u, [](unsigned x, unsigned y) { return std::max(x, y); }, as_unsigned);
      const int expected[kVotes] = {static_cast<int>(ballot),
                                    std::any_of(begin, end, [](int x) { return x & 2; }),
                                    std::all_of(begin, end, [](int x) { return x & 4; }),
                                    static_cast<int>(sum),
                                    *std::max_element(begin, end),
                                    static_cast<int>(sum),
                                    static_cast<int>(most)};
      for (int k = 0; k < kVotes; ++k) {
        CAPTURE(k);
        CHECK(out[k * kCount + i] == expected[k]);
      }
    }
  });
}

int dot_of_bytes(int a, int b) {
  int sum = 7;
  for (int i = 0; i < 4; ++i) {
    int8_t x, y;
    std::memcpy(&x, reinterpret_cast<const char*>(&a) + i, 1);
    std::memcpy(&y, reinterpret_cast<const char*>(&b) + i, 1);
    sum += x * y;
  }
  return sum;
}

int dot_of_unsigned_bytes(int a, int b) {
  int sum = 7;
  for (int i = 0; i < 4; ++i)
    sum += reinterpret_cast<const uint8_t*>(&a)[i] * reinterpret_cast<const uint8_t*>(&b)[i];
  return sum;
}

// Half to even, as text books define it, and the ends of int.
int rounded(double x) {
  if (std::isnan(x)) return 0;
  if (x >= 2147483647.0) return 2147483647;
  if (x <= -2147483648.0) return -2147483647 - 1;
  const double down = std::floor(x), rest = x - down;
  const bool up = rest > 0.5 || (rest == 0.5 && std::fmod(down, 2) != 0);
  return static_cast<int>(up ? down + 1 : down);
}

TEST_CASE("arithmetic of integers") {
  auto a = numbers(kCount, 4), b = numbers(kCount, 5);
  a[0] = 0;
  a[1] = std::bit_cast<int>(NAN);
  a[2] = std::bit_cast<int>(1e20f);
  a[3] = std::bit_cast<int>(-1e20f);
  a[4] = std::bit_cast<int>(2.5f);
  a[5] = std::bit_cast<int>(-3.5f);
  const auto out = results(integer_math_kernel(), kIntegers, a, b);
  for (int i = 0; i < kCount; ++i) {
    const auto bits = static_cast<unsigned>(a[i]);
    int ones = 0, first = 0, leading = 0;
    for (int k = 31; k >= 0; --k) {
      ones += bits >> k & 1;
      if (bits >> k & 1) first = k + 1;
    }
    while (leading < 32 && !(bits >> (31 - leading) & 1)) ++leading;
    const int expected[kIntegers] = {ones,
                                     2 * ones,
                                     leading,
                                     first,
                                     dot_of_bytes(a[i], b[i]),
                                     dot_of_unsigned_bytes(a[i], b[i]),
                                     std::bit_cast<int>(static_cast<float>(a[i])),
                                     rounded(std::bit_cast<float>(a[i])),
                                     rounded(static_cast<float>(a[i]) * 0.5f),
                                     a[i] ^ b[i]};
    for (int k = 0; k < kIntegers; ++k) {
      CAPTURE(k);
      CHECK(out[k * kCount + i] == expected[k]);
    }
  }
}

TEST_CASE("arithmetic of floats rounds once where it says so, and a product and a sum twice") {
  const auto a = floats(kCount, 6), b = floats(kCount, 7), c = floats(kCount, 8);
  const EmulatedArray<float> in_a(a), in_b(b), in_c(c), out(kFloats * kCount);
  const FloatArgs args = {in_a.data(), in_b.data(), in_c.data(), out.data()};
  simt::run(float_math_kernel(), kShape, &args);
  check_no_reports();
  const auto results = out.values();
  for (int i = 0; i < kCount; ++i) {
    const float* quad = &a[i / 4 * 4];
    const float product = a[i] * b[i];  // rounded: floats have no more bits here
    const float expected[kFloats] = {a[i] + b[i],
                                     product,
                                     a[i] / b[i],
                                     std::sqrt(std::fabs(a[i])),
                                     std::fma(a[i], b[i], c[i]),
                                     std::nearbyint(a[i]),
                                     quad[0] + quad[1] + quad[2] + quad[3],
                                     b[i / 2 * 2] - b[i / 2 * 2 + 1],
                                     product + c[i]};
    for (int k = 0; k < kFloats; ++k) {
      CAPTURE(k);
      CHECK(std::bit_cast<int>(results[k * kCount + i]) == std::bit_cast<int>(expected[k]));
    }
  }
}

TEST_CASE("atomic operations of all blocks add up") {
  std::vector<int> in;
  for (int i = 0; i < kCount; ++i) in.push_back(i % 17 - 5);
  const int total = std::accumulate(in.begin(), in.end(), 0);
  in_all_orders([&] {
    const EmulatedArray<int> numbers(in), sum(std::vector<int>{100}), maximum(std::vector<int>{-9});
    const EmulatedArray<unsigned> unsigned_sum(std::vector<unsigned>{1});
    const EmulatedArray<float> float_sum(std::vector<float>{0.5f});
    const AtomicArgs args = {numbers.data(), sum.data(), unsigned_sum.data(), float_sum.data(),
                             maximum.data()};
    simt::run(atomics_kernel(), kShape, &args);
    check_no_reports();
    CHECK(sum.values()[0] == 100 + total);
    CHECK(unsigned_sum.values()[0] == 1u + static_cast<unsigned>(total));
    CHECK(float_sum.values()[0] == 0.5f + static_cast<float>(total));
    CHECK(maximum.values()[0] == 11);
  });
}

TEST_CASE("threads know where they are in three dimensions") {
  const simt::Shape shape = {
      .grid_x = 2, .grid_y = 3, .grid_z = 2, .block_x = 8, .block_y = 4, .block_z = 2};
  in_all_orders([&] {
    const EmulatedArray<unsigned> out(12 * 64 * 12);
    const PositionArgs args = {out.data()};
    simt::run(positions_kernel(), shape, &args);
    check_no_reports();
    const auto values = out.values();
    for (unsigned block = 0; block < 12; ++block)
      for (unsigned thread = 0; thread < 64; ++thread) {
        const unsigned expected[12] = {thread % 8,
                                       thread / 8 % 4,
                                       thread / 32,
                                       block % 2,
                                       block / 2 % 3,
                                       block / 6,
                                       8,
                                       4,
                                       2,
                                       2,
                                       3,
                                       2};
        const unsigned* found = &values[(block * 64 + thread) * 12];
        CHECK(std::equal(found, found + 12, expected));
      }
  });
}

TEST_CASE("shared memory is the block's, in arrays and of the size of the launch") {
  const auto in = numbers(5 * kSharedThreads, 9);
  in_all_orders([&] {
    const EmulatedArray<int> from(in), to(in.size());
    const SharedArgs args = {from.data(), to.data()};
    simt::run(reverse_blocks_kernel(),
              {.grid_x = 5, .block_x = kSharedThreads, .shared_bytes = kSharedThreads * 4}, &args);
    check_no_reports();
    auto expected = in;
    for (int i = 0; i < 5; ++i)
      std::reverse(expected.begin() + i * kSharedThreads,
                   expected.begin() + (i + 1) * kSharedThreads);
    CHECK(to.values() == expected);
  });
}

TEST_CASE("asynchronous copies fill with zeros what is not valid") {
  std::vector<unsigned> in(32 * 4);
  for (std::size_t i = 0; i < in.size(); ++i)
    in[i] = 0x01020304u * static_cast<unsigned>(i + 1) | 1u;
  std::vector<int> valid;
  for (int i = 0; i < 32; ++i) valid.push_back(i % 17);
  in_all_orders([&] {
    const EmulatedArray<unsigned> from(in), out(2 * 128);
    const EmulatedArray<int> counts(valid);
    const CopyArgs args = {from.data(), counts.data(), out.data()};
    simt::run(copies_kernel(), {.block_x = 32}, &args);
    check_no_reports();
    const auto values = out.values();
    const auto* found = reinterpret_cast<const unsigned char*>(values.data());
    const auto* bytes = reinterpret_cast<const unsigned char*>(in.data());
    for (int i = 0; i < 32; ++i)
      for (int k = 0; k < 16; ++k) {
        const int from_thread = 31 - i;
        const unsigned char byte = bytes[from_thread * 16 + k];
        CHECK(found[i * 16 + k] == (k < valid[from_thread] ? byte : 0));
        CHECK(found[512 + i * 16 + k] == byte);
      }
  });
}

TEST_CASE("ldmatrix gives each lane two elements of each matrix, or of each matrix turned") {
  std::vector<uint16_t> elements(32 * 8);
  std::iota(elements.begin(), elements.end(), uint16_t{1000});
  std::vector<unsigned> rows(32 * 4);
  std::memcpy(rows.data(), elements.data(), rows.size() * 4);
  in_all_orders([&] {
    const EmulatedArray<unsigned> from(rows), out(8 * 32);
    const MatrixArgs args = {from.data(), out.data()};
    simt::run(load_matrices_kernel(), {.block_x = 32}, &args);
    check_no_reports();
    const auto values = out.values();
    for (int matrix = 0; matrix < 4; ++matrix)
      for (int lane = 0; lane < 32; ++lane) {
        // The manual: lane t holds the elements (t / 4, 2 (t % 4)) and the one right of it.
        const uint16_t* element = &elements[(matrix * 8 + lane / 4) * 8 + lane % 4 * 2];
        CHECK(values[matrix * 32 + lane] == (uint32_t{element[1]} << 16 | element[0]));
        // Turned: (2 (t % 4), t / 4) and the one below it.
        const uint16_t* turned = &elements[(matrix * 8 + lane % 4 * 2) * 8 + lane / 4];
        CHECK(values[(4 + matrix) * 32 + lane] == (uint32_t{turned[8]} << 16 | turned[0]));
      }
  });
}

TEST_CASE("prmt chooses bytes and copies signs") {
  struct Case {
    uint32_t a, b, selector, expected;
  };
  // a holds bytes 0 ... 3 and b bytes 4 ... 7, lowest first.
  const Case cases[] = {
      {0x33221100, 0x77665544, 0x3210, 0x33221100},
      {0x33221100, 0x77665544, 0x7654, 0x77665544},
      {0x33221100, 0x77665544, 0x0123, 0x00112233},
      {0x33221100, 0x77665544, 0x5140, 0x55114400},
      {0x33221100, 0x77665544, 0x0000, 0x00000000},
      {0x332211ff, 0x77665544, 0x8888, 0xffffffff},
      {0x7f80ff00, 0x0180fe7f, 0xba98, 0x00ffff00},
      {0x7f80ff00, 0x0180fe7f, 0xfedc, 0x00ffff00},
      {0x7f80ff00, 0x0180fe7f, 0x3a1c, 0x7fffff00},
      {0x80000000, 0x00000080, 0xb3c4, 0xff80ff80},
      {0x33221100, 0x77665544, 0xffff3210, 0x33221100},
  };
  std::vector<uint32_t> a(32), b(32), selector(32), expected(32);
  for (std::size_t i = 0; i < 32; ++i) {
    const Case& each = cases[i % std::size(cases)];
    a[i] = each.a;
    b[i] = each.b;
    selector[i] = each.selector;
    expected[i] = each.expected;
  }
  const EmulatedArray<uint32_t> in_a(a), in_b(b), in_selector(selector), out(32);
  const BytesArgs args = {in_a.data(), in_b.data(), in_selector.data(), out.data()};
  simt::run(choose_bytes_kernel(), {.block_x = 32}, &args);
  check_no_reports();
  CHECK(out.values() == expected);
}

TEST_CASE("bf16x2 rounds to nearest even, the first of two lowest") {
  struct Case {
    uint32_t bits, expected;
  };
  const Case cases[] = {{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82},
                        {0x3f808001, 0x3f81}, {0xbf817fff, 0xbf81}, {0x00008001, 0x0001},
                        {0x80000000, 0x8000}, {0x7f7fffff, 0x7f80}, {0x7f800000, 0x7f80},
                        {0xff800000, 0xff80}, {0x7f800001, 0x7fff}, {0xffc12345, 0x7fff}};
  std::vector<float> in(64);
  std::vector<uint32_t> expected(32);
  for (std::size_t i = 0; i < 64; ++i) {
    const Case& each = cases[i % std::size(cases)];
    in[i] = std::bit_cast<float>(each.bits);
    expected[i / 2] |= each.expected << (i % 2 ? 16 : 0);
  }
  const EmulatedArray<float> from(in);
  const EmulatedArray<uint32_t> out(32);
  const RoundArgs args = {from.data(), out.data()};
  simt::run(round_pairs_kernel(), {.block_x = 32}, &args);
  check_no_reports();
  CHECK(out.values() == expected);
}

TEST_CASE("a kernel may be an instance of a template") {
  const auto in = numbers(kCount, 10);
  const EmulatedArray<int> from(in), to(in.size());
  const SharedArgs args = {from.data(), to.data()};
  simt::run(add_one_kernel(), kShape, &args);
  check_no_reports();
  CHECK(std::string(add_one_kernel().name) == "add_one");
  CHECK(add_one_kernel().args_bytes == sizeof(SharedArgs));
  auto expected = in;
  for (int& value : expected) ++value;
  CHECK(to.values() == expected);
}

}  // namespace
}  // namespace shiftadd::test
