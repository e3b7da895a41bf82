// shiftadd-convert on a checkpoint in several files: the same model as from one, and no output on
// any of the files.
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

// The golden network in two files and an index.
struct Sharded {
  Sharded() {
    const TensorFile whole = test::golden_model("vit_micro");
    TensorFile parts[2];
    std::string map;
    for (const auto& [name, tensor] : whole.tensors) {
      if (name.starts_with("golden.")) continue;
      const int part = name.starts_with("blocks.") ? 1 : 0;
      parts[part].tensors.emplace_back(name, tensor);
      map += (map.empty() ? "" : ",\n") + ("\"" + name + "\": \"part" + std::to_string(part)) +
             ".safetensors\"";
    }
    for (int part = 0; part < 2; ++part)
      write_safetensors(folder / ("part" + std::to_string(part) + ".safetensors"), parts[part]);
    write_file(index, "{\"weight_map\": {" + map + "}}");
  }
  test::TemporaryFolder folder;
  std::string index = folder / "model.safetensors.index.json";
};

test::ProcessResult convert(const std::string& in, const std::string& out) {
  return test::run({test::program("shiftadd-convert"), in, "--arch", "vit_micro", "--out", out});
}

}  // namespace

TEST_CASE("an index, and the folder that holds it, convert as one file does") {
  const Sharded sharded;
  const test::TemporaryFolder out;
  REQUIRE(convert(test::golden_folder() + "/models/vit_micro.safetensors", out / "one").status ==
          0);
  REQUIRE(convert(sharded.index, out / "index").status == 0);
  REQUIRE(convert(sharded.folder.path(), out / "folder").status == 0);
  const std::string one = sha256_of_file(out / "one");
  CHECK(sha256_of_file(out / "index") == one);
  CHECK(sha256_of_file(out / "folder") == one);
}

TEST_CASE("a file of the checkpoint is no output") {
  const Sharded sharded;
  const std::string shard = sharded.folder / "part1.safetensors";
  const std::string before = sha256_of_file(shard);
  for (const std::string& in : {sharded.index, sharded.folder.path()}) {
    const auto result = convert(in, shard);
    CHECK(result.status == 2);
    CHECK(test::contains(result.err, "part1.safetensors"));
    CHECK(sha256_of_file(shard) == before);
  }
}
