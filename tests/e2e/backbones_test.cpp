// Checkpoints as their publishers write them: from the file to the publisher's numbers, and on
// through a fine-tuning and both stages to the packed network.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "infer/session.h"
#include "layers/model.h"
#include "model/model_file.h"
#include "tests/support/support.h"

using namespace shiftadd;
using nlohmann::json;
using test::ProcessResult;

namespace {

// {"name", "file", "heads", "spec"} of each; none where they are not there.
std::vector<json> backbones() {
  if (test::shared_path("golden/backbones").empty()) return {};
  const json index = parse_json(read_text(test::golden_folder() + "/backbones/INDEX.json"));
  return {index.begin(), index.end()};
}

std::string path_of(const std::string& file) {
  return test::golden_folder() + "/backbones/" + file;
}

// What the file cannot tell: heads, of a width that is no multiple of 64; CLIP's activation.
ProcessResult convert(const json& backbone, const std::string& out,
                      const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {test::program("shiftadd-convert"),
                                    path_of(backbone.at("file")),
                                    "--heads",
                                    std::to_string(backbone.at("heads").get<int>()),
                                    "--out",
                                    out};
  const std::string activation = backbone.at("spec").at("act");
  if (activation != "gelu") words.insert(words.end(), {"--activation", activation});
  words.insert(words.end(), more.begin(), more.end());
  return test::run(words);
}

Tensor graph_answers(const ModelFile& file, const Tensor& images) {
  layers::Model model(file.spec, {}, 0);
  model.load_state_dict(file.weights);
  const autograd::NoGradGuard no_grad;
  return model.forward(autograd::Variable(images), {}).value();
}

Tensor engine_answers(const ModelFile& file, const Tensor& images) {
  infer::Session session(file);
  const Tensor answers({images.dim(0), session.outputs()});
  session.run(images.data<float>(), images.dim(0), answers.data<float>());
  return answers;
}

// The publisher's numbers for the publisher's image, from the graph and from the engine.
void check_answers(const std::string& model, const std::string& golden_file) {
  const TensorFile golden = read_safetensors(golden_file);
  const auto& [name, expected] =
      *std::find_if(golden.tensors.begin(), golden.tensors.end(),
                    [](const auto& each) { return each.first.starts_with("out."); });
  const Tensor images = golden.at("in.image").to(DType::kF32);
  const ModelFile file = load_model(model);
  CHECK(name == (file.spec.classes ? "out.logits" : "out.features"));
  test::check_close(graph_answers(file, images), expected, 1e-5, "graph");
  test::check_close(engine_answers(file, images), expected, 1e-5, "engine");
}

// A fine-tuning of two steps on twelve classes, and the paper's two stages of one step each.
const char* const kFineTune = R"({
  "name": "tuned", "out": "tuned", "init": {"checkpoint": "net.safetensors", "adapt": true},
  "data": {"synthetic": {"folder": "set", "size": 32, "train_per_class": 2, "val_per_class": 1},
           "preprocess": {"resize": 0}, "workers": 0},
  "train": {"epochs": 1, "batch": 12, "optimizer": {"kind": "adamw", "lr": 1e-3}}})";
const char* const kStages = R"({
  "extends": "tune.json", "name": "stages", "out": "stages",
  "init": {"checkpoint": "tuned/model.safetensors", "adapt": false},
  "surgery": {"value": "int8", "format": "4bit", "activations": "int8"},
  "train": {"batch": 24},
  "stages": [
    {"name": "add", "surgery": {"recipe": ["all: attention=linear_add", "1: attention=softmax_add"],
                                "transfer": {"steps": 2}}},
    {"name": "shift", "surgery": {"recipe": ["all: qkv=shift, proj=shift, mlp=mixture"]},
     "router": {"balance": "latency", "latency": [6, 4]}}]})";

void check_training(const test::TemporaryFolder& folder) {
  test::write_text(folder / "tune.json", kFineTune);
  test::write_text(folder / "stages.json", kStages);
  for (const char* config : {"tune.json", "stages.json"}) {
    const ProcessResult run =
        test::run({test::program("shiftadd-train"), config}, "", {}, folder.path());
    REQUIRE_MESSAGE(run.status == 0, config, run.err);
  }
  const std::string trained = folder / "stages/shift/model.safetensors";
  const ModelFile file = load_model(trained);
  CHECK(file.spec.classes == 12);
  Tensor images({3, file.spec.in_channels, 32, 32});
  for (int64_t i = 0; i < images.numel(); ++i)
    images.data<float>()[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
  const Tensor expected = graph_answers(file, images);
  for (const std::string format : {"float32", "int8"}) {
    const std::string packed = folder / (format + ".safetensors");
    const ProcessResult run = test::run({test::program("shiftadd-convert"), trained, "--pack",
                                         "shiftadd", "--multiply", format, "--out", packed});
    REQUIRE_MESSAGE(run.status == 0, run.err);
    // Where int8 changes a sign or a router's choice by a hair, an answer of so new a head moves
    // far.
    test::check_close(engine_answers(load_any_model(packed), images), expected,
                      format == "float32" ? 0 : 0.25, format);
  }
}

}  // namespace

TEST_CASE("published checkpoints give their publishers' numbers, and learn and are packed") {
  for (const json& backbone : backbones()) {
    const std::string name = backbone.at("name");
    CAPTURE(name);
    const test::TemporaryFolder folder;
    const std::string model = folder / "net.safetensors";
    const ProcessResult result = convert(backbone, model);
    REQUIRE_MESSAGE(result.status == 0, result.err);
    check_answers(model, path_of(name + ".golden.safetensors"));
    check_training(folder);
  }
}

TEST_CASE("positions at another image size are those of the publisher") {
  int found = 0;
  for (const json& backbone : backbones()) {
    const std::string name = backbone.at("name"), golden = path_of(name + ".golden48.safetensors");
    if (!std::filesystem::exists(golden)) continue;
    CAPTURE(name);
    ++found;
    const test::TemporaryFolder folder;
    const std::string model = folder / "net.safetensors";
    const ProcessResult result = convert(backbone, model, {"--image-size", "48"});
    REQUIRE_MESSAGE(result.status == 0, result.err);
    check_answers(model, golden);
  }
  if (!backbones().empty()) CHECK(found == 3);
}
