// Gray images that are no squares, through every program.
#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "model/model_file.h"
#include "tests/e2e/train_support.h"

using namespace shiftadd;

namespace {

std::string checked(const test::ProcessResult& result) {
  INFO(result.err);
  REQUIRE(result.status == 0);
  return result.out;
}

}  // namespace

TEST_CASE("a network for gray images that are no squares trains, converts, packs and answers") {
  const test::TrainFolder folder;
  const auto program = [&](const std::string& name, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), test::program(name));
    return test::run(arguments, "", {}, folder.path());
  };
  const auto trained =
      folder.train("run", {"--set", "model.image_size=[16,24]", "--set", "model.in_channels=1",
                           "--set", "train.epochs=1", "--set", "train.max_steps=2"});
  checked(trained);
  CHECK(test::contains(trained.err, "images of 16x24 gray pixels in patches of 4"));
  const ModelFile model = load_model(folder / "run/model.safetensors");
  CHECK(model.spec.image_size == Grid{16, 24});
  CHECK(model.preprocess.crop == Grid{16, 24});
  CHECK(model.preprocess.mean == std::vector<float>{0.449F});

  const std::string file = "run/model.safetensors";
  checked(program("shiftadd-convert", {file, "--pack", "int8", "--out", "packed.safetensors"}));
  for (const std::string& each : {file, std::string("packed.safetensors")}) {
    const auto json =
        parse_json(checked(program("shiftadd-infer", {each, "--eval", "set/val", "--json"})));
    CHECK(json.at("images").get<int>() > 0);
  }
  checked(program("shiftadd-bench", {"model", file, "--seconds", "0"}));
  // It goes on at another size, with positions of another shape.
  const auto larger = folder.train(
      "larger", {"--set", "init.checkpoint=run/model.safetensors", "--set", "init.adapt=true",
                 "--set", "model.image_size=[24,16]", "--set", "train.epochs=1", "--set",
                 "train.max_steps=2", "--set", "model.position_resize=antialias"});
  checked(larger);
  CHECK(
      test::contains(larger.err, "positions interpolated (antialias) from 4 x 6 to 6 x 4 patches"));
}
