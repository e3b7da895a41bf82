// What a run tells: its header at once, lines while it works, epochs and rates alike everywhere,
// which weights a file holds, and the commit.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/safetensors.h"
#include "tests/e2e/train_support.h"

using namespace shiftadd;
using nlohmann::json;
using test::contains;
using test::ProcessResult;
using test::TrainFolder;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Records of metrics.jsonl of one type.
std::vector<json> records(const std::string& path, const std::string& type) {
  std::vector<json> result;
  for (const std::string& line : lines_of(read_text(path)))
    if (json record = parse_json(line); record.at("type") == type) result.push_back(record);
  return result;
}

std::string weights_of(const std::string& path) {
  return read_safetensors(path).metadata.at("shiftadd.weights");
}

json state_of(const std::string& path) {
  return parse_json(read_safetensors(path).metadata.at("shiftadd.training"));
}

ProcessResult trained(const TrainFolder& folder, const std::string& out,
                      std::vector<std::string> arguments = {}) {
  ProcessResult result = folder.train(out, arguments);
  REQUIRE_MESSAGE(result.status == 0, result.err);
  return result;
}

}  // namespace

TEST_CASE("a run begins with where it writes, its data, its network and its plan") {
  const TrainFolder folder;
  const std::vector<std::string> said = lines_of(trained(folder, "a", {"--threads", "2"}).err);
  REQUIRE(said.size() > 5);
  CHECK_MESSAGE(contains(said[0], "run tiny: folder a; log in metrics.csv, metrics.jsonl, "),
                said[0]);
  CHECK_MESSAGE(contains(said[0], "; 2 threads, "), said[0]);
  CHECK_MESSAGE(contains(said[1], "data: 288 training and 36 validation images of 12 classes, "),
                said[1]);
  CHECK_MESSAGE(contains(said[1], "from set/train and set/val"), said[1]);
  CHECK_MESSAGE(contains(said[2], "images of 16 pixels in patches of 4, width 24, depth 2"),
                said[2]);
  CHECK_MESSAGE(contains(said[2], " parameters"), said[2]);
  CHECK_MESSAGE(contains(said[3], "training: 3 epochs of 18 steps, 16 images each, adamw"),
                said[3]);
  CHECK_MESSAGE(contains(said[3], "EMA 0.9"), said[3]);
  CHECK_MESSAGE(contains(said[4], "epoch 1/3 step 1/18 "), said[4]);
}

TEST_CASE("where no silence is allowed everything a run does is said") {
  const TrainFolder folder;
  const std::string stages = R"(stages=[{"surgery": {
      "recipe": ["0: attention=linear_add", "1: mlp=mixture"], "transfer": {"steps": 2}},
      "train": {"epochs": 1}, "router": {"calibrate": 0.5}}])";
  trained(folder, "dense", {"--set", "train.epochs=1"});
  const std::string said = trained(folder, "a",
                                   {"--set", "log={\"every\": 1000, \"seconds\": 1e-9}", "--set",
                                    "init.checkpoint=dense/model.safetensors", "--set", stages})
                               .err;
  for (const char* part :
       {"reading the data", "making the network", "transfer of attention", "transfer step 1/2",
        "epoch 1/1 step 1/18 ", "epoch 1/1 step 17/18 ", "validation 1/3", "validation 3/3",
        "calibration of the routers", "reading dense/model.safetensors"})
    CHECK_MESSAGE(contains(said, part), said);
  CHECK_FALSE(contains(said, "\r"));
}

TEST_CASE("epochs and rates are the same in lines, metrics, checkpoints and at the end") {
  const TrainFolder folder;
  const ProcessResult result =
      trained(folder, "a", {"--set", "checkpoint.every=1", "--set", "train.ema_decay=0"});
  const auto steps = records(folder / "a/metrics.jsonl", "step"),
             epochs = records(folder / "a/metrics.jsonl", "epoch");
  REQUIRE(steps.size() == 54);
  REQUIRE(epochs.size() == 3);
  const std::vector<std::string> csv = lines_of(read_text(folder / "a/metrics.csv"));
  REQUIRE(csv.size() == 4);
  double best = -1;
  int best_epoch = 0;
  for (int epoch = 1; epoch <= 3; ++epoch) {
    for (int step = 1; step <= 18; ++step) {
      const json& record = steps[static_cast<std::size_t>(18 * (epoch - 1) + step - 1)];
      CHECK(record.at("epoch") == epoch);
      CHECK(contains(result.err, concat("epoch ", epoch, "/3 step ", step, "/18 ")));
    }
    const json& record = epochs[static_cast<std::size_t>(epoch - 1)];
    CHECK(record.at("epoch") == epoch);
    CHECK(record.at("lr") == steps[static_cast<std::size_t>(18 * epoch - 1)].at("lr"));
    CHECK(contains(result.err, concat("epoch ", epoch, "/3: train loss")));
    CHECK(csv[static_cast<std::size_t>(epoch)].starts_with(concat(epoch, ",", 18 * epoch, ",")));
    const json state = state_of(folder / concat("a/epoch_00", epoch, ".safetensors"));
    CHECK(state.at("epoch") == epoch);
    CHECK(state.at("lr") == record.at("lr"));
    if (const double top1 = record.at("val_top1"); top1 > best) best = top1, best_epoch = epoch;
  }
  CHECK(steps.front().at("lr").get<double>() < steps[17].at("lr").get<double>());  // warm-up
  CHECK(contains(result.out, concat(" % after epoch ", best_epoch, ": ")));
  CHECK(state_of(folder / "a/best.safetensors").at("epoch") == best_epoch);
}

TEST_CASE("an epoch that max_steps cuts has the number it has when it is whole") {
  const TrainFolder folder;
  const std::string said = trained(folder, "a", {"--set", "train.max_steps=2"}).err;
  CHECK(contains(said, "epoch 1/3: train loss"));
  CHECK(records(folder / "a/metrics.jsonl", "epoch").at(0).at("epoch") == 1);
  CHECK(weights_of(folder / "a/model.safetensors") == "last, in epoch 1 of 3 (step 2), EMA 0.9");
  CHECK(contains(said, "a/model.safetensors: last, in epoch 1 of 3 (step 2), EMA 0.9\n"));
}

TEST_CASE("model, checkpoints, result and report say which weights they hold") {
  const TrainFolder folder;
  trained(folder, "averaged", {"--set", "train.epochs=1"});
  CHECK(weights_of(folder / "averaged/last.safetensors") ==
        "last, after epoch 1 of 1 (step 18), EMA 0.9");
  CHECK(weights_of(folder / "averaged/best.safetensors") ==
        "best, after epoch 1 of 1 (step 18), EMA 0.9");
  trained(folder, "plain", {"--set", "train.epochs=1", "--set", "train.ema_decay=0"});
  const std::string last = "last, after epoch 1 of 1 (step 18)";
  CHECK(weights_of(folder / "plain/model.safetensors") == last);
  CHECK(parse_json(read_text(folder / "plain/result.json")).at("weights") == last);
  trained(folder, "stages",
          {"--set", "init.checkpoint=plain/model.safetensors", "--set",
           R"(stages=[{"name": "mixed", "surgery": {"recipe": ["all: mlp=mixture"]},
                       "train": {"epochs": 1}, "router": {"calibrate": 0.5}}])"});
  const std::string calibrated = "last, after epoch 1 of 1 (step 18), EMA 0.9, routers calibrated";
  CHECK(weights_of(folder / "stages/mixed/model.safetensors") == calibrated);
  CHECK(contains(read_text(folder / "stages/report.md"), "\nmixed: weights " + calibrated + "\n"));
  const std::string best = weights_of(folder / "stages/mixed/best.safetensors");
  CHECK_MESSAGE(best.starts_with("best, "), best);
}

TEST_CASE("the manifest names the commit, of the run and of each session") {
  const TrainFolder folder;
  trained(folder, "a", {"--set", "train.max_steps=1"});
  trained(folder, "a", {"--set", "train.max_steps=2", "--resume", "auto"});
  const json manifest = parse_json(read_text(folder / "a/manifest.json"));
  const std::string commit = manifest.at("commit");
  CHECK_MESSAGE(std::regex_match(commit, std::regex("unknown|[A-Za-z0-9._/+-]+")), commit);
  REQUIRE(manifest.at("sessions").size() == 2);
  for (const json& session : manifest.at("sessions")) CHECK(session.at("commit") == commit);
}
