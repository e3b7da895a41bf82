// One list of options, read, printed and described: types, ranges, unknown keys.
#include <limits>
#include <nlohmann/json.hpp>

#include "core/config/describe.h"
#include "core/config/reader.h"
#include "core/config/source.h"
#include "core/error.h"
#include "core/io/json_text.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

struct Options {
  bool flag = false;
  int64_t count = 3;
  double rate = 0.5;
  std::string name = "x", kind = "cosine", weights = "none";
  std::vector<std::string> patterns;
  std::vector<double> pair = {1, 2}, numbers;
  Grid size = 224;
  bool has_extra = false;
  int64_t extra = 0;

  void list(ConfigVisitor& v) {
    v.boolean("flag", flag, "a flag");
    v.begin("train", "inner");
    v.integer("count", count, ConfigRange::at_least(1), "a count");
    v.begin("optimizer", "innermost");
    v.number("lr", rate, ConfigRange::above(0), "a rate");
    v.end();
    v.end();
    v.text("name", name, "a name");
    v.choice("kind", kind, {"cosine", "step"}, "a kind");
    v.texts("patterns", patterns, "patterns");
    v.tuple("pair", pair, ConfigRange::from_below(0, 10), "a pair");
    v.size("size", size, ConfigRange::between(1, 999), "a size");
    v.word_or_numbers("weights", weights, {"none", "balanced"}, numbers, ConfigRange::at_least(0),
                      "weights");
    if (v.begin_optional("extra", has_extra, "an object or null")) {
      v.integer("value", extra, ConfigRange::between(0, 9), "a value");
      v.end();
    }
  }
  ConfigListing listing() {
    return [this](ConfigVisitor& v) { list(v); };
  }
};

Options read(const std::string& text, const std::vector<std::string>& overrides = {}) {
  ConfigNode root = parse_config_node(text, "c.json");
  for (const std::string& each : overrides) apply_override(root, each);
  Options defaults, options;
  ConfigReader reader(root, option_paths(defaults.listing()));
  options.list(reader);
  reader.finish();
  return options;
}

std::string message(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    read(text, overrides);
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::kUser);
    return error.what();
  }
  return "read";
}

}  // namespace

TEST_CASE("config reader: absent keys keep their defaults, present ones are taken") {
  const Options none = read("{}");
  CHECK(none.count == 3);
  CHECK(none.rate == 0.5);
  CHECK_FALSE(none.has_extra);
  const Options all =
      read(R"({"flag": true, "train": {"count": 9007199254740993, "optimizer": {"lr": 1e-3}},
    "name": "n", "kind": "step", "patterns": ["a*", "b"], "pair": [3, 4.5], "weights": [1, 0],
    "extra": {"value": 7}})");
  CHECK(all.flag);
  CHECK(all.count == 9007199254740993);  // not through float64
  CHECK(all.rate == 1e-3);
  CHECK(all.name == "n");
  CHECK(all.kind == "step");
  CHECK(all.patterns == std::vector<std::string>{"a*", "b"});
  CHECK(all.pair == std::vector<double>{3, 4.5});
  CHECK(all.weights.empty());
  CHECK(all.numbers == std::vector<double>{1, 0});
  CHECK(all.has_extra);
  CHECK(all.extra == 7);
  CHECK(read(R"({"extra": null, "weights": "balanced"})").weights == "balanced");
  CHECK(read(R"({"train": {"count": 4.0}})").count == 4);
  CHECK(read(R"({"train": {"count": 2e1}})").count == 20);
}

TEST_CASE("config reader: wrong types and ranges") {
  struct Case {
    const char *text, *expected;
  };
  const Case cases[] = {
      {"{\n\"train\": {\n\"optimizer\": {\n\"lr\": \"abc\"}}}",
       "c.json:4: train.optimizer.lr: expected a number > 0, got \"abc\""},
      {R"({"train": {"optimizer": {"lr": 0}}})",
       "c.json:1: train.optimizer.lr: expected a number > 0, got 0"},
      {R"({"flag": 1})", "c.json:1: flag: expected true or false, got 1"},
      {R"({"flag": null})", "c.json:1: flag: expected true or false, got null"},
      {R"({"train": {"count": 1.5}})",
       "c.json:1: train.count: expected a whole number >= 1, got 1.5"},
      {R"({"train": {"count": -2}})",
       "c.json:1: train.count: expected a whole number >= 1, got -2"},
      {R"({"train": {"count": 99999999999999999999}})",
       "c.json:1: train.count: expected a whole number >= 1, got 99999999999999999999"},
      {R"({"train": {"count": true}})",
       "c.json:1: train.count: expected a whole number >= 1, got true"},
      {R"({"train": 3})", "c.json:1: train: expected an object {...}, got 3"},
      {R"({"train": null})", "c.json:1: train: expected an object {...}, got null"},
      {R"({"name": 3})", "c.json:1: name: expected a string, got 3"},
      {R"({"kind": "cosin"})",
       "c.json:1: kind: expected one of \"cosine\", \"step\", got \"cosin\"; did you mean "
       "'cosine'?"},
      {R"({"kind": []})",
       "c.json:1: kind: expected one of \"cosine\", \"step\", got an empty list"},
      {R"({"patterns": "a"})", "c.json:1: patterns: expected a list of strings, got \"a\""},
      {"{\"patterns\": [\"a\",\n 1]}",
       "c.json:2: patterns: expected a list of strings, each element a string, got 1"},
      {R"({"pair": [1]})", "c.json:1: pair: expected a list of 2 numbers, got a list of 1"},
      {R"({"pair": [1, 10]})",
       "c.json:1: pair: expected a list of 2 numbers, each >= 0 and < 10, got 10"},
      {R"({"pair": [1, "2"]})",
       "c.json:1: pair: expected a list of 2 numbers, each >= 0 and < 10, got \"2\""},
      {R"({"weights": "balance"})",
       "c.json:1: weights: expected one of \"none\", \"balanced\" or a list of numbers, got "
       "\"balance\"; did "
       "you mean 'balanced'?"},
      {R"({"weights": [-1]})", "c.json:1: weights: expected a list of numbers, each >= 0, got -1"},
      {R"({"weights": []})",
       "c.json:1: weights: expected one of \"none\", \"balanced\" or a list of numbers, got an "
       "empty list"},
      {R"({"extra": 3})", "c.json:1: extra: expected an object {...}, got 3"},
      {R"({"extra": {"value": 10}})",
       "c.json:1: extra.value: expected a whole number from 0 to 9, got 10"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(message(c.text) == c.expected);
  }
}

TEST_CASE("config reader: unknown keys get the nearest name") {
  CHECK(message("{\n\n\"trian\": {}}") == "c.json:3: trian: unknown key; did you mean 'train'?");
  CHECK(message("{\"train\": {\"optimizer\":\n{\"lrr\": 1}}}") ==
        "c.json:2: train.optimizer.lrr: unknown key; did you mean 'lr'?");
  // right key, wrong object
  CHECK(message("{\"train\": {\"lr\": 1}}") ==
        "c.json:1: train.lr: unknown key; did you mean 'train.optimizer.lr'?");
  CHECK(message("{\"extra\": {\"something\": 1}}") ==
        "c.json:1: extra.something: unknown key; known here: value");
  CHECK(message("{\"\": 1}").find("c.json:1: : unknown key") == 0);
  // the key's line, not its value's
  CHECK(message("{\"nam\":\n\n 3}").find("c.json:1: nam: unknown key") == 0);
  CHECK(message("{}", {"trian.count=3"}) ==
        "--set trian.count=3: trian: unknown key; did you mean 'train'?");
  CHECK(message("{}", {"train.count=0"}) ==
        "--set train.count=0: train.count: expected a whole number >= 1, got 0");
  CHECK(message("{}", {"train.count.x=0"}) ==
        "--set train.count.x=0: train.count: expected a whole number >= 1, got an object");
}

TEST_CASE("config reader: a word on the command line may look like a number") {
  CHECK(read("{}", {"name=12"}).name == "12");
  CHECK(read("{}", {"name=true"}).name == "true");
  CHECK(read("{}", {"name=\"q\""}).name == "q");
  CHECK(message("{}", {"name=null"}) == "--set name=null: name: expected a string, got null");
}

TEST_CASE("config reader: errors found later stand at the nearest line") {
  const ConfigNode root = parse_config_node("{\"a\": 1,\n\"train\": {\n\"count\": 4}}", "c.json");
  const ConfigReader reader(root, {});
  CHECK_THROWS_WITH_AS(reader.fail("train.count", "m"), "c.json:3: train.count: m", Error);
  CHECK_THROWS_WITH_AS(reader.fail("train.optimizer.lr", "m"), "c.json:2: train.optimizer.lr: m",
                       Error);
  CHECK_THROWS_WITH_AS(reader.fail("b.c", "m"), "c.json:1: b.c: m", Error);
}

TEST_CASE("config: the printed form reads back to itself") {
  Options options =
      read(R"({"train": {"optimizer": {"lr": 0.1}}, "name": "a\"\\\u00e9", "weights": [0.25, 1e-7],
    "patterns": ["x", "y"], "extra": {"value": 2}})");
  const std::string printed = print_config(options.listing());
  Options again = read(printed);
  CHECK(print_config(again.listing()) == printed);
  CHECK(again.rate == 0.1);
  CHECK(again.numbers == std::vector<double>{0.25, 1e-7});
  Options defaults;
  CHECK(print_config(defaults.listing()).find("\"extra\": null") != std::string::npos);
  CHECK(print_config(defaults.listing()).find("\"pair\": [1, 2]") != std::string::npos);
}

TEST_CASE("config: schema and help say what the reader accepts") {
  Options defaults;
  const auto schema = parse_json(config_schema(defaults.listing(), "title", "about"));
  const auto& properties = schema.at("properties");
  CHECK(schema.at("additionalProperties") == false);
  CHECK(properties.contains("extends"));
  CHECK(properties.at("flag") ==
        nlohmann::json({{"type", "boolean"}, {"description", "a flag"}, {"default", false}}));
  const auto& train = properties.at("train");
  CHECK(train.at("additionalProperties") == false);
  CHECK(train.at("properties").at("count").at("minimum") == 1);
  CHECK(train.at("properties").at("optimizer").at("properties").at("lr").at("exclusiveMinimum") ==
        0);
  CHECK(properties.at("kind").at("enum") == nlohmann::json({"cosine", "step"}));
  CHECK(properties.at("pair").at("minItems") == 2);
  CHECK(properties.at("pair").at("items").at("exclusiveMaximum") == 10);
  CHECK(properties.at("extra").at("type") == nlohmann::json({"object", "null"}));
  CHECK(properties.at("extra").at("properties").contains("value"));
  CHECK(properties.at("weights").at("anyOf").size() == 2);
  const std::string help = config_help(defaults.listing());
  CHECK(help.find("train.optimizer.lr = 0.5 (number > 0): a rate\n") != std::string::npos);
  CHECK(help.find("extra.value = 0 (whole number from 0 to 9): a value\n") != std::string::npos);
  CHECK(option_paths(defaults.listing()) ==
        std::vector<std::string>{"flag", "train", "train.count", "train.optimizer",
                                 "train.optimizer.lr", "name", "kind", "patterns", "pair", "size",
                                 "weights", "extra", "extra.value"});
}

TEST_CASE("config reader: a size is a number, or a height and a width") {
  CHECK(read("{}").size == Grid{224, 224});
  CHECK(read(R"({"size": 32})").size == Grid{32, 32});
  CHECK(read(R"({"size": [32, 48.0]})").size == Grid{32, 48});
  CHECK(read("{}", {"size=[7,9]"}).size == Grid{7, 9});
  for (const char* side : {"0", "1000", "1.5", "\"a\"", "null"}) {
    const std::string expected =
        "c.json:1: size: expected a whole number from 1 to 999, or [height, width], got ";
    CHECK(message(concat(R"({"size": )", side, "}")) == expected + side);
    CHECK(message(concat(R"({"size": [32, )", side, "]}")) == expected + side);
  }
  CHECK(message(R"({"size": [1, 2, 3]})") ==
        "c.json:1: size: expected a whole number, or a list of two: [height, width], got a list "
        "of 3");
}

TEST_CASE("config: a square is printed as one number, any other size as two") {
  Options options;
  CHECK(config_json(options.listing()).at("size") == 224);
  options.size = {32, 48};
  CHECK(json_text(config_json(options.listing()).at("size")) == "[32,48]");
  CHECK(config_help(options.listing())
            .find("size = [32, 48] (whole number from 1 to 999 | "
                  "[height, width]): a size") != std::string::npos);
  const auto schema = nlohmann::json::parse(config_schema(options.listing(), "t", "a"));
  const auto& kinds = schema.at("properties").at("size").at("anyOf");
  CHECK(kinds[0].at("maximum") == 999);
  CHECK(kinds[1].at("maxItems") == 2);
}
