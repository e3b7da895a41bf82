// The CUDA engine and the CPU's on one packed model, and what they answer.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cuda/engine.h"
#include "infer/cpu_engine.h"
#include "model/pack.h"
#include "tests/cuda/executor.h"
#include "tests/infer/shift_add_models.h"

namespace shiftadd::test {

struct Answers {
  std::vector<float> logits;
  std::vector<uint8_t> choices;
};

template <class Engine>
Answers answers_of(Engine& engine, const Tensor& images, bool with_choices) {
  const int64_t batch = images.dim(0);
  Answers made;
  made.logits.resize(static_cast<std::size_t>(batch * engine.outputs()));
  made.choices.resize(static_cast<std::size_t>(batch * routed_tokens(engine.routers())));
  engine.run(images.data<float>(), batch, made.logits.data(),
             with_choices ? made.choices.data() : nullptr);
  return made;
}

inline cuda::CudaEngine cuda_engine(const ModelFile& packed, cuda::Device on = device().share()) {
  return cuda::CudaEngine(network_of(packed.spec), *packed.pack, packed.weights, std::move(on));
}
inline infer::CpuEngine cpu_engine(const ModelFile& packed) {
  return infer::CpuEngine(network_of(packed.spec), *packed.pack, packed.weights);
}

inline bool same_logits(const Answers& a, const Answers& b) {
  return a.logits.size() == b.logits.size() &&
         std::memcmp(a.logits.data(), b.logits.data(), a.logits.size() * sizeof(float)) == 0;
}

inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = worse(most, std::abs(static_cast<double>(a[i]) - b[i]));
  return most;
}

/// 26 tokens of width 48, with what the shipped recipe makes of a network.
inline ModelSpec shipped(AttentionKind attention, LayerKind mlp) {
  ModelSpec spec{.name = "shipped",
                 .image_size = 20,
                 .patch_size = 4,
                 .in_channels = 3,
                 .width = 48,
                 .depth = 2,
                 .heads = 3,
                 .mlp_hidden = 100,
                 .classes = 7,
                 .norm_eps = 1e-6,
                 .shift_add = {}};
  ShiftAddSpec& options = spec.shift_add;
  options.codes = Codes::kBipolar2;
  options.values = ValueFormat::kInt8;
  options.int8_activations = true;
  options.blocks.assign(
      2, {.attention = attention, .qkv = LayerKind::kShift, .proj = LayerKind::kShift, .mlp = mlp});
  return spec;
}

/// What is equal in integers is equal bit for bit (bound 0); floats are summed in other orders. The
/// second pass finds the memory as the first one left it.
inline void compare(const ModelSpec& spec, const char* format, double bound, int64_t batch = 5,
                    cuda::Device on = device().share()) {
  const ModelFile packed = pack_model(test::random_model(spec, 3), pack_in(format));
  INFO(spec.name, ", batch ", batch, ", in ", std::string(format), ", attention ",
       spec.shift_add.blocks.empty() ? "softmax" : name_of(spec.shift_add.blocks[0].attention));
  infer::CpuEngine cpu = cpu_engine(packed);
  cuda::CudaEngine gpu = cuda_engine(packed, std::move(on));
  const Tensor images = test::random_images(spec, batch, 4);
  const Answers expected = answers_of(cpu, images, true);
  for (const int pass : {1, 2}) {
    const Answers actual = answers_of(gpu, images, true);
    INFO("pass ", pass);
    if (bound == 0)
      CHECK(same_logits(actual, expected));
    else
      CHECK(distance(actual.logits, expected.logits) <= bound);
    CHECK(actual.choices == expected.choices);
  }
}

}  // namespace shiftadd::test
