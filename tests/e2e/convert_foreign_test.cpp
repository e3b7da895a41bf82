// shiftadd-convert on checkpoints as they are met: copies, leftovers, objects beside the weights,
// types that are not read, and files that hold no weights at all, in every program.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "model/model_file.h"
#include "tests/core/torch_bytes.h"
#include "tests/data/bitmap.h"
#include "tests/support/support.h"

using namespace shiftadd;
using test::contains;
using test::PickleBytes;
using test::ProcessResult;

namespace {

ProcessResult run_program(const std::string& name, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), test::program(name));
  return test::run(arguments);
}

ProcessResult convert(const std::string& in, const std::string& arch, const std::string& out,
                      std::vector<std::string> more = {}) {
  more.insert(more.begin(), {in, "--arch", arch, "--out", out});
  return run_program("shiftadd-convert", more);
}

// vit_micro's tensors under each prefix, and whatever else.
class Checkpoint {
 public:
  void add(const std::string& prefix, double value) {
    for (const Parameter& each : parameters_of(named_spec("vit_micro")))
      file_.tensors.emplace_back(prefix + each.name, Tensor::full(each.shape, value));
  }
  void add_tensor(const std::string& name) {
    file_.tensors.emplace_back(name, Tensor::full({3}, 0.5));
  }
  std::string save(const std::string& path) const {
    write_safetensors(path, file_);
    return path;
  }

 private:
  TensorFile file_;
};

float first_weight(const std::string& path) {
  return load_model(path).weights[0].second.data<float>()[0];
}

}  // namespace

TEST_CASE("two copies in one file: the plain one, or the one that --prefix names") {
  const test::TemporaryFolder folder;
  const std::string out = folder / "m.safetensors";
  Checkpoint averaged, twins;
  averaged.add("ema_model.", 0.25), averaged.add("vit.", 0.5);
  twins.add("student.", 0.25), twins.add("teacher.", 0.5);
  const std::string plain = averaged.save(folder / "a.safetensors"),
                    both = twins.save(folder / "b.safetensors");
  REQUIRE(convert(plain, "vit_micro", out).status == 0);
  CHECK(first_weight(out) == 0.5F);
  REQUIRE(convert(plain, "vit_micro", out, {"--prefix", "ema_model."}).status == 0);
  CHECK(first_weight(out) == 0.25F);
  std::filesystem::remove(out);
  const ProcessResult unclear = convert(both, "vit_micro", out);
  CHECK(unclear.status == 2);
  CHECK(contains(
      unclear.err,
      "under the prefixes 'student.', 'teacher.': choose one with shiftadd-convert --prefix"));
  CHECK_FALSE(std::filesystem::exists(out));
  REQUIRE(convert(both, "vit_micro", out, {"--prefix", "teacher."}).status == 0);
  CHECK(first_weight(out) == 0.5F);
  CHECK(convert(both, "vit_micro", out, {"--prefix", ""}).status == 2);
}

TEST_CASE("a tensor that is left over is named, and dropped by --ignore") {
  const test::TemporaryFolder folder;
  const std::string out = folder / "m.safetensors";
  Checkpoint file;
  file.add("", 0.5);
  for (const char* name : {"aux.weight", "decoder.0.weight", "decoder.1.weight", "global_step"})
    file.add_tensor(name);
  const std::string in = file.save(folder / "in.safetensors");
  const ProcessResult refused = convert(in, "vit_micro", out, {"--report", folder / "report.json"});
  CHECK(refused.status == 2);
  CHECK(contains(refused.err, "aux.weight(3,) is left over"));
  CHECK(contains(refused.err, "--ignore 'decoder.1.weight'"));
  CHECK_FALSE(contains(refused.err, "global_step"));
  CHECK_FALSE(std::filesystem::exists(out));
  CHECK(contains(read_text(folder / "report.json"), "decoder.0.weight"));
  const ProcessResult dropped =
      convert(in, "vit_micro", out, {"--ignore", "aux.*", "--ignore", "decoder.*"});
  CHECK_MESSAGE(dropped.status == 0, dropped.err);
  CHECK(contains(dropped.out, "aux.weight (3,): ignored by --ignore"));
  CHECK(contains(dropped.out, "global_step (3,): a counter"));
}

TEST_CASE("an architecture of its own that leaves out heads is refused") {
  const test::TemporaryFolder folder;
  Checkpoint file;
  file.add("", 0.5);
  const std::string in = file.save(folder / "in.safetensors");
  for (const char* key : {"heads", "mlp_hidden", "depth", "classes"}) {
    nlohmann::json spec = to_json(named_spec("vit_micro"));
    spec.erase(key);
    test::write_text(folder / "net.json", json_text(spec));
    const ProcessResult result = convert(in, folder / "net.json", folder / "m.safetensors");
    CHECK(result.status == 2);
    CHECK_MESSAGE(contains(result.err, concat("net.json:1: ", key, " is missing")), result.err);
  }
}

TEST_CASE("objects beside the weights, and one tensor of a type not read, refuse nothing") {
  const test::TemporaryFolder folder;
  const auto with = [&](const std::string& object) {
    PickleBytes p;
    p.dict().text("args").raw(object).set().text("state_dict").dict();
    std::vector<std::string> storages;
    for (const Parameter& each : parameters_of(named_spec("vit_micro"))) {
      std::vector<int32_t> size(each.shape.begin(), each.shape.end()), stride(size.size(), 1);
      for (std::size_t i = size.size(); i-- > 1;) stride[i - 1] = stride[i] * size[i];
      const auto count = static_cast<int32_t>(element_count(each.shape));
      p.text("module." + each.name);
      p.tensor(std::to_string(storages.size()), count, size, stride).set();
      storages.push_back(test::bytes_of(std::vector<float>(static_cast<std::size_t>(count), 0.5F)));
    }
    p.text("module.freqs_cis");
    p.tensor(std::to_string(storages.size()), 1, {1}, {1}, 0, "ComplexFloatStorage").set();
    storages.push_back(std::string(8, '\1'));
    test::write_text(folder / "in.pth", test::torch_zip(p.set().stop(), storages));
    return folder / "in.pth";
  };
  const std::string touch = folder / "touched";
  for (const auto& [object, name] :
       {std::pair<std::string, const char*>(
            "cfunctools\npartial\ncmine\nrun\n\x85R(cmine\nrun\n)}Ntb", "functools.partial"),
        {"cargparse\nNamespace\n)\x81}b", "argparse.Namespace"},
        {"comegaconf.dictconfig\nDictConfig\n)}\x92}b", "omegaconf.dictconfig.DictConfig"},
        {"\x82\x05)R", "copyreg.extension 5"},
        {"cmine\n<lambda>\n", "mine.<lambda>"},
        {"cmine\nrun\n(X" + test::little(touch.size(), 4) + touch + "tR", "mine.run"}}) {
    const ProcessResult result = convert(with(object), "vit_micro", folder / "m.safetensors");
    REQUIRE_MESSAGE(result.status == 0, result.err);
    CHECK(contains(result.err, concat(name, " is not data and was left out")));
    CHECK(contains(result.out, "freqs_cis"));
    CHECK(contains(result.out, "torch.ComplexFloatStorage, which is not read"));
    CHECK(first_weight(folder / "m.safetensors") == 0.5F);
  }
  CHECK_FALSE(std::filesystem::exists(touch));
  CHECK(convert(with("cos\nsystem\n(X\1\0\0\0xtR"), "vit_micro", folder / "m.safetensors").status ==
        2);
}

TEST_CASE("the files of issue 12: two copies, a partial") {
  const std::string faults = test::shared_path("data/faults");
  if (faults.empty()) return;
  const test::TemporaryFolder folder;
  const std::string out = folder / "m.safetensors", ema = folder / "ema.safetensors";
  const std::string copies = faults + "/two-copies.ckpt", arch = faults + "/tiny.json";
  REQUIRE(convert(copies, arch, out).status == 0);
  REQUIRE(convert(copies, arch, folder / "net.safetensors", {"--prefix", "net."}).status == 0);
  REQUIRE(convert(copies, arch, ema, {"--prefix", "ema."}).status == 0);
  CHECK(sha256_of_file(out) == sha256_of_file(folder / "net.safetensors"));
  CHECK(sha256_of_file(out) != sha256_of_file(ema));
  const ProcessResult partial = convert(faults + "/partial.pth", arch, out);
  CHECK_MESSAGE(partial.status == 0, partial.err);
  CHECK(contains(partial.err, "functools.partial is not data"));
}

TEST_CASE("a file that holds no weights is named as what it is, by every program") {
  const test::TemporaryFolder folder;
  test::write_text(folder / "image.bmp", test::bitmap(8, 8, 1));
  test::write_text(folder / "config.json", concat(R"({
      "model": {"image_size": 16, "patch_size": 8, "width": 8, "depth": 1, "heads": 1, "mlp_hidden": 8},
      "data": {"synthetic": {"folder": ")",
                                                  folder.path(), R"(/set", "size": 16,
                             "train_per_class": 2, "val_per_class": 1}},
      "train": {"batch": 4}})"));
  const std::pair<std::string, const char*> cases[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 22935\n",
       "is a Git LFS pointer, not the file itself (of 22935 bytes)"},
      {"<!DOCTYPE html><html><title>Sign in</title></html>", "is a web page (HTML)"},
      {R"({"message": "Not Found"})", "is JSON text"},
      {"", "is empty"},
      {std::string("\x1f\x8b\x08\0\0\0\0\0\0\3", 10), "is compressed (gzip)"}};
  for (const auto& [content, what] : cases) {
    for (const char* name : {"w.safetensors", "w.pth"}) {
      const std::string path = folder / name;
      test::write_text(path, content);
      const std::string expected = path + " " + what;
      const auto named = [&](const ProcessResult& result) {
        CHECK(result.status == 2);
        CHECK_MESSAGE(contains(result.err, expected), result.err);
      };
      named(convert(path, "vit_micro", folder / "m.safetensors"));
      named(run_program("shiftadd-convert", {path, "--pack", "int8", "--out", folder / "m"}));
      named(run_program("shiftadd-infer", {path, folder / "image.bmp"}));
      named(run_program("shiftadd-bench", {"model", path}));
      for (const char* key : {"init.checkpoint", "train.teacher.checkpoint"})
        named(run_program("shiftadd-train",
                          {folder / "config.json", "--dry-run", "--set", concat(key, "=", path)}));
      named(run_program("shiftadd-train", {folder / "config.json", "--resume", path}));
    }
  }
}
