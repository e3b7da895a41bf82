// shiftadd-infer --features as a process: what the head reads, of networks with and without one.
#include <cmath>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "model/pack.h"
#include "tests/e2e/infer_support.h"

using namespace shiftadd;
using nlohmann::json;
using test::contains;
using test::InferFolder;
using test::ProcessResult;

namespace {

constexpr int64_t kWidth = 48, kClasses = 7;  // of vit_micro

json features_of(const InferFolder& folder, const std::string& model, const std::string& image) {
  const ProcessResult result =
      test::run({test::program("shiftadd-infer"), folder / model, image, "--features", "--json"});
  INFO(result.err);
  REQUIRE(result.status == 0);
  const json list = parse_json(result.out);
  REQUIRE(list.size() == 1);
  CHECK(list[0].at("file") == image);
  return list[0].at("features");
}

}  // namespace

TEST_CASE("features: the head's answer to them is the network's") {
  const InferFolder folder;
  const std::string image = folder.image("photo.bmp", 60, 70, 3);
  const json features = features_of(folder, "model.safetensors", image);
  REQUIRE(features.size() == kWidth);
  REQUIRE(folder.infer({image, "--dump", folder / "dump.safetensors"}).status == 0);
  const Tensor logits = read_safetensors(folder / "dump.safetensors").at("logits");
  const ModelFile model = load_model(folder.model_path());
  const std::map<std::string, Tensor> weights(model.weights.begin(), model.weights.end());
  for (int64_t c = 0; c < kClasses; ++c) {
    double logit = weights.at("head.bias").data<float>()[c];
    for (int64_t i = 0; i < kWidth; ++i)
      logit += static_cast<double>(weights.at("head.weight").data<float>()[kWidth * c + i]) *
               features[static_cast<std::size_t>(i)].get<double>();
    CHECK(logits.data<float>()[c] == doctest::Approx(logit).epsilon(1e-5));
  }
}

TEST_CASE("features: a network without a head has the same, and needs --features") {
  const InferFolder folder;
  const std::string image = folder.image("photo.bmp", 60, 70, 3);
  const ModelFile model = load_model(folder.model_path());
  save_model(folder / "headless.safetensors", without_head(model));
  CHECK(features_of(folder, "headless.safetensors", image) ==
        features_of(folder, "model.safetensors", image));
  save_model(folder / "packed.safetensors", pack_model(model, pack_in("int8")));
  save_model(folder / "both.safetensors", pack_model(without_head(model), pack_in("int8")));
  CHECK(features_of(folder, "packed.safetensors", image) ==
        features_of(folder, "both.safetensors", image));
  folder.labelled("set", test::micro_classes(), 1);
  for (const std::vector<std::string>& use :
       {std::vector<std::string>{image}, {"--eval", folder / "set"}}) {
    std::vector<std::string> command = {test::program("shiftadd-infer"),
                                        folder / "headless.safetensors"};
    command.insert(command.end(), use.begin(), use.end());
    const ProcessResult result = test::run(command);
    CHECK(result.status == 2);
    CHECK(contains(result.err, "the network has no head, and so no classes: --features"));
  }
}

TEST_CASE("features: lines, dumps, broken images") {
  const InferFolder folder;
  const std::string a = folder.image("a.bmp", 60, 70, 3), b = folder.image("b.bmp", 30, 20, 4);
  test::write_text(folder / "c.bmp", "BMxx");
  const ProcessResult result =
      folder.infer({a, folder / "c.bmp", b, "--features", "--dump", folder / "dump.safetensors"});
  CHECK(result.status == 2);
  CHECK(contains(result.err, "c.bmp"));
  const TensorFile dump = read_safetensors(folder / "dump.safetensors");
  CHECK(dump.at("input").shape() == Shape{2, 3, 64, 64});
  const Tensor& features = dump.at("features");
  REQUIRE(features.shape() == Shape{2, kWidth});
  std::istringstream lines(result.out);
  int64_t row = 0;
  for (std::string line; std::getline(lines, line); ++row) {
    const std::string& file = row == 0 ? a : b;
    REQUIRE(line.starts_with(file + "\t"));
    std::istringstream numbers(line.substr(file.size() + 1));
    int64_t count = 0;
    for (std::string text; numbers >> text; ++count)  // reads back to the same bits
      CHECK(std::strtof(text.c_str(), nullptr) == features.data<float>()[kWidth * row + count]);
    CHECK(count == kWidth);
  }
  CHECK(row == 2);
  const json list = parse_json(folder.infer({folder / "c.bmp", a, "--features", "--json"}).out);
  REQUIRE(list.size() == 2);
  CHECK(list[0].at("file") == folder / "c.bmp");
  CHECK(list[0].contains("error"));
  for (std::size_t i = 0; i < kWidth; ++i)
    CHECK(list[1].at("features")[i].get<float>() == features.data<float>()[i]);
}

TEST_CASE("features: no classes go with them, and no distilled network has them") {
  const InferFolder folder;
  const std::string image = folder.image("photo.bmp", 60, 70, 3);
  folder.labelled("set", test::micro_classes(), 1);
  for (const std::vector<std::string>& use : {std::vector<std::string>{"--eval", folder / "set"},
                                              {image, "--top-k", "3"},
                                              {image, "--routing", folder / "r.png"}}) {
    std::vector<std::string> arguments = use;
    arguments.emplace_back("--features");
    const ProcessResult result = folder.infer(arguments);
    CHECK(result.status == 2);
    CHECK(contains(result.err, "--features prints what the head reads, and no classes"));
  }
  ModelSpec spec = named_spec("vit_micro");
  spec.distillation = true;
  save_model(folder / "distilled.safetensors", test::random_model(spec, 2));
  const ProcessResult result = test::run(
      {test::program("shiftadd-infer"), folder / "distilled.safetensors", image, "--features"});
  CHECK(result.status == 2);
  CHECK(contains(result.err, "is distilled: its two heads read two tokens"));
}
