// Counts the operations of a network layer by layer.
#include "model/op_count.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "core/tensor.h"

namespace shiftadd {
namespace {

constexpr double kFloatBytes = 4, kCodeBytes = 1.0 / 8, kRowExponentBytes = 2;

double shift_weight_bytes(ShiftFormat format) { return format == ShiftFormat::k4Bit ? 0.5 : 0.625; }

double as_double(int64_t x) { return static_cast<double>(x); }

// Energies of one step of a product, picojoule.
struct StepEnergy {
  double step, add;
};

// Collects the layers of one network.
class Counter {
 public:
  Counter(const Network& network, const std::vector<double>& shares,
          const PublishedMiscounts& miscounts)
      : network_(network), options_(network.options), shares_(shares), miscounts_(miscounts) {}

  ModelCost run();

 private:
  // One layer more; a name that exists is added to.
  void add(const std::string& name, const OpCounts& counts) {
    if (cost_.layers.empty() || cost_.layers.back().name != name)
      cost_.layers.push_back({name, {}});
    cost_.layers.back().counts += counts;
    cost_.total += counts;
  }
  void other(const std::string& name, int64_t values, double bytes) {
    OpCounts counts;
    counts.other = values;
    counts.bytes = bytes;
    add(name, counts);
  }

  EnergyEstimate energy_of(const LoopNest& nest) {
    if (nest.kind == StepKind::kAdd && miscounts_.every_add_as_the_first) {
      if (!first_add_) first_add_ = nest;
      return cached(*first_add_);
    }
    return cached(nest);
  }
  // Networks repeat their layers, and the search is long.
  EnergyEstimate cached(const LoopNest& nest) {
    const auto [found, missing] = energies_.try_emplace(nest);
    if (missing) found->second = eyeriss_energy(nest);
    return found->second;
  }

  // 64 bits hold the sum of all steps, or the network is refused.
  void require_countable(double steps) {
    constexpr double kMost = 9e18;
    steps_ += steps;
    if (steps_ > kMost)
      throw user_error("[count] one image takes more than ", kMost,
                       " operations: lower the network's image_size, width or depth");
  }

  // A product with its energy; bytes as given.
  void product(const std::string& name, const LoopNest& nest, const StepEnergy& unit,
               double bytes) {
    require_countable(as_double(nest.batch) * as_double(nest.in) * as_double(nest.out) *
                      as_double(nest.out_height) * as_double(nest.out_width) *
                      as_double(nest.kernel * nest.kernel));
    OpCounts counts;
    const int64_t steps = nest.batch * nest.in * nest.out * nest.out_height * nest.out_width *
                          nest.kernel * nest.kernel;
    counts.additions = steps;
    if (nest.kind == StepKind::kMultiply) counts.multiplications = steps;
    if (nest.kind == StepKind::kShift) counts.shifts = steps;
    counts.unit_millijoules = 1e-9 * static_cast<double>(steps) * (unit.step + unit.add);
    counts.eyeriss = energy_of(nest);
    counts.bytes = bytes;
    add(name, counts);
  }

  void linear(const std::string& name, int64_t rows, int64_t in, int64_t out, bool shift);
  void linear(const LinearSpec& spec, int64_t rows);
  template <class Body>
  void layer(const std::string& name, LayerKind kind, int64_t tokens, int64_t width, Body body);
  void multiply_each(const std::string& name, int64_t values);
  void scale(const BlockSpec& block, const std::string& name, Layer layer);
  void hidden(const MlpSpec& mlp, const std::string& name, int64_t rows);
  void readout();
  void convolution(const ConvSpec& conv, int64_t places);
  void depthwise(const DepthwiseSpec& spec, const Grid& grid);
  void softmax_attention(const AttentionSpec& attention, int64_t tokens, int64_t keys);
  void linear_attention(const AttentionSpec& attention, int64_t tokens);
  void window_attention(const AttentionSpec& attention, const PatchGrid& grid);
  void local_convolution(const FilterSpec& filter, int64_t head_dim, const Grid& grid);
  void routed_mlp(const MlpSpec& mlp, int64_t tokens);
  void norm(const NormSpec& norm, int64_t tokens);
  void block(const BlockSpec& block);

  const Network& network_;
  const ShiftAddSpec& options_;
  const std::vector<double>& shares_;
  const PublishedMiscounts& miscounts_;
  std::size_t router_ = 0;
  std::optional<LoopNest> first_add_;
  std::map<LoopNest, EnergyEstimate> energies_;
  ModelCost cost_;
  double steps_ = 0;  // of all products so far
};

constexpr StepEnergy kFloatStep = {kFloat32Energy.multiply, kFloat32Energy.add};

void Counter::linear(const std::string& name, int64_t rows, int64_t in, int64_t out, bool shift) {
  if (rows == 0) return;
  const LoopNest nest = {
      .kind = shift ? StepKind::kShift : StepKind::kMultiply, .batch = rows, .in = in, .out = out};
  const bool int8 = shift && options_.int8_activations;
  const double weight = shift ? shift_weight_bytes(options_.format) : kFloatBytes;
  const StepEnergy unit = int8    ? StepEnergy{kInt8Energy.shift, kInt32Energy.add}
                          : shift ? StepEnergy{kInt32Energy.shift, kInt32Energy.add}
                                  : kFloatStep;
  product(name, nest, unit,
          weight * as_double(in * out) + kFloatBytes * as_double(out) +
              (int8 ? 1 : kFloatBytes) * as_double(rows * in) +
              kFloatBytes * as_double(rows * out));
  // Quantising the input, and the one scale of each output.
  if (int8) other(name, rows * (in + out), 0);
}

// body(name, rows, shift), once, or for both experts behind their router.
template <class Body>
void Counter::layer(const std::string& name, LayerKind kind, int64_t tokens, int64_t width,
                    Body body) {
  if (kind != LayerKind::kMixture) return body(name, tokens, kind == LayerKind::kShift);
  const bool fixed = options_.gate == GateKind::kFixedSplit;
  const double share = shares_[router_++];
  const auto shifted =
      fixed ? tokens / 2 : static_cast<int64_t>(std::nearbyint(share * as_double(tokens)));
  if (!fixed) {
    linear(name_of_router(name), tokens, width, 2, false);
    other(name_of_router(name), 2 * tokens, 0);  // softmax
  }
  body(name_of_expert(name, kMultExpert), tokens - shifted, false);
  body(name_of_expert(name, kShiftExpert), shifted, true);
  if (options_.gate == GateKind::kProbability) multiply_each(name + ".gate", tokens * width);
}

void Counter::linear(const LinearSpec& spec, int64_t tokens) {
  layer(spec.name, spec.kind, tokens, spec.in,
        [&](const std::string& name, int64_t rows, bool shift) {
          linear(name, rows, spec.in, spec.out, shift);
        });
}

// Each value times another: its token's probability, its channel's factor.
void Counter::multiply_each(const std::string& name, int64_t values) {
  OpCounts counts;
  counts.multiplications = values;
  counts.bytes = 2 * kFloatBytes * as_double(values);
  counts.unit_millijoules = 1e-9 * kFloat32Energy.multiply * as_double(values);
  counts.eyeriss = energy_of({.batch = values});
  if (miscounts_.elementwise_latency_missing) counts.eyeriss.milliseconds = 0;
  add(name, counts);
}

// Factors that are no part of the weights before them.
void Counter::scale(const BlockSpec& block, const std::string& name, Layer layer) {
  if (!name.empty() && !folds_scale(block, layer))
    multiply_each(name, block.tokens() * block.width);
}

// The activation, and the product of the two halves where it is gated.
void Counter::hidden(const MlpSpec& mlp, const std::string& name, int64_t rows) {
  const int64_t values = rows * mlp.fc2.in;
  if (rows == 0) return;
  if (mlp.activation == HiddenActivation::kSwiGlu) multiply_each(name, values);
  other(name, values, 0);
}

void Counter::softmax_attention(const AttentionSpec& attention, int64_t n, int64_t m) {
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
  if (codes || !miscounts_.softmax_products_free)
    product(name + ".q_k", first, unit, inputs + kFloatBytes * scores);
  other(name + ".softmax", 2 * h * n * m + values, 2 * kFloatBytes * scores);
  if (!miscounts_.softmax_products_free)
    product(name + ".attention_v", second, kFloatStep,
            kFloatBytes * (scores + as_double((n + m) * h * d)));
}

void Counter::linear_attention(const AttentionSpec& attention, int64_t n) {
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
  product(name + ".k_v", {.kind = kind, .batch = h * d, .in = n, .out = d}, unit,
          code + value + state);
  product(name + ".q_kv", {.kind = kind, .batch = h * n, .in = d, .out = d}, unit,
          code + value + state + kFloatBytes * as_double(values));
  // v / 2, the sum's scale, its square, its normalisation; the quantisation of v.
  other(name + ".normalise", (int8 ? 5 : 4) * values, 0);
}

// A code of two bits adds a number, and that number doubled.
void Counter::window_attention(const AttentionSpec& attention, const PatchGrid& grid) {
  constexpr int64_t kBits = 2;
  const std::string& name = attention.name;
  const int64_t h = attention.heads, d = attention.head_dim, n = grid.tokens();
  const int64_t values = n * h * d;
  const bool int8 = attention.values == ValueFormat::kInt8;
  const StepEnergy sum = {0, int8 ? kInt32Energy.add : kFloat32Energy.add};
  const double codes = kBits * kCodeBytes * as_double(values);
  const double value = (int8 ? 1 : kFloatBytes) * as_double(values);
  const double state = kFloatBytes * as_double(h * d * d);
  product(name + ".k_v", {.kind = StepKind::kAdd, .batch = h * d, .in = kBits * n, .out = d}, sum,
          codes + value + state);
  product(name + ".q_kv", {.kind = StepKind::kAdd, .batch = h * n, .in = kBits * d, .out = d}, sum,
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
    product(concat(name, ".window_", size, ".q_k"),
            {.kind = StepKind::kAdd, .batch = h * queries, .in = kBits * kBits * d, .out = size},
            {0, kInt8Energy.add},
            kBits * kCodeBytes * as_double((queries + size) * h * d) + kFloatBytes * scores);
    product(concat(name, ".window_", size, ".v"), {.batch = h * queries, .in = size, .out = d},
            kFloatStep, kFloatBytes * (scores + as_double((queries + size) * h * d)));
  }
  // Each weight's exponential, difference and sum; the sum of v, the two products and the division
  // of what is read; the quantisation of v.
  other(name + ".weights", 3 * weights + (int8 ? 5 : 4) * values,
        2 * kFloatBytes * as_double(weights));
}

void Counter::local_convolution(const FilterSpec& filter, int64_t d, const Grid& grid) {
  const int64_t h = filter.heads, patches = grid.count();
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
  const double value = options_.values == ValueFormat::kInt8 ? 1 : kFloatBytes;
  product(filter.name, nest, kFloatStep,
          (value + kFloatBytes) * as_double(patches * h * d) +
              kFloatBytes * as_double(element_count(filter.shape())));
}

void Counter::routed_mlp(const MlpSpec& mlp, int64_t tokens) {
  layer(mlp.name, LayerKind::kMixture, tokens, mlp.fc1.in,
        [&](const std::string& name, int64_t rows, bool shift) {
          linear(concat(name, ".", mlp.fc1.name), rows, mlp.fc1.in, mlp.fc1.out, shift);
          this->hidden(mlp, name + "." + name_of(mlp.activation), rows);
          linear(concat(name, ".", mlp.fc2.name), rows, mlp.fc2.in, mlp.fc2.out, shift);
        });
}

void Counter::convolution(const ConvSpec& conv, int64_t places) {
  linear(conv.name, places, conv.inputs(), conv.out, false);
}

void Counter::depthwise(const DepthwiseSpec& spec, const Grid& grid) {
  const int64_t values = grid.count() * spec.width;
  product(spec.name,
          {.batch = spec.width,
           .in_height = grid.height,
           .in_width = grid.width,
           .out_height = grid.height,
           .out_width = grid.width,
           .kernel = spec.kernel},
          kFloatStep,
          kFloatBytes * as_double(2 * values + spec.width * (spec.kernel * spec.kernel + 1)));
}

void Counter::norm(const NormSpec& norm, int64_t tokens) {
  const int64_t values = tokens * norm.width;
  other(norm.name, 2 * values, 2 * kFloatBytes * as_double(values));
}

void Counter::block(const BlockSpec& block) {
  const AttentionSpec& attention = block.attention;
  const MlpSpec& mlp = block.mlp;
  const auto* apart = std::get_if<SeparateKv>(&attention.projection);
  const int64_t tokens = block.tokens();
  norm(block.norm1, tokens);
  for (const LinearPlace& place : linear_layers(block)) {
    if (place.layer == Layer::kKv && apart->reduction) {
      convolution(*apart->reduction, place.tokens());
      if (apart->reduction_norm) norm(*apart->reduction_norm, place.tokens());
    }
    if (place.layer == Layer::kProj && attention.local) {
      linear_attention(attention, tokens);
      local_convolution(*attention.local, attention.head_dim, block.grid);
    } else if (place.layer == Layer::kProj && attention.has_window()) {
      window_attention(attention, {block.grid.height, block.grid.width, block.prefix});
    } else if (place.layer == Layer::kProj) {
      softmax_attention(attention, tokens, block.key_tokens());
    }
    if (place.layer == Layer::kFc1) norm(block.norm2, tokens);
    if (place.layer == Layer::kFc2) {
      if (mlp.depthwise) depthwise(mlp.named(*mlp.depthwise), block.grid);
      hidden(mlp, mlp.name + "." + name_of(mlp.activation), tokens);
    }
    linear(place.spec, place.tokens());
    if (place.layer == Layer::kProj) scale(block, block.scale1, Layer::kScale1);
    if (place.layer == Layer::kFc2) scale(block, block.scale2, Layer::kScale2);
  }
  if (!mlp.routed) return;
  norm(block.norm2, tokens);
  routed_mlp(mlp, tokens);
  scale(block, block.scale2, Layer::kScale2);
}

// What is read of the tokens, one row, on its way to the answer.
void Counter::readout() {
  if (network_.pooling != Pooling::kClassToken) {
    const LevelSpec& last = network_.levels.back();
    other("mean", last.grid.count() * last.width(), 0);
  }
  if (network_.fc_norm) norm(*network_.fc_norm, 1);
  for (const auto* each :
       {&network_.pre_logits, &network_.projection, &network_.head, &network_.distilled_head})
    if (*each) linear((*each)->name, 1, (*each)->in, (*each)->out, false);
  if (network_.pre_logits) other(network_.pre_logits->name + ".tanh", network_.pre_logits->out, 0);
}

ModelCost Counter::run() {
  for (const LevelSpec& level : network_.levels) {
    convolution(level.patches, level.grid.count());
    if (level.patch_norm) norm(*level.patch_norm, level.grid.count());
    if (level.token_norm) norm(*level.token_norm, level.tokens());
    for (const BlockSpec& each : level.blocks) block(each);
    if (level.norm) norm(*level.norm, level.tokens());
  }
  if (network_.norm) norm(*network_.norm, network_.levels.back().tokens());
  readout();

  cost_.weight_bytes = deployed_bytes(network_);
  return std::move(cost_);
}

}  // namespace

OpCounts& OpCounts::operator+=(const OpCounts& more) {
  multiplications += more.multiplications;
  additions += more.additions;
  shifts += more.shifts;
  other += more.other;
  bytes += more.bytes;
  unit_millijoules += more.unit_millijoules;
  eyeriss.millijoules += more.eyeriss.millijoules;
  eyeriss.milliseconds += more.eyeriss.milliseconds;
  return *this;
}

double deployed_bytes(const Network& network) {
  double bytes = 0;
  const ShiftFormat format = network.options.format;
  for (const Parameter& parameter : parameters_of(network)) {
    const double numbers = as_double(element_count(parameter.shape));
    if (parameter.folds) continue;
    if (!parameter.is_shift()) {
      bytes += kFloatBytes * numbers;
    } else if (parameter.role != Role::kShiftSign) {  // packed together with its power
      bytes += shift_weight_bytes(format) * numbers;
      if (format == ShiftFormat::k4Bit) bytes += kRowExponentBytes * as_double(parameter.shape[0]);
    }
  }
  return bytes;
}

ModelCost count_operations(const Network& network, const std::vector<double>& shift_shares,
                           const PublishedMiscounts& miscounts) {
  const std::vector<Router> routers = routers_of(network);
  if (shift_shares.size() != routers.size())
    throw user_error("[count] ", shift_shares.size(), " shares for ", routers.size(),
                     " routers: give one for each");
  for (std::size_t i = 0; i < routers.size(); ++i)
    if (!(shift_shares[i] >= 0 && shift_shares[i] <= 1))
      throw user_error("[count] the share of ", routers[i].name, " is ", shift_shares[i],
                       ": expected a number from 0 to 1");
  return Counter(network, shift_shares, miscounts).run();
}
ModelCost count_operations(const ModelSpec& spec, const std::vector<double>& shift_shares,
                           const PublishedMiscounts& miscounts) {
  return count_operations(network_of(spec), shift_shares, miscounts);
}

}  // namespace shiftadd
