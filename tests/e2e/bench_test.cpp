// shiftadd-bench as a process: the keys people script against, and bad input.
#include <filesystem>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "tests/e2e/infer_support.h"

using namespace shiftadd;
using nlohmann::json;
using test::ProcessResult;

namespace {

ProcessResult bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), test::program("shiftadd-bench"));
  return test::run(arguments);
}

void check_figures(const ProcessResult& result) {
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const json out = parse_json(result.out);
  CHECK(out["ms_median"].get<double>() > 0);
  CHECK(out["ms_p90"].get<double>() >= out["ms_median"].get<double>());
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

TEST_CASE("the stages of a forward pass") {
  const ProcessResult result =
      bench({"model", "vit_micro", "--profile", "--threads", "1", "--seconds", "0.05", "--json"});
  check_figures(result);
  CHECK(parse_json(result.out)["stages_ms"].size() == 8);
  CHECK(bench({"model", "vit_micro", "--profile", "--threads", "2"}).status == 2);
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

  const ProcessResult plain = bench({"latency", "vit_micro", "--out", folder / "plain.json"});
  CHECK(plain.status == 2);
  CHECK(test::contains(plain.err, "has no router"));
  CHECK_FALSE(std::filesystem::exists(folder / "plain.json"));
  CHECK(bench({"latency", folder / "spec.json", "--seconds", "0", "--out",
               folder / "none/latency.json"})
            .status != 0);
}

TEST_CASE("the input pipeline") {
  const test::InferFolder folder;
  folder.image("in/a.bmp", 300, 280, 1);
  folder.image("in/b.bmp", 260, 500, 2);
  const ProcessResult result = bench({"data", folder / "in", "--seconds", "0.05", "--json"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const json out = parse_json(result.out);
  CHECK(out["images"] == 2);
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
