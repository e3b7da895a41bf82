// The inference session and the trainable network of one ModelSpec give the same logits.
#include <doctest/doctest.h>

#include "autograd/variable.h"
#include "infer/session.h"
#include "layers/model.h"
#include "tests/infer/models.h"
#include "tests/support/support.h"

using namespace shiftadd;

TEST_CASE("session and layers::Model agree") {
  std::vector<ModelSpec> specs = test::odd_specs();
  specs.push_back(named_spec("vit_micro"));
  specs.push_back(named_spec("vit_cifar"));
  for (const ModelSpec& spec : specs) {
    CAPTURE(spec.name);
    const ModelFile model = test::random_model(spec, 7);
    layers::Model vit(spec, {}, 1);
    vit.load_state_dict(model.weights);
    infer::Session session(model);
    const Tensor images = test::random_images(spec, 3, 8);
    Tensor logits({3, spec.classes});
    session.run(images.data<float>(), 3, logits.data<float>());
    const autograd::NoGradGuard no_grad;
    test::check_close(logits, vit.forward(autograd::Variable(images), {}).value(), 1e-5, "logits");
  }
}
