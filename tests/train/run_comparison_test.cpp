// What a run came to, in its file, and the table that compares runs.
#include "train/run_comparison.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "core/error.h"
#include "core/io/files.h"
#include "tests/support/support.h"
#include "tests/train/tiny_spec.h"

using namespace shiftadd;
using namespace shiftadd::train;

namespace {

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

// Each run a row of its own.
std::string compared(const std::vector<RunResult>& results) {
  std::vector<RunGroup> groups;
  for (const RunResult& result : results) groups.push_back({result.name, {result}});
  return compare_results(groups);
}

}  // namespace

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
  CHECK(again.name == "mixed");
  CHECK(again.top1 == 75);
  CHECK(again.images == 4);
  CHECK(again.data == "images");
  CHECK(again.model == "model");
  CHECK(again.right == "1101");
  CHECK(again.shift_shares == std::vector<double>{0.5});

  // Differences 0, +1, 0, +1: mean 0.5, sample deviation 0.577, interval 1.96 * 0.577 / 2.
  const std::string table = compared({result_with("plain", "1000"), again});
  CHECK(table.find("| plain |   25.00 |        baseline |       - |") != std::string::npos);
  CHECK(table.find("| mixed |   75.00 | +50.00 +- 56.58 |    50.0 |") != std::string::npos);
  CHECK_THROWS_WITH_AS(
      compared({result_with("plain", "10"), again}),
      doctest::Contains("mixed was evaluated on other images than plain (4 and 2): "
                        "they cannot be compared"),
      Error);
  RunResult elsewhere = result_with("elsewhere", "1000");
  elsewhere.data = "other images";
  CHECK_THROWS_WITH_AS(
      compared({elsewhere, again}),
      doctest::Contains("mixed was evaluated on other images than elsewhere (4 and "
                        "4): they cannot be compared"),
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
  std::istringstream lines(compared(results));
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

TEST_CASE("runs of several seeds make one row: means, paired run by run and image by image") {
  const RunGroup plain = {"plain", {result_with("plain1", "1000"), result_with("plain2", "1100")}};
  const RunGroup other = {"other", {result_with("other1", "1101"), result_with("other2", "1000")}};
  // Differences 0, (1 - 1) / 2, 0, 1 / 2: mean 0.125, sample deviation 0.25, interval
  // 1.96 * 0.25 / 2.
  const std::string table = compare_results({plain, other});
  CHECK(table.find("| plain |   37.50 |        baseline |") != std::string::npos);
  CHECK(table.find("| other |   50.00 | +12.50 +- 24.50 |") != std::string::npos);
  CHECK(table.find("plain: 25.00 50.00\n") != std::string::npos);
  // Of +50 and -25: deviation 53.03, Student's t 12.706 of one freedom, over the root of 2.
  CHECK(table.find("other: 75.00 (+50.00) 25.00 (-25.00); seeds +- 476.47\n") != std::string::npos);
  CHECK(table.find("Means of 2 seeds. The intervals above are over images") != std::string::npos);
  CHECK_THROWS_WITH_AS(compare_results({plain, {"one", {result_with("one", "1101")}}}),
                       doctest::Contains("one: 1 run; plain: 2 runs: give as many for each row"),
                       Error);
  // Three seeds that are all a third apart: no deviation, whatever a third is rounded to.
  const RunGroup none = {"none",
                         {result_with("a", "00"), result_with("b", "00"), result_with("c", "00")}};
  const RunGroup third = {"third",
                          {result_with("a", "11"), result_with("b", "00"), result_with("c", "00")}};
  CHECK(compare_results({none, third}).find("+33.33 +- 0.00 |") != std::string::npos);
  RunGroup elsewhere = other;
  elsewhere.seeds[1].data = "other images";
  CHECK_THROWS_WITH_AS(compare_results({plain, elsewhere}),
                       doctest::Contains("other2 was evaluated on other images than plain1"),
                       Error);
}

TEST_CASE("runs are paired by their seeds") {
  const auto seeded = [](const std::string& name, std::optional<uint64_t> seed) {
    RunResult result = result_with(name, "1101");
    result.seed = seed;
    return result;
  };
  const RunGroup plain = {"plain", {seeded("plain1", 1), seeded("plain2", 2)}};
  const auto with = [&](std::optional<uint64_t> first, std::optional<uint64_t> second) {
    return compare_results({plain, {"other", {seeded("o1", first), seeded("o2", second)}}});
  };
  CHECK(with(1, 2).find("Means of 2 seeds: 1, 2. ") != std::string::npos);
  CHECK_NOTHROW(with(std::nullopt, 2));  // a folder without its manifest
  CHECK_THROWS_WITH_AS(with(2, 1),
                       doctest::Contains("o1 has seed 2, and plain1, which it is paired with, has "
                                         "1: give the runs of every row in the same order"),
                       Error);
  // Two single runs are set side by side, and their seeds told.
  const std::string table =
      compare_results({{"a", {seeded("a", 1)}}, {"b", {seeded("b", 1)}}, {"c", {seeded("c", 3)}}});
  CHECK(table.find("\nc: seed 3, and the baseline's is 1\n") != std::string::npos);
  CHECK(table.find("b: seed") == std::string::npos);
}

TEST_CASE("a row of several runs is called as what their folders share") {
  const auto named = [](const std::vector<std::string>& names) {
    std::vector<RunResult> runs;
    for (const std::string& name : names) runs.push_back(result_with(name, "1"));
    return group_name(runs);
  };
  CHECK(named({"runs/a"}) == "runs/a");
  CHECK(named({"runs/a_s1/shift", "runs/a_s2/shift", "runs/a_s3/shift"}) == "runs/a_s*/shift");
  CHECK(named({"a_s1", "a_s11", "a_s12"}) == "a_s*");
  CHECK(named({"x/1/shift", "y/1/shift"}) == "*/1/shift");
  CHECK(named({"runs/a", "more/deep/a"}) == "runs/a and 1 more");
  CHECK(named({"dense", "again/dense", "b"}) == "dense and 2 more");
}

TEST_CASE("of names too long for the table the folders that all lie in go first") {
  const std::string base = "runs/cifar10_seeds/";
  const std::string table =
      compared({result_with(base + "dense_s1", "1101"), result_with(base + "hybrid_s1/add", "1100"),
                result_with(base + "hybrid_of_old/shift", "1101")});
  CHECK(table.find("| dense_s1 ") != std::string::npos);
  CHECK(table.find("| hybrid_s1/add ") != std::string::npos);
  CHECK(table.find("/shift ") != std::string::npos);
  CHECK(table.find("\nRow 1: runs/cifar10_seeds/dense_s1\nRow 2: ") != std::string::npos);
  CHECK(table.find("Row 3: runs/cifar10_seeds/hybrid_of_old/shift\n") != std::string::npos);
  CHECK(compared({result_with("a/b", "1101"), result_with("a/c", "1100")}).find("Row ") ==
        std::string::npos);
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
