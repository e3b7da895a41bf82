// The kernel of linear-angular attention in floats against the CPU's.
#include "tests/cuda/attention_test.h"

namespace shiftadd::test {
namespace {

using cuda::AttendArgs;
using cuda::AttentionKernel;
using cuda::AttentionLimits;

constexpr AttentionLimits kDevice = {163 << 10, 108};

// Of the largest output: (q k^T) v for the CPU's q (k^T v).
constexpr double kTolerance = 2e-6;

struct Kind {
  Codes codes;
  ValueFormat value;
  bool exact() const { return codes == Codes::kSign && value == ValueFormat::kInt8; }
};
constexpr Kind kKinds[] = {{Codes::kSign, ValueFormat::kFloat},
                           {Codes::kSign, ValueFormat::kInt8},
                           {Codes::kNone, ValueFormat::kFloat},
                           {Codes::kNone, ValueFormat::kInt8}};

// Sums of whole numbers have the CPU's bits in any order.
void compare(const AttentionRows& rows, const Kind& kind, const Filter& filter,
             const std::string& what) {
  Numbers expected(rows.outputs());
  LinearAngularArgs<float> linear{};
  linear.shape = rows.shape;
  linear.codes = kind.codes;
  linear.value = kind.value;
  linear.local = filter.shape;
  linear.q = rows.q(), linear.k = rows.k(), linear.v = rows.v();
  linear.local_weight = filter.weight.empty() ? nullptr : filter.weight.data();
  linear.out = expected.data();
  kernels<float>().linear_angular(linear);
  AttendArgs args;
  args.codes = kind.codes;
  args.value = kind.value;
  args.factor = cuda::angular_factor(kind.codes, rows.shape.code_dim);
  args.local = filter.shape;
  Numbers first;
  in_each_order(rows.shape.keys, [&] {
    const Numbers actual = rows.run(AttentionKernel::kAngular, args, kDevice, {}, filter.weight);
    check_near(actual, expected, kTolerance, what);
    if (first.empty()) first = actual;
    INFO(what);
    CHECK(same_bits(actual, kind.exact() ? expected : first));
  });
}

TEST_CASE("cuda: angular_attention is near the CPU's") {
  for (const AttentionSizes& size : attention_sizes()) {
    const std::vector<Filter> all = filters(size.heads, size.keys);
    const std::size_t variants = all.size() * std::size(kKinds);
    for (std::size_t i = 0; i < variants; ++i) {
      if (!size.has(i, variants)) continue;
      const Filter& filter = all[i % all.size()];
      const Kind& kind = kKinds[i / all.size()];
      compare(AttentionRows(size.batch(), size.heads, size.queries, size.keys, size.code_dim,
                            size.head_dim),
              kind, filter,
              concat(size.name(), ", codes ", static_cast<int>(kind.codes), ", values ",
                     static_cast<int>(kind.value), ", a filter of ", filter.shape.kernel_h, " x ",
                     filter.shape.kernel_w));
    }
  }
}

TEST_CASE("cuda: rows of zeros have norms, too") {
  AttentionRows rows(1, 1, 33, 33, 32, 32);
  std::fill_n(rows.rows.begin(), rows.rows.size() / 2, 0.0F);
  for (const Kind& kind : kKinds) compare(rows, kind, {}, "half of the tokens are zeros");
  std::fill(rows.rows.begin(), rows.rows.end(), 0.0F);
  for (const Kind& kind : kKinds) compare(rows, kind, {}, "all tokens are zeros");
}

}  // namespace
}  // namespace shiftadd::test
