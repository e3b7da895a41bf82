// Work for which no machine has the memory is refused by every program before it begins.
#include <filesystem>

#include "core/io/files.h"
#include "tests/e2e/infer_support.h"
#include "tests/e2e/train_support.h"

using namespace shiftadd;
using test::contains;
using test::ProcessResult;
using test::TrainFolder;

namespace {

/// The estimate, what there is, and the key.
void check_refused(const ProcessResult& result, const std::string& key) {
  CHECK_MESSAGE(result.status == 2, result.err);
  for (const std::string& part : {std::string(" needs about "), std::string(" GiB of memory ("),
                                  std::string(", but "), std::string(": lower "), key})
    CHECK_MESSAGE(contains(result.err, part), result.err);
  CHECK(result.out.empty());
}

/// A model file of some MiB whose images are large: 4096 pixels, a million tokens.
std::string large_model(const test::TemporaryFolder& folder, int64_t hidden) {
  ModelFile model;
  model.spec = named_spec("vit_micro");
  model.spec.image_size = 4096, model.spec.patch_size = 4, model.spec.width = 4;
  model.spec.depth = model.spec.heads = 1, model.spec.mlp_hidden = hidden, model.spec.classes = 2;
  model.preprocess.resize = model.preprocess.crop = 4096;
  for (const ParameterInfo& info : parameters_of(model.spec))
    model.weights.emplace_back(info.name, Tensor::zeros(info.shape));
  const std::string path = folder / concat("model", hidden, ".safetensors");
  save_model(path, model);
  return path;
}

}  // namespace

TEST_CASE("training of any size too large is refused, and names what to lower") {
  const TrainFolder folder;
  REQUIRE(folder.train("drawn", {"--set", "train.max_steps=1"}).status == 0);
  struct Case {
    std::vector<std::string> set;
    std::string key;
  };
  for (const Case& each : std::vector<Case>{
           {{"model.image_size=16384", "model.patch_size=1"}, "model.image_size"},
           {{"model.image_size=16384", "model.patch_size=8", "train.batch=288"}, "train.batch"},
           {{"model.width=16384", "model.heads=1", "model.mlp_hidden=65536", "model.depth=2048"},
            "model.width"},
           {{"model.depth=16384", "model.width=4096", "model.heads=1"}, "model.depth"},
           {{"model.image_size=16384", "model.patch_size=8192", "data.prefetch=1024",
             "data.workers=1", "train.batch=1", "data.repeated_augmentation=1"},
            "data.prefetch"},
           {{"model.image_size=8192", "model.patch_size=1", "model.checkpoint_blocks=true",
             "model.width=3072"},
            "model.image_size"}}) {
    std::vector<std::string> arguments;
    for (const std::string& set : each.set) arguments.insert(arguments.end(), {"--set", set});
    CAPTURE(each.key);
    const ProcessResult result = folder.train("a", arguments);
    check_refused(result, each.key);
    CHECK_FALSE(std::filesystem::exists(folder / "a"));
    arguments.push_back("--dry-run");
    check_refused(folder.train("a", arguments), each.key);
  }
  const ProcessResult stage =
      folder.train("a", {"--set", "init.checkpoint=", "--set",
                         R"(stages=[{"train": {"epochs": 1}}, {"model": {"image_size": 16384,
            "patch_size": 1}, "init": {"checkpoint": ""}}])"});
  check_refused(stage, "stage stage2: ");
}

TEST_CASE("a limit of the process counts as much as the machine's memory") {
  const TrainFolder folder;
  REQUIRE(folder.train("drawn", {"--set", "train.max_steps=1"}).status == 0);
  std::vector<std::string> command = {"prlimit", "--as=3000000000"};
  for (const std::string& word :
       folder.command("a", {"--set", "model.image_size=1024", "--set", "model.patch_size=4",
                            "--set", "train.batch=16", "--threads", "1"}))
    command.push_back(word);
  check_refused(test::run(command, "", {}, folder.path()), "limit on address space (ulimit -v)");
}

TEST_CASE("shiftadd-infer refuses threads and batches for which there is no memory") {
  const test::TemporaryFolder folder;
  const std::string infer = test::program("shiftadd-infer");
  test::write_text(folder / "image.bmp", test::bitmap(40, 40, 1));
  const std::string wide = large_model(folder, 16384), slim = large_model(folder, 4);
  check_refused(test::run({infer, wide, folder / "image.bmp", "--threads", "1024"}), "--threads");
  std::string list;
  for (int i = 0; i < 50'000; ++i) list += folder / "image.bmp" + "\n";
  check_refused(test::run({infer, slim, "-", "--batch", "50000", "--threads", "1"}, list),
                "--batch");
}

TEST_CASE("shiftadd-bench refuses networks and batches for which there is no memory") {
  const test::TemporaryFolder folder;
  const auto bench = [&](const std::string& sizes, std::vector<std::string> arguments) {
    test::write_text(folder / "net.json", "{\"base\": \"vit_micro\", " + sizes + "}");
    arguments.insert(arguments.begin(), {test::program("shiftadd-bench")});
    arguments.insert(arguments.begin() + 2, folder / "net.json");
    return test::run(arguments);
  };
  const std::string pixels = R"("image_size": 16384, "patch_size": 1)",
                    usual = R"("image_size": 4096, "patch_size": 1024)";
  check_refused(bench(pixels + R"(, "width": 16384)", {"model"}), "image_size");
  check_refused(bench(pixels, {"model", "--train"}), "image_size");
  check_refused(bench(R"("width": 16384, "heads": 1, "depth": 2000)", {"model"}), "width");
  check_refused(bench(usual, {"model", "--batch", "65536"}), "--batch");
  check_refused(bench(usual, {"model", "--train", "--batch", "65536"}), "train.batch");
  check_refused(
      bench(
          R"("image_size": 4096, "patch_size": 4, "shift_add": {"blocks": [{"mlp": "mixture"}, {"mlp": "mixture"}]})",
          {"latency", "--batch", "65536", "--out", folder / "latency.json"}),
      "--batch");
}
