// --help fits a page, and --list-archs says what can be named.
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "core/unicode.h"
#include "model/model_spec.h"
#include "tests/support/support.h"

using namespace shiftadd;
using test::contains;
using test::ProcessResult;

namespace {

std::vector<std::vector<std::string>> all_commands() {
  std::vector<std::vector<std::string>> commands;
  for (const char* name : {"shiftadd-train", "shiftadd-convert", "shiftadd-infer", "shiftadd-info"})
    commands.push_back({test::program(name)});
  const std::string bench = test::program("shiftadd-bench");
  commands.push_back({bench});
  for (const char* command :
       {"model", "data", "gemm", "ops", "roofline", "compare", "count", "latency"})
    commands.push_back({bench, command});
  return commands;
}

}  // namespace

TEST_CASE("help fits 100 columns and says something of every option") {
  for (std::vector<std::string> command : all_commands()) {
    command.push_back("--help");
    const ProcessResult help = test::run(command);
    CHECK(help.status == 0);
    CHECK(help.err.empty());
    std::istringstream lines(help.out);
    std::string option;  // whose description has not come yet
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      CHECK(columns_of(line) <= 100);
      CHECK(line.find('\t') == std::string::npos);
      const bool starts = line.starts_with("  -");
      if (!option.empty()) CHECK_MESSAGE(line.starts_with("      "), option);
      option = starts && line.find("  ", 3) == std::string::npos ? line : "";
    }
  }
}

TEST_CASE("help that cannot be written is an error") {
  for (const char* flag : {"--help", "--version"}) {
    const ProcessResult result =
        test::run({"sh", "-c", test::program("shiftadd-infer") + " " + flag + " >/dev/full"});
    CHECK(result.status == 1);
    CHECK(contains(result.err, "standard output"));
  }
}

TEST_CASE("--list-archs names every network, its parameters and its images, everywhere alike") {
  const std::string bench = test::program("shiftadd-bench");
  std::string first;
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{test::program("shiftadd-convert")},
                                             {test::program("shiftadd-train")},
                                             {bench},
                                             {bench, "model"},
                                             {bench, "count"},
                                             {bench, "latency"}}) {
    std::vector<std::string> words = command;
    words.push_back("--list-archs");
    const ProcessResult result = test::run(words);
    CHECK_MESSAGE(result.status == 0, result.err);
    CHECK(result.err.empty());
    if (first.empty()) first = result.out;
    CHECK(result.out == first);
  }
  for (const std::string& name : spec_names()) CHECK(contains(first, name + " "));
  CHECK(contains(first, "5717416"));  // DeiT-T
  CHECK(contains(first, "224x224"));
  CHECK(contains(first, "32x32"));
}

TEST_CASE("an unknown network's error points to the list") {
  const test::TemporaryFolder folder;
  test::write_text(folder / "config.json",
                   R"({"model": {"base": "deit_tinny"}, "data": {"train": "x"}})");
  test::write_text(folder / "weights", "");
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {test::program("shiftadd-train"), folder / "config.json"},
           {test::program("shiftadd-bench"), "model", "deit_tinny"},
           {test::program("shiftadd-bench"), "count", "deit_tinny"},
           {test::program("shiftadd-bench"), "latency", "deit_tinny"}}) {
    const ProcessResult result = test::run(command, "", {}, folder.path());
    CHECK(result.status == 2);
    CHECK_MESSAGE(contains(result.err, "--list-archs"), result.err);
    CHECK(contains(result.err, "deit_tiny_patch16_224"));
  }
}
