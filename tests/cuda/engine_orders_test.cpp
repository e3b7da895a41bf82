// A whole network on the host executor in each order of threads, also under the checker: what its
// launches leave to each other is whole and in time.
#include "tests/cuda/engine_test.h"

namespace shiftadd::test {

TEST_CASE("networks in integers give the CPU's bits, in any order of threads") {
  const ModelFile packed = pack_model(golden_shift_add(true), pack_in("int8"));
  infer::CpuEngine cpu = cpu_engine(packed);
  in_each_order(packed.spec.tokens(), [&] {
    cuda::CudaEngine gpu = cuda_engine(packed);
    for (const int64_t batch : {1, 3, 33}) {
      if (is_slow() && batch > 3) continue;
      for (const bool choices : {false, true}) {
        const Tensor images = random_images(packed.spec, batch, 5);
        const Answers expected = answers_of(cpu, images, choices);
        const Answers actual = answers_of(gpu, images, choices);
        INFO("batch ", batch, ", choices ", choices);
        CHECK(same_logits(actual, expected));
        CHECK(actual.choices == expected.choices);
      }
    }
  });
}

}  // namespace shiftadd::test
