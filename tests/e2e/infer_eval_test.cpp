// shiftadd-infer --eval as a process: figures, files, classes that do not fit, stored logits of a
// real network.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/safetensors.h"
#include "tests/e2e/infer_support.h"

using namespace shiftadd;
using nlohmann::json;
using test::contains;
using test::InferFolder;
using test::ProcessResult;

TEST_CASE("an evaluation's figures follow from its dumped logits") {
  const InferFolder folder;
  const std::string set = folder.labelled("val", test::micro_classes(), 3);
  const ProcessResult result =
      folder.infer({"--eval", set, "--json", "--dump", folder / "dump.safetensors", "--confusion",
                    folder / "confusion.csv"});
  CHECK_MESSAGE(result.status == 0, result.err);
  const json out = parse_json(result.out);
  CHECK(out["images"] == 21);
  CHECK(out["images_per_second"].get<double>() > 0);
  const TensorFile dump = read_safetensors(folder / "dump.safetensors");
  const Tensor logits = dump.at("logits"), labels = dump.at("labels");
  REQUIRE(logits.shape() == Shape{21, 7});
  REQUIRE(labels.shape() == Shape{21});
  int right = 0, near = 0;
  double loss = 0;
  for (int64_t i = 0; i < 21; ++i) {
    const float* row = logits.data<float>() + 7 * i;
    const int64_t label = labels.data<int64_t>()[i];
    CHECK(label == i / 3);
    const auto above = std::count_if(row, row + 7, [&](float other) { return other > row[label]; });
    right += above == 0, near += above < 5;
    double sum = 0;
    for (int64_t c = 0; c < 7; ++c) sum += std::exp(static_cast<double>(row[c]));
    loss += std::log(sum) - row[label];
  }
  CHECK(out["top1"].get<double>() == doctest::Approx(100.0 * right / 21));
  CHECK(out["top5"].get<double>() == doctest::Approx(100.0 * near / 21));
  CHECK(out["loss"].get<double>() == doctest::Approx(loss / 21));
  CHECK(out["per_class"].size() == 7);
  const std::string csv = read_text(folder / "confusion.csv");
  CHECK(csv.starts_with("true,ant,bee,cat,dog,elk,fox,gnu\nant,"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 8);
}

TEST_CASE("without --json an evaluation prints a table a class a line") {
  const InferFolder folder;
  const std::string set = folder.labelled("val", test::micro_classes(), 1);
  const ProcessResult result = folder.infer({"--eval", set});
  CHECK_MESSAGE(result.status == 0, result.err);
  for (const char* part : {"images", "top-1", "top-5", "loss", "ant ", "gnu "})
    CHECK(contains(result.out, part));
}

TEST_CASE("broken images are named and left out of the figures") {
  const InferFolder folder;
  const std::string set = folder.labelled("val", test::micro_classes(), 2);
  test::write_text(set + "/cat/broken.jpg", "no image");
  const ProcessResult result = folder.infer({"--eval", set, "--json"});
  CHECK(result.status == 2);
  CHECK(contains(result.err, "cat/broken.jpg"));
  const json out = parse_json(result.out);
  CHECK(out["images"] == 14);
  CHECK(out["broken"] == 1);
}

TEST_CASE("of no images there is no rate") {
  const InferFolder folder;
  const std::string set = folder.labelled("val", test::micro_classes(), 1);
  std::filesystem::remove(set + "/ant/0.bmp");
  std::filesystem::remove(set + "/ant");
  for (const char* name : {"bee", "cat", "dog", "elk", "fox", "gnu"})
    test::write_text(set + "/" + name + "/0.bmp", "no image");
  const json out = parse_json(folder.infer({"--eval", set, "--json"}).out);
  CHECK(out["images"] == 0);
  for (const char* figure : {"top1", "top5", "loss"}) CHECK(out[figure].is_null());
  for (const json& each : out["per_class"]) CHECK(each["top1"].is_null());
  const ProcessResult table = folder.infer({"--eval", set, "--confusion", folder / "c.csv"});
  for (const char* line : {"top-1    -\n", "top-5    -\n", "loss     -\n"})
    CHECK_MESSAGE(contains(table.out, line), table.out);
  CHECK(contains(read_text(folder / "c.csv"), "ant,0,0,0,0,0,0,0\n"));
}

TEST_CASE("a set with other classes is refused, naming the differences") {
  const InferFolder folder;
  std::vector<std::string> classes = test::micro_classes();
  classes[2] = "cow";
  const ProcessResult result = folder.infer({"--eval", folder.labelled("other", classes, 1)});
  CHECK(result.status == 2);
  CHECK(contains(result.err, "cow"));
  CHECK(contains(result.err, "cat"));
  CHECK(result.out.empty());
}

TEST_CASE("a model without class names is held to the number of classes") {
  const InferFolder folder;
  const std::string unnamed = folder / "unnamed.safetensors";
  save_model(unnamed, test::random_model(named_spec("vit_micro"), 1));
  const std::string infer = test::program("shiftadd-infer");
  CHECK(test::run({infer, unnamed, "--eval", folder.labelled("seven", test::micro_classes(), 1)})
            .status == 0);
  const ProcessResult two =
      test::run({infer, unnamed, "--eval", folder.labelled("two", {"a", "b"}, 1)});
  CHECK(two.status == 2);
  CHECK(contains(two.err, "7"));
  const ProcessResult image = test::run({infer, unnamed, folder.image("x.bmp", 9, 9, 1), "--json"});
  CHECK(image.status == 0);
}

TEST_CASE("sets that cannot be evaluated") {
  const InferFolder folder;
  std::filesystem::create_directories(folder / "empty");
  std::filesystem::create_directories(folder / "hollow/ant");
  for (const char* set : {"empty", "hollow", "none", "none.tar"}) {
    CAPTURE(set);
    const ProcessResult result = folder.infer({"--eval", folder / set});
    CHECK(result.status == 2);
    CHECK(contains(result.err, set));
  }
}

TEST_CASE("the DeiT checkpoint of CIFAR-10 evaluates to its stored logits") {
  const std::string weights = test::shared_path("data/weights/deit_cifar10.pth");
  if (weights.empty()) return;
  const test::TemporaryFolder folder;
  const std::string model = folder / "deit.safetensors";
  const ProcessResult converted =
      test::run({test::program("shiftadd-convert"), weights, "--arch", "vit_cifar", "--preprocess",
                 R"({"resize": 0, "crop": 32})", "--out", model});
  REQUIRE_MESSAGE(converted.status == 0, converted.err);
  const ProcessResult result = test::run({test::program("shiftadd-infer"), model, "--eval",
                                          test::shared_path("data/cifar10/val.tar"), "--json",
                                          "--dump", folder / "logits.safetensors"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const json out = parse_json(result.out);
  const TensorFile stored =
      read_safetensors(test::shared_path("data/weights/deit_cifar10.val_logits.safetensors"));
  const TensorFile ours = read_safetensors(folder / "logits.safetensors");
  CHECK(out["images"] == 5000);
  const Tensor a = ours.at("logits"), b = stored.at("logits");
  REQUIRE(a.shape() == b.shape());
  double worst = 0;
  for (int64_t i = 0; i < a.numel(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a.data<float>()[i]) - b.data<float>()[i]));
  CHECK(worst <= 2e-3);
  CHECK(std::abs(out["top1"].get<double>() - 75.62) <= 0.011);
}
