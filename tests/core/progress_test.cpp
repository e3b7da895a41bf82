// Durations, the bar, and what reaches a terminal or a log.
#include "core/progress.h"

#include <doctest/doctest.h>

#include <string>

using namespace shiftadd;

TEST_CASE("durations and bars read well") {
  CHECK(duration_text(0.4) == "0s");
  CHECK(duration_text(42) == "42s");
  CHECK(duration_text(185) == "3m05s");
  CHECK(duration_text(7620) == "2h07m");
  CHECK(bar_text(0, 10) == "[>                   ]");
  CHECK(bar_text(5, 10) == "[==========>         ]");
  CHECK(bar_text(10, 10) == "[====================]");
  CHECK(bar_text(12, 10) == bar_text(10, 10));
  CHECK(bar_text(0, 0) == bar_text(10, 10));
}

TEST_CASE("a bar is redrawn at most ten times a second and wiped before a line") {
  std::string text;
  Progress bar([&](std::string_view part) { text += part; }, true);
  bar.draw("1 of 9", 10, false);
  const std::string drawn = text;
  CHECK(drawn == "\r1 of 9\033[K");
  bar.draw("2 of 9", 10.05, false);
  CHECK(text == drawn);
  bar.draw("9 of 9", 10.06, true);
  CHECK(text == drawn + "\r9 of 9\033[K");
  text.clear();
  bar.line("hello");
  bar.line("again");
  CHECK(text == "\r\033[Khello\nagain\n");
}

TEST_CASE("no bar where there is no terminal") {
  std::string text;
  Progress lines([&](std::string_view part) { text += part; }, false);
  lines.draw("1 of 9", 10, true);
  lines.wipe();
  CHECK(text.empty());
  lines.line("hello");
  CHECK(text == "hello\n");
}
