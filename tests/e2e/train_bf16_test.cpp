// Training with bf16 products as a process: resume gives the same bits, and a machine without them
// is told so.
#include "tests/e2e/train_support.h"

using namespace shiftadd;
using test::ProcessResult;
using test::TrainFolder;

TEST_CASE("a bf16 run goes on bit for bit; without the instructions it trains in float32") {
  const TrainFolder folder;
  const std::vector<std::string> bf16 = {"--set", "train.precision=bf16"};
  const auto train = [&](const std::string& out, std::vector<std::string> arguments,
                         const std::map<std::string, std::string>& environment = {}) {
    arguments.insert(arguments.end(), bf16.begin(), bf16.end());
    const ProcessResult result = folder.train(out, arguments, environment);
    INFO(result.err);
    REQUIRE(result.status == 0);
    return result;
  };
  train("whole", {"--threads", "2"});
  train("parts", {"--threads", "1", "--set", "train.max_steps=7"});
  train("parts", {"--threads", "1", "--resume", "auto"});
  CHECK(folder.model_hash("parts") == folder.model_hash("whole"));

  const char* const message = "training in float32";
  CHECK(test::contains(train("without", {}, {{"SHIFTADD_BF16", "none"}}).err, message));
  CHECK(test::contains(train("dry", {"--dry-run"}, {{"SHIFTADD_BF16", "none"}}).out, message));
  REQUIRE(folder.train("plain").status == 0);
  CHECK(folder.model_hash("without") == folder.model_hash("plain"));

  const ProcessResult wrong = folder.train("wrong", bf16, {{"SHIFTADD_BF16", "vnni"}});
  CHECK(wrong.status == 2);
  CHECK(test::contains(wrong.err, "expected none, avx512 or amx"));
}
