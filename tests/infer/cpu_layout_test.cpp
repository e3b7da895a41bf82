// The arena of the CPU engine: the values of a plan, and the scratch of its steps.
#include "infer/cpu_layout.h"

#include "tests/support/routed_spec.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::infer;

TEST_CASE("a converted network's arena has room for gathered tokens and int8 inputs") {
  const auto floats = [](const ModelSpec& spec, const PackSpec& pack) {
    return CpuLayout(plan_of(network_of(spec), pack, false), 1).floats;
  };
  const ModelSpec dense = named_spec("deit_tiny_patch16_224"), spec = test::converted_deit();
  const int64_t plain = floats(dense, {}), values = spec.tokens() * spec.width;
  // Beside the plain network's 6 times the residual stream: the MLP's tokens sorted by expert, and
  // its hidden values as int8, a quarter of 4 times the stream.
  const int64_t converted = floats(spec, {});
  CHECK(converted >= plain + 2 * values);
  CHECK(converted < plain + 2 * values + 4 * spec.tokens() + 4 * spec.width + 1024);
  // Experts that both multiply integers share the tokens' int8 numbers.
  PackSpec pack;
  pack.multiply = MultiplyFormat::kInt8;
  const int64_t packed = floats(spec, pack);
  CHECK(packed >= converted + values / 4);
  CHECK(packed < converted + values / 4 + 2 * spec.tokens() + 1024);
}

TEST_CASE("scratch of a step shares no memory with the values that the step touches") {
  ModelSpec spec = named_spec("vit_micro");
  spec.shift_add.int8_activations = true;
  spec.shift_add.codes = Codes::kUnitHead;
  spec.shift_add.blocks = {
      {AttentionKind::kLinearAdd, LayerKind::kMixture, LayerKind::kShift, LayerKind::kMixture},
      {AttentionKind::kSoftmax, LayerKind::kShift, LayerKind::kMixture, LayerKind::kShift}};
  for (const char* format : {"float32", "int8"}) {
    const CpuLayout layout(plan_of(network_of(spec), pack_in(format), true), 3);
    for (std::size_t i = 0; i < layout.plan.steps.size(); ++i) {
      const Step& step = layout.plan.steps[i];
      CAPTURE(step.name);
      const Scratch sizes = scratch_of(layout.plan, step, 3);
      for (const auto part : kScratchParts)
        for (const BufferId id : buffers_of(step)) {
          const Buffer& buffer = layout.plan.buffers[static_cast<std::size_t>(id)];
          const int64_t begin = layout.scratch[i].*part, end = begin + sizes.*part;
          const int64_t other = layout.offsets[static_cast<std::size_t>(id)];
          if (sizes.*part == 0 || buffer.storage != Storage::kValues) continue;
          CHECK((end <= other || other + 3 * buffer.rows * buffer.columns <= begin));
          CHECK(end <= layout.floats);
        }
    }
  }
}
