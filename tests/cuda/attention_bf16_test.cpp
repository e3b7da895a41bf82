// The kernel of softmax attention in bf16 against float64, on numbers rounded to bf16.
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "cuda/attention.h"
#include "cuda/kernel_list.h"
#include "tests/cuda/executor.h"
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

using cuda::AttendArgs;
using cuda::AttentionKernel;
using cuda::AttentionPlan;
using cuda::KernelOf;
namespace kernels = cuda::kernels;

// Each weight is rounded to bf16, by 1/256 of itself at most; sums of float32 add little to it, cut
// off or not: of the sum of |weight value|.
constexpr double kBound = 1.02 / 256;

struct Sizes {
  int64_t images, heads, queries, keys, code_dim, head_dim;
};

double rounded(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits + 0x7fffU + (bits >> 16 & 1U)) & 0xffff0000U);
}

// q, k and v of each token of an image side by side, as one product writes them; queries are the
// first tokens.
struct Rows {
  Sizes size;
  int64_t tokens = std::max(size.queries, size.keys);
  int64_t line = size.heads * (2 * size.code_dim + size.head_dim);
  Numbers numbers = normals(size.images * tokens * line, 1);

  float number(int64_t image, int64_t token, int64_t column) const {
    return numbers[static_cast<std::size_t>((image * tokens + token) * line + column)];
  }
  int64_t q_column(int64_t head) const { return head * size.code_dim; }
  int64_t k_column(int64_t head) const { return (size.heads + head) * size.code_dim; }
  int64_t v_column(int64_t head) const {
    return 2 * size.heads * size.code_dim + head * size.head_dim;
  }
  int64_t out_line() const { return size.heads * size.head_dim; }

  AttendArgs args(const float* rows, float* out) const {
    AttendArgs args;
    args.shape = {.batch = size.images,
                  .heads = size.heads,
                  .queries = size.queries,
                  .keys = size.keys,
                  .code_dim = size.code_dim,
                  .head_dim = size.head_dim,
                  .q_batch = tokens * line,
                  .q_row = line,
                  .q_head = size.code_dim,
                  .k_batch = tokens * line,
                  .k_row = line,
                  .k_head = size.code_dim,
                  .v_batch = tokens * line,
                  .v_row = line,
                  .v_head = size.head_dim,
                  .o_batch = size.queries * out_line(),
                  .o_row = out_line(),
                  .o_head = size.head_dim};
    args.factor = cuda::score_factor(Codes::kNone, score_scale(0, size.code_dim));
    args.q = rows + q_column(0);
    args.k = rows + k_column(0);
    args.v = rows + v_column(0);
    args.out = out;
    return args;
  }
  Numbers run() const {
    const DeviceArray<float> rows(numbers);
    const DeviceArray<float> out(
        Numbers(static_cast<std::size_t>(size.images * size.queries * out_line()), -7.0F));
    AttendArgs args = this->args(rows.get(), out.get());
    const AttentionPlan plan =
        cuda::plan_attention(AttentionKernel::kBf16, args, {std::size_t{99} << 10, 108});
    args.cut = plan.cut;
    launch(kernel_named(plan.kernel), plan.shape, args);
    return out.read();
  }
  static KernelOf<AttendArgs> kernel_named(const std::string& name) {
    if (name == "bf16_attention_32") return kernels::bf16_attention_32;
    if (name == "bf16_attention_64") return kernels::bf16_attention_64;
    REQUIRE(name == "bf16_attention_128");
    return kernels::bf16_attention_128;
  }

  // The largest difference, in parts of the sum of |weight value|.
  double worst_of(const Numbers& actual) const {
    double worst = 0;
    for (int64_t image = 0; image < size.images; ++image)
      for (int64_t head = 0; head < size.heads; ++head)
        for (int64_t query = 0; query < size.queries; ++query) {
          const std::vector<double> weights = weights_of(image, head, query);
          const std::size_t at = static_cast<std::size_t>(
              (image * size.queries + query) * out_line() + head * size.head_dim);
          for (int64_t column = 0; column < size.head_dim; ++column) {
            double sum = 0, magnitude = 0;
            for (int64_t key = 0; key < size.keys; ++key) {
              const double value = rounded(number(image, key, v_column(head) + column));
              sum += weights[static_cast<std::size_t>(key)] * value;
              magnitude += weights[static_cast<std::size_t>(key)] * std::abs(value);
            }
            const double error =
                std::abs(actual[at + static_cast<std::size_t>(column)] - sum) / magnitude;
            worst = worse(worst, error);
          }
        }
    return worst;
  }
  std::vector<double> weights_of(int64_t image, int64_t head, int64_t query) const {
    std::vector<double> weights(static_cast<std::size_t>(size.keys));
    double largest = -INFINITY, total = 0;
    for (int64_t key = 0; key < size.keys; ++key) {
      double product = 0;
      for (int64_t j = 0; j < size.code_dim; ++j)
        product += rounded(number(image, query, q_column(head) + j)) *
                   rounded(number(image, key, k_column(head) + j));
      weights[static_cast<std::size_t>(key)] = product * score_scale(0, size.code_dim);
      largest = std::max(largest, weights[static_cast<std::size_t>(key)]);
    }
    for (double& weight : weights) total += weight = std::exp(weight - largest);
    for (double& weight : weights) weight /= total;
    return weights;
  }
};

void check(const Rows& rows, bool truncates) {
  const Sizes& size = rows.size;
  INFO(size.images, " images, ", size.heads, " heads, ", size.queries, " x ", size.keys,
       " tokens, rows of ", size.code_dim, " and ", size.head_dim, ", sums cut off: ", truncates);
  const simt::Options before = simt::options();
  simt::options().truncates = truncates;
  Numbers first;
  in_each_order(rows.tokens, [&] {
    const Numbers actual = rows.run();
    if (first.empty()) first = actual;
    CHECK(same_bits(actual, first));
  });
  simt::options() = before;
  CHECK(rows.worst_of(first) <= kBound);
}

TEST_CASE("bf16_attention stays within the rounding of its weights, sums cut off or not") {
  const Sizes all[] = {{2, 2, 1, 1, 32, 32},     {2, 1, 31, 31, 17, 31},   {1, 3, 33, 33, 64, 64},
                       {1, 2, 63, 63, 33, 61},   {2, 1, 65, 65, 65, 127},  {1, 2, 15, 65, 16, 5},
                       {1, 1, 17, 64, 128, 128}, {1, 1, 65, 17, 48, 40},   {1, 2, 127, 33, 64, 64},
                       {1, 1, 129, 49, 32, 32},  {1, 1, 1, 197, 64, 64},   {1, 1, 197, 197, 64, 64},
                       {1, 1, 40, 257, 32, 32},  {1, 1, 257, 80, 80, 128}, {1, 1, 20, 577, 64, 64}};
  std::vector<Sizes> sizes(std::begin(all), std::end(all));
  for (const int64_t tokens : token_counts(64)) sizes.push_back({1, 1, tokens, tokens, 64, 64});
  for (const Sizes& size : sizes)
    for (const bool truncates : {false, true})
      if (!truncates || !on_gpu()) check({size}, truncates);
}

TEST_CASE("bf16_attention of one key is its value, rounded") {
  const Rows rows{{1, 1, 3, 1, 32, 32}};
  const Numbers actual = rows.run();
  for (std::size_t i = 0; i < actual.size(); ++i)
    CHECK(actual[i] == rounded(rows.number(0, 0, 64 + static_cast<int64_t>(i % 32))));
}

TEST_CASE("bf16_attention of scores that differ by hundreds, of which later ones are larger") {
  Rows rows{{1, 1, 70, 197, 32, 32}};
  for (int64_t token = 0; token < rows.tokens; ++token)
    for (int64_t j = 0; j < 64; ++j)
      rows.numbers[static_cast<std::size_t>(token * rows.line + j)] *=
          token % 3 ? static_cast<float>(token) / 16 : 0.0F;
  // A score of 1000 is rounded to some 1e-4, and its weight by as much of itself.
  CHECK(rows.worst_of(rows.run()) <= kBound + 1e-3);
}

TEST_CASE("bf16_attention takes no codes") {
  AttendArgs args = Rows{{1, 1, 5, 5, 32, 32}}.args(nullptr, nullptr);
  CHECK(cuda::missing_attention(AttentionKernel::kBf16, args, {99 << 10, 108}).empty());
  args.codes = Codes::kSign;
  CHECK(cuda::missing_attention(AttentionKernel::kBf16, args, {99 << 10, 108}) ==
        "bf16 attention takes no codes");
}

}  // namespace
}  // namespace shiftadd::test
