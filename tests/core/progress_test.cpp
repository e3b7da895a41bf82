// Durations, the bar, and what reaches a terminal or a log.
#include "core/progress.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>

#include "core/unicode.h"

using namespace shiftadd;

TEST_CASE("durations and bars read well") {
  CHECK(duration_text(0.4) == "0s");
  CHECK(duration_text(42) == "42s");
  CHECK(duration_text(185) == "3m05s");
  CHECK(duration_text(7620) == "2h07m");
  CHECK(duration_text(8.64e7 - 60) == "23999h59m");
  for (double unknown : {1e9, 5e13, 1 / 0.0, 0 / 0.0}) CHECK(duration_text(unknown) == "?");
  CHECK(bar_text(0, 10) == "[>                   ]");
  CHECK(bar_text(5, 10) == "[==========>         ]");
  CHECK(bar_text(10, 10) == "[====================]");
  CHECK(bar_text(12, 10) == bar_text(10, 10));
  CHECK(bar_text(0, 0) == bar_text(10, 10));
}

TEST_CASE("a bar is redrawn at most ten times a second and wiped before a line") {
  std::string text;
  Progress bar([&](std::string_view part) { text += part; }, true, [] { return 80; });
  const auto draw = [&](int64_t done, double now, bool last) {
    bar.draw({"images", done, 9, {std::to_string(done) + "/9"}}, now, last);
  };
  draw(1, 10, false);
  const std::string drawn = text;
  CHECK(drawn == "\rimages [==>                 ] 1/9\033[K");
  draw(2, 10.05, false);
  CHECK(text == drawn);
  draw(9, 10.06, true);
  CHECK(text == drawn + "\rimages [====================] 9/9\033[K");
  text.clear();
  bar.line("hello");
  bar.line("again");
  CHECK(text == "\r\033[Khello\nagain\n");
}

TEST_CASE("a bar goes with its owner, also when work ends in an error") {
  std::string text;
  try {
    Progress bar([&](std::string_view part) { text += part; }, true, [] { return 30; });
    bar.draw({"a", 1, 2, {}}, 0, true);
    throw 1;
  } catch (int) {
    text += "error";
  }
  CHECK(text.ends_with("\033[K\r\033[Kerror"));
}

TEST_CASE("no bar where there is no terminal") {
  std::string text;
  Progress lines([&](std::string_view part) { text += part; }, false);
  lines.draw({"images", 1, 9, {"1/9"}}, 10, true);
  lines.wipe();
  CHECK(text.empty());
  lines.line("hello");
  CHECK(text == "hello\n");
}

TEST_CASE("a bar stays within any terminal: it shrinks, then loses its last figures") {
  const ProgressBar bar = {
      "epoch 3/10", 5, 10, {"5/10", "ETA 1m20s", "loss 1.2500", "812 img/s", "lr 0.0005"}};
  CHECK(progress_line(bar, 200) ==
        "epoch 3/10 [==========>         ] 5/10 ETA 1m20s loss 1.2500 812 img/s lr 0.0005");
  CHECK(progress_line(bar, 80) ==
        "epoch 3/10 [=========>         ] 5/10 ETA 1m20s loss 1.2500 812 img/s lr 0.0005");
  CHECK(progress_line(bar, 60) == "epoch 3/10 [====>    ] 5/10 ETA 1m20s loss 1.2500 812 img/s");
  CHECK(progress_line(bar, 50) == "epoch 3/10 [====>    ] 5/10 ETA 1m20s loss 1.2500");
  CHECK(progress_line(bar, 40) == "epoch 3/10 [=====>     ] 5/10 ETA 1m20s");
  CHECK(progress_line(bar, 20) == "epoch 3/10 5/10");
  CHECK(progress_line(bar, 12) == "epoch 3/10 ");
  CHECK(progress_line(bar, 5) == "epoc");
  const std::vector<ProgressBar> bars = {bar,
                                         {"数据集", 1, 3, {"1/3", "剩余 3m05s"}},
                                         {"cafe\u0301 \U0001F600\U0001F600", 0, 0, {}},
                                         {std::string(300, 'x'), 7, 8, {"7/8"}},
                                         {"\xff\xfe not UTF-8 \xc3", 1, 2, {"1/2"}},
                                         {"", 1, 2, {}}};
  for (const ProgressBar& each : bars)
    for (int64_t columns = 1; columns <= 300; ++columns) {
      CAPTURE(each.title);
      CAPTURE(columns);
      CHECK(columns_of(progress_line(each, columns)) <= std::max<int64_t>(columns - 1, 1));
    }
}

TEST_CASE("each drawing asks anew how wide the terminal is, and breaks no line") {
  std::string text;
  int64_t columns = 100;
  Progress bar([&](std::string_view part) { text = part; }, true, [&] { return columns; });
  const ProgressBar shown = {"a\nb\tc\x1b[31m\x7f", 3, 4, {"3/4", std::string(70, 'f')}};
  for (const int64_t now : {100, 61, 20, 7, 100}) {
    columns = now;
    bar.draw(shown, 0, true);
    REQUIRE(text.starts_with("\r"));
    REQUIRE(text.ends_with("\033[K"));
    const std::string line = text.substr(1, text.size() - 4);
    CHECK(columns_of(line) < now);
    for (const char c : line) CHECK(static_cast<unsigned char>(c) >= ' ');
  }
}

TEST_CASE("columns are those that a terminal shows") {
  CHECK(columns_of("") == 0);
  CHECK(columns_of("plain") == 5);
  CHECK(columns_of("é") == 1);
  CHECK(columns_of("e\u0301") == 1);
  CHECK(columns_of("日本") == 4);
  CHECK(columns_of("\xff\xc3") == 2);
  CHECK(first_columns("日本語", 5) == "日本");
  CHECK(first_columns("e\u0301e", 1) == "e\u0301");
  CHECK(first_columns("abc", 9) == "abc");
}

TEST_CASE("COLUMNS narrows, and stands in where the terminal does not say its width") {
  for (const auto& [value, columns] :
       std::map<std::string, int64_t>{{"40", 40}, {"20", 20}, {"0", 80}, {"-3", 80}, {"x", 80}}) {
    setenv("COLUMNS", value.c_str(), 1);
    if (isatty(STDERR_FILENO))
      CHECK(terminal_columns() >= 1);
    else
      CHECK(terminal_columns() == columns);
  }
  unsetenv("COLUMNS");
}
