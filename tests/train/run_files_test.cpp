// The files of a run: logs that can be cut back, progress text, the folder's lock.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "tests/support/support.h"
#include "train/progress.h"
#include "train/run_lock.h"
#include "train/run_log.h"

using namespace shiftadd;
using namespace shiftadd::train;

namespace {

EpochRecord epoch_record(int64_t epoch) {
  EpochRecord record{.epoch = epoch,
                     .step = 10 * epoch,
                     .lr = 0.1,
                     .train_loss = 1.5,
                     .seconds = 2,
                     .images_per_second = 100,
                     .validation = {}};
  if (epoch != 2) {
    const float logits[] = {1, 2};
    record.validation.emplace(2).add(logits, 1);
  }
  return record;
}

}  // namespace

TEST_CASE(
    "a log that is cut back to a position and written again equals one that was never "
    "interrupted") {
  const test::TemporaryFolder straight, resumed;
  {
    RunLog log(straight.path(), {}, true, 100);
    log.write(StepRecord{.step = 1, .loss = 2, .lr = 0.5}, 101);
    log.write(epoch_record(1), 102);
    log.write(epoch_record(2), 103);
  }
  LogPosition position;
  {
    RunLog log(resumed.path(), {}, true, 100);
    log.write(StepRecord{.step = 1, .loss = 2, .lr = 0.5}, 101);
    log.write(epoch_record(1), 102);
    position = log.position();
    log.write(epoch_record(7), 110);
  }
  {
    RunLog log(resumed.path(), position, true, 200);
    log.write(epoch_record(2), 103);
  }
  for (const std::string name :
       {"metrics.csv", "metrics.jsonl", "events.out.tfevents.100.shiftadd"})
    CHECK_MESSAGE(read_text(straight / name) == read_text(resumed / name), name);
  const std::string csv = read_text(straight / "metrics.csv");
  CHECK(csv.starts_with("epoch,step,lr,"));
  CHECK(csv.find("\n2,20,0.10000000000000001,1.500000,,,,2.00,100.0\n") != std::string::npos);
  const std::string jsonl = read_text(straight / "metrics.jsonl");
  CHECK(nlohmann::json::parse(jsonl.substr(0, jsonl.find('\n'))).at("loss") == 2);
}

TEST_CASE("a log that is shorter than its position is continued where it ends") {
  const test::TemporaryFolder folder;
  test::write_text(folder / "log", "abc");
  AppendFile file(folder / "log", 100);
  CHECK(file.size() == 3);
  file.write("d");
  CHECK(read_text(folder / "log") == "abcd");
  CHECK_THROWS_AS(AppendFile(folder / "absent/log", 0), Error);
}

TEST_CASE("durations and progress read well") {
  CHECK(duration_text(0.4) == "0s");
  CHECK(duration_text(42) == "42s");
  CHECK(duration_text(185) == "3m05s");
  CHECK(duration_text(7620) == "2h07m");
  const ProgressUpdate update{.epoch = 3,
                              .epochs = 10,
                              .step = 5,
                              .steps_per_epoch = 10,
                              .loss = 1.25,
                              .lr = 5e-4,
                              .images_per_second = 812.4,
                              .seconds_left = 80};
  CHECK(progress_text(update, false) ==
        "epoch 3/10 step 5/10 loss 1.2500 lr 0.0005 812 img/s ETA 1m20s");
  CHECK(progress_text(update, true).starts_with("epoch 3/10 [==========>         ] 5/10 "));
}

TEST_CASE("lines where there is no terminal, a bar that is wiped where there is one") {
  std::string text;
  const Progress::Sink sink = [&](std::string_view part) { text += part; };
  Progress lines(sink, false, 2);
  for (int64_t step = 1; step <= 3; ++step) lines.update({.step = step, .steps_per_epoch = 3}, 0);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);  // step 2 and the last
  CHECK(text.find('\r') == std::string::npos);
  text.clear();
  Progress bar(sink, true, 1);
  bar.update({.step = 1, .steps_per_epoch = 9}, 10);
  const std::string drawn = text;
  bar.update({.step = 2, .steps_per_epoch = 9}, 10.05);  // too soon to redraw
  CHECK(text == drawn);
  bar.line("hello");
  CHECK(text.ends_with("\r\033[Khello\n"));
}

TEST_CASE("a folder is locked once at a time") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "new/run";
  {
    const RunLock lock(path);
    CHECK_THROWS_WITH_AS(RunLock second(path), doctest::Contains("another run"), Error);
  }
  const RunLock again(path);
  CHECK(std::filesystem::exists(path + "/.lock"));
}
