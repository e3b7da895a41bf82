// shiftadd-info as a process: foreign checkpoints, model files of each kind, runs, and damage.
#include <filesystem>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "model/pack.h"
#include "tests/e2e/infer_support.h"
#include "tests/e2e/train_support.h"
#include "tests/infer/shift_add_models.h"

using namespace shiftadd;
using nlohmann::json;
using test::contains;
using test::ProcessResult;

namespace {

ProcessResult info(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), test::program("shiftadd-info"));
  return test::run(arguments);
}

json facts(const std::string& path, int status = 0, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {path, "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ProcessResult result = info(arguments);
  INFO(result.err);
  CHECK(result.status == status);
  return parse_json(result.out);
}

std::string golden(const std::string& ending) {
  return test::golden_folder() + "/models/vit_micro" + ending;
}

}  // namespace

TEST_CASE("info: a foreign checkpoint, its names grouped as a mapping file has them") {
  const json found = facts(golden(".pth"), 0, {"--set", "heads=3"});
  CHECK(found.at("kind") == "checkpoint");
  CHECK(found.at("format") == "pytorch");
  CHECK(found.at("state_dict") == "model");
  CHECK(found.at("tensors").at("count") == found.at("tensor_list").size());
  CHECK(found.at("tensors").at("dtypes").size() == 1);
  CHECK_FALSE(found.contains("checksum"));
  const json row = {
      {"name", "blocks.{N}.attn.qkv.weight"}, {"dtype", "f32"}, {"shape", {144, 48}}, {"count", 2}};
  const json& names = found.at("names");
  CHECK(std::find(names.begin(), names.end(), row) != names.end());
  int64_t grouped = 0;
  for (const json& each : names) grouped += each.at("count").get<int64_t>();
  CHECK(grouped == found.at("tensors").at("count"));

  const json& network = found.at("arch_auto");
  CHECK(network.at("architecture").at("depth") == 2);
  CHECK(network.at("architecture").at("width") == 48);
  CHECK(network.at("parameters") == count_parameters(named_spec("vit_micro")));
  CHECK(network.at("classes").at("count") == 7);
  CHECK_FALSE(network.contains("refused"));
  const std::string refused = facts(golden(".pth")).at("arch_auto").at("refused").dump();
  CHECK(contains(refused, "heads cannot be told"));

  const ProcessResult text = info({golden(".pth")});
  CHECK(text.status == 0);
  CHECK(contains(text.out, "  blocks.{N}.attn.qkv.weight   f32    (144, 48)"));
  CHECK_FALSE(contains(text.out, "blocks.1."));
  CHECK(contains(info({golden(".pth"), "--tensors"}).out,
                 "blocks.1.attn.qkv.weight   f32    (144, 48)"));
}

TEST_CASE("info: a folder with an index and configuration files") {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "part.safetensors",
                    {{{"vit.cls_token", Tensor::zeros({1, 1, 4}, DType::kF16)}}, {}});
  test::write_text(folder / "model.safetensors.index.json",
                   R"({"weight_map": {"vit.cls_token": "part.safetensors"}})");
  test::write_text(folder / "config.json",
                   R"({"model_type": "vit", "num_attention_heads": 2, "hidden_act": "relu",
                       "layer_norm_eps": 1e-12, "id2label": {"0": "cat", "1": "dog"}})");
  const json found = facts(folder.path());
  CHECK(found.at("files") == json{"model.safetensors.index.json", "part.safetensors"});
  CHECK(found.at("tensors").at("bytes") == 8);
  CHECK_FALSE(found.at("arch_auto").at("refused").empty());  // a class token is no network
  const json& beside = found.at("beside");
  CHECK(beside.at("files").at(0) == folder / "config.json");
  CHECK(beside.at("heads") == 2);
  CHECK(beside.at("activation") == "relu");
  CHECK(beside.at("norm_eps") == 1e-12);
  CHECK(beside.at("classes").at("names") == json{"cat", "dog"});

  test::write_text(folder / "config.json", "{\"num_attention_heads\": \"two\"}");
  const ProcessResult broken = info({folder.path()});
  CHECK(broken.status == 2);
  CHECK(contains(broken.out, "vit.cls_token"));
  CHECK(contains(broken.err, "config.json:1: num_attention_heads: expected a whole number"));
}

TEST_CASE("info: a model file says its network, classes and preprocessing") {
  const test::InferFolder folder;
  const json found = facts(folder.model_path());
  CHECK(found.at("kind") == "model file");
  CHECK(found.at("checksum") == "right");
  CHECK(found.at("architecture").at("name") == "vit_micro");
  CHECK(found.at("architecture").at("heads") == 3);
  CHECK(found.at("parameters") == count_parameters(named_spec("vit_micro")));
  CHECK(found.at("macs") == count_macs(named_spec("vit_micro")).total());
  CHECK(found.at("classes").at("names") == test::micro_classes());
  CHECK(found.at("preprocess").at("crop") == 64);
  CHECK_FALSE(found.contains("converted"));
  CHECK_FALSE(found.contains("pack"));
  CHECK(contains(info({folder.model_path(), "--set", "heads=3"}).err, "is ours, and says it all"));
  const std::string text = info({folder.model_path()}).out;
  CHECK(contains(text, "count 7, names ant, bee, cat, dog, elk, fox, gnu"));
  CHECK(contains(text, "\n  name        vit_micro\n"));
  CHECK_FALSE(contains(text, "position_resize"));  // as it usually is
}

TEST_CASE("info: a packed model says how it is packed, and what was converted") {
  const test::TemporaryFolder folder;
  PackSpec pack = pack_in("int8");
  const ModelFile trained = test::golden_shift_add(true);
  pack.shift_shares.assign(routers_of(trained.spec).size(), 0.5);
  save_model(folder / "packed.safetensors", pack_model(trained, pack));
  const json found = facts(folder / "packed.safetensors");
  CHECK(found.at("kind") == "packed model file");
  CHECK(found.at("pack").at("multiply") == "int8");
  CHECK(found.at("pack").at("shift_shares") == pack.shift_shares);
  CHECK(contains(found.at("converted"), "mlp mixture instead of multiply"));
  CHECK(found.at("operations").at("shifts").get<int64_t>() > 0);
  CHECK(found.at("tensors").at("dtypes").contains("i8"));
}

TEST_CASE("info: of a damaged model file everything else is told") {
  const test::InferFolder folder;
  std::string bytes = read_text(folder.model_path());
  bytes[bytes.size() - 2] ^= 1;  // a little of the last number
  write_file(folder / "damaged.safetensors", bytes);
  const json found = facts(folder / "damaged.safetensors", 2);
  CHECK(found.at("checksum") == "wrong");
  CHECK(found.at("architecture").at("name") == "vit_micro");
  REQUIRE(found.at("problems").size() == 1);
  CHECK(contains(found.at("problems").at(0), "the file is damaged or cut short"));
  write_file(folder / "cut.safetensors", bytes.substr(0, bytes.size() / 2));
  const ProcessResult cut = info({folder / "cut.safetensors"});
  CHECK(cut.status == 2);
  CHECK(cut.out.empty());
  CHECK(contains(cut.err, "cut.safetensors: the file is damaged or cut short"));
}

TEST_CASE("info: a run, one of its checkpoints, and runs of stages") {
  const test::TrainFolder folder;
  REQUIRE(folder.train("staged/first").status == 0);
  const json run = facts(folder / "staged/first");
  CHECK(run.at("kind") == "training run");
  CHECK(run.at("epochs") == 3);
  CHECK(run.at("sessions") == 1);
  CHECK(run.at("result").at("images").get<int64_t>() > 0);
  CHECK(run.at("model").at("parameters").get<int64_t>() > 0);
  bool has_last = false;
  for (const json& row : run.at("checkpoints"))
    if (row.at("file") == "last.safetensors") {
      has_last = true;
      CHECK(row.at("epoch") == 3);
      CHECK(row.at("kind") == "training checkpoint");
      CHECK(row.at("checksum") == "right");
    }
  CHECK(has_last);

  const json last = facts(folder / "staged/first/last.safetensors");
  CHECK(last.at("kind") == "training checkpoint");
  CHECK(last.at("training").at("epoch") == 3);
  CHECK(contains(last.at("weights"), "last, after epoch 3 of 3"));

  const json staged = facts(folder / "staged");
  REQUIRE(staged.at("stages").size() == 1);
  CHECK(staged.at("stages").at(0).at("path") == folder / "staged/first");
  CHECK(contains(info({folder / "staged"}).out, "last.safetensors"));

  test::write_text(folder / "staged/first/manifest.json", "{}");
  const ProcessResult broken = info({folder / "staged/first"});
  CHECK(broken.status == 2);
  CHECK(contains(broken.err,
                 "manifest.json: is no manifest of a run, or damaged: config: is missing"));
  CHECK(contains(broken.out, "last.safetensors"));
}

TEST_CASE("info: what is none of these is an error") {
  const test::TemporaryFolder folder;
  test::write_text(folder / "page.pth", "<!DOCTYPE html>");
  CHECK(contains(info({folder / "page.pth"}).err, "is a web page (HTML)"));
  CHECK(contains(info({folder.path()}).err, "a folder without weights"));
  CHECK(contains(info({folder / "nothing"}).err, "cannot be opened"));
  for (const std::string& path : {folder / "page.pth", folder.path(), folder / "nothing"})
    CHECK(info({path}).status == 2);
  CHECK(info({}).status == 2);
}
