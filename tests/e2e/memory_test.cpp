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

/// Runs the command where 6 GB can be addressed, however large the machine is.
ProcessResult limited(std::vector<std::string> command, const std::string& folder,
                      const std::string& input = "", const std::string& limit = "6000000000") {
  command.insert(command.begin(), {"prlimit", "--as=" + limit});
  return test::run(command, input, {}, folder);
}

/// A model file of some MiB whose images are large: 4096 pixels, a million tokens.
std::string large_model(const test::TemporaryFolder& folder, int64_t hidden) {
  ModelFile model;
  model.spec = named_spec("vit_micro");
  model.spec.image_size = 4096, model.spec.patch_size = 4, model.spec.width = 4;
  model.spec.depth = model.spec.heads = 1, model.spec.mlp_hidden = hidden, model.spec.classes = 2;
  model.preprocess.crop = model.preprocess.resize = 4096;
  for (const Parameter& info : parameters_of(model.spec))
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
           {{"model.width=16384", "model.heads=1", "model.mlp_hidden=65536", "model.depth=6"},
            "model.width"},
           {{"model.depth=16384", "model.width=256", "model.heads=1", "model.mlp_hidden=1024"},
            "model.depth"},
           {{"model.image_size=16384", "model.patch_size=8192", "data.prefetch=1024",
             "data.workers=1", "train.batch=1", "data.repeated_augmentation=1"},
            "data.prefetch"},
           {{"model.image_size=8192", "model.patch_size=1", "model.checkpoint_blocks=true",
             "model.width=192"},
            "model.image_size"}}) {
    std::vector<std::string> arguments;
    for (const std::string& set : each.set) arguments.insert(arguments.end(), {"--set", set});
    CAPTURE(each.key);
    check_refused(limited(folder.command("a", arguments), folder.path()), each.key);
    CHECK_FALSE(std::filesystem::exists(folder / "a"));
    arguments.push_back("--dry-run");
    check_refused(limited(folder.command("a", arguments), folder.path()), each.key);
  }
  const std::vector<std::string> stages = {
      "--set",
      R"(stages=[{"train": {"epochs": 1}}, {"model": {"image_size": 16384, "patch_size": 1},
                 "init": {"checkpoint": ""}}])"};
  const ProcessResult stage = limited(folder.command("a", stages), folder.path());
  check_refused(stage, "stage stage2: ");
  check_refused(stage, "limit on address space (ulimit -v)");
}

TEST_CASE("shiftadd-infer refuses threads and batches for which there is no memory") {
  const test::TemporaryFolder folder;
  const std::string infer = test::program("shiftadd-infer");
  test::write_text(folder / "image.bmp", test::bitmap(40, 40, 1));
  const std::string wide = large_model(folder, 16384), slim = large_model(folder, 4);
  check_refused(limited({infer, wide, folder / "image.bmp", "--threads", "1024"}, folder.path()),
                "--threads");
  std::string list;
  for (int i = 0; i < 50'000; ++i) list += folder / "image.bmp" + "\n";
  check_refused(
      limited({infer, slim, "-", "--batch", "50000", "--threads", "1"}, folder.path(), list),
      "--batch");
}

TEST_CASE("shiftadd-bench refuses networks and batches for which there is no memory") {
  const test::TemporaryFolder folder;
  const auto bench = [&](const std::string& sizes, std::vector<std::string> arguments) {
    test::write_text(folder / "net.json", "{\"base\": \"vit_micro\", " + sizes + "}");
    arguments.insert(arguments.begin(), {test::program("shiftadd-bench")});
    arguments.insert(arguments.begin() + 2, folder / "net.json");
    arguments.insert(arguments.end(), {"--threads", "1"});
    return limited(arguments, folder.path());
  };
  const std::string pixels = R"("image_size": 16384, "patch_size": 1)",
                    usual = R"("image_size": 2048, "patch_size": 256)";
  check_refused(bench(pixels, {"model"}), "image_size");
  check_refused(bench(pixels, {"model", "--train"}), "image_size");
  check_refused(bench(R"("width": 16384, "heads": 1)", {"model"}), "width");
  check_refused(bench(usual, {"model", "--batch", "65536"}), "--batch");
  check_refused(bench(usual, {"model", "--train", "--batch", "65536"}), "train.batch");
  const std::string mixtures =
      R"("image_size": 4096, "patch_size": 4, "shift_add": {"blocks": [{"mlp": "mixture"}, )"
      R"({"mlp": "mixture"}]})";
  check_refused(bench(mixtures, {"latency", "--batch", "65536", "--out", folder / "latency.json"}),
                "--batch");
}

TEST_CASE("threads that the system refuses are an error, not a crash") {
  const TrainFolder folder;
  REQUIRE(folder.train("drawn", {"--set", "train.max_steps=1"}).status == 0);
  const auto refused = [&](const std::vector<std::string>& arguments) {
    const ProcessResult result = limited(arguments, folder.path(), "", "4700000000");
    CHECK_MESSAGE(result.status == 1, result.err);
    CHECK_MESSAGE(contains(result.err, " threads could be started ("), result.err);
    return result.err;
  };
  CHECK(contains(refused(folder.command("a", {"--threads", "1024"})), "of 1023 threads"));
  CHECK(contains(refused(folder.command("a", {"--threads", "1", "--set", "data.workers=256"})),
                 "lower data.workers"));
  const std::string model = folder / "drawn/model.safetensors";
  CHECK(contains(refused({test::program("shiftadd-infer"), model, "--eval", folder / "set/val",
                          "--threads", "1", "--workers", "1024"}),
                 "lower --workers"));
  CHECK(contains(refused({test::program("shiftadd-infer"), model, "--eval", folder / "set/val",
                          "--threads", "1024", "--workers", "1"}),
                 "lower --threads"));
}
