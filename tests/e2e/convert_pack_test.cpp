// shiftadd-convert --pack as a process: a trained model in, the one that is deployed out.
#include <filesystem>

#include "tests/e2e/infer_support.h"
#include "tests/infer/shift_add_models.h"

using namespace shiftadd;
using test::contains;
using test::InferFolder;
using test::ProcessResult;

namespace {

ProcessResult convert(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), test::program("shiftadd-convert"));
  return test::run(arguments);
}

}  // namespace

TEST_CASE("a plain network is packed, compared on images, and run") {
  const InferFolder folder;
  const std::string set = folder.labelled("val", test::micro_classes(), 3);
  for (const char* format : {"float32", "bf16", "int8"}) {
    const std::string out = folder / (std::string(format) + ".safetensors");
    const ProcessResult result =
        convert({folder.model_path(), "--pack", format, "--calibrate", set, "--out", out});
    CHECK_MESSAGE(result.status == 0, result.err);
    CHECK(contains(result.out, "21 images: top-1 "));
    CHECK(contains(result.err, "wrote " + out));
    const ProcessResult run = test::run({test::program("shiftadd-infer"), out, "--eval", set});
    CHECK_MESSAGE(run.status == 0, run.err);
    CHECK(contains(run.out, "top-1"));
  }
  CHECK(contains(convert({folder.model_path(), "--pack", "float32", "--calibrate", set, "--out",
                          folder / "again.safetensors"})
                     .out,
                 "the same first class on 100.00 %; logits differ by at most 0.00000"));
  CHECK(std::filesystem::file_size(folder / "int8.safetensors") * 2 <
        std::filesystem::file_size(folder / "float32.safetensors"));
}

TEST_CASE("a converted network is packed with its routers' shares") {
  const InferFolder folder;
  ModelFile model = test::golden_shift_add(true);
  model.classes = test::micro_classes();
  const std::string in = folder / "trained.safetensors", out = folder / "packed.safetensors";
  save_model(in, model);
  const std::string set = folder.labelled("val", test::micro_classes(), 2);
  const ProcessResult result =
      convert({in, "--pack", "shiftadd", "--multiply", "int8", "--calibrate", set, "--out", out});
  CHECK_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.out, "blocks.1.mlp: "));
  const ModelFile packed = load_any_model(out);
  REQUIRE(packed.pack.has_value());
  CHECK(packed.pack->multiply == MultiplyFormat::kInt8);
  REQUIRE(packed.pack->shift_shares.size() == 2);
  CHECK(packed.pack->shift_shares[0] >= 0);
  CHECK(packed.pack->shift_shares[0] <= 1);
}

TEST_CASE("what cannot be packed is a user's error, and leaves no file") {
  const InferFolder folder;
  const std::string shifted = folder / "shifted.safetensors", out = folder / "out.safetensors";
  save_model(shifted, test::golden_shift_add(true));
  const auto refused = [&](std::vector<std::string> arguments, const std::string& reason) {
    arguments.insert(arguments.end(), {"--out", out});
    const ProcessResult result = convert(arguments);
    CHECK(result.status == 2);
    CHECK_MESSAGE(contains(result.err, reason), result.err);
    CHECK(!std::filesystem::exists(out));
  };
  refused({folder.model_path(), "--pack", "shiftadd"}, "expected --pack int8, bf16 or float32");
  refused({shifted, "--pack", "int8"}, "expected --pack shiftadd");
  refused({folder.model_path(), "--pack", "int4"}, "int4");
  refused({folder.model_path(), "--pack", "int8", "--multiply", "int8"}, "--multiply is of");
  refused({folder.model_path(), "--multiply", "int8"}, "--pack");
  refused({folder.model_path(), "--pack", "int8", "--arch", "vit_micro"}, "--arch is of no use");
  refused({folder.model_path(), "--pack", "int8", "--calibrate", folder / "none"}, "none");
  REQUIRE(
      convert({folder.model_path(), "--pack", "int8", "--out", folder / "p.safetensors"}).status ==
      0);
  refused({folder / "p.safetensors", "--pack", "int8"}, "a packed model");
}
