// shiftadd-infer as a process on the folders and tars that people have: class names, links, formats
// that are not read.
#include <filesystem>

#include "core/io/json_text.h"
#include "tests/e2e/infer_support.h"

using namespace shiftadd;
using nlohmann::json;
using test::contains;
using test::InferFolder;
using test::ProcessResult;
namespace fs = std::filesystem;

namespace {

TEST_CASE("numeric folders of an unnamed model are its indices, as with the names") {
  const std::string faults = test::shared_path("data/faults");
  if (faults.empty()) return;
  const InferFolder folder;
  const std::vector<std::string> convert = {test::program("shiftadd-convert"),
                                            faults + "/num12.safetensors",
                                            "--arch",
                                            faults + "/tiny12.json",
                                            "--out",
                                            folder / "m.safetensors"};
  std::vector<std::string> named = convert;
  named.insert(named.end(), {"--classes", faults + "/cls12.txt"});
  for (const auto& command : {convert, named}) {
    REQUIRE(test::run(command).status == 0);
    const ProcessResult result =
        test::run({test::program("shiftadd-infer"), folder / "m.safetensors", "--eval",
                   faults + "/numeric-folders.tar", "--json"});
    CHECK_MESSAGE(result.status == 0, result.err);
    CHECK(parse_json(result.out)["top1"].get<double>() == doctest::Approx(47.0588).epsilon(1e-5));
  }
}

TEST_CASE("classes without images print -, whether the model has names or not") {
  const InferFolder folder;
  const std::string set = folder.labelled("some", {"1", "06"}, 2);
  ModelFile unnamed = test::random_model(named_spec("vit_micro"), 1);
  save_model(folder.model_path(), unnamed);
  const ProcessResult table = folder.infer({"--eval", set});
  CHECK_MESSAGE(table.status == 0, table.err);
  CHECK(contains(table.out, "\n0             0           -           -\n"));
  CHECK(contains(table.out, "\n06            2 "));  // by the folder's own name
  const json rows = parse_json(folder.infer({"--eval", set, "--json"}).out)["per_class"];
  REQUIRE(rows.size() == 7);
  CHECK(rows[0]["top1"].is_null());
  CHECK(rows[1]["images"] == 2);
  CHECK(rows[6]["class"] == "06");
  CHECK(rows[6]["top5"].is_number());
  const ProcessResult beyond = folder.infer({"--eval", folder.labelled("more", {"1", "7"}, 1)});
  CHECK(beyond.status == 2);
  CHECK(contains(beyond.err, "the class '7' is a number"));
}

TEST_CASE("names in any order are found by name: the same figures for the same images") {
  const InferFolder folder;
  const auto loss_of = [&](const std::vector<std::string>& names, const std::string& set) {
    ModelFile model = test::random_model(named_spec("vit_micro"), 1);
    model.classes = names;
    save_model(folder.model_path(), model);
    const ProcessResult result = folder.infer({"--eval", folder.labelled(set, names, 2), "--json"});
    CHECK_MESSAGE(result.status == 0, result.err);
    return parse_json(result.out)["loss"].get<double>();
  };
  const double plain = loss_of(test::micro_classes(), "plain");
  const std::vector<std::vector<std::string>> orders = {
      {"gnu", "fox", "elk", "dog", "cat", "bee", "ant"},
      {"10", "9", "2", "1", "02x", "Z", "a"},
      {"b c", "a", "\xc3\xa9", "e", "E", "_", "~"}};
  for (const auto& names : orders)
    CHECK(loss_of(names, "set of " + names[0]) == doctest::Approx(plain).epsilon(1e-6));
}

}  // namespace
