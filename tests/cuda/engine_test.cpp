// Whole networks on the host executor: the CPU engine's answers.
#include "tests/cuda/engine_test.h"

#include <algorithm>
#include <cmath>

#include "tests/support/routed_spec.h"

using namespace shiftadd;
using namespace shiftadd::test;

TEST_CASE("forms of attention, layers and MLPs that are shipped give the CPU's bits") {
  for (const AttentionKind attention :
       {AttentionKind::kSoftmax, AttentionKind::kSoftmaxAdd, AttentionKind::kLinearAdd})
    for (const LayerKind mlp : {LayerKind::kMultiply, LayerKind::kShift, LayerKind::kMixture})
      compare(shipped(attention, mlp), "int8", 0);
}

TEST_CASE("hybrids, dense int8 and dense bf16 in batches of 1, 3 and 33") {
  ModelSpec dense = shipped(AttentionKind::kSoftmax, LayerKind::kMultiply);
  dense.shift_add = {};
  ModelSpec hybrid = shipped(AttentionKind::kSoftmaxAdd, LayerKind::kMixture);
  hybrid.shift_add.blocks.front() = {.attention = AttentionKind::kLinearAdd,
                                     .qkv = LayerKind::kShift,
                                     .proj = LayerKind::kShift,
                                     .mlp = LayerKind::kShift};
  hybrid.shift_add.blocks.back().qkv = LayerKind::kMultiply;
  for (const int64_t batch : {1, 3, 33}) {
    compare(dense, "int8", 0, batch);
    compare(dense, "bf16", 0.05, batch);
    compare(hybrid, "int8", 0, batch);
  }
}

TEST_CASE("gates, fixed splits and mixtures of single layers give the CPU's bits") {
  for (const GateKind gate :
       {GateKind::kStraightThrough, GateKind::kProbability, GateKind::kFixedSplit}) {
    ModelSpec spec = shipped(AttentionKind::kSoftmaxAdd, LayerKind::kMixture);
    spec.shift_add.gate = gate;
    compare(spec, "int8", 0);
    for (BlockKinds& block : spec.shift_add.blocks) block.qkv = block.proj = LayerKind::kMixture;
    compare(spec, "int8", 0);
  }
}

TEST_CASE("products of floats and bf16 make the same choices and stay within their bound") {
  for (const AttentionKind attention :
       {AttentionKind::kSoftmax, AttentionKind::kSoftmaxAdd, AttentionKind::kLinearAdd})
    for (const LayerKind mlp : {LayerKind::kMultiply, LayerKind::kMixture}) {
      compare(shipped(attention, mlp), "float32", 1e-4);
      compare(shipped(attention, mlp), "bf16", 0.05);
    }
}

TEST_CASE("linear attention in floats makes the same choices and stays within its bound") {
  for (const char* format : {"int8", "float32"}) {
    const ModelFile packed = pack_model(test::golden_shift_add(false), pack_in(format));
    infer::CpuEngine cpu = cpu_engine(packed);
    cuda::CudaEngine gpu = cuda_engine(packed);
    for (const int64_t batch : {1, 3, 33}) {
      const Tensor images = test::random_images(packed.spec, batch, 5);
      const Answers expected = answers_of(cpu, images, true),
                    actual = answers_of(gpu, images, true);
      INFO(std::string(format), ", batch ", batch);
      CHECK(distance(actual.logits, expected.logits) <= 1e-4);
      CHECK(actual.choices == expected.choices);
    }
  }
  compare(shipped(AttentionKind::kLinear, LayerKind::kMixture), "float32", 1e-4);
}

TEST_CASE("plain networks of odd sizes, in each format") {
  for (const ModelSpec& spec : test::odd_specs()) {
    compare(spec, "int8", 0);
    compare(spec, "float32", 1e-4);
    compare(spec, "bf16", 0.05);
  }
}

TEST_CASE("a share that is forced is the CPU's") {
  const ModelFile packed =
      pack_model(test::random_model(shipped(AttentionKind::kSoftmaxAdd, LayerKind::kMixture), 3),
                 pack_in("int8"));
  infer::CpuEngine cpu = cpu_engine(packed);
  cuda::CudaEngine gpu = cuda_engine(packed);
  const Tensor images = test::random_images(packed.spec, 1, 4);
  for (const double share : {-1.0, 0.0, 0.62, 1.0}) {
    cpu.force_shift_share(share);
    gpu.force_shift_share(share);
    const Answers expected = answers_of(cpu, images, true), actual = answers_of(gpu, images, true);
    CHECK(same_logits(actual, expected));
    CHECK(actual.choices == expected.choices);
  }
}

TEST_CASE("after the first call of a size nothing is allocated, and answers alone are waited for") {
  const ModelFile packed =
      pack_model(test::random_model(shipped(AttentionKind::kSoftmaxAdd, LayerKind::kMixture), 3),
                 pack_in("int8"));
  cuda::CudaEngine gpu = cuda_engine(packed);
  const Tensor images = test::random_images(packed.spec, 130, 4);
  const Answers first = answers_of(gpu, images, false);
  const shiftadd_device_counters before = gpu.counters();
  const Answers again = answers_of(gpu, images, false);
  const shiftadd_device_counters after = gpu.counters();
  CHECK(same_logits(again, first));
  CHECK(after.allocations == before.allocations);
  CHECK(after.launches == before.launches);  // of kernels one by one
  CHECK(after.graph_launches == before.graph_launches + 3);
  CHECK(after.synchronisations == before.synchronisations + 3);

  cuda::CudaEngine shared = gpu.share();
  CHECK(same_logits(answers_of(shared, images, false), first));
}

TEST_CASE("ShiftAdd DeiT-T at 224 pixels gives the CPU's bits") {
  ModelSpec spec = test::converted_deit();
  spec.shift_add.codes = Codes::kBipolar2;
  spec.shift_add.values = ValueFormat::kInt8;
  for (BlockKinds& block : spec.shift_add.blocks) block.attention = AttentionKind::kSoftmaxAdd;
  const ModelFile packed = pack_model(test::random_model(spec, 3), pack_in("int8"));
  infer::CpuEngine cpu = cpu_engine(packed);
  cuda::CudaEngine gpu = cuda_engine(packed);
  const Tensor images = test::random_images(spec, 1, 4);
  const Answers expected = answers_of(cpu, images, true), actual = answers_of(gpu, images, true);
  CHECK(same_logits(actual, expected));
  CHECK(actual.choices == expected.choices);
}

TEST_CASE("DeiT-T takes four launches a block and four besides, as the device counts them") {
  ModelSpec mixed = test::converted_deit();
  mixed.shift_add.values = ValueFormat::kInt8;
  for (const ModelSpec& spec : {mixed, named_spec("deit_tiny_patch16_224")}) {
    const ModelFile packed = pack_model(test::random_model(spec, 3), pack_in("int8"));
    cuda::CudaEngine gpu = cuda_engine(packed);
    const Tensor images = test::random_images(spec, 1, 4);
    const shiftadd_device_counters before = gpu.counters();
    answers_of(gpu, images, false);
    const shiftadd_device_counters first = gpu.counters();
    CHECK(first.launches - before.launches > 0);
    CHECK(first.launches - before.launches <= static_cast<uint64_t>(4 * spec.depth + 4));
    answers_of(gpu, images, false);
    CHECK(gpu.counters().allocations == first.allocations);
    CHECK(gpu.counters().synchronisations == first.synchronisations + 1);
  }
}
