// The matrix products of a warp: fragments made by the formulas of the PTX manual, in its words,
// and plain products.
#include <bit>
#include <cmath>

#include "tests/cuda/simt_kernels.h"
#include "tests/cuda/simt_test.h"

namespace shiftadd::test {
namespace {

using namespace cuda;

struct Place {
  int row, column;
};

// "Matrix Fragments for mma.m16n8k32", .s8: a_i, b_i and c_i of a lane.
Place a_of_s8(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  const bool upper = (0 <= i && i < 4) || (8 <= i && i < 12);
  return {upper ? group : group + 8, i < 8 ? thread * 4 + (i & 3) : thread * 4 + (i & 3) + 16};
}
Place b_of_s8(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  return {i < 4 ? thread * 4 + (i & 3) : thread * 4 + (i & 3) + 16, group};
}
// "Matrix Fragments for mma.m16n8k16", .bf16.
Place a_of_bf16(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  const bool upper = (0 <= i && i < 2) || (4 <= i && i < 6);
  return {upper ? group : group + 8, i < 4 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8};
}
Place b_of_bf16(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  return {i < 2 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8, group};
}
Place c_of_both(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  return {i < 2 ? group : group + 8, thread * 2 + (i & 1)};
}

// Packs elements of `bits` bits each into registers [register][lane], the first one lowest.
template <class Element, class Where>
std::vector<uint32_t> pack(int registers, int bits, Where where, Element element) {
  std::vector<uint32_t> packed(static_cast<std::size_t>(registers) * 32);
  const int each = 32 / bits;
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < registers * each; ++i) {
      const Place place = where(lane, i);
      const uint32_t value = element(place.row, place.column) & ((uint64_t{1} << bits) - 1);
      packed[i / each * 32 + lane] |= value << bits * (i % each);
    }
  return packed;
}

template <class T>
std::vector<T> multiply(const simt::Kernel& kernel, const std::vector<uint32_t>& a,
                        const std::vector<uint32_t>& b, const std::vector<T>& d) {
  const EmulatedArray<uint32_t> in_a(a), in_b(b);
  const EmulatedArray<T> sums(d);
  const ProductArgs args = {in_a.data(), in_b.data(), sums.data()};
  simt::run(kernel, {.block_x = 32}, &args);
  check_no_reports();
  return sums.values();
}

// Hashes: the elements of the matrices.
int byte_at(int row, int column, int seed) {
  const uint32_t h = static_cast<uint32_t>(row * 37 + column * 101 + seed) * 2654435761u;
  return static_cast<int8_t>(h >> 24);
}

TEST_CASE("mma_s8 is an exact product and adds to what is there") {
  const auto a = [](int row, int column) { return byte_at(row, column, 1); };
  const auto b = [](int row, int column) { return byte_at(row, column, 2); };
  std::vector<int32_t> before(4 * 32);
  for (std::size_t i = 0; i < before.size(); ++i) before[i] = 1 << 30 | static_cast<int>(i);
  in_all_orders([&] {
    const auto after =
        multiply(product_s8_kernel(), pack(4, 8, a_of_s8, a), pack(2, 8, b_of_s8, b), before);
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 4; ++i) {
        const Place c = c_of_both(lane, i);
        int32_t sum = before[i * 32 + lane];
        for (int k = 0; k < 32; ++k) sum += a(c.row, k) * b(k, c.column);
        CHECK(after[i * 32 + lane] == sum);
      }
  });
}

TEST_CASE("mma_s8 is exact at the ends of int8") {
  const auto least = [](int, int) { return -128; };
  const std::vector<int32_t> zeros(4 * 32);
  const auto after =
      multiply(product_s8_kernel(), pack(4, 8, a_of_s8, least), pack(2, 8, b_of_s8, least), zeros);
  for (int32_t sum : after) CHECK(sum == 32 * 128 * 128);
}

uint32_t bf16_bits(float value) { return std::bit_cast<uint32_t>(value) >> 16; }

TEST_CASE("mma_bf16 is an exact product where sums have few bits, truncated or not") {
  const auto number = [](int row, int column, int seed) {
    return static_cast<float>(byte_at(row, column, seed) % 16) * 0.25f;
  };
  const auto a = [&](int row, int column) { return bf16_bits(number(row, column, 3)); };
  const auto b = [&](int row, int column) { return bf16_bits(number(row, column, 4)); };
  std::vector<float> before(4 * 32);
  for (std::size_t i = 0; i < before.size(); ++i) before[i] = static_cast<float>(i) - 50;
  for (bool truncates : {false, true}) {
    simt::options().truncates = truncates;
    in_all_orders([&] {
      const auto after = multiply(product_bf16_kernel(), pack(4, 16, a_of_bf16, a),
                                  pack(2, 16, b_of_bf16, b), before);
      for (int lane = 0; lane < 32; ++lane)
        for (int i = 0; i < 4; ++i) {
          const Place c = c_of_both(lane, i);
          float sum = before[i * 32 + lane];
          for (int k = 0; k < 16; ++k) sum += number(c.row, k, 3) * number(k, c.column, 4);
          CHECK(after[i * 32 + lane] == sum);
        }
    });
  }
  simt::options().truncates = false;
}

TEST_CASE("mma_bf16 cuts off below the largest term where it is told to") {
  // 1 plus 16 products of 1.5 x 2^-24, which is three quarters of the last place of 1.
  const auto a = [](int, int) { return bf16_bits(1.5f * 0x1p-12f); };
  const auto b = [](int, int) { return bf16_bits(0x1p-12f); };
  const std::vector<float> ones(4 * 32, 1.0f);
  const auto run = [&] {
    return multiply(product_bf16_kernel(), pack(4, 16, a_of_bf16, a), pack(2, 16, b_of_bf16, b),
                    ones)[0];
  };
  CHECK(run() == 1 + 16 * 0x1p-23f);  // each rounded up
  simt::options().truncates = true;
  CHECK(run() == 1 + 16 * 0x1p-24f);  // one bit more than a float's, and nothing below
  simt::options().truncates = false;
}

TEST_CASE("mma_bf16 keeps infinities and what is not a number") {
  const std::vector<float> zeros(4 * 32);
  const auto one = [](int, int) { return bf16_bits(1); };
  const auto with = [&](float value) {
    return multiply(product_bf16_kernel(),
                    pack(4, 16, a_of_bf16, [&](int, int k) { return bf16_bits(k ? 1 : value); }),
                    pack(2, 16, b_of_bf16, one), zeros)[0];
  };
  for (bool truncates : {false, true}) {
    simt::options().truncates = truncates;
    CHECK(with(INFINITY) == INFINITY);
    CHECK(with(-INFINITY) == -INFINITY);
    CHECK(std::isnan(with(NAN)));
  }
  simt::options().truncates = false;
}

}  // namespace
}  // namespace shiftadd::test
