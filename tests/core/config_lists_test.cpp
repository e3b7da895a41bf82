// Options that are lists of numbers or of objects, keys that may not be absent, and what follows
// from the list: JSON, schema, help, errors with their key.
#include <nlohmann/json.hpp>

#include "core/config/options.h"
#include "core/io/json_field.h"
#include "core/io/json_text.h"
#include "tests/support/support.h"

namespace {
enum class Colour : uint8_t { kRed, kGreen, kBlue };
}  // namespace
template <>
inline constexpr std::array shiftadd::kEnumNames<Colour> = {"red", "green", "blue"};

using namespace shiftadd;

namespace {

struct Item {
  Colour colour = Colour::kRed;
  int size = 2;
};
void list_item(ConfigVisitor& v, Item& item) {
  list_choice(v, "colour", item.colour, "a colour", {Colour::kBlue});
  list_integer(v, "size", item.size, ConfigRange::at_least(1), "a size");
  if (item.size == 13) v.reject("size", "brings bad luck");
}
struct Options {
  std::vector<Item> items;
  std::vector<double> shares;
};
void list_options(ConfigVisitor& v, Options& options) {
  list_objects(v, "items", options.items, "some items", list_item);
  v.numbers("shares", options.shares, ConfigRange::between(0, 1), "some shares");
}

Options parsed(const std::string& text,
               ConfigReader::Absent absent = ConfigReader::Absent::kDefault) {
  const ConfigNode root = parse_config_node(text, "c.json");
  Options options;
  read_options(root, options, list_options, absent);
  return options;
}

template <class Body>
std::string message(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::kUser);
    return error.what();
  }
  return "nothing thrown";
}

}  // namespace

TEST_CASE("config lists: objects and numbers of any length are read and written") {
  const std::string text =
      R"({"items":[{"colour":"green","size":3},{"colour":"red","size":2}],"shares":[0.0,0.25,1.0]})";
  Options options = parsed(text);
  REQUIRE(options.items.size() == 2);
  CHECK(options.items[0].colour == Colour::kGreen);
  CHECK(options.items[1].size == 2);
  CHECK(options.shares == std::vector<double>{0, 0.25, 1});
  const auto listing = [&](ConfigVisitor& v) { list_options(v, options); };
  CHECK(json_text(config_json(listing)) == text);  // 0.0 stays 0.0, in the list's order
  CHECK(parsed(print_config(listing)).items.size() == 2);
  CHECK(parsed(R"({"items": [{}]})").items.at(0).size == 2);
  CHECK(parsed("{}").items.empty());
}

TEST_CASE("config lists: errors name line, element and key") {
  const auto refusal = [](const std::string& text) { return message([&] { parsed(text); }); };
  CHECK(refusal("{\"items\": [{},\n{\"colour\": \"gren\"}]}") ==
        "c.json:2: items[1].colour: expected one of \"red\", \"green\", got \"gren\"; did you mean "
        "'green'?");
  CHECK(refusal(R"({"items": [{"colour": "blue"}]})").find("\"red\", \"green\", got \"blue\"") !=
        std::string::npos);
  CHECK(refusal("{\"items\": [\n{\"sise\": 1}]}") ==
        "c.json:2: items[0].sise: unknown key; did you mean 'size'?");
  CHECK(refusal(R"({"size": 1})") == "c.json:1: size: unknown key; did you mean 'items[].size'?");
  CHECK(refusal("{\"items\": [{},\n{\"size\":\n13}]}") ==
        "c.json:3: items[1].size: brings bad luck");
  CHECK(refusal(R"({"items": [1]})") == "c.json:1: items[0]: expected an object {...}, got 1");
  CHECK(refusal(R"({"items": {}})") ==
        "c.json:1: items: expected a list of objects, got an object");
  CHECK(refusal(R"({"shares": 1})") == "c.json:1: shares: expected a list of numbers, got 1");
  CHECK(refusal(R"({"shares": [1, 2]})") ==
        "c.json:1: shares: expected a list of numbers, each from 0 to 1, got 2");
  CHECK(refusal("[1]") == "c.json:1: expected a JSON object {...}, got a list of 1");
}

TEST_CASE("config lists: keys that may not be absent") {
  const auto refusal = [](const std::string& text) {
    return message([&] { parsed(text, ConfigReader::Absent::kRefused); });
  };
  CHECK(refusal("{\n\"items\": []}") == "c.json:1: shares: is missing");
  CHECK(refusal("{\"shares\": [], \"items\": [\n{\"colour\": \"red\"}]}") ==
        "c.json:2: items[0].size: is missing");
  CHECK(refusal(R"({"shares": [], "items": []})") == "nothing thrown");
}

TEST_CASE("config lists: errors found later stand at the element's line") {
  const ConfigNode root = parse_config_node("{\"items\": [{},\n{\"size\": 4}]}", "c.json");
  const ConfigReader reader(root, {});
  CHECK(reader.has("items[1].size"));
  CHECK_FALSE(reader.has("items[2].size"));
  CHECK(message([&] { reader.fail("items[1].size", "m"); }) == "c.json:2: items[1].size: m");
  CHECK(message([&] { reader.fail("items[7]", "m"); }) == "c.json:1: items[7]: m");
  CHECK(message([&] { reader.fail("", "m"); }) == "c.json:1: m");
  CHECK(message([&] { reader.checked("items[1]", [] { throw key_error("size", "is ", 4); }); }) ==
        "c.json:2: items[1].size: is 4");
  CHECK(message([&] { reader.checked("items", [] { throw user_error("too many"); }); }) ==
        "c.json:1: items: too many");
}

TEST_CASE("config lists: schema and help describe one element") {
  Options defaults;
  const auto listing = [&](ConfigVisitor& v) { list_options(v, defaults); };
  const auto schema = parse_json(config_schema(listing, "title", "about"));
  const auto& items = schema.at("properties").at("items");
  CHECK(items.at("type") == "array");
  CHECK(items.at("items").at("type") == "object");
  CHECK(items.at("items").at("additionalProperties") == false);
  CHECK(items.at("items").at("properties").at("size").at("default") == 2);
  CHECK(schema.at("properties").at("shares").at("items").at("maximum") == 1);
  CHECK(config_help(listing) ==
        "items: some items\n"
        "  items[].colour = \"red\" (\"red\" | \"green\"): a colour\n"
        "  items[].size = 2 (whole number >= 1): a size\n"
        "  shares = [] (list of numbers from 0 to 1): some shares\n");
  CHECK(defaults.items.empty());  // describing changes nothing
}

TEST_CASE("an error about an option has its key") {
  const Error error = key_error("width", 100, " is odd");
  CHECK(std::string(error.what()) == "width: 100 is odd");
  CHECK(error.key() == "width");
  CHECK(error.text() == "100 is odd");
  CHECK(error.under("model").key() == "model.width");
  CHECK(error.under("").key() == "width");
  const Error bare = user_error("no file");
  CHECK(bare.key().empty());
  CHECK(bare.text() == "no file");
  CHECK(std::string(bare.under("model").what()) == "model: no file");
}

TEST_CASE("JSON that is damaged is refused with its place, in our own words") {
  CHECK(message([] { parse_json("{\"a\": 1,\n\"b\" 2}", "x.json"); }) ==
        "x.json:2:5: expected ':' after the key, got '2'");
  const auto object = parse_json(R"({"epoch": "3"})");
  int64_t epoch = 0;
  CHECK(message([&] { take_field(object, "epoch", epoch); }) ==
        "epoch: is of the wrong type, string");
  CHECK(message([&] { take_field(object, "step", epoch); }) == "step: is missing");
}
