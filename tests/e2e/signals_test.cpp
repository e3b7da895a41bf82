// Ctrl-C, SIGTERM and SIGHUP end every program with a message, its status, and no file begun.
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "tests/e2e/child.h"
#include "tests/e2e/infer_support.h"

using namespace shiftadd;
namespace fs = std::filesystem;
using test::Child;
using test::contains;

namespace {

struct Signal {
  int number, status;
};
constexpr Signal kSignals[] = {{SIGINT, 130}, {SIGTERM, 143}, {SIGHUP, 129}};

}  // namespace

// A program that has printed its results waits for the reader of the pipe it is to write into.
TEST_CASE("convert and bench stop at once") {
  const test::InferFolder folder;
  const std::string pipe = folder / "pipe", out = folder / "out", model = folder.model_path();
  const std::string set = folder.labelled("set", test::micro_classes(), 1);
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const std::string convert = test::program("shiftadd-convert"),
                    bench = test::program("shiftadd-bench");
  for (const auto& [prints, command] :
       std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"0 missing", {convert, model, "--out", pipe}},
           {"0 missing", {convert, model, "--out", out, "--report", pipe}},
           {"7 images: ", {convert, model, "--pack", "int8", "--calibrate", set, "--out", pipe}},
           {"| 1 |", {bench, "compare", "--seconds", "0", model, "--eval", set, "--out", pipe}}})
    for (const Signal& signal : kSignals) {
      CAPTURE(prints);
      CAPTURE(signal.number);
      Child child(command, folder.path());
      REQUIRE(child.read_until(prints));
      child.send(signal.number);
      CHECK(child.wait() == signal.status);
      CHECK_MESSAGE(contains(child.output(), ": interrupted\n"), child.output());
      CHECK_FALSE(fs::exists(out));
    }
  for (const auto& entry : fs::directory_iterator(folder.path()))
    CHECK_FALSE(contains(entry.path().string(), ".tmp-"));
}

TEST_CASE("infer ends after the batch at work, and what it printed is whole") {
  const test::InferFolder folder;
  const std::string image = folder.image("a.bmp", 64, 64, 1), dump = folder / "dump";
  for (const Signal& signal : kSignals) {
    std::vector<std::string> command = {test::program("shiftadd-infer"),
                                        folder.model_path(),
                                        "--batch",
                                        "1",
                                        "--json",
                                        "--dump",
                                        dump};
    command.insert(command.end(), 5000, image);  // more than fits into the pipe
    Child child(command, folder.path());
    REQUIRE(child.read_until("a.bmp"));
    child.send(signal.number);
    CHECK(child.wait() == signal.status);
    CHECK(contains(child.output(), "}\n]\n"));
    CHECK(contains(child.output(), "shiftadd-infer: interrupted\n"));
    CHECK_FALSE(fs::exists(dump));
  }
}

TEST_CASE("train stops at once while it has nothing to save") {
  const test::InferFolder folder;
  for (int i = 0; i < 1000; ++i)  // the list of the broken ones is more than fits into the pipe
    test::write_text(folder / "set/c/" + std::string(90, 'x') + std::to_string(i) + ".jpg", "x");
  test::write_text(folder / "config.json",
                   R"({"model": {"base": "vit_micro"}, "data": {"train": "set"}, "out": "run"})");
  for (const Signal& signal : kSignals) {
    CAPTURE(signal.number);
    Child child({test::program("shiftadd-train"), "config.json", "--check-data"}, folder.path());
    REQUIRE(child.read_until("checking"));
    child.send(signal.number);
    CHECK(child.wait() == signal.status);
    CHECK_MESSAGE(contains(child.output(), "shiftadd-train: interrupted\n"), child.output());
  }
}

TEST_CASE("a signal that is ignored from the start (nohup) stays ignored") {
  const test::InferFolder folder;
  const std::string pipe = folder / "pipe", out = folder / "out";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  Child child({"/bin/sh", "-c",
               "trap '' HUP; exec " + test::program("shiftadd-convert") + " " +
                   folder.model_path() + " --report " + pipe + " --out " + out},
              folder.path());
  REQUIRE(child.read_until("0 missing"));
  child.send(SIGHUP);
  std::ifstream report(pipe);
  CHECK(std::string(std::istreambuf_iterator<char>(report), {}).starts_with("{"));
  CHECK(child.wait() == 0);
  CHECK(fs::exists(out));
}
