// Files from elsewhere: the verdicts of the checkpoint manifest, five files of one network,
// published names.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/io/files.h"
#include "core/io/weights_file.h"
#include "model/network.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

std::vector<std::vector<std::string>> table(const std::string& path, char separator) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    std::istringstream cells(line);
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, separator);) rows.back().push_back(cell);
  }
  return rows;
}

}  // namespace

TEST_CASE("the checkpoint manifest's safetensors and torch rows") {
  const std::string folder = test::shared_path("data/checkpoints");
  if (folder.empty()) return;
  int checked = 0;
  for (const std::vector<std::string>& row : table(folder + "/MANIFEST.tsv", '\t')) {
    if (row.size() < 4 || !(row[0].starts_with("safetensors/") || row[0].starts_with("torch/")))
      continue;
    INFO(row[0] << ": " << row[3]);
    bool is_valid = true;
    try {
      const WeightsFile file = read_weights(folder + "/" + row[0]);
      CHECK(!file.tensors.empty());
      CHECK(file.format == (row[0].starts_with("torch/") ? "pytorch" : "safetensors"));
    } catch (const Error& error) {
      is_valid = false;
      CHECK(error.exit_code() == 2);
      CHECK(std::string(error.what()).find(row[0]) != std::string::npos);
    }
    CHECK(is_valid == row[3].starts_with("valid"));
    ++checked;
  }
  CHECK(checked >= 12);
}

TEST_CASE("five files of one network hold the same weights") {
  const std::string folder = test::golden_folder() + "/models/vit_micro";
  const WeightsFile reference = read_weights(folder + ".safetensors");
  for (const char* ending : {".pth", ".legacy.pth", ".half.pth", ".views.pth"}) {
    const WeightsFile file = read_weights(folder + ending);
    INFO(ending);
    const bool is_half = std::string(ending) == ".half.pth";
    std::size_t compared = 0;
    for (const auto& [name, expected] : reference.tensors) {
      if (name.starts_with("golden.")) continue;
      const auto found = std::find_if(file.tensors.begin(), file.tensors.end(),
                                      [&](const auto& entry) { return entry.first == name; });
      REQUIRE_MESSAGE(found != file.tensors.end(), name);
      const Tensor& actual = found->second;
      REQUIRE(actual.shape() == expected.shape());
      CHECK(actual.dtype() == (is_half ? DType::kF16 : DType::kF32));
      const Tensor wanted = is_half ? expected.to(DType::kF16) : expected;
      CHECK_MESSAGE(std::memcmp(actual.raw(), wanted.raw(), wanted.bytes()) == 0, name);
      ++compared;
    }
    CHECK(compared == file.tensors.size());
  }
  CHECK(read_weights(folder + ".pth").wrapper == "model");
  const WeightsFile views = read_weights(folder + ".views.pth");
  CHECK(views.wrapper == "state_dict");
  CHECK(views.placeholders == std::vector<std::string>{"argparse.Namespace"});
}

TEST_CASE("parameter names and shapes are the published ones") {
  for (const char* name :
       {"deit_tiny_patch16_224", "deit_small_patch16_224", "deit_base_patch16_224"}) {
    const std::string path = test::shared_path(concat("design/state-dict-keys/", name, ".txt"));
    if (path.empty()) return;
    std::vector<std::string> expected, actual;
    for (const std::vector<std::string>& row : table(path, ' '))
      if (row.size() == 2 && row[0] != "#") expected.push_back(row[0] + " " + row[1]);
    for (const Parameter& parameter : parameters_of(named_spec(name))) {
      std::string shape;
      for (int64_t extent : parameter.shape)
        shape += (shape.empty() ? "" : "x") + std::to_string(extent);
      actual.push_back(parameter.name + " " + shape);
    }
    CHECK(actual == expected);
  }
}

TEST_CASE("a file is recognised by its content, not its name") {
  const test::TemporaryFolder folder;
  const std::string models = test::golden_folder() + "/models/vit_micro";
  write_file(folder / "a.pth", read_text(models + ".safetensors"));
  CHECK(read_weights(folder / "a.pth").format == "safetensors");
  write_file(folder / "b.safetensors", read_text(models + ".legacy.pth"));
  CHECK(read_weights(folder / "b.safetensors").format == "pytorch");
  for (const char* text : {"", "hello", "PK", "\x80", "\x80\x02"}) {
    write_file(folder / "c", text);
    CHECK_THROWS_AS(read_weights(folder / "c"), Error);
  }
  CHECK_THROWS_AS(read_weights(folder / "a.pth", "model"), Error);
}
