// Files of a run with damage: every flipped bit is noticed, and a checkpoint's error knows a way
// on.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "layers/model.h"
#include "layers/surgery.h"
#include "model/latency_report.h"
#include "tests/support/flips.h"
#include "tests/train/tiny_checkpoint.h"
#include "tests/train/tiny_spec.h"
#include "train/checkpoint.h"
#include "train/run_result.h"

using namespace shiftadd;
using namespace shiftadd::train;
using test::tiny_spec;

namespace {

Checkpoint checkpoint_at(int64_t step) {
  Checkpoint checkpoint = test::tiny_checkpoint(tiny_spec(), {"a", "b", "c"});
  checkpoint.state.step = step;
  return checkpoint;
}

std::string text_of(const NamedTensors& tensors) {
  std::string text;
  for (const auto& [name, tensor] : tensors)
    text += name + std::string(static_cast<const char*>(tensor.raw()), tensor.bytes());
  return text;
}

// Every flip of the file that `write` makes is refused by `read`.
template <class Write, class Read>
void check_file(const Write& write, const Read& read) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "result.json";
  write(path);
  const std::string bytes = read_text(path);
  test::check_all_refused(bytes, [&](const std::string& damaged) {
    test::write_text(path, damaged);
    return read(path);
  });
}

std::string refusal(const std::string& path) {
  try {
    load_checkpoint(path);
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    CHECK(test::contains(error.what(), path));
    return error.what();
  }
  return "";
}

void damage(const std::string& path) {
  const std::string bytes = read_text(path);
  test::write_text(path, test::flipped(bytes, 4 * bytes.size()));
}

}  // namespace

TEST_CASE("damage: a flipped bit of a checkpoint, a model, latencies and a result is noticed") {
  check_file([](const std::string& path) { save_checkpoint(path, checkpoint_at(7)); },
             [](const std::string& path) {
               const Checkpoint read = load_checkpoint(path);
               return text_of(read.model.weights) + text_of(read.optimizer) + read.config +
                      std::to_string(read.state.step);
             });
  check_file([](const std::string& path) { save_model(path, checkpoint_at(7).model); },
             [](const std::string& path) {
               const ModelFile read = load_model(path);
               return text_of(read.weights) + json_text(to_json(read.spec)) + read.classes.at(1);
             });
  const ModelSpec routed = layers::apply_recipe(tiny_spec(), {}, {{.mlp = LayerKind::kMixture}});
  LatencyReport report{.model = "tiny",
                       .batch = 2,
                       .tokens = 10,
                       .mult = "float32",
                       .shift = "int8 x 4bit",
                       .cpu = "a CPU",
                       .isa = "avx2",
                       .threads = 2,
                       .repeats = 15,
                       .routers = router_widths(routed)};
  for (RouterLatency& router : report.routers) router.mult_ms = 0.625, router.shift_ms = 0.375;
  check_file(
      [&](const std::string& path) { write_latency(path, report); },
      [&](const std::string& path) { return json_text(to_json(read_latency(path, routed))); });
  const RunResult result{.name = "tiny",
                         .spec = tiny_spec(),
                         .top1 = 50,
                         .top5 = 100,
                         .loss = 0.75,
                         .images = 4,
                         .shift_shares = {},
                         .right = "1001",
                         .data = "abc",
                         .model = "def"};
  const auto folder_of = [](const std::string& path) {
    return std::filesystem::path(path).parent_path().string();
  };
  check_file([&](const std::string& path) { write_result(folder_of(path), result); },
             [&](const std::string& path) {
               const RunResult read = read_result(folder_of(path));
               return concat(read.name, read.loss, read.top5, read.right, read.model);
             });
}

TEST_CASE("damage: the error of a checkpoint names the newest whole one and how to go on") {
  const test::TemporaryFolder folder;
  const auto path = [&](const char* name) { return folder / concat(name, ".safetensors"); };
  save_checkpoint(path("last"), checkpoint_at(30));
  save_model(path("model"), checkpoint_at(30).model);
  test::write_text(path("notes"), "not a checkpoint");
  CHECK(refusal(path("last")).empty());
  damage(path("last"));
  CHECK(test::contains(refusal(path("last")), "no checkpoint beside it is whole"));
  save_checkpoint(path("best"), checkpoint_at(10));
  save_checkpoint(path("epoch_002"), checkpoint_at(20));
  save_checkpoint(path("epoch_001"), checkpoint_at(10));
  const auto expect = [&](const char* name, int step) {
    const std::string text = refusal(path("last"));
    CHECK_MESSAGE(test::contains(text, concat("whole is ", path(name), ", of step ", step,
                                              ": to go on from there, type `cp ", path(name), " ",
                                              path("last"), "`")),
                  text);
  };
  expect("epoch_002", 20);
  damage(path("epoch_002"));
  expect("best", 10);
  damage(path("best"));
  expect("epoch_001", 10);
  std::filesystem::copy_file(path("epoch_001"), path("last"),
                             std::filesystem::copy_options::overwrite_existing);
  CHECK(load_checkpoint(path("last")).state.step == 10);
  damage(path("epoch_001"));
  CHECK(test::contains(refusal(path("epoch_001")), concat("whole is ", path("last"))));
  test::write_text(path("last"), read_text(path("last")).substr(0, 2000));
  CHECK(test::contains(refusal(path("last")), "no checkpoint beside it is whole"));
  CHECK_FALSE(test::contains(refusal(path("none")), "whole"));
  std::filesystem::create_directory(folder / "it's a run");
  save_checkpoint(path("it's a run/best"), checkpoint_at(10));
  test::write_text(path("it's a run/last"), "cut");
  CHECK(test::contains(refusal(path("it's a run/last")), "it'\\''s a run/last.safetensors'`"));
}
