// Every checkpoint format of the golden network gives the golden logits.
#include <filesystem>

#include "core/io/weights_file.h"
#include "infer/session.h"
#include "model/convert.h"
#include "tests/support/support.h"

using namespace shiftadd;

TEST_CASE("the five vit_micro checkpoints give the golden logits") {
  const TensorFile golden = test::golden_model("vit_micro");
  const ModelSpec spec = named_spec("vit_micro");
  const Tensor images = golden.at("golden.in.image").to(DType::kF32);
  int found = 0;
  for (const char* suffix : {".safetensors", ".pth", ".legacy.pth", ".half.pth", ".views.pth"}) {
    CAPTURE(suffix);
    const std::string path = test::golden_folder() + "/models/vit_micro" + suffix;
    if (!std::filesystem::exists(path)) continue;  // tests/golden holds fewer
    ++found;
    Conversion conversion = convert_weights(read_weights(path), spec);
    REQUIRE(conversion.problems.empty());
    ModelFile model;
    model.spec = spec;
    model.weights = std::move(conversion.weights);
    infer::Session session(std::move(model));
    Tensor logits({images.dim(0), spec.classes});
    session.run(images.data<float>(), images.dim(0), logits.data<float>());
    const bool half = std::string(suffix) == ".half.pth";
    test::check_close(logits, golden.at("golden.out.logits"), half ? 4e-3 : 1e-5, suffix);
  }
  CHECK(found >= 1);
}
