// Stages in a configuration, and the table that compares runs.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "core/error.h"
#include "core/io/files.h"
#include "tests/support/support.h"
#include "tests/train/tiny_spec.h"
#include "train/config.h"
#include "train/run_result.h"

using namespace shiftadd;
using namespace shiftadd::train;

namespace {

const char* const kConfig = R"({
  "name": "both", "out": "runs/both", "seed": 7,
  "init": {"checkpoint": "dense.safetensors", "adapt": true},
  "data": {"train": "images"},
  "model": {"image_size": 8, "patch_size": 4},
  "train": {"epochs": 9, "optimizer": {"lr": 0.25, "weight_decay": 0.5}},
  "stages": [
    {"name": "add", "surgery": {"recipe": ["all: attention=linear_add"]}},
    {"train": {"epochs": 2, "optimizer": {"lr": 0.125}, "teacher": {"kind": "none"}}},
    {"init": {"checkpoint": "other.safetensors"}, "seed": 3,
     "train": {"teacher": {"checkpoint": "teacher.safetensors"}}}
  ]
})";

TrainConfig parsed(const std::vector<std::string>& overrides = {}) {
  return parse_train_config(kConfig, "both.json", overrides);
}

RunResult result_with(const std::string& name, const std::string& right) {
  RunResult result{.name = name,
                   .spec = test::tiny_spec(),
                   .top1 = 0,
                   .top5 = 100,
                   .loss = 0.5,
                   .images = static_cast<int64_t>(right.size()),
                   .shift_shares = {},
                   .right = right,
                   .data = "images",
                   .model = "model"};
  result.top1 = Evaluation::percent(std::count(right.begin(), right.end(), '1'), result.images);
  return result;
}

}  // namespace

TEST_CASE("a stage is the rest of the configuration with its own object over it") {
  const TrainConfig config = parsed();
  REQUIRE(config.stages.size() == 3);
  const TrainConfig &first = config.stages[0], &second = config.stages[1],
                    &third = config.stages[2];
  CHECK(first.name == "add");
  CHECK(first.out == "runs/both/add");
  CHECK(first.init.checkpoint == "dense.safetensors");
  CHECK(first.init.adapt);
  CHECK(first.train.epochs == 9);
  CHECK(first.surgery.recipe.size() == 1);
  CHECK(first.train.teacher.checkpoint == "dense.safetensors");
  CHECK(first.seed == 7);

  CHECK(second.name == "stage2");
  CHECK(second.init.checkpoint == "runs/both/add/model.safetensors");
  CHECK_FALSE(second.init.adapt);
  CHECK(second.train.epochs == 2);
  CHECK(second.train.optimizer.lr == 0.125);
  CHECK(second.train.optimizer.weight_decay == 0.5);
  CHECK(second.surgery.recipe.empty());
  CHECK(second.train.teacher.kind == TeacherConfig::Kind::kNone);

  CHECK(third.init.checkpoint == "other.safetensors");
  CHECK(third.train.teacher.checkpoint == "teacher.safetensors");
  CHECK(third.seed == 3);
}

TEST_CASE("overrides reach all stages that do not say otherwise") {
  const TrainConfig config = parsed({"out=\"elsewhere\"", "train.epochs=4", "threads=2"});
  CHECK(config.stages[0].out == "elsewhere/add");
  CHECK(config.stages[0].train.epochs == 4);
  CHECK(config.stages[1].train.epochs == 2);
  CHECK(config.stages[1].init.checkpoint == "elsewhere/add/model.safetensors");
  CHECK(config.stages[2].threads == 2);
}

TEST_CASE("a configuration with stages is printed whole and reads back") {
  const std::string text = to_text(parsed());
  const TrainConfig again = parse_train_config(text, "printed.json");
  CHECK(to_text(again) == text);
  CHECK(again.stages[1].train.optimizer.lr == 0.125);
}

TEST_CASE("a result is written, read back, and compared image by image") {
  const test::TemporaryFolder folder;
  RunResult result = result_with("mixed", "1101");
  result.spec.shift_add.blocks.resize(2);
  result.spec.shift_add.blocks[1] = {.attention = AttentionKind::kLinearAdd,
                                     .qkv = LayerKind::kShift,
                                     .proj = LayerKind::kShift,
                                     .mlp = LayerKind::kMixture};
  result.shift_shares = {0.5};
  write_result(folder.path(), result);
  const RunResult again = read_result(folder.path());
  CHECK(again.spec == result.spec);
  CHECK(again.right == "1101");
  CHECK(again.shift_shares == std::vector<double>{0.5});

  // Differences 0, +1, 0, +1: mean 0.5, sample deviation 0.577, interval 1.96 * 0.577 / 2.
  const std::string table = compare_results({result_with("plain", "1000"), again});
  CHECK(table.find("| plain |   25.00 |        baseline |       - |") != std::string::npos);
  CHECK(table.find("| mixed |   75.00 | +50.00 +- 56.58 |    50.0 |") != std::string::npos);
  CHECK_THROWS_WITH_AS(compare_results({result_with("plain", "10"), again}),
                       doctest::Contains("cannot be compared"), Error);
  RunResult elsewhere = result_with("elsewhere", "1000");
  elsewhere.data = "other images";
  CHECK_THROWS_WITH_AS(compare_results({elsewhere, again}), doctest::Contains("cannot be compared"),
                       Error);
}

TEST_CASE("the table of runs is aligned and fits 100 columns; of long names the end is shown") {
  std::vector<RunResult> results;
  for (const std::string name :
       {"a", "runs/a_folder_of_many_experiments/stage_one/add",
        "runs/\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9/\u00fcbung/shift"})
    results.push_back(result_with(name, "1101"));
  const auto columns = [](const std::string& line) {
    return std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
  };
  std::istringstream lines(compare_results(results));
  std::ptrdiff_t width = 0;
  int rows = 0;
  for (std::string line; std::getline(lines, line);) {
    CHECK_MESSAGE(columns(line) <= 100, line);
    if (!line.starts_with("|")) continue;
    if (rows++ == 0) width = columns(line);
    CHECK_MESSAGE(columns(line) == width, line);
  }
  CHECK(rows == 5);
  CHECK(lines.str().find("_one/add |") != std::string::npos);
  CHECK(lines.str().find("\u00fcbung/shift |") != std::string::npos);
}

TEST_CASE("a result that does not fit its model is refused") {
  const test::TemporaryFolder folder;
  RunResult result = result_with("short", "11");
  write_result(folder.path(), result);
  const std::string summed = read_text(folder / "result.json");
  const std::string text = "{" + summed.substr(summed.find(',') + 1);
  for (const char* damage : {"\"1\"", "\"1x\"", "\"10\""}) {
    std::string damaged = text;
    damaged.replace(damaged.find("\"11\""), 4, damage);
    write_file(folder / "result.json", damaged);
    CHECK_THROWS_WITH_AS(read_result(folder.path()), doctest::Contains("damaged"), Error);
  }
  write_file(folder / "result.json", "[]");
  CHECK_THROWS_WITH_AS(read_result(folder.path()), doctest::Contains("result.json"), Error);
}

TEST_CASE("a router that sends every token to one expert is named") {
  ModelSpec spec = test::tiny_spec();
  spec.shift_add.blocks.resize(2);
  spec.shift_add.blocks[0].mlp = spec.shift_add.blocks[1].mlp = LayerKind::kMixture;
  CHECK(collapsed_routers(spec, {0.5, 0.02}).empty());
  const auto lines = collapsed_routers(spec, {1.0, 0.004});
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find("blocks.0.mlp has collapsed: 100.0 % of the tokens go to Shift") !=
        std::string::npos);
  CHECK(lines[1].find("blocks.1.mlp has collapsed: 99.6 % of the tokens go to Mult") !=
        std::string::npos);
}
