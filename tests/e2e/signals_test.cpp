// Ctrl-C, SIGTERM and SIGHUP end every program with a message, its status, and no file begun.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

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

// A program that waits for what a pipe gives is surely at work once it has opened the pipe.
int open_when_read(const std::string& pipe) { return open(pipe.c_str(), O_WRONLY); }

}  // namespace

TEST_CASE("convert and bench stop at once") {
  const test::InferFolder folder;
  const std::string pipe = folder / "pipe", out = folder / "out", model = folder.model_path();
  const std::string set = folder.labelled("set", test::micro_classes(), 1);
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const std::string convert = test::program("shiftadd-convert"),
                    bench = test::program("shiftadd-bench");
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {convert, model, "--classes", pipe, "--out", out},
           {convert, model, "--out", out, "--report", pipe},
           {bench, "compare", model, "--eval", set, "--peers", pipe, "--out", out}})
    for (const Signal& signal : kSignals) {
      CAPTURE(signal.number);
      Child child(command, folder.path());
      const bool reads = command[1] != model || command[2] == "--classes";
      const int end = reads ? open_when_read(pipe) : -1;
      if (!reads) REQUIRE(child.read_until("0 missing"));  // then it waits for the pipe's reader
      child.send(signal.number);
      CHECK(child.wait() == signal.status);
      CHECK(contains(child.output(), ": interrupted\n"));
      CHECK_FALSE(fs::exists(out));
      if (end >= 0) close(end);
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

TEST_CASE("a signal that is ignored from the start (nohup) stays ignored") {
  const test::InferFolder folder;
  const std::string pipe = folder / "pipe", out = folder / "out";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  Child child({"/bin/sh", "-c",
               "trap '' HUP; exec " + test::program("shiftadd-convert") + " " +
                   folder.model_path() + " --classes " + pipe + " --out " + out},
              folder.path());
  const int end = open_when_read(pipe);
  child.send(SIGHUP);
  const std::string names = "a\nb\nc\nd\ne\nf\ng\n";
  REQUIRE(write(end, names.data(), names.size()) == static_cast<ssize_t>(names.size()));
  close(end);
  CHECK(child.wait() == 0);
  CHECK(fs::exists(out));
}
