// Networks drawn at random, whose sizes, structures and kinds of layers meet as in no list: the CPU
// engine's bits.
#include "tests/cuda/engine_test.h"

using namespace shiftadd;
using namespace shiftadd::test;

namespace {

class Draw {
 public:
  explicit Draw(uint64_t number) : random_(77, number) {}

  int64_t below(int64_t count) {
    return static_cast<int64_t>(random_.below(static_cast<uint64_t>(count)));
  }
  bool once_in(int64_t times) { return below(times) == 0; }
  template <class Enum>
  Enum one_of() {
    return static_cast<Enum>(below(static_cast<int64_t>(kEnumNames<Enum>.size())));
  }

 private:
  Random random_;
};

void draw_structure(Draw& draw, ModelSpec& spec) {
  spec.class_token = !draw.once_in(3);
  spec.distillation = spec.class_token && draw.once_in(6);
  spec.positions = draw.one_of<PositionScope>();
  spec.patch_bias = !draw.once_in(5);
  spec.embedding_norm = draw.once_in(5);
  spec.qkv_bias = draw.one_of<QkvBias>();
  spec.attention_scale = draw.once_in(5) ? 0.1 : 0;
  if (draw.once_in(4)) spec.activation = draw.one_of<HiddenActivation>();
  spec.layer_scale = draw.once_in(4);
  spec.post_norm = draw.once_in(6);
  spec.final_norm = !draw.once_in(4);
  spec.classes = 1 + draw.below(70);
  if (spec.distillation) return;  // its heads read their tokens at once
  spec.registers = draw.once_in(4) ? 1 + draw.below(4) : 0;
  spec.pooling = spec.class_token ? draw.one_of<Pooling>() : Pooling::kMean;
  spec.fc_norm = draw.once_in(5);
  if (draw.once_in(8)) (draw.once_in(2) ? spec.pre_logits : spec.projection) = 1 + draw.below(40);
  if (draw.once_in(10)) spec.classes = 0;
}

// Of layers and attention that compute in integers.
ShiftAddSpec draw_conversion(Draw& draw, int64_t depth) {
  ShiftAddSpec options;
  options.codes = draw.once_in(3) ? Codes::kSign : Codes::kBipolar2;
  options.values = ValueFormat::kInt8;
  options.int8_activations = true;
  options.gate = draw.one_of<GateKind>();
  options.format = draw.one_of<ShiftFormat>();
  options.form = draw.one_of<ShiftForm>();
  options.local = draw.one_of<LocalKind>();
  constexpr AttentionKind kKinds[] = {AttentionKind::kSoftmax, AttentionKind::kSoftmaxAdd,
                                      AttentionKind::kLinearAdd};
  for (int64_t block = 0; block < depth; ++block)
    options.blocks.push_back({.attention = kKinds[draw.below(std::size(kKinds))],
                              .qkv = draw.one_of<LayerKind>(),
                              .proj = draw.one_of<LayerKind>(),
                              .mlp = draw.one_of<LayerKind>()});
  return options;
}

ModelSpec drawn_spec(Draw& draw) {
  constexpr int64_t kHeadDims[] = {8, 16, 17, 24, 32, 33, 40, 48, 64, 65, 80, 96, 127, 128};
  ModelSpec spec;
  spec.patch_size = 1 + draw.below(6);
  spec.image_size = {spec.patch_size * (1 + draw.below(7)), spec.patch_size * (1 + draw.below(7))};
  spec.in_channels = draw.once_in(4) ? 1 + draw.below(4) : 3;
  spec.heads = 1 + draw.below(5);
  spec.width = spec.heads * kHeadDims[draw.below(std::size(kHeadDims))];
  spec.depth = 1 + draw.below(2);
  // Beyond what one kernel keeps of both layers, too.
  spec.mlp_hidden = draw.once_in(5) ? 1400 + draw.below(500) : 1 + draw.below(400);
  draw_structure(draw, spec);
  if (!draw.once_in(5)) spec.shift_add = draw_conversion(draw, spec.depth);
  return spec;
}

// Which kernels run, and how they are cut, depends on the shared memory that a block may have: on
// the host executor that of an A100, an RTX 3090 and an H100 in turn.
cuda::Device device_in_turn(uint64_t number) {
  if (on_gpu()) return device().share();
  constexpr int kArchitectures[] = {80, 86, 90};
  const HostOptions options;
  options->architecture = kArchitectures[number % std::size(kArchitectures)];
  return cuda::Device(device_api(), 0);
}

}  // namespace

TEST_CASE("networks drawn at random give the CPU's bits") {
  for (uint64_t number = 0; number < (is_slow() ? 15 : 90); ++number) {
    Draw draw(number);
    ModelSpec spec = drawn_spec(draw);
    spec.name = concat("drawn ", number, ", width ", spec.width, ", hidden ", spec.mlp_hidden);
    validate(spec);
    compare(spec, "int8", 0, 1 + draw.below(4), device_in_turn(number));
  }
}
