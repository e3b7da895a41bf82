// What a run says, and when: lines that are due, silence that is broken, bars.
#include "train/reporter.h"

#include <condition_variable>
#include <mutex>

#include "tests/support/support.h"
#include "train/evaluation.h"

using namespace shiftadd;
using namespace shiftadd::train;
using test::contains;

namespace {

/// Collects what is said; wait_for returns when so many lines have come.
class Listener {
 public:
  Progress::Sink sink() {
    return [this](std::string_view text) {
      {
        std::lock_guard lock(mutex_);
        text_ += text;
      }
      heard_.notify_all();
    };
  }
  std::string text() {
    std::lock_guard lock(mutex_);
    return text_;
  }
  void wait_for(const std::string& part) {
    std::unique_lock lock(mutex_);
    heard_.wait(lock, [&] { return contains(text_, part); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable heard_;
  std::string text_;
};

ProgressBar bar(int64_t done) { return {"work", done, 9, {std::to_string(done) + "/9"}}; }

}  // namespace

TEST_CASE("without a terminal only what is due is said while the silence is short") {
  Listener listener;
  {
    Reporter reporter(listener.sink(), false, 1e6);
    reporter.line("begun");
    reporter.at(bar(1), "work: one", false);
    reporter.at(bar(2));
    reporter.begin("more");
    reporter.at(bar(3), "work: three", true);
  }
  CHECK(listener.text() == "begun\nwork: three\n");
}

TEST_CASE("after a silence every place is said, in the words of its kind") {
  Listener listener;
  {
    Reporter reporter(listener.sink(), false, 1e-9);  // every silence is too long
    reporter.at(bar(1), "work: one", false);
    reporter.at(bar(2));
    reporter.begin("reading");
  }
  CHECK(listener.text() == "work: one\nwork 2/9\nreading\n");
}

TEST_CASE("where several networks are evaluated in turn, each line names its own") {
  Listener listener;
  {
    Reporter reporter(listener.sink(), false, 1e-9);
    validation_report(reporter)(1, 40);
    validation_report(reporter, "runs/a_s2/shift")(28, 40);
  }
  CHECK(listener.text() == "validation 1/40\nvalidation of runs/a_s2/shift 28/40\n");
}

TEST_CASE("with 0 no silence is too long") {
  Listener listener;
  Reporter reporter(listener.sink(), false, 0);
  reporter.at(bar(1), "work: one", false);
  reporter.begin("reading");
  CHECK(listener.text().empty());
}

TEST_CASE("work that says nothing more is said to go on") {
  Listener listener;
  Reporter reporter(listener.sink(), false, 0.01);
  reporter.begin("a step that takes long");
  listener.wait_for("still at work (");
  listener.wait_for("s): a step that takes long\n");
}

TEST_CASE("on a terminal there is a bar, lines wipe it, and it goes at the end") {
  Listener listener;
  {
    Reporter reporter(listener.sink(), true, 1e-9);
    reporter.at(bar(9), "work: nine", true);
    CHECK(contains(listener.text(), "\rwork ["));
    CHECK_FALSE(contains(listener.text(), "work: nine"));
    reporter.line("a line");
    CHECK(contains(listener.text(), "\r\033[Ka line\n"));
    reporter.at(bar(9), "work: nine", false);
  }
  CHECK(listener.text().ends_with("\r\033[K"));
}
