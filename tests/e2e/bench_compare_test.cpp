// shiftadd-bench compare as a process: models on labelled images, beside other programs' figures.
#include <filesystem>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "tests/e2e/infer_support.h"

using namespace shiftadd;
using nlohmann::json;
using test::contains;
using test::ProcessResult;

namespace {

// A model as trained and in int8, and a set of 21 images.
struct Compared {
  Compared() {
    const ProcessResult packed = test::run(
        {test::program("shiftadd-convert"), folder.model_path(), "--pack", "int8", "--out", int8});
    REQUIRE_MESSAGE(packed.status == 0, packed.err);
  }
  ProcessResult run(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {test::program("shiftadd-bench"),
                                          "compare",
                                          "as trained=" + folder.model_path(),
                                          int8,
                                          "--eval",
                                          set,
                                          "--seconds",
                                          "0.01"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return test::run(arguments);
  }
  test::InferFolder folder;
  std::string int8 = folder / "int8.safetensors";
  std::string set = folder.labelled("val", test::micro_classes(), 3);
  std::string peers = folder / "peers.csv", picture = folder / "picture.svg";
};

}  // namespace

TEST_CASE("accuracy and latency of models and peers, as a table and a picture") {
  const Compared c;
  test::write_text(c.peers, "# name,top-1,ms\nanother <engine> & more,12.5,3.25\n");
  const ProcessResult table = c.run({"--peers", c.peers, "--out", c.picture});
  REQUIRE_MESSAGE(table.status == 0, table.err);
  CHECK(contains(table.out, "| 1 | as trained | "));
  CHECK(contains(table.out, "| 2 | int8 | "));
  CHECK(contains(table.out, "| 3 | another <engine> & more | 12.50 | 3.25 | - |"));
  const std::string svg = read_text(c.picture);
  CHECK(svg.starts_with("<svg "));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(contains(svg, "another &lt;engine&gt; &amp; more"));
  CHECK(contains(svg, "as trained"));

  const ProcessResult figures = c.run({"--json", "--threads", "2"});
  REQUIRE_MESSAGE(figures.status == 0, figures.err);
  const json out = parse_json(figures.out);
  CHECK(out["threads"] == 2);
  REQUIRE(out["models"].size() == 2);
  const ProcessResult evaluated = c.folder.infer({"--eval", c.set, "--json"});
  CHECK(out["models"][0]["top1"].get<double>() ==
        doctest::Approx(parse_json(evaluated.out)["top1"].get<double>()));
  for (const json& each : out["models"]) {
    CHECK(each["ms_median"].get<double>() > 0);
    CHECK(each["bytes"].get<int64_t>() > 1000);
    CHECK(each["peer"] == false);
  }
}

TEST_CASE("what cannot be compared is a user's error, and leaves no picture") {
  const Compared c;
  const auto refused = [&](const std::vector<std::string>& more, const std::string& reason) {
    std::vector<std::string> arguments = more;
    arguments.insert(arguments.end(), {"--out", c.picture});
    const ProcessResult result = c.run(arguments);
    CHECK(result.status == 2);
    CHECK_MESSAGE(contains(result.err, reason), result.err);
    CHECK(!std::filesystem::exists(c.picture));
  };
  refused({"missing.safetensors"}, "missing.safetensors");
  for (const char* line : {"a name", "name,12", "name,12,0", "name,101,1", "name,12,1,5"}) {
    test::write_text(c.peers, std::string("first,1,1\n") + line + "\n");
    refused({"--peers", c.peers}, "peers.csv:2: expected NAME,TOP1,MS");
  }
  refused({"=" + c.int8}, "expected NAME=MODEL");
  refused({"a|b=" + c.int8}, "expected NAME=MODEL");
  CHECK(test::run({test::program("shiftadd-bench"), "compare", c.int8}).status == 2);
  const ProcessResult trained =
      test::run({test::program("shiftadd-bench"), "model", c.int8, "--train"});
  CHECK(trained.status == 2);
  CHECK_MESSAGE(contains(trained.err, "can only be run"), trained.err);
}
