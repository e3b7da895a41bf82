// The files of a run: logs that can be cut back, a step's line, the folder's lock.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "tests/support/support.h"
#include "train/progress_text.h"
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
    record.validation = Validation{.answers = Evaluation(2), .shift_shares = {0.25}, .right = {}};
    record.validation->answers.add(logits, 1);
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
  CHECK(parse_json(jsonl.substr(0, jsonl.find('\n'))).at("loss") == 2);
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

TEST_CASE("a training run's progress reads well") {
  const TrainingProgress at{.epoch = 3,
                            .epochs = 10,
                            .step = 5,
                            .steps_per_epoch = 10,
                            .loss = 1.25,
                            .lr = 5e-4,
                            .images_per_second = 812.4,
                            .seconds_left = 80};
  CHECK(progress_text(at) == "epoch 3/10 step 5/10 loss 1.2500 lr 0.0005 812 img/s ETA 1m20s");
  CHECK(progress_line(progress_bar(at), 100) ==
        "epoch 3/10 [==========>         ] 5/10 ETA 1m20s loss 1.2500 812 img/s lr 0.0005");
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
