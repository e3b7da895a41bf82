// Extending files and overriding values: what wins, and whose line an error names.
#include <filesystem>

#include "core/config/source.h"
#include "core/error.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

std::string message(const std::string& path) {
  try {
    load_config_node(path);
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return "loaded";
}

std::string override_message(const std::string& text) {
  ConfigNode root = parse_config_node("{}", "c.json");
  try {
    apply_override(root, text);
  } catch (const Error& error) {
    return error.what();
  }
  return "applied";
}

}  // namespace

TEST_CASE("extends: objects merge, the rest replaces, each value keeps its file and line") {
  test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "deep");
  test::write_text(
      folder / "base.json",
      "{\"a\": {\"x\": 1, \"y\": [1, 2, 3]},\n \"b\": {\"z\": 1},\n \"c\": 5, \"$schema\": \"s\"}");
  test::write_text(folder / "deep/mid.json",
                   "{\n\"extends\": \"../base.json\",\n\"a\": {\"y\": [9]}}");
  test::write_text(
      folder / "top.json",
      "{\"$schema\": \"t\", \"extends\": \"deep/mid.json\",\n\"b\": null,\n\n\"a\": {\"w\": 7}}");
  const ConfigNode root = load_config_node(folder / "top.json");
  CHECK(root.find("extends") == nullptr);
  CHECK(root.find("$schema") == nullptr);
  const ConfigNode& a = *root.find("a");
  CHECK(a.location() == folder / "top.json:4");
  CHECK(a.find("x")->location() == folder / "base.json:1");
  CHECK(a.find("y")->location() == folder / "deep/mid.json:3");
  CHECK(a.find("y")->items.size() == 1);
  CHECK(a.find("w")->text == "7");
  CHECK(root.find("b")->kind == ConfigNode::Kind::kNull);
  CHECK(root.find("c")->text == "5");
}

TEST_CASE("extends: a list, each file over those before it, a file reached twice read as it is") {
  const test::TemporaryFolder folder;
  test::write_text(folder / "root.json", R"({"a": 1, "b": 1, "c": 1})");
  test::write_text(folder / "left.json", R"({"extends": "root.json", "a": 2, "b": 2})");
  test::write_text(folder / "right.json", R"({"extends": "root.json", "b": 3, "d": {"x": 1}})");
  test::write_text(folder / "both.json",
                   R"({"extends": ["left.json", "right.json"], "d": {"y": 2}})");
  const ConfigNode both = load_config_node(folder / "both.json");
  CHECK(both.find("a")->text == "1");  // right.json brings root.json's again
  CHECK(both.find("b")->text == "3");
  CHECK(both.find("d")->members.size() == 2);
  CHECK(config_files(folder / "both.json") ==
        std::vector<std::string>{folder / "both.json", folder / "left.json", folder / "root.json",
                                 folder / "right.json"});
  test::write_text(folder / "none.json", R"({"extends": [], "a": 4})");
  CHECK(load_config_node(folder / "none.json").find("a")->text == "4");
  test::write_text(folder / "wrong.json", "{\"extends\": [\"root.json\",\n 3]}");
  CHECK(message(folder / "wrong.json") ==
        (folder / "wrong.json") + ":2: extends: expected the path of a JSON file, got 3");
  test::write_text(folder / "circle.json", R"({"extends": ["root.json", "circle.json"]})");
  CHECK(message(folder / "circle.json").find("extend each other in a circle") != std::string::npos);
}

TEST_CASE("extends: circles, missing files and wrong types are errors with a line") {
  test::TemporaryFolder folder;
  test::write_text(folder / "a.json", "{\n \"extends\": \"b.json\"}");
  test::write_text(folder / "b.json", "{\"extends\": \"./x/../a.json\"}");
  CHECK(message(folder / "a.json") ==
        (folder / "b.json") + ":1: extends: the files extend each other in a circle: " +
            (folder / "a.json") + " -> " + (folder / "b.json") + " -> " + (folder / "a.json"));
  test::write_text(folder / "self.json", "{\"extends\": \"self.json\"}");
  CHECK(message(folder / "self.json").find("circle") != std::string::npos);
  test::write_text(folder / "c.json", "{\n\n \"extends\": \"none.json\"}");
  CHECK(message(folder / "c.json") ==
        (folder / "c.json") + ":3: extends: " + (folder / "none.json") + " is not a file");
  test::write_text(folder / "d.json", "{\"extends\": 3}");
  CHECK(message(folder / "d.json") ==
        (folder / "d.json") +
            ":1: extends: expected the path of a JSON file, or a list of paths, got 3");
  test::write_text(folder / "e.json", "{\"extends\": \"f.json\"}");
  test::write_text(folder / "f.json", "{\n \"a\": 1,\n}");
  CHECK(message(folder / "e.json") ==
        (folder / "f.json") + ":2:8: trailing comma before '}': remove it");
  for (int i = 0; i < 20; ++i)
    test::write_text(folder / ("chain" + std::to_string(i) + ".json"),
                     "{\"extends\": \"chain" + std::to_string(i + 1) + ".json\"}");
  CHECK(message(folder / "chain0.json").find("more than 16 files") != std::string::npos);
}

TEST_CASE("config files that are none") {
  test::TemporaryFolder folder;
  CHECK(message(folder / "none.json").find("cannot be opened") != std::string::npos);
  CHECK(message(folder.path()).find("is a folder") != std::string::npos);
  test::write_text(folder / "list.json", "\n[1]");
  CHECK(message(folder / "list.json") ==
        (folder / "list.json") + ":2: a config is a JSON object {...}, got a list of 1");
  CHECK(message("/dev/zero") == "/dev/zero is a character device: expected a file");
  test::write_text(folder / "large.json", std::string((4u << 20) + 1, ' '));
  CHECK(message(folder / "large.json").find("larger than 4 MiB") != std::string::npos);
}

TEST_CASE("--set: JSON or else a word, deep keys, objects merge") {
  ConfigNode root = parse_config_node("{\"a\": {\"b\": 1, \"c\": 2}, \"d\": [1]}", "c.json");
  apply_override(root, "a.b=3.5");
  apply_override(root, "a.new.deep=hello world");
  apply_override(root, "d=[true]");
  apply_override(root, "e=");
  apply_override(root, "f=a=b");
  apply_override(root, "a={\"c\": null}");
  const ConfigNode& a = *root.find("a");
  CHECK(a.location() == "c.json:1");
  CHECK(a.find("b")->text == "3.5");
  CHECK(a.find("b")->location() == "--set a.b=3.5");
  CHECK(a.find("c")->kind == ConfigNode::Kind::kNull);
  CHECK(a.find("new")->find("deep")->text == "hello world");
  CHECK(root.find("d")->items.at(0).location() == "--set d=[true]");
  CHECK(root.find("e")->kind == ConfigNode::Kind::kString);
  CHECK(root.find("f")->text == "a=b");
}

TEST_CASE("an object over a list changes those of its objects that have the names of its keys") {
  const test::TemporaryFolder folder;
  test::write_text(folder / "base.json",
                   R"({"runs": [{"name": "a", "x": {"y": 1, "z": 2}}, {"name": "b"}], "w": [{}]})");
  test::write_text(folder / "top.json",
                   "{\"extends\": \"base.json\",\n \"runs\": {\"a\": {\"x\": {\"y\": 3}}},\n"
                   " \"w\": {\"a\": 1}}");
  std::vector<std::string> merged;
  ConfigNode root = load_config_node(folder / "top.json", &merged);
  CHECK(merged == std::vector<std::string>{folder / "base.json", folder / "top.json"});
  apply_override(root, "runs.b.x.y=4");
  const ConfigNode& runs = *root.find("runs");
  REQUIRE(runs.items.size() == 2);
  CHECK(runs.items[0].find("x")->find("y")->text == "3");
  CHECK(runs.items[0].find("x")->find("y")->location() == folder / "top.json:2");
  CHECK(runs.items[0].find("x")->find("z")->text == "2");
  CHECK(runs.items[1].find("x")->find("y")->location() == "--set runs.b.x.y=4");
  CHECK(root.find("w")->is_object());  // no object of that list has a name
  try {
    apply_override(root, "runs.aa.x=4");
    FAIL("a name that the list does not have");
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    CHECK(std::string(error.what())
              .starts_with("--set runs.aa.x=4: the list has no object that is called 'aa': "
                           "expected one of a, b"));
  }
  apply_override(root, "runs=[]");
  CHECK(root.find("runs")->items.empty());
}

TEST_CASE("--set: malformed keys") {
  CHECK(override_message("abc") == "--set abc: expected key.path=value, got no '='");
  CHECK(override_message("=1") == "--set =1: empty name in the key ''");
  CHECK(override_message("a..b=1") == "--set a..b=1: empty name in the key 'a..b'");
  CHECK(override_message(".a=1") == "--set .a=1: empty name in the key '.a'");
  CHECK(override_message("a.=1") == "--set a.=1: empty name in the key 'a.'");
  std::string deep = "a";
  for (int i = 0; i < 100000; ++i) deep += ".a";
  CHECK(override_message(deep + "=1").find("more than 64 parts") != std::string::npos);
  CHECK(override_message("a=" + std::string(100000, '[')) == "applied");
}
