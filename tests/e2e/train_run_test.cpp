// shiftadd-train as a process: what a run leaves behind, and what bad input makes of it.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "data/synthetic.h"
#include "model/model_file.h"
#include "tests/e2e/train_support.h"

using namespace shiftadd;
using test::contains;
using test::ProcessResult;
using test::TrainFolder;
namespace fs = std::filesystem;

namespace {

void check_refused(const ProcessResult& result, const std::string& reason) {
  CHECK_MESSAGE(result.status == 2, result.err);
  CHECK_MESSAGE(contains(result.err, "shiftadd-train: error: "), result.err);
  CHECK_MESSAGE(contains(result.err, reason), result.err);
  CHECK(result.out.empty());
}

/// config.json without the synthetic set: trains on "train" and "val" below the folder, `rest` on
/// top.
void use_folders(const TrainFolder& folder, const std::string& train, const std::string& val) {
  auto config = parse_json(read_text(folder / "config.json"));
  config["data"].erase("synthetic");
  config["data"]["train"] = train;
  config["data"]["val"] = val;
  test::write_text(folder / "config.json", json_text(config));
}

void draw_set(const TrainFolder& folder) {
  data::write_synthetic(
      folder / "set",
      {.size = 16, .train_per_class = 4, .val_per_class = 1, .seed = 1, .jpeg = false});
}

const std::vector<std::string> kShort = {"--set", "train.epochs=1", "--set", "train.max_steps=2"};

}  // namespace

TEST_CASE("a run leaves a model, checkpoints, metrics, a table per class and a manifest") {
  const TrainFolder folder;
  const ProcessResult result =
      folder.train("runs/a", {"--set", "checkpoint.every=1", "--set", "checkpoint.keep=2"});
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(contains(result.out, "top-1 "));
  CHECK(contains(result.out, "model: runs/a/model.safetensors\n"));
  CHECK(contains(result.err, "epoch 1/3 step 1/"));
  CHECK_FALSE(contains(result.err, "\r"));

  const ModelFile model = load_model(folder / "runs/a/model.safetensors");
  CHECK(model.classes == data::synthetic_classes());
  CHECK(model.spec.width == 24);
  CHECK(load_model(folder / "runs/a/last.safetensors").spec == model.spec);
  const ModelFile last = load_model(folder / "runs/a/last.safetensors");
  for (std::size_t i = 0; i < model.weights.size(); ++i)  // both hold the averaged weights
    test::check_close(last.weights[i].second, model.weights[i].second, 0, model.weights[i].first);
  CHECK(fs::exists(folder / "runs/a/best.safetensors"));
  CHECK_FALSE(fs::exists(folder / "runs/a/epoch_001.safetensors"));
  CHECK(fs::exists(folder / "runs/a/epoch_002.safetensors"));
  CHECK(fs::exists(folder / "runs/a/epoch_003.safetensors"));

  const std::string csv = read_text(folder / "runs/a/metrics.csv");
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 4);
  std::ifstream jsonl(folder / "runs/a/metrics.jsonl");
  int steps = 0, epochs = 0;
  for (std::string line; std::getline(jsonl, line);)
    ++(parse_json(line).at("type") == "step" ? steps : epochs);
  CHECK(steps == 3 * (static_cast<int>(data::synthetic_classes().size()) * 24 / 16));
  CHECK(epochs == 3);
  CHECK(read_text(folder / "runs/a/per_class.csv").starts_with("class,images,top1,top5\n"));
  const auto manifest = parse_json(read_text(folder / "runs/a/manifest.json"));
  CHECK(manifest.at("config").at("train").at("epochs") == 3);
  CHECK(manifest.at("seed") == 0);
  CHECK(manifest.at("data").at("train").at("digest").get<std::string>().size() == 64);
  CHECK(manifest.at("sessions").size() == 1);
  bool events = false;
  for (const auto& entry : fs::directory_iterator(folder / "runs/a"))
    events = events || entry.path().filename().string().starts_with("events.out.tfevents.");
  CHECK(events);

  SUBCASE("a second run over it is refused") {
    check_refused(folder.train("runs/a"), "--resume auto");
  }
  SUBCASE("a new run can start from it, teach from it, and be stopped early") {
    use_folders(folder, "set/train", "set/val");
    const ProcessResult tuned = folder.train(
        "tuned",
        {"--set", "init.checkpoint=runs/a/best.safetensors", "--set", "train.freeze=[\"blocks.*\"]",
         "--set", "train.teacher.checkpoint=runs/a/model.safetensors", "--set",
         "train.accumulate=2", "--set", "train.ema_decay=0", "--set", "data.class_weights=balanced",
         "--set", "train.early_stop={\"patience\": 1, \"min_delta\": 100}"});
    INFO(tuned.err);
    REQUIRE(tuned.status == 0);
    CHECK(contains(tuned.err, "epoch 2/3: "));
    CHECK_FALSE(contains(tuned.err, "epoch 3/3: "));
    const ModelFile from = load_model(folder / "runs/a/best.safetensors");
    const ModelFile to = load_model(folder / "tuned/model.safetensors");
    for (std::size_t i = 0; i < to.weights.size(); ++i)
      if (to.weights[i].first.starts_with("blocks."))
        test::check_close(to.weights[i].second, from.weights[i].second, 0, to.weights[i].first);
  }
  SUBCASE("weights of another architecture are refused") {
    check_refused(folder.train("wider", {"--set", "model.width=48", "--set",
                                         "init.checkpoint=runs/a/model.safetensors"}),
                  "another network");
    CHECK_FALSE(fs::exists(folder / "wider"));
  }
}

TEST_CASE("while one run writes a folder, another is refused") {
  const TrainFolder folder;
  fs::create_directories(folder / "busy");
  const int descriptor = open((folder / "busy/.lock").c_str(), O_RDWR | O_CREAT, 0666);
  REQUIRE(flock(descriptor, LOCK_EX | LOCK_NB) == 0);  // as a run at work holds it
  check_refused(folder.train("busy"), "another run");
  close(descriptor);
  CHECK(folder.train("busy", kShort).status == 0);
}

TEST_CASE("bad data folders") {
  const TrainFolder folder;
  fs::create_directories(folder / "empty");
  use_folders(folder, "empty", "");
  check_refused(folder.train("a"), "empty");
  draw_set(folder);
  use_folders(folder, "absent", "");
  check_refused(folder.train("a"), "absent");
  use_folders(folder, "set/train", "set/val");
  const std::string name = data::synthetic_classes()[3];
  fs::rename(folder / "set/val/" + name, folder / "set/val/stranger");
  check_refused(folder.train("a"), "stranger");
  fs::remove_all(folder / "set/val/stranger");
  fs::create_directories(folder / "set/val/" + name);
  check_refused(folder.train("a"), name);
  check_refused(folder.train("a", {"--set", "data.val=", "--set", "model.classes=7"}),
                "model.classes is 7");
  check_refused(folder.train("a", {"--set", "data.val=", "--set", "train.batch=4096"}), "batch");
  CHECK_FALSE(fs::exists(folder / "a/model.safetensors"));
}

TEST_CASE("a text file named .jpg stops the run, is skipped, or is quarantined, as asked") {
  const TrainFolder folder;
  draw_set(folder);
  use_folders(folder, "set/train", "set/val");
  const std::string name = data::synthetic_classes()[0] + "/text.jpg";
  test::write_text(folder / ("set/train/" + name), "this is no image\n");
  const std::vector<std::string> one_epoch = {"--set", "train.epochs=1", "--set", "train.batch=4"};
  auto with = [&](const std::string& policy) {
    std::vector<std::string> arguments = one_epoch;
    arguments.insert(arguments.end(), {"--set", "data.broken=" + policy});
    return arguments;
  };
  check_refused(folder.train("fail", with("fail")), name);
  const ProcessResult skipped = folder.train("skip", with("skip"));
  CHECK_MESSAGE(skipped.status == 0, skipped.err);
  CHECK(contains(skipped.err, name));
  const ProcessResult quarantined = folder.train("quarantine", with("quarantine"));
  CHECK_MESSAGE(quarantined.status == 0, quarantined.err);
  CHECK(contains(read_text(folder / "quarantine/quarantine.txt"), name));
  CHECK(folder.model_hash("skip") == folder.model_hash("quarantine"));

  const ProcessResult check =
      test::run(folder.command("x", {"--check-data"}), "", {}, folder.path());
  CHECK(check.status == 2);
  CHECK(contains(check.out, name));
  CHECK_FALSE(fs::exists(folder / "x"));
}

TEST_CASE("a loss that is not finite ends the run, and --anomaly names the operation") {
  const TrainFolder folder;
  const std::vector<std::string> wild = {"--set", "train.optimizer.lr=1e30",
                                         "--set", "train.clip_norm=0",
                                         "--set", "train.schedule.warmup_epochs=0"};
  const ProcessResult result = folder.train("wild", wild);
  CHECK(result.status == 1);
  CHECK_MESSAGE(contains(result.err, "--anomaly"), result.err);
  CHECK_MESSAGE(contains(result.err, "step "), result.err);
  CHECK_FALSE(fs::exists(folder / "wild/model.safetensors"));
  std::vector<std::string> checked = wild;
  checked.push_back("--anomaly");
  const ProcessResult named = folder.train("named", checked);
  CHECK(named.status != 0);
  CHECK_MESSAGE(contains(named.err, "["), named.err);
}

TEST_CASE("questions about a run: configuration, schema, dry run") {
  const TrainFolder folder;
  const ProcessResult config =
      folder.train("b", {"--print-config", "--seed", "7", "--threads", "2"});
  REQUIRE(config.status == 0);
  const auto resolved = parse_json(config.out);
  CHECK(resolved.at("seed") == 7);
  CHECK(resolved.at("threads") == 2);
  CHECK(resolved.at("out") == "b");
  const ProcessResult schema = test::run({test::program("shiftadd-train"), "--print-schema"});
  CHECK(schema.status == 0);
  CHECK(parse_json(schema.out).contains("properties"));
  const ProcessResult dry = folder.train("b", {"--dry-run"});
  REQUIRE_MESSAGE(dry.status == 0, dry.err);
  for (const char* part :
       {"blocks.1.mlp.fc2", "parameters: ", "MACs", "first batch: ", "memory: ", "per epoch"})
    CHECK_MESSAGE(contains(dry.out, part), part);
  CHECK_FALSE(fs::exists(folder / "b"));
}

TEST_CASE("wrong command lines and configurations exit with 2 and say why") {
  const TrainFolder folder;
  const auto run = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {test::program("shiftadd-train")};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return test::run(words, "", {}, folder.path());
  };
  CHECK(run({"--help"}).status == 0);
  CHECK(contains(run({"--help"}).out, "--resume"));
  CHECK(run({"--version"}).out.starts_with("shiftadd-train "));
  check_refused(run({}), "CONFIG");
  check_refused(run({"config.json", "--nonsense"}), "--nonsense");
  check_refused(run({"config.json", "--threads", "0"}), "threads");
  check_refused(run({"absent.json"}), "absent.json");
  check_refused(run({"config.json", "--set", "train.epoch=3"}), "epochs");
  test::write_text(folder / "comma.json", "{\n  \"seed\": 1,\n}\n");
  check_refused(run({"comma.json"}), "comma.json:2:");
}

TEST_CASE("a run cut short by max_steps inside an epoch keeps its evaluation when resumed") {
  const TrainFolder folder;
  const std::vector<std::string> short_run = {"--set", "train.max_steps=2"};
  const ProcessResult first = folder.train("a", short_run);
  REQUIRE_MESSAGE(first.status == 0, first.err);
  const std::string metrics = read_text(folder / "a/metrics.csv");
  std::vector<std::string> again = short_run;
  again.insert(again.end(), {"--resume", "auto"});
  const ProcessResult second = folder.train("a", again);
  REQUIRE_MESSAGE(second.status == 0, second.err);
  CHECK(second.out == first.out);
  CHECK(read_text(folder / "a/metrics.csv") == metrics);
}

TEST_CASE("early stop is judged where an evaluation was due") {
  const TrainFolder folder;
  const ProcessResult result =
      folder.train("a", {"--set", "train.epochs=9", "--set", "train.eval_every=2", "--set",
                         "train.early_stop={\"patience\": 1, \"min_delta\": 100}"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err, "epoch 4/9: "));
  CHECK_FALSE(contains(result.err, "epoch 5/9: "));
  const std::string csv = read_text(folder / "a/metrics.csv");
  const std::string last = csv.substr(csv.rfind('\n', csv.size() - 2) + 1);
  CHECK_FALSE(contains(last, ",,"));  // evaluated
}

TEST_CASE("sets of which nothing can be read end a run") {
  const TrainFolder folder;
  draw_set(folder);
  use_folders(folder, "set/train", "set/val");
  const auto break_all = [&](const std::string& part) {
    for (const auto& entry : fs::recursive_directory_iterator(folder / part))
      if (entry.is_regular_file()) test::write_text(entry.path(), "text");
  };
  const std::vector<std::string> skip = {"--set", "data.broken=skip"};
  break_all("set/val");
  check_refused(folder.train("a", skip), "no validation image could be read");
  break_all("set/train");
  check_refused(folder.train("b", skip), "no training image");
  CHECK_FALSE(fs::exists(folder / "b/model.safetensors"));
  const ProcessResult check = folder.train("c", {"--check-data", "--set", "data.broken=skip"});
  CHECK(check.status == 0);
  CHECK(contains(check.out, "broken: set/train/"));
}

TEST_CASE("one image a class leaves none to validate") {
  const TrainFolder folder;
  draw_set(folder);
  use_folders(folder, "set/val", "");
  check_refused(folder.train("a", {"--set", "data.val_fraction=0.3"}), "none is left to validate");
}

TEST_CASE("broken images are counted") {
  const TrainFolder folder;
  draw_set(folder);
  use_folders(folder, "set/train", "set/val");
  const std::string victim = data::synthetic_classes()[0] + "/0000.png";
  test::write_text(folder / ("set/val/" + victim), "text");
  const ProcessResult result =
      folder.train("a", {"--set", "data.broken=skip", "--set", "train.epochs=1"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err, "1 broken image left out"));
  CHECK(contains(result.out, concat(" on ", data::synthetic_classes().size() - 1, " validation")));
}

TEST_CASE("class weights of zero leave their images out") {
  const TrainFolder folder;
  std::string weights = "[1";
  for (std::size_t i = 1; i < data::synthetic_classes().size(); ++i) weights += ",0";
  const ProcessResult result =
      folder.train("a", {"--set", "data.class_weights=" + weights + "]", "--set", "train.batch=2",
                         "--set", "train.max_steps=12"});
  CHECK_MESSAGE(result.status == 0, result.err);
}

TEST_CASE("names that are not UTF-8") {
  const TrainFolder folder;
  draw_set(folder);
  use_folders(folder, "set/train", "set/val");
  for (const char* part : {"set/train/", "set/val/"})
    fs::rename(folder / (part + data::synthetic_classes()[0]),
               folder / (part + std::string("\xe9")));
  const ProcessResult result = folder.train("a", {"--set", "train.epochs=1"});
  CHECK_MESSAGE(result.status == 0, result.err);
  check_refused(folder.train("runs/caf\xe9"), "not UTF-8");
}

TEST_CASE("without a terminal, a line every so many steps and for the last") {
  const TrainFolder folder;
  const ProcessResult result =
      folder.train("a", {"--set", "train.epochs=1", "--set", "log.every=7"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  int lines = 0;
  for (std::size_t at = 0; (at = result.err.find("epoch 1/1 step ", at)) != std::string::npos; ++at)
    ++lines;
  CHECK(lines == 3);  // steps 7, 14 and 18
  CHECK(contains(result.err, "epoch 1/1 step 18/18 "));
  CHECK_FALSE(contains(result.err, "\r"));
}
