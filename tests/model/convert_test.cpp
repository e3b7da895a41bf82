// Name maps, fitting of tensors to an architecture, class names, model files.
#include "model/convert.h"

#include <nlohmann/json.hpp>

#include "core/class_names.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "model/model_file.h"
#include "tests/model/tiny_weights.h"
#include "tests/support/support.h"

using namespace shiftadd;
using test::mentions;
using test::tensor_of;
using test::tiny_spec;
using test::weights_of;

namespace {

Dialect map_of(const std::string& rules) { return Dialect::parse(rules, "rules.json"); }

// What the rules make of one name; "": it is left out.
std::string renamed(const Dialect& dialect, const std::string& name) {
  const NameUse use = dialect.map.apply({name}).at(0);
  return use.to.empty() ? "" : use.to[0];
}

}  // namespace

TEST_CASE("rename rules match whole names, digits and parts; the first rule counts") {
  const Dialect map = map_of(R"({"description": "x", "rules": [
      {"from": "layer.{N}.mlp.0.{part}", "to": "blocks.{N}.mlp.fc1.{part}"},
      {"from": "layer.{N}.{rest}", "to": "blocks.{N}.{rest}"},
      {"from": "{a}-{N}-{a}", "to": "{N}.{a}"},
      {"from": "aux.{rest}", "ignore": true}]})");
  CHECK(renamed(map, "layer.12.mlp.0.weight") == "blocks.12.mlp.fc1.weight");
  CHECK(renamed(map, "layer.3.norm.bias") == "blocks.3.norm.bias");
  CHECK(renamed(map, "layer.x.norm.bias") == "layer.x.norm.bias");
  CHECK(renamed(map, "layer.3.") == "layer.3.");
  CHECK(renamed(map, "prelayer.3.norm") == "prelayer.3.norm");
  CHECK(renamed(map, "b-7-b") == "7.b");
  CHECK(renamed(map, "b-7-c") == "b-7-c");
  CHECK(renamed(map, "aux.head.weight").empty());
  CHECK(renamed(map, "head.weight") == "head.weight");
}

TEST_CASE("rules that are wrong are refused, named") {
  for (const char* rules : {R"([])",
                            R"({})",
                            R"({"rules": {}})",
                            R"({"rules": [], "x": 1})",
                            R"({"rules": [1]})",
                            R"({"rules": [{"from": "a"}]})",
                            R"({"rules": [{"from": "a", "to": 1}]})",
                            R"({"rules": [{"to": "a"}]})",
                            R"({"rules": [{"from": "a", "to": "{N}"}]})",
                            R"({"rules": [{"from": "a{", "to": "b"}]})",
                            R"({"rules": [{"from": "{}", "to": "b"}]})",
                            R"({"rules": [{"from": "", "to": "b"}]})",
                            R"({"rules": [{"from": "a", "to": "b", "form": "c"}]})",
                            R"({"rules": [{"from": "a", "to": "b", "ignore": true}]})",
                            R"({"rules": [{"from": ["a.{x}", "b.{y}"], "to": "c.{x}"}]})",
                            R"({"rules": [{"from": ["{zeros}"], "to": "c"}]})",
                            R"({"rules": [{"from": "a", "to": ["b", "{zeros}"]}]})",
                            R"({"rules": [{"from": ["a", "b"], "ignore": true}]})",
                            R"({"rules": [{"from": "a", "to": "b", "spec": ["head=3"]}]})",
                            R"({"rules": [{"from": "a", "to": "b", "where": ["c", "d"]}]})",
                            R"({"rules": [], "spec": ["activation=tanh"]})",
                            R"({"rules": [{"from": "{a}{b}{c}{d}{e}{f}{g}", "to": "b"}]})"}) {
    INFO(rules);
    try {
      map_of(rules);
      FAIL_CHECK("accepted");
    } catch (const Error& error) {
      CHECK(error.exit_code() == 2);
      CHECK(std::string(error.what()).find("rules.json") != std::string::npos);
    }
  }
}

TEST_CASE("every shipped mapping is valid") {
  for (const char* name : {"visiontriad", "transformer_encoder"})
    CHECK_NOTHROW(Dialect::load(test::source_folder() + "/configs/mappings/" + name + ".json"));
}

TEST_CASE("a checkpoint that fits is used, under any prefix, whatever lies beside it") {
  const ModelSpec spec = tiny_spec();
  for (const char* prefix : {"", "module.", "model.encoder."}) {
    WeightsFile file = weights_of(spec, prefix);
    file.tensors.emplace_back("ema.head.bias", Tensor::full({3}, 9));
    file.tensors.emplace_back("step", Tensor::full({}, 9));
    file.outside = {"optimizer.x"};
    const Conversion result = convert_weights(file, spec, {});
    CHECK(result.problems.empty());
    CHECK(result.prefix == prefix);
    CHECK(result.count(TensorStatus::kUsed) + result.count(TensorStatus::kRenamed) ==
          parameters_of(spec).size());
    CHECK(result.count(TensorStatus::kUnused) == 3);
    REQUIRE(result.weights.size() == parameters_of(spec).size());
    CHECK(result.weights.back().second.shares_memory(
        tensor_of(file, std::string(prefix) + "head.bias")));
    const std::string text = report_text(result);
    CHECK(text.find("unused    optimizer.x") != std::string::npos);
    CHECK(report_json(result).at("counts").at("unused") == 3);
    CHECK(report_json(result).at("tensors").size() == parameters_of(spec).size() + 3);
  }
}

TEST_CASE("renamed and reshaped tensors are told") {
  const ModelSpec spec = tiny_spec();
  WeightsFile file = weights_of(spec);
  Tensor& positions = tensor_of(file, "pos_embed");
  positions = positions.reshape({5, 4});
  file.tensors[0].first = "token";
  const Conversion result =
      convert_weights(file, spec, {map_of(R"({"rules": [{"from": "token", "to": "cls_token"}]})")});
  CHECK(result.problems.empty());
  CHECK(result.report[0].status == TensorStatus::kRenamed);
  CHECK(result.report[0].source == "token");
  CHECK(result.report[1].status == TensorStatus::kReshaped);
  CHECK(result.weights[1].second.shape() == Shape{1, 5, 4});
}

TEST_CASE("missing, misshapen, doubled and foreign tensors are problems that name both shapes") {
  const ModelSpec spec = tiny_spec();
  WeightsFile file = weights_of(spec);
  file.tensors[0].first = "token";
  CHECK(
      mentions(convert_weights(file, spec, {}), "cls_token is missing: expected shape (1, 1, 4)"));
  file = weights_of(spec);
  tensor_of(file, "head.weight") =
      Tensor::zeros({4, 3});  // transposed: the count agrees, the order does not
  CHECK(mentions(convert_weights(file, spec, {}), "head.weight has shape (4, 3): expected (3, 4)"));
  file = weights_of(spec);
  tensor_of(file, "head.bias") = Tensor::zeros({3}, DType::kI64);
  CHECK(mentions(convert_weights(file, spec, {}), "head.bias has dtype i64"));
  file = weights_of(spec);
  file.tensors.emplace_back("extra", Tensor::zeros({3}));
  CHECK(mentions(
      convert_weights(file, spec, {map_of(R"({"rules": [{"from": "extra", "to": "head.bias"}]})")}),
      "head.bias and extra both become head.bias"));
  ModelSpec deeper = spec;
  deeper.depth = 3;
  CHECK(mentions(convert_weights(weights_of(deeper), spec, {}),
                 "blocks.2.norm1.weight(4,) is left over"));
  CHECK(
      mentions(convert_weights(weights_of(spec), deeper, {}), "blocks.2.mlp.fc2.bias is missing"));
}

TEST_CASE("layers of other transformers are refused, a wrong shape is not reported as used") {
  const ModelSpec spec = tiny_spec();
  WeightsFile file = weights_of(spec);
  file.tensors.emplace_back("norm_pre.weight", Tensor({spec.width}));
  CHECK(mentions(convert_weights(file, spec, {}), "norm_pre.weight(4,) is left over"));
  file = weights_of(spec);
  file.tensors.emplace_back("something_else", Tensor({3}));
  CHECK(mentions(convert_weights(file, spec, {}), "something_else(3,) is left over"));
  ModelSpec wider = spec;
  wider.classes += 1;
  const Conversion wrong = convert_weights(weights_of(spec), wider, {});
  CHECK(wrong.count(TensorStatus::kUnused) == 2);  // head.weight, head.bias
  CHECK(wrong.count(TensorStatus::kUsed) == wrong.report.size() - 2);
}

TEST_CASE("weights that are not finite are refused") {
  const ModelSpec spec = tiny_spec();
  WeightsFile file = weights_of(spec);
  Tensor broken = Tensor::zeros({spec.classes});
  broken.data<float>()[0] = INFINITY;
  file.tensors.back().second = broken;
  CHECK(mentions(convert_weights(file, spec, {}), "head.bias has 1 values that are not finite"));
}

TEST_CASE("class names: lines, tables, mistakes") {
  const test::TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    write_file(folder / "c.txt", text);
    return read_class_names(folder / "c.txt").names;
  };
  using Names = std::vector<std::string>;
  CHECK(read("cat\ndog, hound\r\n\n") == Names{"cat", "dog, hound"});
  CHECK(read("index\twnid\tlabel\n0\tn1\tcat\n1\tn2\tdog") == Names{"cat", "dog"});
  CHECK(read("0\tcat\n1\tdog\n") == Names{"cat", "dog"});
  for (const char* text : {"", "\n\n", "a\n\nb\n", "index\tlabel\n1\tcat\n", "index\tlabel\n0\n",
                           "index\tlabel\n0\t\n", "index\tlabel\n"})
    CHECK_THROWS_AS(read(text), Error);
  write_file(folder / "c.txt", "index\twnid\tlabel\n0\tn1\tcat\n1\tn2\tdog");
  CHECK(read_class_names(folder / "c.txt").ids == Names{"n1", "n2"});
  write_file(folder / "c.txt", "0\tcat\n1\tdog");
  CHECK(read_class_names(folder / "c.txt").ids.empty());
}

TEST_CASE("a model file comes back whole, half precision widened") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "m.safetensors";
  ModelFile model;
  model.spec = tiny_spec();
  model.preprocess.crop = 6;
  model.preprocess.mean = {0.5F, 0.25F, 0.125F};
  model.classes = {"cat", "d\"og", "\xc3\xa9"};
  model.class_ids = {"n1", "n2", "n3"};
  model.weights = weights_of(model.spec).tensors;
  model.weights[0].second = model.weights[0].second.to(DType::kBF16);
  model.weights[1].second = model.weights[1].second.to(DType::kF16);
  save_model(path, model);
  const ModelFile back = load_model(path);
  CHECK(back.spec == model.spec);
  CHECK(back.preprocess == model.preprocess);
  CHECK(back.classes == model.classes);
  CHECK(back.class_ids == model.class_ids);
  REQUIRE(back.weights.size() == model.weights.size());
  for (std::size_t i = 0; i < back.weights.size(); ++i) {
    CHECK(back.weights[i].first == model.weights[i].first);
    test::check_close(back.weights[i].second, model.weights[i].second, 0, back.weights[i].first);
  }
  CHECK(back.weights[0].second.dtype() == DType::kF32);
  CHECK(read_safetensors(path).at("cls_token").dtype() == DType::kBF16);
}

TEST_CASE("model files that lack or contradict something are refused") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "m.safetensors";
  ModelFile model;
  model.spec = tiny_spec();
  model.weights = weights_of(model.spec).tensors;
  save_model(path, model);
  const auto refusal = [&](auto change) -> std::string {
    TensorFile file = read_safetensors(path);
    change(file);
    write_safetensors(folder / "x.safetensors", file);
    try {
      load_model(folder / "x.safetensors");
      return "";
    } catch (const Error& error) {
      CHECK(error.exit_code() == 2);
      CHECK(std::string(error.what()).find("x.safetensors") != std::string::npos);
      return error.what();
    }
  };
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(refusal([](TensorFile& f) { f.tensors.emplace_back("optimizer.m", Tensor::zeros({2})); }) ==
        "");
  CHECK(has(refusal([](TensorFile& f) { f.metadata.clear(); }), "shiftadd-convert"));
  CHECK(has(refusal([](TensorFile& f) { f.metadata["shiftadd.format"] = "2"; }), "newer"));
  CHECK(has(refusal([](TensorFile& f) { f.metadata["shiftadd.model"] = "{"; }),
            "shiftadd.model:1:2: expected a key in double quotes"));
  CHECK(has(refusal([](TensorFile& f) { f.metadata["shiftadd.model"] = std::string(100000, '['); }),
            "shiftadd.model"));
  CHECK(
      has(refusal([](TensorFile& f) { f.metadata["shiftadd.classes"] = "[\"a\"]"; }), "3 classes"));
  CHECK(has(refusal([](TensorFile& f) { f.metadata["shiftadd.classes"] = "{}"; }), "array"));
  CHECK(has(refusal([](TensorFile& f) { f.metadata["shiftadd.preprocess"] = "{\"crop\": 0}"; }),
            "crop"));
  const auto spoil = [](TensorFile& f) {
    Tensor broken = Tensor::zeros({3});
    broken.data<float>()[1] = std::nanf("");
    f.tensors.back().second = broken;
  };
  CHECK(has(refusal(spoil), "head.bias has 1 values that are not finite"));
  write_file(folder / "model.pth", "PK\x03\x04 and so on");
  CHECK_THROWS_WITH_AS(load_model(folder / "model.pth"), doctest::Contains("shiftadd-convert"),
                       Error);
  CHECK(has(refusal([](TensorFile& f) { f.tensors.pop_back(); }),
            "head.bias is missing: expected shape (3,)"));
  CHECK(has(refusal([](TensorFile& f) { f.tensors.back().second = Tensor::zeros({4}); }),
            "head.bias has shape (4,): expected (3,)"));
  CHECK(
      has(refusal([](TensorFile& f) { f.tensors.back().second = Tensor::zeros({3}, DType::kI8); }),
          "dtype i8"));
  model.weights.pop_back();
  CHECK_THROWS_AS(save_model(path, model), Error);
}
