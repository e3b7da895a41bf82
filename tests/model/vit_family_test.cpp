// The plain vision transformer, resolved, goes through what every family must do.
#include "tests/model/meaningless_names.h"

using namespace shiftadd;

namespace {

Network vit(AttentionKind attention, LayerKind layers, LayerKind mlp, Codes codes = Codes::kSign,
            ValueFormat values = ValueFormat::kFloat) {
  ModelSpec spec = named_spec("vit_micro");
  spec.shift_add.int8_activations = true;
  spec.shift_add.codes = codes;
  spec.shift_add.values = values;
  spec.shift_add.blocks.assign(static_cast<std::size_t>(spec.depth),
                               {attention, layers, layers, mlp});
  return network_of(spec);
}

const Network kPlain = vit(AttentionKind::kSoftmax, LayerKind::kMultiply, LayerKind::kMultiply);
const Network kAdds = vit(AttentionKind::kLinearAdd, LayerKind::kMultiply, LayerKind::kMultiply);
const Network kMixed = vit(AttentionKind::kLinearAdd, LayerKind::kMixture, LayerKind::kMixture);

}  // namespace

TEST_CASE("vit: trained, converted in both stages, packed, run, counted, drawn") {
  test::check_stages(kPlain, kAdds, kMixed);
}

TEST_CASE("vit: attention on codes of two bits, with a softmax and with a window") {
  for (const AttentionKind kind : {AttentionKind::kSoftmaxAdd, AttentionKind::kLinearAdd})
    for (const ValueFormat values : {ValueFormat::kFloat, ValueFormat::kInt8}) {
      CAPTURE(name_of(kind));
      const auto with = [&](LayerKind layers) {
        return vit(kind, layers, layers, Codes::kBipolar2, values);
      };
      test::check_stages(kPlain, with(LayerKind::kMultiply), with(LayerKind::kMixture), 1e-6);
    }
}

TEST_CASE("vit: nothing depends on what layers are called") {
  test::check_names_do_not_matter(kPlain, kAdds, kMixed);
}

TEST_CASE("vit: a router for each layer of an MLP, with every gate") {
  for (const GateKind gate :
       {GateKind::kStraightThrough, GateKind::kProbability, GateKind::kFixedSplit}) {
    Network network = kMixed;
    network.options.gate = gate;
    for (BlockSpec& block : network.levels[0].blocks) block.mlp.routed = false;
    const layers::Model model(network, {}, 1);
    CHECK(routers_of(network).size() == 8);
    test::check_engine(model, {"float32"});
  }
}
