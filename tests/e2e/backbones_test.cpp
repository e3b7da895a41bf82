// Checkpoints as their publishers write them: from the file to the publisher's numbers, and on
// through a fine-tuning and both stages to the packed network.
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/random.h"
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

// Of the differences, as a share of what is expected.
double root_mean_square_distance(const Tensor& actual, const Tensor& expected) {
  double difference = 0, square = 0;
  for (int64_t i = 0; i < expected.numel(); ++i) {
    const double wanted = expected.data<float>()[i], is = actual.data<float>()[i];
    difference += (is - wanted) * (is - wanted);
    square += wanted * wanted;
  }
  return std::sqrt(difference / square);
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
    const Tensor answers = engine_answers(load_any_model(packed), images);
    if (format == "float32") test::check_close(answers, expected, 0, format);
    // Where int8 changes a sign or a router's choice by a hair, one answer of so new a head moves
    // far.
    CHECK(root_mean_square_distance(answers, expected) < 0.25);
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

// DINOv2-S with registers, as published but for its numbers: 22 million, positions of 37 x 37.
TEST_CASE("a network of DINOv2-S's size runs at its publisher's image size and at a smaller one") {
  ModelSpec spec;
  spec.name = "dinov2_small";
  spec.image_size = 518, spec.patch_size = 14;
  spec.width = 384, spec.heads = 6, spec.mlp_hidden = 1536, spec.classes = 0;
  spec.registers = 4, spec.layer_scale = true;
  spec.positions = PositionScope::kNoRegisters;
  spec.position_resize = PositionResize::kAntialias;
  TensorFile file;
  Random random(7, 0);
  for (const Parameter& parameter : parameters_of(spec)) {
    Tensor values(parameter.shape);
    const bool factor = parameter.role == Role::kNorm || parameter.role == Role::kScale;
    for (float& x : values.span<float>())
      x = static_cast<float>(0.05 * random.normal() + (factor ? 1 : 0));
    file.tensors.emplace_back(parameter.name == "reg_token" ? "register_tokens" : parameter.name,
                              values);
  }
  file.tensors.emplace_back("mask_token", Tensor::zeros({1, spec.width}));
  const test::TemporaryFolder folder;
  const std::string published = folder / "dinov2.safetensors", model = folder / "net.safetensors";
  write_safetensors(published, file);
  for (const int64_t size : {518, 224}) {
    CAPTURE(size);
    const ProcessResult result = test::run({test::program("shiftadd-convert"), published,
                                            "--image-size", std::to_string(size), "--out", model});
    REQUIRE_MESSAGE(result.status == 0, result.err);
    CHECK(test::contains(result.err, "assumed: heads 6"));
    const ModelFile converted = load_model(model);
    spec.image_size = size, spec.name = converted.spec.name;
    CHECK(converted.spec == spec);
    Tensor image({1, 3, size, size});
    for (float& x : image.span<float>()) x = static_cast<float>(random.normal());
    test::check_close(engine_answers(converted, image), graph_answers(converted, image), 0,
                      "features");
  }
}
