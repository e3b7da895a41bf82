// The CUDA engine and the CPU's on one packed model, and what they answer.
#pragma once

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

inline cuda::CudaEngine cuda_engine(const ModelFile& packed) {
  return cuda::CudaEngine(network_of(packed.spec), *packed.pack, packed.weights, device().share());
}
inline infer::CpuEngine cpu_engine(const ModelFile& packed) {
  return infer::CpuEngine(network_of(packed.spec), *packed.pack, packed.weights);
}

inline bool same_logits(const Answers& a, const Answers& b) {
  return a.logits.size() == b.logits.size() &&
         std::memcmp(a.logits.data(), b.logits.data(), a.logits.size() * sizeof(float)) == 0;
}

}  // namespace shiftadd::test
