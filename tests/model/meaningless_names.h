// Names that say nothing, and what must not change with them.
#pragma once

#include <cstring>

#include "infer/cpu_engine.h"
#include "model/op_count.h"
#include "tests/model/family_checks.h"

namespace shiftadd::test {

/// The network with another name for every layer; `next` counts them.
inline Network meaningless(Network network, int& next) {
  const auto rename = [&next](std::string& name) {
    if (!name.empty()) name = concat("x", next++);
  };
  const auto rename_spec = [&](auto& spec) {
    if (spec) rename(spec->name);
  };
  for (LevelSpec& level : network.levels) {
    rename(level.class_token), rename(level.distillation_token), rename(level.registers);
    rename(level.positions), rename(level.patches.name);
    rename_spec(level.patch_norm), rename_spec(level.token_norm), rename_spec(level.norm);
    for (BlockSpec& block : level.blocks) {
      AttentionSpec& attention = block.attention;
      rename(block.name), rename(block.norm1.name), rename(block.norm2.name);
      rename(block.scale1), rename(block.scale2);
      rename(attention.name), rename(attention.proj.name), rename_spec(attention.local);
      if (auto* apart = std::get_if<SeparateKv>(&attention.projection)) {
        rename(apart->q.name), rename(apart->kv.name);
        rename_spec(apart->reduction), rename_spec(apart->reduction_norm);
      } else {
        rename(std::get<FusedQkv>(attention.projection).qkv.name);
      }
      rename(block.mlp.name), rename(block.mlp.fc1.name), rename(block.mlp.fc2.name);
      rename_spec(block.mlp.depthwise);
    }
  }
  rename_spec(network.norm), rename_spec(network.fc_norm), rename_spec(network.pre_logits);
  rename_spec(network.projection), rename_spec(network.head), rename_spec(network.distilled_head);
  return network;
}

inline void check_same_values(const NamedTensors& a, const NamedTensors& b, const char* what) {
  CAPTURE(what);
  REQUIRE(a.size() == b.size());
  int64_t other = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Tensor &x = a[i].second, &y = b[i].second;
    other += x.dtype() != y.dtype() || x.shape() != y.shape() ||
             std::memcmp(x.raw(), y.raw(), x.bytes()) != 0;
  }
  CHECK(other == 0);
}

/// What became of a network: all that must be the same whatever its layers are called.
struct Outcome {
  NamedTensors carried, transferred, packed;
  std::vector<double> rates, decays;
  OpCounts counts;
  std::vector<uint8_t> choices;
  Tensor logits;
};
inline Outcome outcome_of(const Network& plain, const Network& adds, const Network& mixed) {
  Outcome outcome;
  layers::Model dense(plain, {}, 1), first(adds, {}, 1), second(mixed, {}, 1);
  train::OptimizerConfig config;
  config.layer_decay = 0.5;
  const train::Optimizer optimizer(config, second.named_parameters(), parameters_of(mixed));
  for (std::size_t i = 0; i < optimizer.parameters().size(); ++i) {
    outcome.rates.push_back(optimizer.lr_scale(i));
    outcome.decays.push_back(optimizer.weight_decay(i));
  }
  NamedTensors weights = dense.state_dict();
  layers::rescale_attention(plain, adds, images_for(plain, 2).value(), weights);
  first.load_state_dict(layers::carry_weights(plain, adds, weights, 1));
  train::transfer_attention(
      first, dense, [&] { return images_for(plain, 2).value(); }, {.steps = 3},
      std::atomic<bool>(false));
  for (const auto& [name, tensor] : first.state_dict())
    outcome.transferred.emplace_back(name, tensor.clone());
  outcome.carried = layers::carry_weights(adds, mixed, outcome.transferred, 1);
  const PackSpec pack = pack_in("int8");
  outcome.packed = pack_weights(parameters_of(mixed), mixed.options, outcome.carried, pack);
  const std::vector<Router> routers = routers_of(mixed);
  outcome.counts = count_operations(mixed, std::vector<double>(routers.size(), 0.4)).total;
  outcome.choices.resize(static_cast<std::size_t>(2 * routed_tokens(routers)));
  outcome.logits = Tensor({2, mixed.outputs()});
  infer::CpuEngine engine(mixed, pack, outcome.packed);
  engine.run(images_for(mixed, 2).value().data<float>(), 2, outcome.logits.data<float>(),
             outcome.choices.data());
  return outcome;
}

/// Optimizer groups, surgery, transfer, packing, counts, routing and answers do not read names.
inline void check_names_do_not_matter(const Network& plain, const Network& adds,
                                      const Network& mixed) {
  int next = 0;
  const Outcome a = outcome_of(plain, adds, mixed),
                b = outcome_of(meaningless(plain, next), meaningless(adds, next),
                               meaningless(mixed, next));
  CHECK(next > 3 * 10);
  check_same_values(a.carried, b.carried, "surgery");
  check_same_values(a.transferred, b.transferred, "transfer");
  check_same_values(a.packed, b.packed, "packing");
  CHECK(a.rates == b.rates);
  CHECK(a.decays == b.decays);
  CHECK(a.counts.multiplications == b.counts.multiplications);
  CHECK(a.counts.additions == b.counts.additions);
  CHECK(a.counts.shifts == b.counts.shifts);
  CHECK(a.counts.other == b.counts.other);
  CHECK(a.counts.bytes == b.counts.bytes);
  CHECK(a.counts.eyeriss.millijoules == b.counts.eyeriss.millijoules);
  CHECK(a.choices == b.choices);
  check_same_values({{"", a.logits}}, {{"", b.logits}}, "logits");
}

}  // namespace shiftadd::test
