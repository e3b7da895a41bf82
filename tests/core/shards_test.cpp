// Checkpoints in several files: all tensors in their places, and every way in which an index and
// its files can disagree.
#include <filesystem>

#include "core/io/safetensors.h"
#include "core/io/weights_file.h"
#include "tests/support/support.h"

using namespace shiftadd;
using test::contains, test::TemporaryFolder, test::write_text;

namespace {

constexpr const char* kIndex = "model.safetensors.index.json";

// Files a.safetensors with x and y, and sub/b.safetensors with z, and an index of them.
struct Sharded {
  explicit Sharded(const std::string& map) {
    std::filesystem::create_directory(folder / "sub");
    shard("a.safetensors", {{"x", 1}, {"y", 2}});
    shard("sub/b.safetensors", {{"z", 3}});
    write_text(folder / kIndex,
               "{\"metadata\": {\"total_size\": 12},\n\"weight_map\":\n" + map + "}");
  }
  void shard(const std::string& name, const std::map<std::string, float>& values) const {
    TensorFile file;
    for (const auto& [tensor, value] : values)
      file.tensors.emplace_back(tensor, Tensor::from(std::vector<float>{value}, {1}));
    write_safetensors(folder / name, file);
  }
  std::string error() const {
    try {
      read_weights(folder / kIndex);
    } catch (const Error& error) {
      CHECK(error.kind() == Error::Kind::kUser);
      return error.what();
    }
    return "read";
  }
  TemporaryFolder folder;
};

constexpr const char* kRight =
    R"({"x": "a.safetensors", "z": "sub/b.safetensors", "y": "a.safetensors"})";

}  // namespace

TEST_CASE("shards: an index gives the tensors of all its files, as does its folder") {
  const Sharded sharded(kRight);
  for (const std::string& path : {sharded.folder / kIndex, sharded.folder.path()}) {
    const WeightsFile file = read_weights(path);
    CHECK(file.format == "safetensors");
    REQUIRE(file.tensors.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(file.tensors[i].first == std::string(1, "xyz"[i]));
      CHECK(file.tensors[i].second.data<float>()[0] == static_cast<float>(i + 1));
    }
    REQUIRE(file.files.size() == 3);
    CHECK(file.files[0].ends_with(kIndex));
    CHECK(file.files[2] == sharded.folder / "sub/b.safetensors");
  }
  CHECK(test::contains(
      [&] {
        try {
          read_weights(sharded.folder / kIndex, "model");
        } catch (const Error& error) {
          return std::string(error.what());
        }
        return std::string("read");
      }(),
      "a.safetensors: is a safetensors file, which has no state dict 'model'"));
}

TEST_CASE("shards: an index and its files must agree") {
  const struct {
    const char *map, *error;
  } cases[] = {
      {kRight, "read"},
      {R"({"x": "a.safetensors", "y": "a.safetensors", "z": "c.safetensors"})",
       "index.json:3: weight_map.z: "},
      {R"({"x": "a.safetensors", "y": "a.safetensors", "z": "c.safetensors"})",
       "of which c.safetensors is missing"},
      {R"({"x": "a.safetensors", "y": "sub/b.safetensors", "z": "sub/b.safetensors"})",
       "weight_map.y: tensor 'y' is not in sub/b.safetensors, but in a.safetensors"},
      {R"({"x": "a.safetensors", "y": "a.safetensors", "z": "sub/b.safetensors",
           "w": "a.safetensors"})",
       "index.json:4: weight_map.w: tensor 'w' is not in a.safetensors"},
      {R"({"x": "a.safetensors", "z": "sub/b.safetensors"})",
       "/a.safetensors: tensor 'y' is not in the weight_map of "},
      {R"({"x": "a.safetensors", "x": "sub/b.safetensors"})", "duplicate key 'x'"},
      {R"({"x": "../a.safetensors"})", "weight_map.x: '../a.safetensors' is no name of a file in"},
      {R"({"x": "sub/../a.safetensors"})", "is no name of a file in the index's folder"},
      {R"({"x": "/etc/passwd"})", "'/etc/passwd' is no name of a file"},
      {R"({"x": ""})", "'' is no name of a file"},
      {R"({"x": 3})", "weight_map.x: expected a string, got 3"},
      {R"({"x": null})", "weight_map.x: expected the name of a file"},
      {"{}", "weight_map: expected an object that names the file of each tensor"},
      {"[]", "weight_map: expected an object, got an empty list"},
      {R"({"x": "sub"})", "sub is a folder"},
      {R"({"x": "model.safetensors.index.json"})", "is the index of a checkpoint in several files"},
      {R"({"x": "a.safetensors",)", "index.json:3:"}};
  for (const auto& [map, error] : cases) {
    CAPTURE(map);
    const std::string actual = Sharded(map).error();
    CAPTURE(actual);
    CHECK(contains(actual, error));
  }
  const Sharded twice(kRight);
  twice.shard("sub/b.safetensors", {{"x", 1}, {"z", 3}});
  CHECK(contains(twice.error(), "tensor 'x' is in a.safetensors and in sub/b.safetensors, too"));
  write_text(twice.folder / "a.safetensors",
             "version https://git-lfs.github.com/spec/v1\nsize 9\n");
  CHECK(contains(twice.error(), "a.safetensors is a Git LFS pointer"));
}

TEST_CASE("shards: what a folder means") {
  const Sharded sharded(kRight);
  const std::string folder = sharded.folder.path();
  sharded.shard("pytorch_model.bin", {{"x", 1}});  // the name decides, the content how it is read
  CHECK(weights_path(folder) == sharded.folder / kIndex);
  sharded.shard("model.safetensors", {{"x", 1}});
  CHECK(weights_path(folder) == sharded.folder / "model.safetensors");
  CHECK(read_weights(folder).tensors.size() == 1);
  CHECK(weights_path(folder + "/a.safetensors") == folder + "/a.safetensors");
  CHECK_THROWS_WITH_AS(
      read_weights(sharded.folder / "sub"),
      doctest::Contains("sub: a folder without weights: expected model.safetensors"), Error);
}

TEST_CASE("shards: PyTorch checkpoints, too") {
  const TemporaryFolder folder;
  const std::string pth = test::golden_folder() + "/models/vit_micro.legacy.pth";
  std::filesystem::copy(pth, folder / "pytorch_model-00001-of-00001.bin");
  const WeightsFile whole = read_weights(pth);
  std::string map;
  for (const auto& [name, tensor] : whole.tensors)
    map += (map.empty() ? "" : ", ") + ("\"" + name + "\": \"pytorch_model-00001-of-00001.bin\"");
  write_text(folder / "pytorch_model.bin.index.json", "{\"weight_map\": {" + map + "}}");
  const WeightsFile file = read_weights(folder.path());
  CHECK(file.format == "pytorch");
  CHECK(file.wrapper == whole.wrapper);
  CHECK(file.tensors.size() == whole.tensors.size());
}

TEST_CASE("shards: a published checkpoint in two files is the one in one file") {
  const std::string folder = test::shared_path("golden/backbones");
  if (folder.empty()) return;
  const WeightsFile sharded = read_weights(folder + "/hf_vit_sharded");
  const WeightsFile whole = read_weights(folder + "/hf_vit.safetensors");
  CHECK(sharded.files.size() == 3);
  std::map<std::string, Tensor> by_name(sharded.tensors.begin(), sharded.tensors.end());
  REQUIRE(by_name.size() == whole.tensors.size());
  for (const auto& [name, tensor] : whole.tensors) {
    CAPTURE(name);
    REQUIRE(by_name.contains(name));
    const Tensor& other = by_name[name];
    REQUIRE(other.shape() == tensor.shape());
    CHECK(std::equal(tensor.span<float>().begin(), tensor.span<float>().end(),
                     other.span<float>().begin()));
  }
}
