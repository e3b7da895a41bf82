// Counts the products of attention: softmax's, linear attention's, and those of a window and the
// rest.
#include "model/attention_cost.h"

#include <map>

#include "core/tensor.h"

namespace shiftadd {
namespace {

void softmax_attention(CostLedger& ledger, const AttentionSpec& attention, int64_t n, int64_t m) {
  const std::string& name = attention.name;
  const bool codes = attention.adds();
  const int64_t h = attention.heads, d = attention.head_dim, values = n * h * d;
  const double scores = as_double(h * n * m);
  // A product of two codes of two bits is four of single bits.
  const int64_t bits = attention.codes.kind == Codes::kBipolar2 ? 2 : 1;
  const double code_bytes = codes ? kCodeBytes * as_double(bits) : kFloatBytes;
  const double inputs = code_bytes * as_double((n + m) * h * d);
  const LoopNest first = {.kind = codes ? StepKind::kAdd : StepKind::kMultiply,
                          .batch = h * n,
                          .in = bits * bits * d,
                          .out = m};
  const LoopNest second = {.batch = h * n, .in = m, .out = d};
  // Agreeing bits are counted in small integers.
  const StepEnergy unit = codes ? StepEnergy{0, kInt8Energy.add} : kFloatStep;
  if (codes || !ledger.miscounts().softmax_products_free)
    ledger.product(name + ".q_k", first, unit, inputs + kFloatBytes * scores);
  ledger.other(name + ".softmax", 2 * h * n * m + values, 2 * kFloatBytes * scores);
  if (!ledger.miscounts().softmax_products_free)
    ledger.product(name + ".attention_v", second, kFloatStep,
                   kFloatBytes * (scores + as_double((n + m) * h * d)));
}

void linear_attention(CostLedger& ledger, const AttentionSpec& attention, int64_t n) {
  const std::string& name = attention.name;
  const bool codes = attention.adds();
  const int64_t h = attention.heads, d = attention.head_dim, values = n * h * d;
  const bool int8 = attention.values == ValueFormat::kInt8;
  const StepKind kind = codes ? StepKind::kAdd : StepKind::kMultiply;
  const StepEnergy unit = !codes ? kFloatStep
                          : int8 ? StepEnergy{0, kInt32Energy.add}
                                 : StepEnergy{0, kFloat32Energy.add};
  const double code = (codes ? kCodeBytes : kFloatBytes) * as_double(values);
  const double value = (int8 ? 1 : kFloatBytes) * as_double(values);
  const double state = kFloatBytes * as_double(h * d * d);
  ledger.product(name + ".k_v", {.kind = kind, .batch = h * d, .in = n, .out = d}, unit,
                 code + value + state);
  ledger.product(name + ".q_kv", {.kind = kind, .batch = h * n, .in = d, .out = d}, unit,
                 code + value + state + kFloatBytes * as_double(values));
  // v / 2, the sum's scale, its square, its normalisation; the quantisation of v.
  ledger.other(name + ".normalise", (int8 ? 5 : 4) * values, 0);
}

// A code of two bits adds a number, and that number doubled.
void window_attention(CostLedger& ledger, const AttentionSpec& attention, const PatchGrid& grid) {
  constexpr int64_t kBits = 2;
  const std::string& name = attention.name;
  const int64_t h = attention.heads, d = attention.head_dim, n = grid.tokens();
  const int64_t values = n * h * d;
  const bool int8 = attention.values == ValueFormat::kInt8;
  const StepEnergy sum = {0, int8 ? kInt32Energy.add : kFloat32Energy.add};
  const double codes = kBits * kCodeBytes * as_double(values);
  const double value = (int8 ? 1 : kFloatBytes) * as_double(values);
  const double state = kFloatBytes * as_double(h * d * d);
  ledger.product(name + ".k_v", {.kind = StepKind::kAdd, .batch = h * d, .in = kBits * n, .out = d},
                 sum, codes + value + state);
  ledger.product(name + ".q_kv",
                 {.kind = StepKind::kAdd, .batch = h * n, .in = kBits * d, .out = d}, sum,
                 codes + value + state + kFloatBytes * as_double(values));
  // How many queries have windows of each size: everything, or less at the border.
  std::map<int64_t, int64_t> windows;
  if (grid.first > 0) windows[n] = grid.first;
  for (int64_t query = grid.first; query < n; ++query) {
    int64_t size = 0;
    grid.for_window(query, [&size](int64_t) { ++size; });
    ++windows[size];
  }
  int64_t weights = 0;
  for (const auto& [size, queries] : windows) {
    const double scores = as_double(h * queries * size);
    weights += h * queries * size;
    ledger.product(
        concat(name, ".window_", size, ".q_k"),
        {.kind = StepKind::kAdd, .batch = h * queries, .in = kBits * kBits * d, .out = size},
        {0, kInt8Energy.add},
        kBits * kCodeBytes * as_double((queries + size) * h * d) + kFloatBytes * scores);
    ledger.product(concat(name, ".window_", size, ".v"),
                   {.batch = h * queries, .in = size, .out = d}, kFloatStep,
                   kFloatBytes * (scores + as_double((queries + size) * h * d)));
  }
  // Each weight's exponential, difference and sum; the sum of v, the two products and the division
  // of what is read; the quantisation of v.
  ledger.other(name + ".weights", 3 * weights + (int8 ? 5 : 4) * values,
               2 * kFloatBytes * as_double(weights));
}

void local_convolution(CostLedger& ledger, const AttentionSpec& attention, const Grid& grid) {
  const FilterSpec& filter = *attention.local;
  const int64_t h = filter.heads, d = attention.head_dim, patches = grid.count();
  const bool tokens = filter.kind == LocalKind::kTokenConv;
  // A filter of 9 x 1 taps is charged as the 3 x 3 it equals in size; the 5 x 5 sees each channel
  // as an image of its own.
  const LoopNest nest = tokens ? LoopNest{.batch = h,
                                          .in_height = patches,
                                          .in_width = d,
                                          .out_height = patches,
                                          .out_width = d,
                                          .kernel = 3}
                               : LoopNest{.batch = h * d,
                                          .in_height = grid.height,
                                          .in_width = grid.width,
                                          .out_height = grid.height,
                                          .out_width = grid.width,
                                          .kernel = kPatchTaps};
  const double value = attention.values == ValueFormat::kInt8 ? 1 : kFloatBytes;
  ledger.product(filter.name, nest, kFloatStep,
                 (value + kFloatBytes) * as_double(patches * h * d) +
                     kFloatBytes * as_double(element_count(filter.shape())));
}

}  // namespace

void count_attention(CostLedger& ledger, const BlockSpec& block) {
  const AttentionSpec& attention = block.attention;
  if (attention.local) {
    linear_attention(ledger, attention, block.tokens());
    local_convolution(ledger, attention, block.grid);
  } else if (attention.has_window()) {
    window_attention(ledger, attention, {block.grid.height, block.grid.width, block.prefix});
  } else {
    softmax_attention(ledger, attention, block.tokens(), block.key_tokens());
  }
}

}  // namespace shiftadd
