// shiftadd-bench gpu as a process, on the host executor: all that the report of a GPU holds, and
// times of a peer.
#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "tests/e2e/child.h"
#include "tests/support/support.h"

using namespace shiftadd;
using nlohmann::json;
using test::contains;
using test::ProcessResult;

namespace {

std::vector<std::string> bench_command(const std::vector<std::string>& arguments) {
  const std::string plugin = "SHIFTADD_CUDA_PLUGIN=" + test::build_folder() + "/plugins/host.so";
  std::vector<std::string> command = {"/usr/bin/env",
                                      plugin,
                                      test::program("shiftadd-bench"),
                                      "gpu",
                                      "--model",
                                      "vit_micro",
                                      "--batch",
                                      "1",
                                      "--times",
                                      "1"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

ProcessResult bench_gpu(const std::vector<std::string>& arguments) {
  return test::run(bench_command(arguments));
}

}  // namespace

TEST_CASE("a device's report: networks with the CPU's bits, parts by each kernel, a peer, goals") {
  const test::TemporaryFolder folder;
  const std::string peer = folder / "peer.json", saved = folder / "saved.json";
  test::write_text(peer, R"([{"model": "vit_micro", "mode": "slow", "batch": 1, "ms": 9e9},
                             {"model": "vit_micro", "mode": "fast", "batch": 1, "ms": 2e9},
                             {"model": "vit_micro", "mode": "other", "batch": 32, "ms": 1}])");
  const ProcessResult result = bench_gpu({"--peer", peer, "--save", saved});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const json report = parse_json(read_text(saved));
  CHECK(report["emulated"] == true);
  CHECK(report["cublaslt"] == "the host executor's products in its place");
  CHECK(report["complete"] == true);
  CHECK_FALSE(contains(result.out, "Cut short"));
  CHECK(report["decoded_per_second"].get<double>() > 0);

  REQUIRE(report["networks"].size() == 3);
  for (const json& network : report["networks"]) {
    CAPTURE(network["form"].get<std::string>());
    CHECK(network["bits_of_the_cpu"] == !contains(network["form"], "bf16"));
    CHECK(network["largest_difference"].get<double>() < 0.1);
    REQUIRE(network["times"].size() == 1);
    const json& time = network["times"][0];
    const double ms = time["device_ms"];
    CHECK(ms > 0);
    CHECK(time["whole_ms"].get<double>() > 0);
    CHECK(time["jpeg_images_per_second"].get<double>() > 0);
    CHECK(time["of_the_peers_best"].get<double>() == doctest::Approx(2e9 / ms));
  }

  std::vector<std::string> kernels;
  for (const json& part : report["parts"]) {
    kernels.push_back(part["kernel"]);
    CHECK(part["us"].get<double>() > 0);
    CHECK(part["images"] == 1);
    CHECK(contains(result.out, "| " + kernels.back() + " | "));
  }
  for (const char* kernel :
       {"MatShift: powers of two, tensor cores", "int8, tensor cores", "bf16, tensor cores",
        "literal shifts and additions", "cuBLASLt int8 to int32", "cuBLASLt bf16 to float32",
        "cuBLASLt tf32", "MatAdd: linear_add, signs", "MatAdd: softmax_add, two bits",
        "softmax, int8", "cuBLASLt bf16 to float32: K^T V, Q (K^T V)",
        "cuBLASLt int8 to int32: Q K^T, P V", "cuBLASLt tf32: fc1, fc2",
        "mixture, half to Shift (powers of two)"})
    CHECK_MESSAGE(std::count(kernels.begin(), kernels.end(), kernel) > 0, kernel);

  REQUIRE(report["goals"].size() == 3);
  for (const json& goal : report["goals"]) CHECK(goal["verdict"] == "not measured");
  CHECK(contains(result.out, "**No GPU: emulated on the CPU, and the times say nothing.**"));
  CHECK(contains(result.out, "cuBLASLt: the host executor's products in its place."));
  CHECK(contains(result.out, "| vit_micro | fast | 1 | "));
}

TEST_CASE("a device's report that is cut short holds what was measured") {
  const test::TemporaryFolder folder;
  const std::string saved = folder / "saved.json";
  test::Child child(bench_command({"--save", saved}), folder.path());
  REQUIRE(child.read_until("measured: vit_micro ShiftAdd"));
  child.send(SIGTERM);
  CHECK(child.wait() == 143);
  CHECK(contains(child.output(), "shiftadd-bench: interrupted\n"));
  CHECK(contains(child.output(), "| vit_micro | ShiftAdd (softmax_add, shift, mixtures) | "));
  const json report = parse_json(read_text(saved));
  REQUIRE(report.contains("networks"));
  CHECK(report["networks"][0]["bits_of_the_cpu"] == true);
  CHECK(report["complete"] == false);
  CHECK(contains(child.output(), "**Cut short: these were measured before.**"));
}

TEST_CASE("a device's report that cannot be saved is refused before the work") {
  const test::TemporaryFolder folder;
  const std::string file = folder / "file";
  test::write_text(file, "");
  for (const std::string& path : {folder.path(), file + "/x.json"}) {
    CAPTURE(path);
    const ProcessResult result = bench_gpu({"--save", path});
    CHECK(result.status == 2);
    CHECK(contains(result.err, "--save " + path));
    CHECK_FALSE(contains(result.err, "measured: "));
  }
}

TEST_CASE("a peer's file that is none is the user's mistake") {
  const test::TemporaryFolder folder;
  const std::string peer = folder / "peer.json";
  for (const char* text : {"{}", "[1]", R"([{"model": "vit_micro", "mode": "a", "batch": 1}])",
                           R"([{"model": "vit_micro", "mode": "a", "batch": 1, "ms": 0}])",
                           R"([{"model": "vit_micro", "mode": "a", "batch": "1", "ms": 1}])"}) {
    CAPTURE(text);
    test::write_text(peer, text);
    const ProcessResult result = bench_gpu({"--peer", peer});
    CHECK(result.status == 2);
    CHECK(contains(result.err, peer + ": expected a list of objects with model, mode (texts)"));
  }
}
