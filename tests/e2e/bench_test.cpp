// shiftadd-bench as a process: the keys people script against, and bad input.
#include <filesystem>
#include <map>
#include <sstream>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/parallel.h"
#include "tests/e2e/infer_support.h"

using namespace shiftadd;
using nlohmann::json;
using test::ProcessResult;

namespace {

ProcessResult bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), test::program("shiftadd-bench"));
  return test::run(arguments);
}

void check_percentiles(const json& timing) {
  CHECK(timing["ms_median"].get<double>() > 0);
  CHECK(timing["ms_p90"].get<double>() >= timing["ms_median"].get<double>());
  CHECK(timing["ms_p99"].get<double>() >= timing["ms_p90"].get<double>());
}

void check_figures(const ProcessResult& result) {
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const json out = parse_json(result.out);
  check_percentiles(out);
  CHECK(out["images_per_second"].get<double>() > 0);
  CHECK(out["peak_rss_mib"].get<double>() > 1);
}

}  // namespace

TEST_CASE("a network by name, by JSON and from a file") {
  const test::InferFolder folder;
  check_figures(bench({"model", "vit_micro", "--batch", "3", "--threads", "2", "--precision",
                       "float32", "--seconds", "0.05", "--json"}));
  test::write_text(folder / "spec.json", R"({"base": "vit_micro", "depth": 3})");
  check_figures(bench({"model", folder / "spec.json", "--seconds", "0.05", "--json"}));
  check_figures(bench({"model", folder.model_path(), "--seconds", "0.05", "--json"}));
}

TEST_CASE("a training step") {
  check_figures(
      bench({"model", "vit_micro", "--train", "--batch", "2", "--seconds", "0.05", "--json"}));
}

TEST_CASE("a prediction for GPUs says in every line that it is one") {
  const ProcessResult result = bench({"model", "vit_micro", "--multiply", "int8", "--predict",
                                      "a100", "--predict", "orin", "--batch", "1,65", "--json"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const json predictions = parse_json(result.out)["predictions"];
  REQUIRE(predictions.size() == 2);
  CHECK(predictions[1]["device"] == "orin");
  REQUIRE(predictions[0]["batches"].size() == 2);
  for (const json& batch : predictions[0]["batches"]) {
    CHECK(batch["what"] == "prediction, never measured");
    CHECK(batch["images_per_second"].get<double>() > 0);
    int64_t launches = 0;
    for (const json& kind : batch["kinds"]) launches += kind["launches"].get<int64_t>();
    CHECK(launches == batch["all"]["launches"].get<int64_t>());
  }
  CHECK(predictions[0]["batches"][1]["parts"] == 2);

  const ProcessResult text = bench({"model", "vit_micro", "--predict", "h100"});
  REQUIRE_MESSAGE(text.status == 0, text.err);
  std::istringstream lines(text.out);
  for (std::string line; std::getline(lines, line);)
    CHECK_MESSAGE(line.starts_with("prediction, never measured | "), line);
  CHECK(test::contains(text.out, "batch 256"));

  const ProcessResult unknown = bench({"model", "vit_micro", "--predict", "v100"});
  CHECK(unknown.status == 2);
  CHECK(test::contains(unknown.err, "h100"));
  CHECK(bench({"model", "vit_micro", "--predict", "a100", "--train"}).status == 2);
  CHECK(bench({"model", "vit_micro", "--batch", "1,2"}).status == 2);
}

TEST_CASE("the layers of a converted network beside those of the dense one") {
  const test::InferFolder folder;
  test::write_text(folder / "spec.json",
                   R"({"base": "vit_micro", "shift_add": {"value": "int8", "activations": "int8",
                       "blocks": [{"attention": "linear_add", "qkv": "shift", "mlp": "mixture"},
                                  {"proj": "shift", "mlp": "shift"}]}})");
  const auto layers = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {
        "model", folder / "spec.json", "--threads", "1", "--seconds", "0.02", "--multiply",
        "int8",  "--shift-share",      "0.5"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return bench(arguments);
  };
  const ProcessResult result = layers({"--layers", "--json"});
  check_figures(result);
  const json table = parse_json(result.out)["layers"];
  CHECK(table["ceilings"]["read_DRAM_gb_per_s"].get<double>() > 0);
  REQUIRE(table["networks"].size() == 3);
  CHECK(table["networks"][0]["name"] == "dense float32");
  CHECK(table["networks"][1]["name"] == "dense int8");
  for (const json& network : table["networks"]) {
    check_percentiles(network);
    double ms = 0, gop = 0;
    for (const json& layer : network["layers"]) {
      CAPTURE(layer["name"].get<std::string>());
      check_percentiles(layer);
      CHECK(layer["bytes"].get<double>() > 0);
      CHECK(layer["roofline_share"].is_null() == layer["roofline_ms"].is_null());
      ms += layer["ms_median"].get<double>();
      gop += layer["gop"].get<double>();
    }
    CHECK(gop == doctest::Approx(network["gop"].get<double>()));
    CHECK(ms > 0.1 * network["ms_median"].get<double>());
    CHECK(ms < 3 * network["ms_median"].get<double>());
  }
  const json &dense = table["networks"][1]["layers"], &converted = table["networks"][2]["layers"];
  std::map<std::string, bool> free;
  for (const json& layer : converted)
    CHECK(free.emplace(layer["name"], layer["multiplication_free"].get<bool>()).second);
  // The first block whole; of the last, whose qkv is split, what the class token's row needs.
  const auto names = [](const json& layers) {
    std::vector<std::string> result;
    for (const json& layer : layers) result.push_back(layer["name"]);
    return result;
  };
  CHECK(names(converted) == std::vector<std::string>{"gather",
                                                     "patches",
                                                     "class_token",
                                                     "blocks.0.norm1",
                                                     "blocks.0.qkv",
                                                     "blocks.0.attention",
                                                     "blocks.0.proj",
                                                     "blocks.0.norm2",
                                                     "blocks.0.mlp.router",
                                                     "blocks.0.mlp.experts",
                                                     "blocks.1.norm1",
                                                     "blocks.1.qkv.row",
                                                     "blocks.1.qkv.q",
                                                     "blocks.1.qkv.kv",
                                                     "blocks.1.attention",
                                                     "blocks.1.rows_read",
                                                     "blocks.1.proj",
                                                     "blocks.1.norm2",
                                                     "blocks.1.mlp",
                                                     "norm",
                                                     "head"});
  CHECK(dense.size() == converted.size() - 1);  // a router and its experts in place of an MLP
  CHECK(free.at("blocks.0.qkv"));
  CHECK_FALSE(free.at("blocks.0.proj"));
  CHECK_FALSE(free.at("blocks.0.mlp.router"));
  CHECK(free.at("blocks.0.mlp.experts"));
  CHECK(free.at("blocks.1.mlp"));
  for (const json& layer : dense) CHECK(layer["multiplication_free"] == false);
  for (const json& each : table["slower"]) CHECK(each["by_ms"].get<double>() > 0);

  const ProcessResult kinds = layers({"--layers"}), all = layers({"--layers=all"});
  REQUIRE_MESSAGE(kinds.status == 0, kinds.err);
  for (const char* text :
       {"dense float32", "dense int8", "ShiftAdd, products in int8", "GOP/s", "roof", "KiB", "P99",
        "attention", "mlp.experts", "forward pass", "than dense int8", "than dense float32"})
    CHECK_MESSAGE(test::contains(kinds.out, text), text);
  CHECK_FALSE(test::contains(kinds.out, "blocks.1"));
  CHECK(test::contains(all.out, "blocks.1.attention"));

  const ProcessResult plain =
      bench({"model", "vit_micro", "--layers", "--threads", "1", "--seconds", "0.02", "--json"});
  REQUIRE_MESSAGE(plain.status == 0, plain.err);
  CHECK(parse_json(plain.out)["layers"]["networks"].size() == 2);
  CHECK(bench({"model", "vit_micro", "--layers", "--threads", "2"}).status == 2);
  CHECK(bench({"model", "vit_micro", "--shift-share", "0.5"}).status == 2);  // no routers
  CHECK(bench({"model", "vit_micro", "--train", "--multiply", "int8"}).status == 2);
  CHECK(bench({"model", "vit_micro", "--layers", "--threads", "1", "--batch", "2"}).status == 2);
  CHECK(bench({"model", "vit_micro", "--layers", "--threads", "1", "--train"}).status == 2);
  CHECK(bench({"model", "vit_micro", "--layers=some", "--threads", "1"}).status == 2);
}

TEST_CASE("the machine's ceilings") {
  const ProcessResult result = bench({"roofline", "--seconds", "0.001", "--json"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const json out = parse_json(result.out);
  REQUIRE(out["ceilings"].size() == (available_cores() > 1 ? 2 : 1));
  CHECK(out["ceilings"].front()["threads"] == 1);
  CHECK(out["ceilings"].back()["threads"] == available_cores());
  for (const json& column : out["ceilings"]) {
    CHECK(column.contains("read_DRAM_gb_per_s"));
    for (const auto& [key, value] : column.items()) CHECK_MESSAGE(value.get<double>() > 0, key);
    std::size_t arithmetic = out["left_out"].size();  // measured, or named as left out
    for (const char* key : {"float32_gflops", "bf16_vector_gflops", "bf16_tile_gflops",
                            "int8_vector_gops", "int8_tile_gops"})
      arithmetic += column.contains(key);
    CHECK(arithmetic == 5);
  }
  const ProcessResult text = bench({"roofline", "--threads", "1", "--seconds", "0"});
  REQUIRE_MESSAGE(text.status == 0, text.err);
  CHECK(test::contains(text.out, "reads from DRAM"));
  CHECK_FALSE(test::contains(text.out, "cores"));
  CHECK(bench({"roofline", "--threads", "0"}).status == 2);
  CHECK(bench({"roofline", "--threads", "1024"}).status == 2);
}

TEST_CASE("operations and energy are counted") {
  const ProcessResult plain = bench({"count", "deit_tiny_patch16_224", "--json"});
  REQUIRE_MESSAGE(plain.status == 0, plain.err);
  const json dense = parse_json(plain.out);
  CHECK(dense["total"]["multiplications"] == 1253683200);  // the whole last block, too
  CHECK(dense["total"]["shifts"] == 0);

  const test::InferFolder folder;
  std::string blocks;
  for (int i = 0; i < 12; ++i)
    blocks += std::string(i ? "," : "") +
              R"({"attention": "linear_add", "qkv": "shift", "proj": "shift", "mlp": "mixture"})";
  test::write_text(folder / "spec.json",
                   R"({"base": "deit_tiny_patch16_224", "shift_add": {"value": "int8",
                       "activations": "int8", "blocks": [)" +
                       blocks + "]}}");
  const auto at_share = [&](const char* share) {
    const ProcessResult result =
        bench({"count", folder / "spec.json", "--shift-share", share, "--json"});
    REQUIRE_MESSAGE(result.status == 0, result.err);
    return parse_json(result.out)["total"];
  };
  const json some = at_share("0.6"), all = at_share("1");
  CHECK(some["shifts"].get<int64_t>() > 0);
  CHECK(all["multiplications"].get<int64_t>() < some["multiplications"].get<int64_t>());
  CHECK(some["eyeriss_energy_mj"].get<double>() <
        dense["total"]["eyeriss_energy_mj"].get<double>());
  CHECK(test::contains(bench({"count", folder / "spec.json"}).out, "blocks.11.mlp.experts.1.fc2"));
  const std::string honest = bench({"count", folder / "spec.json", "--json"}).out;
  CHECK(bench({"count", folder / "spec.json", "--miscount", "adds", "--json"}).out != honest);
  CHECK(bench({"count", "deit_tiny_patch16_224", "--miscount", "all", "--json"}).out ==
        bench({"count", "deit_tiny_patch16_224", "--miscount", "softmax", "--json"}).out);
  CHECK(bench({"count", folder / "spec.json", "--miscount", "nothing"}).status == 2);
  CHECK(bench({"count", "no_such_network"}).status == 2);
  check_figures(bench({"model", folder / "spec.json", "--seconds", "0.05", "--json"}));
  check_figures(bench({"model", folder / "spec.json", "--train", "--seconds", "0.05", "--json"}));
}

TEST_CASE("the latency of experts") {
  const test::InferFolder folder;
  test::write_text(folder / "spec.json",
                   R"({"base": "vit_micro", "shift_add": {"activations": "int8", "blocks": [
                       {"mlp": "mixture"}, {"qkv": "mixture", "mlp": "mixture"}]}})");
  const std::string out = folder / "latency.json";
  const ProcessResult result = bench({"latency", folder / "spec.json", "--batch", "2", "--threads",
                                      "1", "--seconds", "0", "--out", out, "--json"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const json printed = parse_json(result.out);
  CHECK(printed == parse_json(read_text(out)));
  CHECK(printed["tokens"] == 34);
  CHECK(printed["threads"] == 1);
  REQUIRE(printed["routers"].size() == 3);
  CHECK(printed["routers"][1]["name"] == "blocks.1.attn.qkv");
  for (const json& router : printed["routers"]) CHECK(router["shift_ms"].get<double>() > 0);
  const ProcessResult text =
      bench({"latency", folder / "spec.json", "--seconds", "0", "--out", out});
  REQUIRE_MESSAGE(text.status == 0, text.err);
  CHECK(test::contains(text.out, "alpha: Mult 0."));
  CHECK(test::contains(text.out, "blocks.1.mlp"));
  CHECK(test::contains(text.out, "Mult is float32"));

  // In the format that the network will be packed in, or is.
  const ProcessResult int8 = bench({"latency", folder / "spec.json", "--seconds", "0", "--multiply",
                                    "int8", "--out", folder / "int8.json"});
  REQUIRE_MESSAGE(int8.status == 0, int8.err);
  CHECK(parse_json(read_text(folder / "int8.json"))["mult"] == "int8");

  const ProcessResult plain = bench({"latency", "vit_micro", "--out", folder / "plain.json"});
  CHECK(plain.status == 2);
  CHECK(test::contains(plain.err, "has no router"));
  CHECK_FALSE(std::filesystem::exists(folder / "plain.json"));
  CHECK(bench({"latency", folder / "spec.json", "--seconds", "0", "--out",
               folder / "none/latency.json"})
            .status == 0);
  CHECK(std::filesystem::exists(folder / "none/latency.json"));
}

TEST_CASE("the input pipeline") {
  const test::InferFolder folder;
  folder.image("in/a.bmp", 300, 280, 1);
  folder.image("in/b.bmp", 260, 500, 2);
  const ProcessResult result = bench({"data", folder / "in", "--seconds", "0.05", "--json"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const json out = parse_json(result.out);
  CHECK(out["images"] == 2);
  check_percentiles(out);
  CHECK(out["images_per_second"].get<double>() > 0);
  for (const char* stage : {"read", "decode", "resize and crop", "normalise"})
    CHECK(out["stages_ms"][stage].get<double>() >= 0);
  CHECK(bench({"data", folder / "none"}).status == 2);
}

TEST_CASE("the matrix products") {
  const ProcessResult result = bench({"gemm", "--seconds", "0.001", "--json"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  for (const json& shape : parse_json(result.out)["shapes"])
    CHECK(shape["packed_gflops"].get<double>() > 0);
}

TEST_CASE("wrong command lines are the user's mistake") {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"model"},
                                             {"model", "vit_mikro"},
                                             {"model", "vit_micro", "--precision", "fp3"},
                                             {"model", "vit_micro", "--batch", "0"},
                                             {"nonsense"}}) {
    const ProcessResult result = bench(arguments);
    CHECK(result.status == 2);
    CHECK_FALSE(result.err.empty());
    CHECK(result.out.empty());
  }
}
