// Networks whose weights or logits are not finite: every program says so, and prints no figure.
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/io/files.h"
#include "tests/e2e/infer_support.h"
#include "tests/e2e/train_support.h"

using namespace shiftadd;
using test::contains;
using test::InferFolder;
using test::ProcessResult;
using test::TrainFolder;

namespace {

constexpr float kInfinite = std::numeric_limits<float>::infinity();

struct Spoilt {
  std::string weight;
  float value;
};
// Refused when they are read.
const std::vector<Spoilt> kNotFinite = {{"head.bias", std::nanf("")},
                                        {"norm.bias", -kInfinite},
                                        {"pos_embed", kInfinite},
                                        {"blocks.0.mlp.fc1.weight", std::nanf("")}};
// Finite, but what they compute is not.
const std::vector<Spoilt> kHuge = {{"blocks.1.mlp.fc2.weight", 3e38f},
                                   {"blocks.0.mlp.fc1.weight", 2e38f},
                                   {"blocks.0.attn.qkv.weight", -3e38f},
                                   {"blocks.0.mlp.fc2.weight", -3e38f}};

/// Gives one weight of the model at `from` this value throughout, as `to`.
void spoil(const std::string& from, const std::string& to, const Spoilt& how) {
  TensorFile file = read_safetensors(from);
  bool found = false;
  for (auto& [name, tensor] : file.tensors) {
    if (name != how.weight) continue;
    found = true;
    tensor = Tensor::full(tensor.shape(), how.value);
  }
  REQUIRE(found);
  write_safetensors(to, file);
}

/// Says that logits are not finite, names `parts`, and gives no result.
void check_named(const ProcessResult& result, int status, const std::vector<std::string>& parts) {
  CHECK_MESSAGE(result.status == status, result.err);
  CHECK_MESSAGE(contains(result.err, "not finite"), result.err);
  for (const std::string& part : parts) CHECK_MESSAGE(contains(result.err, part), result.err);
  CHECK_FALSE_MESSAGE(contains(result.out, "nan"), result.out);
  CHECK_FALSE_MESSAGE(contains(result.out, "top-1"), result.out);
}

}  // namespace

TEST_CASE("infer, --eval, --json, bench compare and --pack name model and image") {
  const InferFolder folder;
  const std::string image = folder.image("one.bmp", 64, 64, 1),
                    set = folder.labelled("val", test::micro_classes(), 1),
                    model = folder / "bad.safetensors", packed = folder / "packed.safetensors";
  const auto check_all = [&](const std::string& one, const std::string& of_set) {
    const std::string infer = test::program("shiftadd-infer");
    check_named(test::run({infer, model, image}), 2, {model, one});
    check_named(test::run({infer, model, image, "--json"}), 2, {model, one});
    check_named(test::run({infer, model, "--eval", set}), 2, {model, of_set});
    check_named(test::run({infer, model, "--eval", set, "--json"}), 2, {model, of_set});
    check_named(
        test::run({test::program("shiftadd-bench"), "compare", "good=" + folder.model_path(),
                   "bad=" + model, "--eval", set, "--seconds", "0.01"}),
        2, {model, of_set});
    check_named(test::run({test::program("shiftadd-convert"), model, "--pack", "float32",
                           "--calibrate", set, "--out", packed}),
                2, {of_set});
    CHECK_FALSE(std::filesystem::exists(packed));
  };
  for (const Spoilt& how : kNotFinite) {
    CAPTURE(how.weight);
    spoil(folder.model_path(), model, how);
    check_all(how.weight, how.weight);
  }
  for (const Spoilt& how : kHuge) {
    CAPTURE(how.weight);
    spoil(folder.model_path(), model, how);
    check_all(image + " are not finite (class ", "ant/0.bmp are not finite (class ");
  }
}

TEST_CASE("--pack without images writes no model whose answers are not finite") {
  const InferFolder folder;
  const std::string model = folder / "bad.safetensors", packed = folder / "packed.safetensors";
  const auto pack = [&](const char* format) {
    return test::run({test::program("shiftadd-convert"), model, "--pack", format, "--out", packed});
  };
  for (const Spoilt& how : kHuge) {
    CAPTURE(how.weight);
    spoil(folder.model_path(), model, how);
    check_named(pack("float32"), 2, {model + " packed (products in float32)", "mean colour"});
    CHECK_FALSE(std::filesystem::exists(packed));
  }
  // A float32 that is finite, next to sums that bf16 rounds to infinity.
  spoil(folder.model_path(), model, {"blocks.0.mlp.fc1.bias", 3.4e38f});
  const ProcessResult bf16 = pack("bf16");
  if (bf16.status != 0) check_named(bf16, 2, {model + " packed (products in bf16)"});
  CHECK(std::filesystem::exists(packed) == (bf16.status == 0));
  spoil(folder.model_path(), model, {"head.bias", 1.5f});
  CHECK(pack("int8").status == 0);
}

TEST_CASE("training does not start from, or learn from, weights that are not finite") {
  const TrainFolder folder;
  REQUIRE(folder.train("good", {"--set", "train.epochs=1"}).status == 0);
  for (const Spoilt& how : kNotFinite) {
    spoil(folder / "good/model.safetensors", folder / "bad.safetensors", how);
    CAPTURE(how.weight);
    for (const char* key : {"init.checkpoint", "train.teacher.checkpoint"})
      for (const bool dry : {false, true}) {
        std::vector<std::string> arguments = {"--set", std::string(key) + "=bad.safetensors"};
        if (dry) arguments.push_back("--dry-run");
        check_named(folder.train("a", arguments), 2, {"bad.safetensors: " + how.weight});
      }
    CHECK_FALSE(std::filesystem::exists(folder / "a/model.safetensors"));
  }
}

TEST_CASE("a loss that diverges names step, epoch and rate, and the last checkpoint stays") {
  const TrainFolder folder;
  // The first step is sane, those after it are not.
  const std::vector<std::string> wild = {"--set", "train.optimizer.lr=1e30",
                                         "--set", "train.schedule.warmup_epochs=3",
                                         "--set", "train.schedule.warmup_lr=1e-9",
                                         "--set", "train.clip_norm=0",
                                         "--set", "train.ema_decay=0"};
  std::vector<std::string> first = wild;
  first.insert(first.end(), {"--set", "train.max_steps=1"});
  REQUIRE(folder.train("a", first).status == 0);
  const std::string before = sha256_of_file(folder / "a/last.safetensors");
  std::vector<std::string> rest = wild;
  rest.insert(rest.end(), {"--resume", "auto"});
  const ProcessResult result = folder.train("a", rest);
  CHECK_MESSAGE(result.status == 1, result.err);
  CHECK_MESSAGE(contains(result.err, " of epoch 1, learning rate "), result.err);
  CHECK_MESSAGE(contains(result.err, "a/last.safetensors keeps the weights"), result.err);
  CHECK(sha256_of_file(folder / "a/last.safetensors") == before);
}

TEST_CASE("a network that overflows only when it is validated ends the run by name") {
  const TrainFolder folder;
  // The loss is taken before the step that makes the weights huge; the epoch ends with it.
  const ProcessResult result =
      folder.train("a", {"--set", "train.max_steps=1", "--set", "train.optimizer.lr=1e30", "--set",
                         "train.schedule.warmup_epochs=0", "--set", "train.ema_decay=0"});
  check_named(result, 1, {"the network of a after step 1", "set/val/"});
  CHECK_FALSE(std::filesystem::exists(folder / "a/model.safetensors"));
  CHECK_FALSE(std::filesystem::exists(folder / "a/best.safetensors"));
}
