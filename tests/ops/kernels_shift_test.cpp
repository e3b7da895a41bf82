// Shift weights and int8 tokens against the reference, and the reference against their definition.
#include <limits>

#include "core/shift.h"
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

constexpr int64_t kSizes[] = {1, 3, 17, 197};

// Numbers over many powers of two, with zeros, and both neighbours of sqrt(2) 2^k.
Numbers weights(int64_t n, uint64_t stream) {
  Numbers w = normals(n, stream);
  const Numbers spread = normals(n, stream + 100);
  for (int64_t i = 0; i < n; ++i) {
    w[i] *= std::exp2(3 * spread[i] - 4);
    if (i % 11 == 3) w[i] = 0;
    if (i % 13 == 5)
      w[i] = std::ldexp(i % 2 ? 0x1.6a09e6p0f : -0x1.6a09e8p0f, -static_cast<int>(i % 9));
  }
  return w;
}

Numbers as_floats(const auto& integers) { return {integers.begin(), integers.end()}; }

TEST_CASE("kernels: shift_quantize") {
  for (int64_t rows : kSizes)
    for (int64_t columns : kSizes) {
      const Numbers w = weights(rows * columns, 1);
      const std::string size = concat(' ', rows, 'x', columns);
      check_kernel("shift_quantize 5bit" + size, 0, [&](const KernelTable<float>& kernels) {
        Numbers out = w;  // in place
        kernels.shift_quantize(
            {rows, columns, ShiftFormat::k5Bit, out.data(), out.data(), nullptr, nullptr});
        return out;
      });
      check_kernel("shift_quantize 4bit" + size, 0, [&](const KernelTable<float>& kernels) {
        Numbers out(w.size());
        std::vector<int8_t> codes(w.size());
        std::vector<int32_t> exponents(rows);
        kernels.shift_quantize({rows, columns, ShiftFormat::k4Bit, w.data(), out.data(),
                                codes.data(), exponents.data()});
        for (std::size_t i = 0; i < w.size(); ++i)  // both forms are one number
          REQUIRE(out[i] ==
                  std::ldexp(static_cast<float>(codes[i]), exponents[i / columns] - kShiftRange));
        return join({out, as_floats(codes), as_floats(exponents)});
      });
    }
}

// The definition, with the logarithm itself.
double nearest_power(double w, int low, int high) {
  if (w == 0) return 0;
  const double p = std::nearbyint(std::log2(std::abs(w)));
  return std::copysign(std::exp2(std::min<double>(std::max<double>(p, low), high)), w);
}

TEST_CASE("shift_quantize: powers of two nearest in the logarithm") {
  const int64_t columns = 4001;
  const Numbers w = weights(columns, 7);
  Numbers five(columns), four(columns);
  std::vector<int32_t> exponent(1);
  const KernelTable<float>& kernels = reference_kernels<float>();
  kernels.shift_quantize({1, columns, ShiftFormat::k5Bit, w.data(), five.data(), nullptr, nullptr});
  kernels.shift_quantize(
      {1, columns, ShiftFormat::k4Bit, w.data(), four.data(), nullptr, exponent.data()});
  float largest = 0;
  for (float x : w) largest = std::max(largest, std::abs(x));
  const int e = static_cast<int>(std::nearbyint(std::log2(static_cast<double>(largest))));
  CHECK(exponent[0] == e);
  for (int64_t j = 0; j < columns; ++j) {
    INFO(w[j]);
    CHECK(five[j] == nearest_power(w[j], kShiftLeast, kShiftMost));
    const bool gone = std::abs(w[j]) < std::exp2(e - 6.5);
    CHECK(four[j] == (gone ? 0 : nearest_power(w[j], e - 6, e)));
  }
  // In double the mantissa has its own neighbours of sqrt(2).
  const double root = std::sqrt(2.0), in[] = {root, std::nextafter(root, 0), -0.7, 0, 1e-9};
  double out[5];
  reference_kernels<double>().shift_quantize({1, 5, ShiftFormat::k4Bit, in, out, nullptr, nullptr});
  CHECK(out[0] == 2);  // the double nearest to sqrt(2) lies above it
  CHECK(out[1] == 1);
  CHECK(out[2] == -0.5);
  CHECK(out[3] == 0);
  CHECK(out[4] == 0);
}

TEST_CASE("shift_quantize: rows of zeros, tiny, huge and broken numbers") {
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  const float tiny = std::numeric_limits<float>::denorm_min();
  for (const KernelTable<float>* kernels :
       {&reference_kernels<float>(), &cpu_kernels(isas().back())}) {
    const Numbers w = {0, -0.f, 0, tiny, -tiny, 1e-40f, 3e38f, -3e38f, 1, nan, -infinity, 1};
    Numbers four(12), five(12);
    std::vector<int8_t> codes(12);
    std::vector<int32_t> exponents(4);
    kernels->shift_quantize(
        {4, 3, ShiftFormat::k4Bit, w.data(), four.data(), codes.data(), exponents.data()});
    kernels->shift_quantize({4, 3, ShiftFormat::k5Bit, w.data(), five.data(), nullptr, nullptr});
    for (int i = 0; i < 6; ++i) {
      CHECK(four[i] == 0);
      CHECK(codes[i] == 0);
    }
    CHECK(exponents[0] == -kRowExponentLimit);
    CHECK(four[6] == 0x1p100f);
    CHECK(four[7] == -0x1p100f);
    CHECK(four[8] == 0);
    CHECK(five[0] == 0);
    CHECK(five[3] == 0x1p-14f);
    CHECK(five[4] == -0x1p-14f);
    CHECK(five[7] == -1);
    CHECK(std::isnan(four[9]));
    CHECK(std::isnan(five[9]));
    CHECK(five[10] == -infinity);
  }
}

TEST_CASE("kernels: shift_compose") {
  for (int64_t n : {1, 3, 17, 197, 20001}) {
    Numbers shift = normals(n, 1), sign = normals(n, 2);
    for (int64_t i = 0; i < n; ++i) {
      shift[i] = i % 5 ? 6 * shift[i] - 7 : std::round(8 * shift[i]) / 2;  // ties
      if (i % 7 == 2) sign[i] = std::round(4 * sign[i]) / 2;
    }
    check_kernel(concat("shift_compose ", n), 0, [&](const KernelTable<float>& kernels) {
      Numbers out(n);
      kernels.shift_compose({n, shift.data(), sign.data(), out.data()});
      return out;
    });
  }
  const Numbers shift = {0.5f, 1.5f, -0.5f, -1.5f, -2.5f, -99, 3, -1, -1, -1, -1};
  const Numbers sign = {1, 1, 1, 1, 1, 1, -1, 0.5f, -0.5f, 0.51f, -1.5f};
  for (Isa isa : isas()) {
    Numbers out(11);
    cpu_kernels(isa).shift_compose({11, shift.data(), sign.data(), out.data()});
    CHECK(out == Numbers{1, 1, 1, 0.25f, 0.25f, 0x1p-14f, -1, 0, 0, 0.5f, -0.5f});
    const Numbers bad = {std::nanf(""), 1}, good = {1, std::nanf("")};
    cpu_kernels(isa).shift_compose({2, bad.data(), good.data(), out.data()});
    CHECK(std::isnan(out[0]));
    CHECK(std::isnan(out[1]));
  }
}

TEST_CASE("kernels: quantize_tokens and dequantize_tokens, bit for bit") {
  for (int64_t rows : kSizes)
    for (int64_t columns : kSizes) {
      Numbers x = normals(rows * columns, 3);
      for (int64_t i = 0; i < columns; ++i) x[i] *= 1e-20f;        // below the least scale
      for (std::size_t i = 0; i < x.size(); i += 7) x[i] = 63.5f;  // q = 63.5 where it is largest
      check_kernel(
          concat("quantize_tokens ", rows, 'x', columns), 0,
          [&](const KernelTable<float>& kernels) {
            Numbers scales(rows), integers(x.size()), dequantized = x, again(x.size());
            std::vector<int8_t> codes(x.size());
            kernels.quantize_tokens({rows, columns, dequantized.data(), scales.data(),
                                     integers.data(), dequantized.data(), codes.data()});
            kernels.dequantize_tokens({rows, columns, codes.data(), scales.data(), again.data()});
            CHECK(again == dequantized);  // but for the sign of 0, which int8 has not
            CHECK(integers == as_floats(codes));
            return join({scales, integers, dequantized});
          });
    }
}

TEST_CASE("quantize_tokens: half to even, and a NaN is not lost") {
  const Numbers x = {127, 0.5f, 1.5f, 2.5f, -0.5f, -127, -2.5f, 126.5f};
  for (Isa isa : isas()) {
    Numbers scales(1), q(8);
    std::vector<int8_t> codes(8);
    cpu_kernels(isa).quantize_tokens(
        {1, 8, x.data(), scales.data(), q.data(), nullptr, codes.data()});
    CHECK(scales[0] == 1);
    CHECK(codes == std::vector<int8_t>{127, 0, 2, 2, 0, -127, -2, 126});
    Numbers broken = x;
    broken[3] = std::nanf("");
    cpu_kernels(isa).quantize_tokens(
        {1, 8, broken.data(), scales.data(), q.data(), nullptr, codes.data()});
    CHECK(std::isnan(scales[0]));
    CHECK(std::isnan(q[0]));
  }
}

}  // namespace
}  // namespace shiftadd::test
