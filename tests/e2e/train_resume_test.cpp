// Interrupted runs: killed, stopped, out of disk; each must end with the weights of a run left
// alone.
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "tests/e2e/train_support.h"
#include "tests/support/flips.h"

using namespace shiftadd;
using test::ProcessResult;
using test::TrainFolder;

namespace {

/// One folder for all cases: the set is drawn once, the uninterrupted run is made once.
struct Reference {
  TrainFolder folder;
  std::string hash;
  Reference() {
    const ProcessResult result = folder.train("whole", {"--threads", "2"});
    INFO(result.err);
    REQUIRE(result.status == 0);
    hash = folder.model_hash("whole");
  }
};
const Reference& reference() {
  static const Reference made;
  return made;
}

int64_t lines_of(const std::string& path) {
  const std::string text = read_text(path);
  return std::count(text.begin(), text.end(), '\n');
}

void check_resumed(const std::string& out, const std::vector<std::string>& arguments) {
  const TrainFolder& folder = reference().folder;
  const ProcessResult result = folder.train(out, arguments);
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(folder.model_hash(out) == reference().hash);
  for (const std::string name : {"/metrics.csv", "/metrics.jsonl"})  // no gap, no duplicate
    CHECK(lines_of(folder / out + name) == lines_of(folder / "whole" + name));
}

}  // namespace

TEST_CASE("one thread and two give the same model file") {
  const ProcessResult result =
      reference().folder.train("one", {"--threads", "1", "--set", "data.workers=0"});
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(reference().folder.model_hash("one") == reference().hash);
}

TEST_CASE("another seed gives another model file") {
  const ProcessResult result = reference().folder.train("seed", {"--seed", "1"});
  REQUIRE(result.status == 0);
  CHECK(reference().folder.model_hash("seed") != reference().hash);
}

TEST_CASE("killed at three steps, resumed, and nothing is different") {
  const TrainFolder& folder = reference().folder;
  int number = 0;
  for (const int step : {3, 17, 31}) {
    const std::string out = "killed" + std::to_string(++number);
    CHECK(folder.train_until(out, {}, " step ", step, SIGKILL).status == 128 + SIGKILL);
    check_resumed(out, {"--resume", "auto", "--threads", number % 2 ? "1" : "2"});
  }
}

TEST_CASE("killed, resumed, killed again, resumed") {
  const TrainFolder& folder = reference().folder;
  folder.train_until("twice", {}, " step ", 22, SIGKILL);
  folder.train_until("twice", {"--resume", "auto"}, " step ", 20, SIGKILL);
  check_resumed("twice", {"--resume", folder / "twice"});
}

TEST_CASE("Ctrl-C, SIGTERM and SIGHUP finish the step, save; the run goes on at that very step") {
  const TrainFolder& folder = reference().folder;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const std::string out = "stopped" + std::to_string(signal);
    const ProcessResult stopped = folder.train_until(out, {}, " step ", 7, signal);
    INFO(stopped.err);
    CHECK(stopped.status == 130);
    CHECK(test::contains(stopped.err,
                         "shiftadd-train: stopping after the step at work; a second signal"));
    CHECK(stopped.err.find("--resume auto") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(folder / out + "/model.safetensors"));
    check_resumed(out, {"--resume", "auto", "--threads", "1"});
  }
}

TEST_CASE("signals that are ignored at the start, as under nohup, stay ignored") {
  const TrainFolder& folder = reference().folder;
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) {
    const std::string out = "ignored" + std::to_string(signal);
    const ProcessResult whole = folder.train_until(out, {}, " step ", 7, signal, true);
    CHECK_MESSAGE(whole.status == 0, whole.err);
    CHECK(folder.model_hash(out) == reference().hash);
  }
}

TEST_CASE("a run with early stop that was cut stops where the whole one does") {
  const TrainFolder& folder = reference().folder;
  const std::vector<std::string> stop = {
      "--set", R"(train.early_stop={"patience": 2, "min_delta": 100})", "--set", "train.epochs=9"};
  const ProcessResult early = folder.train("early", stop);
  REQUIRE(early.status == 0);
  CHECK(test::contains(early.err, "train.early_stop: top-1 has not risen since epoch 1\n"));
  CHECK(lines_of(folder / "early/metrics.csv") == 4);  // its head, and three epochs of nine
  std::vector<std::string> again = stop;
  again.insert(again.end(), {"--resume", "auto"});
  int number = 0;
  for (const int step : {5, 20, 40}) {  // of 18 an epoch
    const std::string out = "early" + std::to_string(++number);
    CHECK(folder.train_until(out, stop, " step ", step, SIGKILL).status == 128 + SIGKILL);
    REQUIRE(folder.train(out, again).status == 0);
    CHECK(folder.model_hash(out) == folder.model_hash("early"));
    CHECK(lines_of(folder / out + "/metrics.csv") == 4);
  }
  const std::string hash = folder.model_hash("early");
  REQUIRE(folder.train("early", again).status == 0);  // it is over
  CHECK(folder.model_hash("early") == hash);
}

TEST_CASE("a run that was cut by max_steps inside an epoch can be continued past it") {
  const TrainFolder& folder = reference().folder;
  const ProcessResult cut = folder.train("cut", {"--set", "train.max_steps=5"});
  INFO(cut.err);
  REQUIRE(cut.status == 0);
  CHECK(cut.out.find("top-1") != std::string::npos);
  CHECK(folder.model_hash("cut") != reference().hash);
  check_resumed("cut", {"--resume", "auto"});
}

TEST_CASE("resuming a finished run changes nothing") {
  const TrainFolder& folder = reference().folder;
  const std::string metrics = read_text(folder / "whole/metrics.jsonl");
  check_resumed("whole", {"--resume", "auto"});
  CHECK(read_text(folder / "whole/metrics.jsonl") == metrics);
}

TEST_CASE("a full disk while saving leaves the previous checkpoint intact") {
  const TrainFolder& folder = reference().folder;
  folder.train_until("full", {}, "epoch 1/3: ", 1, SIGINT);
  const std::string before = sha256_of_file(folder / "full/last.safetensors");
  const ProcessResult full =
      folder.train("full", {"--resume", "auto"}, {{"SHIFTADD_FAIL_WRITE_AFTER", "20000"}});
  CHECK(full.status == 1);
  CHECK(full.err.find(".safetensors") != std::string::npos);
  CHECK(full.err.find("space") != std::string::npos);
  CHECK(sha256_of_file(folder / "full/last.safetensors") == before);
  CHECK_NOTHROW(read_safetensors(folder / "full/last.safetensors"));
  for (const auto& entry : std::filesystem::directory_iterator(folder / "full"))
    CHECK_MESSAGE(entry.path().string().find(".tmp") == std::string::npos, entry.path().string());
  check_resumed("full", {"--resume", "auto"});
}

TEST_CASE("resuming with another configuration, network or data is refused by name") {
  const TrainFolder& folder = reference().folder;
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& reason) {
    std::vector<std::string> all = {"--resume", "auto"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const ProcessResult result = folder.train("whole", all);
    CHECK(result.status == 2);
    CHECK_MESSAGE(result.err.find(reason) != std::string::npos, result.err);
  };
  refused({"--set", "train.epochs=4"}, "train.epochs (3 there, 4 now)");
  refused({"--seed", "3"}, "seed (0 there, 3 now)");
  refused({"--set", "model.width=48"}, "model.width");
  refused({"--set", "data.label_smoothing=0.3"}, "data.label_smoothing");
  refused({"--set", "data.synthetic.train_per_class=25"}, "another synthetic set");
  const ProcessResult absent = folder.train("absent", {"--resume", folder / "absent"});
  CHECK(absent.status == 2);
  const ProcessResult two = folder.train("absent", {"--resume", folder / "whole"});
  CHECK(two.status == 2);
  CHECK(two.err.find("two folders") != std::string::npos);
}

TEST_CASE("a damaged last is refused with a way on, which ends with the same weights") {
  const TrainFolder& folder = reference().folder;
  folder.train_until("damaged", {}, "epoch 2/3: ", 1, SIGINT);
  const std::string last = "damaged/last.safetensors", best = "damaged/best.safetensors";
  const std::string whole = read_text(folder / last);
  for (const std::size_t bit : {3UL, 8 * 40UL, 8 * 3000UL, 8 * whole.size() - 1}) {
    test::write_text(folder / last, test::flipped(whole, bit));
    for (const char* resume : {"auto", "damaged", "damaged/last.safetensors"}) {
      const ProcessResult result = folder.train("damaged", {"--resume", resume});
      CHECK(result.status == 2);
      CHECK_MESSAGE(result.err.find("type `cp " + best + " " + last + "`") != std::string::npos,
                    result.err);
    }
  }
  std::filesystem::copy_file(folder / best, folder / last,
                             std::filesystem::copy_options::overwrite_existing);
  check_resumed("damaged", {"--resume", "auto"});
}

TEST_CASE("what killed runs left unfinished in a run's folder goes with the next one") {
  const TrainFolder& folder = reference().folder;
  constexpr const char* kNobody = ".tmp-2147483647";  // above every process number
  const std::vector<std::string> names = {"last.safetensors", "epoch_001.safetensors",
                                          "metrics.csv"};
  for (const std::string& name : names)
    test::write_text(folder / concat("whole/", name, kNobody), "half");
  test::write_text(folder / "whole/mine.tmp-1", "of the first process, which lives");
  check_resumed("whole", {"--resume", "auto"});
  for (const std::string& name : names)
    CHECK_FALSE(std::filesystem::exists(folder / concat("whole/", name, kNobody)));
  CHECK(std::filesystem::exists(folder / "whole/mine.tmp-1"));
}
