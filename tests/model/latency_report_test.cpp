// latency.json: written, read in the network's order, and files that do not fit refused.
#include "model/latency_report.h"

#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "tests/support/routed_spec.h"
#include "tests/support/support.h"

using namespace shiftadd;
using nlohmann::json;
using test::routed;

namespace {

LatencyReport report_of(const ModelSpec& spec) {
  LatencyReport report{.model = "tiny",
                       .batch = 2,
                       .tokens = 10,
                       .mult = "float32",
                       .shift = "int8 x 4bit, integers",
                       .cpu = "a \"CPU\"",
                       .isa = "avx2",
                       .threads = 2,
                       .repeats = 15,
                       .routers = router_widths(spec)};
  for (RouterLatency& router : report.routers) router.mult_ms = 0.6, router.shift_ms = 0.4;
  return report;
}

}  // namespace

TEST_CASE("latency: alpha is each expert's share of both") {
  CHECK(report_of(routed()).alpha()[0] == doctest::Approx(0.6));
  CHECK(report_of(routed()).alpha()[1] == doctest::Approx(0.4));
}

TEST_CASE("latency: the file reads back, in the network's order") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "latency.json";
  const LatencyReport report = report_of(routed());
  write_latency(path, report);
  CHECK(read_latency(path, routed()) == report);

  json shuffled = parse_json(json_text(to_json(report)));
  std::swap(shuffled["routers"][0], shuffled["routers"][4]);
  test::write_text(path, json_text(shuffled));
  CHECK(read_latency(path, routed()) == report);
}

TEST_CASE("latency: files that do not fit are refused by name") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "latency.json";
  const auto refusal = [&](const auto& change) {
    json object = parse_json(json_text(to_json(report_of(routed()))));
    change(object);
    test::write_text(path, json_text(object));
    try {
      read_latency(path, routed());
    } catch (const Error& error) {
      CHECK(error.exit_code() == 2);
      CHECK(test::contains(error.what(), path));
      return std::string(error.what());
    }
    return std::string();
  };
  const auto expect = [&](const std::string& message, const auto& change) {
    const std::string what = refusal(change);
    CHECK_MESSAGE(test::contains(what, message), what);
  };
  CHECK(refusal([](json&) {}).empty());
  for (const json& wrong : {json(0), json(-1.5), json(nullptr), json("fast"), json(true)})
    expect(":1: routers[5].shift_ms: expected a number > 0, got " + json_text(wrong),
           [&](json& object) { object["routers"][5]["shift_ms"] = wrong; });
  expect("routers[0].mult_ms: is missing",
         [](json& object) { object["routers"][0].erase("mult_ms"); });
  expect("'blocks.0.attn.qkx'; did you mean 'blocks.0.attn.qkv'?",
         [](json& object) { object["routers"][0]["name"] = "blocks.0.attn.qkx"; });
  expect("'blocks.0.mlp' is there twice",
         [](json& object) { object["routers"][5]["name"] = "blocks.0.mlp"; });
  expect("'blocks.1.mlp' is missing", [](json& object) { object["routers"].erase(5); });
  expect("(12, 17, 12) in this network", [](json& object) { object["routers"][2]["hidden"] = 18; });
  expect("routers: is empty", [](json& object) { object["routers"] = json::array(); });
  expect("routers: expected a list of objects, got 3", [](json& object) { object["routers"] = 3; });
  expect("routers[1]: expected an object {...}, got 3",
         [](json& object) { object["routers"][1] = 3; });
  expect("batch: expected a whole number from 1 to 2147483647, got 1.5",
         [](json& object) { object["batch"] = 1.5; });
  expect("threads: expected a whole number from 1 to 2147483647, got 18446744073709551615",
         [](json& object) { object["threads"] = 18446744073709551615ULL; });
  expect("cpu: expected a string, got 3", [](json& object) { object["cpu"] = 3; });
  expect("expected a JSON object {...}, got an empty list",
         [](json& object) { object = json::array(); });

  test::write_text(path, "{\"model\": ");
  CHECK_THROWS_WITH_AS(read_latency(path, routed()),
                       doctest::Contains("latency.json:1:11: expected a value"), Error);
  CHECK_THROWS_AS(read_latency(folder / "none.json", routed()), Error);
}
