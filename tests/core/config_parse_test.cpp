// JSON with positions: values, and a message with line and column for each way to get it wrong.
#include <string>

#include "core/config/node.h"
#include "core/error.h"
#include "tests/support/support.h"

using namespace shiftadd;
using Kind = ConfigNode::Kind;

namespace {

std::string message(const std::string& text) {
  try {
    parse_config_node(text, "c.json");
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::kUser);
    return error.what();
  }
  return "parsed";
}

std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

TEST_CASE("config: every kind of value, with its line") {
  const ConfigNode root = parse_config_node(
      "\xEF\xBB\xBF{\r\n  \"a\": 1,\n  \"b\": [true, null,\n -2.5e3],\n\n  \"c\": {\"d\": \"x\"}, "
      "\"e\": {}, \"f\": "
      "[]\n}\n",
      "c.json");
  REQUIRE(root.is_object());
  CHECK(root.line == 1);
  REQUIRE(root.members.size() == 5);
  CHECK(root.find("a")->location() == "c.json:2");
  CHECK(root.find("a")->text == "1");
  const ConfigNode& list = *root.find("b");
  REQUIRE(list.items.size() == 3);
  CHECK(list.items[0].kind == Kind::kBoolean);
  CHECK(list.items[1].kind == Kind::kNull);
  CHECK(list.items[2].number() == -2500);
  CHECK(list.items[2].line == 4);
  CHECK(root.find("c")->find("d")->text == "x");
  CHECK(root.find("c")->line == 6);
  CHECK(root.find("g") == nullptr);
  CHECK(parse_config_node(" 1e-999 ", "c.json").number() == 0);
}

TEST_CASE("config: escapes and UTF-8") {
  const ConfigNode node = parse_config_node(
      "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\uD83D\\uDE00 \xC3\xA9\"", "c.json");
  CHECK(node.text == "\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 \xC3\xA9");
}

TEST_CASE("config: syntax errors name line and column") {
  struct Case {
    const char *text, *expected;
  };
  const Case cases[] = {
      {"", "c.json:1:1: the file is empty: expected '{'"},
      {" \n ", "c.json:2:2: the file is empty: expected '{'"},
      {"{\"a\": 1,\n}", "c.json:1:8: trailing comma before '}': remove it"},
      {"[1, 2, ]", "c.json:1:6: trailing comma before ']': remove it"},
      {"{\n  // x\n}", "c.json:2:3: JSON has no comments: remove this one"},
      {"{\n  # x\n}", "c.json:2:3: JSON has no comments: remove this one"},
      {"{\"a\": 1,\n \"b\": 2,\n \"a\": 3}", "c.json:3:2: duplicate key 'a', first on line 1"},
      {"{\"a\" 1}", "c.json:1:6: expected ':' after the key, got '1'"},
      {"{\"a\": }", "c.json:1:7: expected a value, got '}'"},
      {"{\"a\": 1 \"b\": 2}", "c.json:1:9: expected ',' or '}', got '\"'"},
      {"{\"a\": 1", "c.json:1:8: expected ',' or '}', got the end of the file"},
      {"{", "c.json:1:2: expected a key in double quotes, got the end of the file"},
      {"{a: 1}", "c.json:1:2: expected a key in double quotes, got 'a'"},
      {"[1}", "c.json:1:3: expected ',' or ']', got '}'"},
      {"{} x", "c.json:1:4: expected the end of the file, got 'x'"},
      {"'a'", "c.json:1:1: strings stand in double quotes: \"...\""},
      {"+1", "c.json:1:1: a number starts with a digit or '-', not with '+'"},
      {".5", "c.json:1:1: a number starts with a digit or '-', not with '.'"},
      {"01", "c.json:1:1: a number does not start with 0 and a further digit"},
      {"1.", "c.json:1:3: expected a digit after '.', got the end of the file"},
      {"-x", "c.json:1:2: expected a digit after '-', got 'x'"},
      {"1e+",
       "c.json:1:4: expected a digit after the exponent's sign or 'e', got the end of the file"},
      {"1e999", "c.json:1:1: the number 1e999 is too large"},
      {"-1e999", "c.json:1:1: the number -1e999 is too large"},
      {"\"abc", "c.json:1:1: this string is never closed"},
      {"\"a\nb\"", "c.json:1:1: this string is not closed on its line"},
      {"\"a\x01\"", "c.json:1:3: unescaped control character in a string: byte 0x01"},
      {"\"\\x\"", "c.json:1:2: unknown escape: after \\ stands one of \" \\ / b f n r t u"},
      {"\"\\u12g4\"", "c.json:1:6: \\u needs four hexadecimal digits"},
      {"\"\\uD800x\"", "c.json:1:2: half of a surrogate pair"},
      {"\"\\uD800\\u0041\"", "c.json:1:2: half of a surrogate pair"},
      {"\"\\uDC00\"", "c.json:1:2: half of a surrogate pair"},
      {"\"\\u0000\"", "c.json:1:2: \\u0000 has no place in a name or a path"},
      {"\"\xC3\xA9\xFF\"", "c.json:1:3: invalid UTF-8: byte 0xFF; save the file as UTF-8"},
      {"\"\xE0\x80\x80\"", "c.json:1:2: invalid UTF-8: byte 0xE0; save the file as UTF-8"},
      {"\"\xED\xA0\x80\"", "c.json:1:2: invalid UTF-8: byte 0xED; save the file as UTF-8"},
      {"\"\xF4\x90\x80\x80\"", "c.json:1:2: invalid UTF-8: byte 0xF4; save the file as UTF-8"},
      {"\xC3\xA9", "c.json:1:1: expected a value, got '\xC3\xA9'"},
      {"{\xFF", "c.json:1:2: expected a key in double quotes, got byte 0xFF"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(message(c.text) == c.expected);
  }
  CHECK(message("True").find("did you mean 'true'?") != std::string::npos);
  CHECK(message("NaN").find("expected a value, got NaN") != std::string::npos);
}

TEST_CASE("config: nesting and size have limits") {
  CHECK(message(nested(kMaxConfigDepth)) == "parsed");
  CHECK(message(nested(kMaxConfigDepth + 2)).find("nested deeper than 64 levels") !=
        std::string::npos);
  CHECK(message(std::string(1000000, '[')).find("nested deeper than") != std::string::npos);
  std::string many = "{\"k\": 0";
  for (int i = 0; i < 50'000; ++i) many += ", \"k" + std::to_string(i) + "\": 0";
  CHECK(message(many + "}").find("more than 50000 keys in one object") != std::string::npos);
}

TEST_CASE("config: a zero byte inside the text is an error, not its end") {
  CHECK(message(std::string("{}\0x", 4)) ==
        "c.json:1:3: expected the end of the file, got byte 0x00");
  CHECK(message(std::string("{\0}", 3)) ==
        "c.json:1:2: expected a key in double quotes, got byte 0x00");
}
