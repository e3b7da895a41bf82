// Networks of every structure that a publisher's has, dense and converted: the CPU engine's
// answers.
#include "tests/cuda/engine_test.h"

using namespace shiftadd;
using namespace shiftadd::test;

namespace {

struct Structure {
  const char* name;
  void (*apply)(ModelSpec&);
};

constexpr Structure kStructures[] = {
    {"no class token, mean of patches",
     [](ModelSpec& spec) {
       spec.class_token = false;
       spec.pooling = Pooling::kMean;
       spec.fc_norm = true;
       spec.final_norm = false;
     }},
    {"mean of patches beside a class token",
     [](ModelSpec& spec) { spec.pooling = Pooling::kMean; }},
    {"class token and mean", [](ModelSpec& spec) { spec.pooling = Pooling::kClassTokenAndMean; }},
    {"distilled", [](ModelSpec& spec) { spec.distillation = true; }},
    {"registers and factors a channel",
     [](ModelSpec& spec) {
       spec.registers = 4;
       spec.layer_scale = true;
     }},
    {"positions of patches alone",
     [](ModelSpec& spec) { spec.positions = PositionScope::kPatches; }},
    {"norm of the embedding, no bias of patches, projection",
     [](ModelSpec& spec) {
       spec.embedding_norm = true;
       spec.patch_bias = false;
       spec.projection = 24;
     }},
    {"the same without a class token",
     [](ModelSpec& spec) {
       spec.embedding_norm = true;
       spec.class_token = false;
       spec.pooling = Pooling::kMean;
     }},
    {"norms behind the sums", [](ModelSpec& spec) { spec.post_norm = true; }},
    {"no bias of qkv", [](ModelSpec& spec) { spec.qkv_bias = QkvBias::kNone; }},
    {"a dense layer before the head", [](ModelSpec& spec) { spec.pre_logits = 20; }},
    {"no head", [](ModelSpec& spec) { spec.classes = 0; }},
};

}  // namespace

TEST_CASE("networks of every structure, converted, give the CPU's bits") {
  for (const Structure& structure : kStructures)
    for (const AttentionKind attention : {AttentionKind::kSoftmaxAdd, AttentionKind::kLinearAdd}) {
      ModelSpec spec = shipped(attention, LayerKind::kMixture);
      structure.apply(spec);
      spec.name = structure.name;
      compare(spec, "int8", 0);
    }
}

TEST_CASE("a router that reads the patches' norm waits until its counts are 0") {
  ModelSpec spec = shipped(AttentionKind::kSoftmaxAdd, LayerKind::kMixture);
  spec.class_token = false;
  spec.pooling = Pooling::kMean;
  for (BlockKinds& block : spec.shift_add.blocks) block.qkv = LayerKind::kMixture;
  const ModelFile packed = pack_model(random_model(spec, 3), pack_in("int8"));
  infer::CpuEngine cpu = cpu_engine(packed);
  const Tensor images = random_images(spec, 33, 4);
  const Answers expected = answers_of(cpu, images, true);
  in_each_order(spec.tokens(), [&] {
    cuda::CudaEngine gpu = cuda_engine(packed);
    const Answers actual = answers_of(gpu, images, true);
    CHECK(same_logits(actual, expected));
    CHECK(actual.choices == expected.choices);
  });
}

TEST_CASE("networks of every structure, dense, in each format") {
  for (const Structure& structure : kStructures) {
    ModelSpec spec = shipped(AttentionKind::kSoftmax, LayerKind::kMultiply);
    spec.shift_add = {};
    structure.apply(spec);
    spec.name = structure.name;
    compare(spec, "int8", 0);
    compare(spec, "float32", 1e-4);
    compare(spec, "bf16", 0.05);
  }
}
