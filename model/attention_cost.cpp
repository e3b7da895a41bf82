// Counts the products of attention: softmax's, linear attention's, and those of a window and the
// rest.
#include "model/attention_cost.h"

#include <map>
#include <utility>

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
  // Exponentials, their sums and the division of what is read; the quantisation of v.
  const bool int8 = codes && attention.values == ValueFormat::kInt8;
  ledger.other(name + ".softmax", 2 * h * n * m + values + (int8 ? m * h * d : 0),
               2 * kFloatBytes * scores);
  if (!ledger.miscounts().softmax_products_free)
    ledger.product(name + ".attention_v", second, kFloatStep,
                   kFloatBytes * (scores + as_double(values)) +
                       (int8 ? 1 : kFloatBytes) * as_double(m * h * d));
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

// How many of `length` rows, or columns, have 1, 2 or 3 in their window.
std::map<int64_t, int64_t> window_extents(int64_t length) {
  if (length == 1) return {{1, 1}};
  if (length == 2) return {{2, 2}};
  return {{2, 2}, {3, length - 2}};
}

// How many queries have windows of each size: everything, or less at the border.
std::map<int64_t, int64_t> window_sizes(const PatchGrid& grid) {
  std::map<int64_t, int64_t> sizes;
  if (grid.first > 0) sizes[grid.tokens()] = grid.first;
  for (const auto& [height, rows] : window_extents(grid.grid_h))
    for (const auto& [width, columns] : window_extents(grid.grid_w))
      sizes[grid.first + height * width] += rows * columns;
  return sizes;
}

// A code of two bits adds a number, and that number doubled. Windows of one size are one product,
// charged like softmax attention's: as if its keys were the weights of all its queries.
void window_attention(CostLedger& ledger, const AttentionSpec& attention, const PatchGrid& grid) {
  constexpr int64_t kBits = 2;
  const std::string& name = attention.name;
  const int64_t h = attention.heads, d = attention.head_dim, n = grid.tokens();
  const int64_t values = n * h * d;
  const bool int8 = attention.values == ValueFormat::kInt8;
  const StepEnergy sum = {0, int8 ? kInt32Energy.add : kFloat32Energy.add};
  const double codes = kBits * kCodeBytes * as_double(values);
  const double value = (int8 ? 1 : kFloatBytes) * as_double(values);
  // A column of ones beside v gives the sum of the keys, and the queries' products with it.
  const int64_t columns = d + 1;
  const double state = kFloatBytes * as_double(h * d * columns);
  ledger.product(name + ".k_v",
                 {.kind = StepKind::kAdd, .batch = h * d, .in = kBits * n, .out = columns}, sum,
                 codes + value + state);
  ledger.product(name + ".q_kv",
                 {.kind = StepKind::kAdd, .batch = h * n, .in = kBits * d, .out = columns}, sum,
                 codes + value + state + kFloatBytes * as_double(values));
  const std::map<int64_t, int64_t> sizes = window_sizes(grid);
  int64_t weights = 0;
  for (const auto& [size, queries] : sizes) weights += h * queries * size;
  const double weight_bytes = kFloatBytes * as_double(weights);
  // What all windows read and write is charged once.
  double code_bytes = 2 * codes + weight_bytes;
  for (const auto& [size, queries] : sizes)
    ledger.product(
        name + ".window.q_k",
        {.kind = StepKind::kAdd, .batch = h * queries, .in = kBits * kBits * d, .out = size},
        {0, kInt8Energy.add}, std::exchange(code_bytes, 0));
  double value_bytes = weight_bytes + value + kFloatBytes * as_double(values);
  for (const auto& [size, queries] : sizes)
    ledger.product(name + ".window.v", {.batch = h * queries, .in = size, .out = d}, kFloatStep,
                   std::exchange(value_bytes, 0));
  // Each weight's exponential, difference and sum; the sum of v, the two products and the division
  // of what is read; the quantisation of v.
  ledger.other(name + ".window.weights", 3 * weights + (int8 ? 5 : 4) * values, 2 * weight_bytes);
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
