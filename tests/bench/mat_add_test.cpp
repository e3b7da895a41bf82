// MatAdd against its definition, in every form, by every unit and instruction set of this machine.
#include "tests/ops/kernels_test.h"
#include "tools/bench/kernels/kernels.h"

namespace shiftadd::test {
namespace {

using tools::BenchKernels, tools::bench_kernels, tools::MatAddForm, tools::MatAddKeysArgs;
using tools::MatAddQueriesArgs, tools::reference_bench_kernels, tools::sign_bytes;

struct Operands {
  Operands(int64_t products, int64_t tokens, int64_t channels, int64_t columns)
      : signs(products * tokens * sign_bytes(channels)),
        v(products * tokens * columns),
        m(products * channels * columns) {
    const RandomStream random(1, 0);
    uint64_t i = 0;
    for (uint8_t& each : signs) each = static_cast<uint8_t>(random.bits(i++));  // and those beyond
    for (int8_t& each : v) each = static_cast<int8_t>(random.bits(i++));
    for (int32_t& each : m) each = static_cast<int32_t>(random.bits(i++)) >> 8;
  }
  std::vector<uint8_t> signs;
  std::vector<int8_t> v;
  std::vector<int32_t> m;
};

// Of every instruction set and unit.
std::vector<const BenchKernels*> tables() {
  std::vector<const BenchKernels*> out;
  for (Isa isa : isas()) out.push_back(&bench_kernels(isa));
  for (Int8Unit unit : {Int8Unit::kVnni, Int8Unit::kAmx})
    if (supported(unit)) out.push_back(&bench_kernels(unit));
  return out;
}

TEST_CASE("mat_add_keys: every form and unit gives the same integers") {
  for (int64_t tokens : {1, 3, 17, 64, 197, 1100})
    for (int64_t channels : {1, 3, 16, 17, 33, 64, 80})
      for (int64_t columns : {1, 3, 17, 32, 64}) {
        const int64_t products = 2;
        const Operands in(products, tokens, channels, columns);
        std::vector<int32_t> expected(products * channels * columns);
        MatAddKeysArgs args = {products,        tokens,      channels,       columns,
                               in.signs.data(), in.v.data(), expected.data()};
        reference_bench_kernels().mat_add_keys(args);
        INFO(tokens, " tokens, ", channels, " channels, ", columns, " columns");
        for (MatAddForm form : {MatAddForm::kFastest, MatAddForm::kDot, MatAddForm::kTable})
          for (int threads : {1, 2}) {
            Threads set(threads);
            args.form = form;
            for (const BenchKernels* each : tables()) {
              std::vector<int32_t> out(expected.size(), -1);
              args.out = out.data();
              each->mat_add_keys(args);
              CHECK(out == expected);
            }
          }
      }
}

TEST_CASE("mat_add_keys: sums at their extremes are exact") {
  constexpr int64_t kTokens = 70'000, kChannels = 2, kColumns = 2;
  std::vector<uint8_t> signs(kTokens, 1);  // of channels 0 and 1: -, +
  std::vector<int8_t> v(kTokens * kColumns, -128);
  for (int64_t t = 0; t < kTokens; ++t) v[t * kColumns + 1] = 127;
  for (Isa isa : isas())
    for (MatAddForm form : {MatAddForm::kDot, MatAddForm::kTable}) {
      INFO(name_of(isa));
      std::vector<int32_t> out(kChannels * kColumns);
      bench_kernels(isa).mat_add_keys(
          {1, kTokens, kChannels, kColumns, signs.data(), v.data(), out.data(), form});
      CHECK(out ==
            std::vector<int32_t>{128 * kTokens, -127 * kTokens, -128 * kTokens, 127 * kTokens});
    }
}

TEST_CASE("mat_add_queries: every instruction set gives the same integers") {
  for (int64_t tokens : {1, 3, 17, 197, 1100})
    for (int64_t channels : {1, 3, 16, 17, 64, 80})
      for (int64_t columns : {1, 3, 17, 32, 64}) {
        const int64_t products = 2;
        const Operands in(products, tokens, channels, columns);
        std::vector<int32_t> expected(products * tokens * columns);
        MatAddQueriesArgs args = {products,        tokens,      channels,       columns,
                                  in.signs.data(), in.m.data(), expected.data()};
        reference_bench_kernels().mat_add_queries(args);
        INFO(tokens, " tokens, ", channels, " channels, ", columns, " columns");
        for (Isa isa : isas())
          for (int threads : {1, 2}) {
            Threads set(threads);
            std::vector<int32_t> out(expected.size(), -1);
            args.out = out.data();
            bench_kernels(isa).mat_add_queries(args);
            CHECK(out == expected);
          }
      }
}

}  // namespace
}  // namespace shiftadd::test
