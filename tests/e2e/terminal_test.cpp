// What the programs show on a terminal of any width, and where messages begin there.
#include <algorithm>

#include "core/unicode.h"
#include "tests/e2e/child.h"
#include "tests/e2e/infer_support.h"
#include "tests/e2e/train_support.h"

using namespace shiftadd;
using test::Child;
using test::contains;

namespace {

// The drawings of the bar in what a terminal received, each without its escapes.
std::vector<std::string> bars_of(const std::string& output) {
  std::vector<std::string> bars;
  const std::string end = "\033[K";
  for (std::size_t at = output.find(end); at != std::string::npos; at = output.find(end, at + 1)) {
    const std::size_t start = output.rfind('\r', at) + 1;
    if (at > start) bars.push_back(output.substr(start, at - start));
  }
  return bars;
}

// The rows a terminal without end would show: returns go back, "\033[K" erases to the end.
std::vector<std::string> rows_of(const std::string& output) {
  std::vector<std::string> rows(1);
  std::size_t column = 0;
  for (std::size_t i = 0; i < output.size(); ++i) {
    std::string& row = rows.back();
    if (output[i] == '\r') {
      column = 0;
    } else if (output[i] == '\n') {
      rows.emplace_back(), column = 0;
    } else if (output.compare(i, 3, "\033[K") == 0) {
      row.resize(std::min(row.size(), column)), i += 2;
    } else {
      row.resize(std::max(row.size(), column + 1), ' ');
      row[column++] = output[i];
    }
  }
  return rows;
}

bool has_row_that_starts(const std::string& output, const std::string& text) {
  const std::vector<std::string> rows = rows_of(output);
  return std::any_of(rows.begin(), rows.end(),
                     [&](const std::string& row) { return row.starts_with(text); });
}

void check_narrow(const std::string& output, int64_t columns) {
  const std::vector<std::string> bars = bars_of(output);
  CHECK_FALSE(bars.empty());
  for (const std::string& bar : bars) {
    CAPTURE(bar);
    CHECK(columns_of(bar) < columns);
  }
}

}  // namespace

TEST_CASE("a training run's bar stays on one line of any terminal") {
  const test::TrainFolder folder;
  for (const int columns : {20, 33, 80, 132}) {
    CAPTURE(columns);
    Child child(folder.command("run" + std::to_string(columns), {"--set", "train.epochs=1"}),
                folder.path(), {24, columns});
    CHECK(child.wait() == 0);
    check_narrow(child.output(), columns);
    CHECK(has_row_that_starts(child.output(), "epoch 1/1: train loss"));
  }
}

TEST_CASE("an evaluation's, a calibration's, a comparison's and a check's bar, too") {
  const test::InferFolder folder;
  const std::string set = folder.labelled("数据", test::micro_classes(), 3),
                    model = folder.model_path(), infer = test::program("shiftadd-infer"),
                    convert = test::program("shiftadd-convert"),
                    bench = test::program("shiftadd-bench"),
                    train = test::program("shiftadd-train");
  test::write_text(folder / "config.json", R"({"data": {"train": ")" + set + R"("}})");
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {infer, model, "--eval", set},
           {convert, model, "--pack", "int8", "--calibrate", set, "--out", folder / "p"},
           {bench, "compare", "--seconds", "0", "数据=" + model, "--eval", set},
           {train, folder / "config.json", "--check-data"}})
    for (const int columns : {20, 50}) {
      CAPTURE(command[0]);
      Child child(command, folder.path(), {24, columns});
      CHECK_MESSAGE(child.wait() == 0, child.output());
      check_narrow(child.output(), columns);
      for (const std::string& row : rows_of(child.output())) CHECK_FALSE(contains(row, "ETA"));
    }
}

TEST_CASE("a terminal that becomes narrower is noticed") {
  const test::TrainFolder folder;
  Child child(folder.command("run", {"--set", "train.epochs=1000"}), folder.path(), {24, 100});
  REQUIRE(child.read_until("img/s lr"));
  child.resize({24, 40});
  const std::size_t before = child.output().size();
  while (bars_of(child.output().substr(before)).size() < 20) REQUIRE(child.read_more());
  child.type("\x03");
  CHECK(child.wait() == 130);
  const std::vector<std::string> bars = bars_of(child.output().substr(before));
  for (std::size_t i = 1; i < bars.size(); ++i) {  // the first may have been under way
    CAPTURE(bars[i]);
    CHECK(columns_of(bars[i]) < 40);
  }
}

TEST_CASE("after Ctrl-C the message has a line of its own") {
  const test::TrainFolder folder;
  Child train(folder.command("run", {"--set", "train.epochs=1000"}), folder.path(), {24, 80});
  REQUIRE(train.read_until("epoch 1/1000 ["));
  train.type("\x03");
  CHECK(train.wait() == 130);
  CHECK_MESSAGE(has_row_that_starts(train.output(), "stopped after step"), train.output());

  const test::InferFolder images;
  std::vector<std::string> command = {test::program("shiftadd-infer"), images.model_path(),
                                      "--batch", "1"};
  const std::string image = images.image("a.bmp", 64, 64, 1);
  command.insert(command.end(), 5000, image);  // more text than a terminal holds unread
  Child infer(command, images.path(), {24, 80});
  REQUIRE(infer.read_until("a.bmp"));
  infer.type("\x03");
  CHECK(infer.wait() == 130);
  CHECK(has_row_that_starts(infer.output(), "shiftadd-infer: interrupted"));
}

TEST_CASE("an error after a bar has a line of its own") {
  const test::InferFolder folder;
  const std::string set = folder.labelled("set", test::micro_classes(), 3);
  test::write_text(set + "/gnu/z.bmp", "no image");
  Child child({test::program("shiftadd-convert"), folder.model_path(), "--pack", "int8",
               "--calibrate", set, "--out", folder / "packed"},
              folder.path(), {24, 80});
  CHECK(child.wait() == 2);
  CHECK_MESSAGE(has_row_that_starts(child.output(), "shiftadd-convert: error: "), child.output());
}

TEST_CASE("a terminal that cannot redraw, and a pipe, get plain lines") {
  const test::InferFolder folder;
  const std::string set = folder.labelled("set", test::micro_classes(), 1);
  const std::vector<std::string> command = {test::program("shiftadd-infer"), folder.model_path(),
                                            "--eval", set};
  std::vector<std::string> dumb = {"/usr/bin/env", "TERM=dumb"};
  dumb.insert(dumb.end(), command.begin(), command.end());
  Child terminal(dumb, folder.path(), {24, 80});
  CHECK(terminal.wait() == 0);
  Child piped(command, folder.path());
  CHECK(piped.wait() == 0);
  for (const Child* child : {&terminal, &piped}) {
    CHECK_FALSE(contains(child->output(), "\033"));
    CHECK(has_row_that_starts(child->output(), "evaluating " + set + ": 7 images"));
  }
}
