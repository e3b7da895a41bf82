// Damaged, older and foreign files, as the programs meet them.
#include <filesystem>

#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "tests/e2e/infer_support.h"
#include "tests/support/flips.h"

using namespace shiftadd;
using test::contains;

namespace {

test::ProcessResult run(const std::string& name, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), test::program(name));
  return test::run(arguments);
}

std::string golden(const std::string& ending) {
  return test::golden_folder() + "/models/vit_micro" + ending;
}

int lines_with(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
  return count;
}

// The header's key is renamed, so that the file looks like one that was written before there were
// checksums: of as many bytes, and another opening.
void forget_checksum(const std::string& path) {
  std::string bytes = read_text(path);
  const std::string opening = R"({"__metadata__":{ "shiftadd.checksum":"crc32c:)";
  REQUIRE(bytes.substr(8, opening.size()) == opening);
  const std::size_t all = opening.size() + 10;  // eight digits, a quote and a comma
  const std::string older = R"({"__metadata__":{)";
  bytes.replace(8, all, older + std::string(all - older.size(), ' '));
  test::write_text(path, bytes);
}

}  // namespace

TEST_CASE("flipped bits of a model file and a packed one are refused by every program") {
  const test::InferFolder folder;
  const std::string image = folder.image("a.bmp", 40, 40, 1), packed = folder / "p.safetensors";
  REQUIRE(
      run("shiftadd-convert", {folder.model_path(), "--pack", "int8", "--out", packed}).status ==
      0);
  for (const std::string& model : {folder.model_path(), packed}) {
    const std::string whole = read_text(model);
    CHECK(run("shiftadd-infer", {model, image}).err.empty());
    for (std::size_t i = 0; i < 20; ++i) {
      test::write_text(model, test::flipped(whole, (8 * whole.size() - 1) * i / 19));
      const test::ProcessResult result = run("shiftadd-infer", {model, image});
      CHECK(result.status == 2);
      CHECK(result.out.empty());
      CHECK_MESSAGE(contains(result.err, model + ": "), result.err);
    }
    const std::vector<std::vector<std::string>> uses = {
        {"shiftadd-convert", model, "--to", "timm", "--out", folder / "t.safetensors"},
        {"shiftadd-convert", model, "--pack", "bf16", "--out", folder / "t.safetensors"},
        {"shiftadd-convert", model, "--out", folder / "t.safetensors"},
        {"shiftadd-bench", "model", model},
        {"shiftadd-bench", "latency", model, "--out", folder / "latency.json"}};
    for (const std::vector<std::string>& use : uses) {
      const test::ProcessResult result = run(use[0], {use.begin() + 1, use.end()});
      CHECK(result.status == 2);
      CHECK_MESSAGE(contains(result.err, "the file is damaged"), result.err);
    }
    CHECK_FALSE(std::filesystem::exists(folder / "t.safetensors"));
  }
}

TEST_CASE("a model file without a checksum is read, and every program says so once") {
  const test::InferFolder folder;
  const std::string image = folder.image("a.bmp", 40, 40, 1), model = folder.model_path();
  const test::ProcessResult with = run("shiftadd-infer", {model, image});
  REQUIRE(with.status == 0);
  CHECK(with.err.empty());
  forget_checksum(model);
  const test::ProcessResult without = run("shiftadd-infer", {model, image});
  CHECK(without.status == 0);
  CHECK(without.out == with.out);
  const auto expect_note = [&](const test::ProcessResult& result, const std::string& program) {
    CHECK(result.status == 0);
    CHECK_MESSAGE(lines_with(result.err, program + ": note: " + model + ": has no checksum") == 1,
                  result.err);
  };
  expect_note(without, "shiftadd-infer");
  const std::string again = folder / "again.safetensors";
  expect_note(run("shiftadd-convert", {model, "--out", again}), "shiftadd-convert");
  expect_note(run("shiftadd-convert", {model, "--pack", "int8", "--out", folder / "p"}),
              "shiftadd-convert");
  CHECK(read_safetensors(again).has_checksum);
  CHECK(run("shiftadd-infer", {again, image}).err.empty());
}

TEST_CASE("a .pth with a wrong sum is refused, one without sums read with --no-crc") {
  const test::TemporaryFolder folder;
  const std::string damaged = folder / "d.pth", out = folder / "m.safetensors";
  const std::string whole = read_text(golden(".pth"));
  const auto convert = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {damaged, "--arch", "vit_micro", "--out", out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run("shiftadd-convert", arguments);
  };
  test::write_text(damaged, test::flipped(whole, 4 * whole.size()));
  CHECK(convert({}).status == 2);
  CHECK(contains(convert({}).err, "the file is damaged"));
  CHECK_FALSE(std::filesystem::exists(out));
  std::string none = whole;  // each entry's sum in the directory
  for (std::size_t at = 0; (at = none.find("PK\1\2", at)) != std::string::npos; ++at)
    none.replace(at + 16, 4, 4, '\0');
  test::write_text(damaged, none);
  CHECK(convert({}).status == 2);
  CHECK(contains(convert({}).err, "read it with --no-crc"));
  REQUIRE(convert({"--no-crc"}).status == 0);
  const std::string first = read_text(out);
  test::write_text(damaged, whole);
  REQUIRE(convert({}).status == 0);
  CHECK(read_text(out) == first);
  CHECK(
      run("shiftadd-convert", {out, "--pack", "int8", "--no-crc", "--out", folder / "p"}).status ==
      2);
}
