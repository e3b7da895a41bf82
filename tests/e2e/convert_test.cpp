// shiftadd-convert as a process: round trips, reports, mappings, and every wrong use.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "model/model_file.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

test::ProcessResult convert(std::vector<std::string> arguments,
                            const std::map<std::string, std::string>& environment = {}) {
  arguments.insert(arguments.begin(), test::program("shiftadd-convert"));
  return test::run(arguments, "", environment);
}

std::string golden(const std::string& ending) {
  return test::golden_folder() + "/models/vit_micro" + ending;
}
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("timm to ours to timm is byte-identical in every tensor, in every precision") {
  const test::TemporaryFolder folder;
  for (const char* ending : {".safetensors", ".pth", ".legacy.pth", ".views.pth", ".half.pth"}) {
    INFO(ending);
    const std::string ours = folder / "ours.safetensors", timm = folder / "timm.safetensors";
    REQUIRE(convert({golden(ending), "--arch", "vit_micro", "--out", ours}).status == 0);
    REQUIRE(convert({ours, "--to", "timm", "--out", timm}).status == 0);
    const TensorFile back = read_safetensors(timm),
                     reference = read_safetensors(golden(".safetensors"));
    std::size_t compared = 0;
    for (const auto& [name, expected] : reference.tensors) {
      if (name.starts_with("golden.")) continue;
      const Tensor wanted =
          std::string(ending) == ".half.pth" ? expected.to(DType::kF16) : expected;
      const Tensor& actual = back.at(name);
      CHECK(actual.shape() == wanted.shape());
      REQUIRE(actual.dtype() == wanted.dtype());
      CHECK_MESSAGE(std::memcmp(actual.raw(), wanted.raw(), wanted.bytes()) == 0, name);
      ++compared;
    }
    CHECK(compared == back.tensors.size());
    CHECK_FALSE(back.metadata.contains("shiftadd.model"));
    CHECK(load_model(ours).weights.size() == back.tensors.size());
  }
}

TEST_CASE("the report lists every tensor, as text and as JSON") {
  const test::TemporaryFolder folder;
  const auto result = convert({golden(".safetensors"), "--arch", "vit_micro", "--out",
                               folder / "m.safetensors", "--report", folder / "r.json"});
  REQUIRE(result.status == 0);
  CHECK(has(result.out, "used      blocks.0.attn.qkv.weight (144, 48)"));
  CHECK(has(result.out, "unused    golden.in.image"));
  const auto report = parse_json(read_text(folder / "r.json"));
  const std::size_t all = read_safetensors(golden(".safetensors")).tensors.size();
  CHECK(report.at("tensors").size() == all);
  CHECK(report.at("counts").at("missing") == 0);
  CHECK(report.at("counts").at("used").get<std::size_t>() + 2 == all);
  CHECK(report.at("architecture").at("name") == "vit_micro");
}

TEST_CASE("class names and preprocessing are stored") {
  const test::TemporaryFolder folder;
  test::write_text(folder / "names.txt", "a\nb\nc\nd\ne\nf\ng\n");
  REQUIRE(convert({golden(".pth"), "--arch", "vit_micro", "--classes", folder / "names.txt",
                   "--preprocess", R"({"resize": 72, "mean": [0.5, 0.5, 0.5]})", "--out",
                   folder / "m.safetensors"})
              .status == 0);
  const ModelFile model = load_model(folder / "m.safetensors");
  CHECK(model.classes.size() == 7);
  CHECK(model.preprocess.resize == 72);
  CHECK(model.preprocess.crop == 64);
  CHECK(model.preprocess.mean[1] == 0.5F);
  // Our own files know everything: converted again, they lose nothing.
  REQUIRE(convert({folder / "m.safetensors", "--out", folder / "n.safetensors"}).status == 0);
  CHECK(sha256_of_file(folder / "m.safetensors") == sha256_of_file(folder / "n.safetensors"));

  test::write_text(folder / "few.txt", "a\nb\n");
  const auto few = convert({golden(".pth"), "--arch", "vit_micro", "--classes", folder / "few.txt",
                            "--out", folder / "x"});
  CHECK(few.status == 2);
  CHECK(has(few.err, "2 class names"));
  for (const char* preprocess :
       {"{", "[]", R"({"crop": 32})", R"({"cropp": 64})", R"({"std": [0, 1, 1]})", "missing.json"})
    CHECK(convert({golden(".pth"), "--arch", "vit_micro", "--preprocess", preprocess, "--out",
                   folder / "x"})
              .status == 2);
  CHECK_FALSE(std::filesystem::exists(folder / "x"));
}

TEST_CASE("another architecture is an error that names tensors and shapes and leaves no file") {
  const test::TemporaryFolder folder;
  const auto result = convert({golden(".pth"), "--arch", "deit_tiny_patch16_224", "--out",
                               folder / "x.safetensors", "--report", folder / "r.json"});
  CHECK(result.status == 2);
  CHECK(has(result.err, "cls_token has shape (1, 1, 48): expected (1, 1, 192)"));
  CHECK(has(result.out, "missing   blocks.11.mlp.fc2.bias"));
  CHECK_FALSE(std::filesystem::exists(folder / "x.safetensors"));
  CHECK(parse_json(read_text(folder / "r.json")).at("counts").at("missing") > 0);
  const auto unknown =
      convert({golden(".pth"), "--arch", "vit_micra", "--out", folder / "x.safetensors"});
  CHECK(unknown.status == 2);
  CHECK(has(unknown.err, "did you mean 'vit_micro'?"));
  // The published heads are not 16 wide: no tensor tells how many this network has.
  CHECK(has(convert({golden(".pth"), "--out", folder / "x.safetensors"}).err, "Say how many: --set heads=N"));
}

TEST_CASE(
    "wrong command lines, missing and hostile files exit 2; a full disk exits 1 and keeps the old "
    "file") {
  const test::TemporaryFolder folder;
  const std::string out = folder / "m.safetensors";
  CHECK(convert({}).status == 2);
  CHECK(convert({"--nonsense"}).status == 2);
  CHECK(convert({golden(".pth"), "--arch", "vit_micro", "--out", out, "--to", "keras"}).status ==
        2);
  CHECK(convert({folder / "missing.pth", "--arch", "vit_micro", "--out", out}).status == 2);
  test::write_text(folder / "evil.pth",
                   "\x80\x02"
                   "cos\nsystem\n(U\x07touch xtR.");
  const auto evil = convert({folder / "evil.pth", "--arch", "vit_micro", "--out", out});
  CHECK(evil.status == 2);
  CHECK(has(evil.err, "os.system"));
  CHECK(convert({"--version"}).status == 0);
  const auto help = convert({"--help"});
  CHECK(help.status == 0);
  CHECK(has(help.out, "--mapping"));
  CHECK(help.err.empty());

  REQUIRE(convert({golden(".pth"), "--arch", "vit_micro", "--out", out}).status == 0);
  const std::string digest = sha256_of_file(out);
  const auto full = convert({golden(".pth"), "--arch", "vit_micro", "--out", out},
                            {{"SHIFTADD_FAIL_WRITE_AFTER", "1000"}});
  CHECK(full.status == 1);
  CHECK(has(full.err, "No space left"));
  CHECK(sha256_of_file(out) == digest);
}

TEST_CASE("a converted network is not taken for a plain one, nor the reverse") {
  const test::TemporaryFolder folder;
  ModelFile plain;
  plain.spec = named_spec("vit_micro");
  plain.preprocess.crop = plain.spec.image_size;
  plain.preprocess.resize = plain.spec.image_size.longer();
  for (const Parameter& each : parameters_of(plain.spec))
    plain.weights.emplace_back(each.name, Tensor::zeros(each.shape));
  save_model(folder / "plain.safetensors", plain);
  ModelFile coded = plain;  // the same tensors
  coded.spec.shift_add.blocks.assign(static_cast<std::size_t>(plain.spec.depth),
                                     {.attention = AttentionKind::kSoftmaxAdd});
  save_model(folder / "coded.safetensors", coded);
  write_file(folder / "coded.json", json_text(to_json(coded.spec)));

  const auto to_out = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--out", folder / "out.safetensors"});
    return convert(arguments);
  };
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& reason) {
    const test::ProcessResult result = to_out(arguments);
    CHECK(result.status == 2);
    CHECK_MESSAGE(result.err.find(reason) != std::string::npos, result.err);
    CHECK_FALSE(std::filesystem::exists(folder / "out.safetensors"));
  };
  refused({folder / "coded.safetensors", "--arch", "vit_micro"},
          "holds: blocks.0-1.attention softmax instead of softmax_add");
  refused({folder / "plain.safetensors", "--arch", folder / "coded.json"},
          "holds: blocks.0-1.attention softmax_add instead of softmax");
  // What no tensor shows, and what tensors would show only by their shapes.
  for (const char* change : {"\"heads\": 4", "\"norm_eps\": 1e-5", "\"classes\": 5"}) {
    write_file(folder / "changed.json", concat("{\"base\": \"vit_micro\", ", change, "}"));
    refused({folder / "plain.safetensors", "--arch", folder / "changed.json"},
            "is another network than " + folder / "plain.safetensors" + " holds: ");
  }
  refused({folder / "coded.safetensors", "--to", "timm"}, "converted network");
  // A foreign file says nothing; its tensors fit both.
  refused({golden(".pth"), "--arch", folder / "coded.json"}, "does not say that it was trained as");
  CHECK(to_out({folder / "coded.safetensors", "--arch", folder / "coded.json"}).status == 0);
}

TEST_CASE("foreign checkpoints: VisionTriad through its mapping, DeiT with its class list") {
  const std::string weights = test::shared_path("data/weights");
  if (weights.empty()) return;
  const test::TemporaryFolder folder;
  const std::string configs = test::source_folder() + "/configs/", out = folder / "m.safetensors";
  const auto foreign = convert({weights + "/visiontriad_vit_cifar10.pth", "--arch",
                                configs + "models/vit_cifar_visiontriad.json", "--mapping",
                                configs + "mappings/visiontriad.json", "--preprocess",
                                configs + "preprocess/visiontriad.json", "--out", out});
  REQUIRE_MESSAGE(foreign.status == 0, foreign.err);
  CHECK(has(foreign.out, "0 missing, 0 unused"));
  const ModelFile model = load_model(out);
  CHECK(model.spec.norm_eps == 1e-5);
  CHECK(model.preprocess.resize == 0);
  CHECK(model.preprocess.std[2] == 0.5F);

  REQUIRE(convert({weights + "/deit_cifar10.pth", "--arch", "vit_cifar", "--out", out}).status ==
          0);
  CHECK(load_model(out).classes.size() == 10);
  CHECK(load_model(out).classes[0] == "airplane");
}
