// Counts the operations of a network layer by layer.
#include "model/op_count.h"

#include <cmath>

#include "core/tensor.h"
#include "model/attention_cost.h"
#include "model/cost_ledger.h"

namespace shiftadd {
namespace {

constexpr double kRowExponentBytes = 2;

double shift_weight_bytes(ShiftFormat format) { return format == ShiftFormat::k4Bit ? 0.5 : 0.625; }

// Walks over the layers of one network.
class Counter {
 public:
  Counter(const Network& network, const std::vector<double>& shares,
          const PublishedMiscounts& miscounts)
      : network_(network), options_(network.options), shares_(shares), ledger_(miscounts) {}

  ModelCost run();

 private:
  void linear(const std::string& name, int64_t rows, int64_t in, int64_t out, bool shift);
  void linear(const LinearSpec& spec, int64_t rows);
  template <class Body>
  void layer(const std::string& name, LayerKind kind, int64_t tokens, int64_t width, Body body);
  void scale(const BlockSpec& block, const std::string& name, Layer layer);
  void hidden(const MlpSpec& mlp, const std::string& name, int64_t rows);
  void readout();
  void convolution(const ConvSpec& conv, int64_t places);
  void depthwise(const DepthwiseSpec& spec, const Grid& grid);
  void routed_mlp(const MlpSpec& mlp, int64_t tokens);
  void norm(const NormSpec& norm, int64_t tokens);
  void block(const BlockSpec& block);

  const Network& network_;
  const ShiftAddSpec& options_;
  const std::vector<double>& shares_;
  std::size_t router_ = 0;
  CostLedger ledger_;
};

void Counter::linear(const std::string& name, int64_t rows, int64_t in, int64_t out, bool shift) {
  if (rows == 0) return;
  const LoopNest nest = {
      .kind = shift ? StepKind::kShift : StepKind::kMultiply, .batch = rows, .in = in, .out = out};
  const bool int8 = shift && options_.int8_activations;
  const double weight = shift ? shift_weight_bytes(options_.format) : kFloatBytes;
  const StepEnergy unit = int8    ? StepEnergy{kInt8Energy.shift, kInt32Energy.add}
                          : shift ? StepEnergy{kInt32Energy.shift, kInt32Energy.add}
                                  : kFloatStep;
  ledger_.product(name, nest, unit,
                  weight * as_double(in * out) + kFloatBytes * as_double(out) +
                      (int8 ? 1 : kFloatBytes) * as_double(rows * in) +
                      kFloatBytes * as_double(rows * out));
  // Quantising the input, and the one scale of each output.
  if (int8) ledger_.other(name, rows * (in + out), 0);
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
    ledger_.other(name_of_router(name), 2 * tokens, 0);  // softmax
  }
  body(name_of_expert(name, kMultExpert), tokens - shifted, false);
  body(name_of_expert(name, kShiftExpert), shifted, true);
  if (options_.gate == GateKind::kProbability)
    ledger_.multiply_each(name + ".gate", tokens * width);
}

void Counter::linear(const LinearSpec& spec, int64_t tokens) {
  layer(spec.name, spec.kind, tokens, spec.in,
        [&](const std::string& name, int64_t rows, bool shift) {
          linear(name, rows, spec.in, spec.out, shift);
        });
}

// Factors that are no part of the weights before them.
void Counter::scale(const BlockSpec& block, const std::string& name, Layer layer) {
  if (!name.empty() && !folds_scale(block, layer))
    ledger_.multiply_each(name, block.tokens() * block.width);
}

// The activation, and the product of the two halves where it is gated.
void Counter::hidden(const MlpSpec& mlp, const std::string& name, int64_t rows) {
  const int64_t values = rows * mlp.fc2.in;
  if (rows == 0) return;
  if (mlp.activation == HiddenActivation::kSwiGlu) ledger_.multiply_each(name, values);
  ledger_.other(name, values, 0);
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
  ledger_.product(
      spec.name,
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
  ledger_.other(norm.name, 2 * values, 2 * kFloatBytes * as_double(values));
}

void Counter::block(const BlockSpec& block) {
  const MlpSpec& mlp = block.mlp;
  const auto* apart = std::get_if<SeparateKv>(&block.attention.projection);
  const int64_t tokens = block.tokens();
  norm(block.norm1, tokens);
  for (const LinearPlace& place : linear_layers(block)) {
    if (place.layer == Layer::kKv && apart->reduction) {
      convolution(*apart->reduction, place.tokens());
      if (apart->reduction_norm) norm(*apart->reduction_norm, place.tokens());
    }
    if (place.layer == Layer::kProj) count_attention(ledger_, block);
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
    ledger_.other("mean", last.grid.count() * last.width(), 0);
  }
  if (network_.fc_norm) norm(*network_.fc_norm, 1);
  for (const auto* each :
       {&network_.pre_logits, &network_.projection, &network_.head, &network_.distilled_head})
    if (*each) linear((*each)->name, 1, (*each)->in, (*each)->out, false);
  if (network_.pre_logits)
    ledger_.other(network_.pre_logits->name + ".tanh", network_.pre_logits->out, 0);
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

  ModelCost cost = ledger_.cost();
  cost.weight_bytes = deployed_bytes(network_);
  return cost;
}

}  // namespace

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
