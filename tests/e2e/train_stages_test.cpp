// Pretrained -> stage 1 -> stage 2 by one command: the whole of it, interrupted, and refused.
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "model/model_file.h"
#include "tests/e2e/train_support.h"

using namespace shiftadd;
namespace fs = std::filesystem;
using nlohmann::json;
using test::ProcessResult;
using test::TrainFolder;

namespace {

const char* const kStages = R"(stages=[
  {"name": "add", "surgery": {"recipe": ["all: attention=linear_add", "1: attention=softmax_add"],
                              "codes": "bipolar2", "smooth_codes": true,
                              "value": "int8", "activations": "int8",
                              "transfer": {"steps": 5}},
   "train": {"teacher": {"features": 3}}},
  {"name": "shift", "surgery": {"recipe": ["all: qkv=shift, proj=shift, mlp=mixture"],
                                "codes": "bipolar2",
                                "value": "int8", "activations": "int8"},
   "train": {"epochs": 2, "optimizer": {"lr": 0.001}, "teacher": {"features": 3}}, "router": {"calibrate": 0.6}}])";

std::vector<std::string> staged(std::vector<std::string> more = {}) {
  std::vector<std::string> words = {"--set", "init.checkpoint=dense/model.safetensors", "--set",
                                    kStages};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// One folder for all cases: a dense network, and the uninterrupted two stages that follow it.
struct Reference {
  TrainFolder folder;
  std::string hash;
  ProcessResult result;
  Reference() {
    REQUIRE(folder.train("dense").status == 0);
    result = folder.train("whole", staged({"--threads", "2"}));
    INFO(result.err);
    REQUIRE(result.status == 0);
    hash = folder.model_hash("whole/shift");
  }
};
const Reference& reference() {
  static const Reference made;
  return made;
}

json result_of(const std::string& out) {
  return parse_json(read_text(reference().folder / out + "/result.json"));
}

}  // namespace

TEST_CASE("two stages convert a network, train it, and report") {
  const TrainFolder& folder = reference().folder;
  const ModelFile add = load_model(folder / "whole/add/model.safetensors");
  CHECK(add.spec.block(0).attention == AttentionKind::kLinearAdd);
  CHECK(add.spec.block(1).attention == AttentionKind::kSoftmaxAdd);
  CHECK(add.spec.block(0).mlp == LayerKind::kMultiply);
  const ModelFile shift = load_model(folder / "whole/shift/model.safetensors");
  CHECK(shift.spec.block(0).attention == AttentionKind::kLinearAdd);
  CHECK(shift.spec.block(1).mlp == LayerKind::kMixture);

  const json dense = result_of("dense"), last = result_of("whole/shift");
  CHECK(last["routers"].size() == 2);
  CHECK(last["operations"]["multiplications"].get<int64_t>() <
        dense["operations"]["multiplications"].get<int64_t>());
  CHECK(last["operations"]["shifts"].get<int64_t>() > 0);
  CHECK(last["weight_bytes"].get<double>() < dense["weight_bytes"].get<double>());
  CHECK(last["right"].get<std::string>().size() == last["images"].get<std::size_t>());

  const std::string report = read_text(folder / "whole/report.md");
  for (const char* row : {"| start | ", "| add   | ", "| shift | "})
    CHECK_MESSAGE(report.find(row) != std::string::npos, report);
  CHECK(reference().result.out.find(report) != std::string::npos);
  const std::string& said = reference().result.err;
  CHECK(said.find("surgery: block 0: attention softmax -> linear_add") != std::string::npos);
  CHECK(said.find("% of tokens shifted") != std::string::npos);
  CHECK(said.find("transfer: block 0: relative error of attention") != std::string::npos);
  CHECK(said.find("calibrated: blocks.1.mlp: ") != std::string::npos);
  CHECK(said.find("calibrated: top-1 ") != std::string::npos);

  // Every step says what its routers did.
  const std::string log = read_text(folder / "whole/shift/metrics.jsonl");
  const json step = parse_json(log.substr(0, log.find('\n')));
  REQUIRE(step["routers"].size() == 2);
  CHECK(step["routers"][1]["alpha_shift"].get<double>() == doctest::Approx(0.4));
  CHECK(step["routers"][0]["entropy"].get<double>() > 0);
}

TEST_CASE("one thread and two give the same last stage") {
  const ProcessResult result = reference().folder.train("one", staged({"--threads", "1"}));
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(reference().folder.model_hash("one/shift") == reference().hash);
}

TEST_CASE("a finished run that is resumed with another share is calibrated to that") {
  const TrainFolder& folder = reference().folder;
  std::filesystem::copy(folder / "whole", folder / "shared",
                        std::filesystem::copy_options::recursive);
  std::vector<std::string> arguments = staged({"--resume", "auto"});
  for (std::string& each : arguments)
    if (const auto at = each.find(R"("calibrate": 0.6)"); at != std::string::npos)
      each.replace(at, 16, R"("calibrate": 0.3)");
  const ProcessResult result = folder.train("shared", arguments);
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(result.err.find("stage 1 of 2, add: finished earlier") != std::string::npos);
  CHECK(folder.model_hash("shared/shift") != reference().hash);
  CHECK(result_of("shared/shift")["shift_share"].get<double>() < 0.4);
  CHECK(folder.train("shared", staged({"--resume", "auto"})).status == 0);
  CHECK(folder.model_hash("shared/shift") == reference().hash);
}

TEST_CASE("stages that were killed or stopped go on to the same bits") {
  const TrainFolder& folder = reference().folder;
  int number = 0;
  for (const int step : {2, 25, 55, 75}) {  // 5 of transfer, 45 in the first stage, 30 after
    const std::string out = "killed" + std::to_string(++number);
    const int signal = number == 2 ? SIGINT : SIGKILL;
    const ProcessResult cut = folder.train_until(out, staged(), " step ", step, signal);
    CHECK(cut.status == (signal == SIGINT ? 130 : 128 + SIGKILL));
    if (step > 20) CHECK(folder.train(out, staged()).status == 2);  // an epoch is saved there
    const ProcessResult result = folder.train(out, staged({"--resume", "auto"}));
    INFO(result.err);
    REQUIRE(result.status == 0);
    CHECK(folder.model_hash(out + "/shift") == reference().hash);
    CHECK(read_text(folder / out + "/report.md") == read_text(folder / "whole/report.md"));
  }
  // Finished stages are left alone.
  const ProcessResult again = folder.train("killed1", staged({"--resume", "auto"}));
  CHECK(again.status == 0);
  CHECK(again.err.find("stage 2 of 2, shift: finished earlier") != std::string::npos);
}

TEST_CASE("a stage that grew from something else is not taken for finished") {
  const TrainFolder& folder = reference().folder;
  const auto copy = [&](const std::string& from, const std::string& to) {
    std::filesystem::copy(folder / from, folder / to,
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
  };
  const std::string dense = "dense/model.safetensors", trained = "whole/add/model.safetensors";
  copy("whole", "stale");
  copy(dense, "kept.safetensors");
  // The start is another network of the same sizes.
  REQUIRE(folder.train("dense2", {"--seed", "5", "--set", "train.epochs=1"}).status == 0);
  copy("dense2/model.safetensors", dense);
  const ProcessResult changed = folder.train("whole", staged({"--resume", "auto"}));
  copy("kept.safetensors", dense);
  CHECK(changed.status == 2);
  CHECK(changed.err.find("began with another init.checkpoint") != std::string::npos);
  // A model file that is not what the stage wrote is written again.
  write_file(folder / "whole/add/model.safetensors", "damaged");
  const ProcessResult mended = folder.train("whole", staged({"--resume", "auto"}));
  INFO(mended.err);
  CHECK(mended.status == 0);
  CHECK(folder.model_hash("whole/add") == sha256_of_file(folder / "stale/add/model.safetensors"));
  CHECK(folder.model_hash("whole/shift") == reference().hash);
}

TEST_CASE("mistakes of a later stage are found before the first step, and by --dry-run") {
  const TrainFolder& folder = reference().folder;
  const auto refused = [&](const std::string& second, const std::string& reason) {
    const std::string stages =
        R"(stages=[{"surgery": {"recipe": ["all: attention=linear_add"]}}, )" + second + "]";
    for (const std::string out : {"late", "--dry-run"}) {
      std::vector<std::string> arguments = {"--set", "init.checkpoint=dense/model.safetensors",
                                            "--set", stages};
      if (out == "--dry-run") arguments.push_back(out);
      const ProcessResult result = folder.train("late", arguments);
      CHECK(result.status == 2);
      CHECK_MESSAGE(result.err.find("stage stage2: ") != std::string::npos, result.err);
      CHECK_MESSAGE(result.err.find(reason) != std::string::npos, result.err);
      CHECK_FALSE(std::filesystem::exists(folder / "late/stage1"));
    }
  };
  refused(R"({"surgery": {"recipe": ["0-9: mlp=mixture"]}})", "has blocks 0 to 1");
  refused(R"({"surgery": {"recipe": ["all: mlp=mixture"]}, "router": {"latency_file": "no.json"}})",
          "no.json");
  refused(R"({"surgery": {"recipe": ["all: mlp=shift"]}, "train": {"freeze": ["nothing.*"]}})",
          "matches no parameter");
  refused(R"({"surgery": {"recipe": ["all: mlp=shift"]},
              "train": {"teacher": {"checkpoint": "no.safetensors"}}})",
          "no.safetensors");
  const ProcessResult plan = folder.train("dry", staged({"--dry-run"}));
  INFO(plan.err);
  CHECK(plan.status == 0);
  for (const char* part : {"stage 2 of 2, shift", "mlp multiply -> mixture", "blocks.0.attn.k_v"})
    CHECK_MESSAGE(plan.out.find(part) != std::string::npos, plan.out);
}

TEST_CASE("options under layers converted earlier do not change unsaid, nor what cannot act") {
  const TrainFolder& folder = reference().folder;
  const auto said = [&](const std::string& out, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--set", "train.epochs=1"});
    const ProcessResult result = folder.train(out, arguments);
    INFO(result.err);
    CHECK(result.status == 0);
    return result.err;
  };
  const std::string changed =
      said("changed", {"--set", "init.checkpoint=whole/add/model.safetensors", "--set",
                       R"(surgery.recipe=["all: mlp=shift"])", "--set", "router.calibrate=0.5"});
  CHECK(changed.find("layers converted earlier change, too: codes bipolar2 -> sign, "
                     "value int8 -> float") != std::string::npos);
  CHECK(changed.find("router.calibrate: the network has no router") != std::string::npos);
  const std::string batch =
      said("batch", {"--set", "init.checkpoint=dense/model.safetensors", "--set",
                     R"(surgery.recipe=["0: attention=linear_add", "1: attention=softmax_add"])",
                     "--set", "surgery.codes=unit_batch"});
  CHECK(batch.find("answers depend on the images beside them") != std::string::npos);
  CHECK(batch.find("softmax_add compares signs") != std::string::npos);
  const std::string model = folder / "batch/model.safetensors";
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{test::program("shiftadd-convert"), model, "--out",
                                 folder / "exported.safetensors"},
        std::vector<std::string>{test::program("shiftadd-infer"), model, "--eval", "set/val"}}) {
    const ProcessResult result = test::run(command, "", {}, folder.path());
    CHECK(result.status == 2);
    CHECK(result.err.find("would depend on its neighbours") != std::string::npos);
  }
}

TEST_CASE("stopped before the first step, a stage saves nothing and begins anew") {
  const TrainFolder& folder = reference().folder;
  const ProcessResult cut = folder.train_until("early", staged(), "transfer step 2/5", 1, SIGINT);
  CHECK(cut.status == 130);
  CHECK(cut.err.find("stopped before the first step of stage add; nothing of it was saved") !=
        std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "early/add/last.safetensors"));
  REQUIRE(folder.train("early", staged({"--resume", "auto"})).status == 0);
  CHECK(folder.model_hash("early/shift") == reference().hash);
}

TEST_CASE("measured latencies take the place of given ones, and stay with the run") {
  const TrainFolder& folder = reference().folder;
  const std::string bench = test::program("shiftadd-bench");
  const ProcessResult probe =
      test::run({bench, "latency", "whole/shift/model.safetensors", "--out", "measured.json"}, "",
                {}, folder.path());
  INFO(probe.err);
  REQUIRE(probe.status == 0);
  const std::vector<std::string> arguments = {
      "--set", "init.checkpoint=whole/add/model.safetensors",
      "--set", R"(surgery.recipe=["all: mlp=mixture"])",
      "--set", "surgery.value=int8",
      "--set", "surgery.activations=int8",
      "--set", "router.latency_file=measured.json",
      "--set", "train.epochs=1"};
  const ProcessResult result = folder.train("measured", arguments);
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(read_text(folder / "measured/latency.json") == read_text(folder / "measured.json"));
  std::filesystem::remove(folder / "measured.json");
  CHECK(folder.train("measured2", arguments).status == 2);
}

TEST_CASE("--compare sets runs side by side") {
  const TrainFolder& folder = reference().folder;
  const std::string program = test::program("shiftadd-train");
  const ProcessResult table =
      test::run({program, "--compare", "dense", "whole/add", "whole/shift"}, "", {}, folder.path());
  CHECK(table.status == 0);
  CHECK(table.out.find("| dense       | ") != std::string::npos);
  CHECK(table.out.find("baseline") != std::string::npos);
  CHECK(table.out.find("| whole/shift | ") != std::string::npos);
  const ProcessResult none = test::run({program, "--compare", "nowhere"}, "", {}, folder.path());
  CHECK(none.status == 2);
  CHECK(none.err.find("nowhere/result.json") != std::string::npos);
  std::filesystem::create_directory(folder / "damaged");
  write_file(folder / "damaged/result.json", "{\"version\": 1}");
  const ProcessResult damaged = test::run({program, "--compare", "damaged"}, "", {}, folder.path());
  CHECK(damaged.status == 2);
  CHECK(damaged.err.find("damaged/result.json") != std::string::npos);
}

TEST_CASE("--compare makes one row of several seeds, and --eval measures runs on other images") {
  const TrainFolder& folder = reference().folder;
  const std::string program = test::program("shiftadd-train");
  const auto compare = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {program, "--compare"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return test::run(command, "", {}, folder.path());
  };
  // As if another seed had given the same network.
  for (const char* run : {"dense", "whole/shift"}) {
    const fs::path from = fs::path(folder.path()) / run;
    fs::create_directories(fs::path(folder.path()) / "again");
    fs::copy(from, fs::path(folder.path()) / "again" / from.filename(),
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }
  const std::vector<std::string> twice = {"dense,again/dense", "whole/shift,again/shift"};
  const ProcessResult table = compare(twice);
  CHECK(table.status == 0);
  CHECK_MESSAGE(table.out.find("| */shift ") != std::string::npos, table.out);
  CHECK(table.out.find("dense and 1 more: ") != std::string::npos);
  CHECK(table.out.find("Means of 2 seeds: 0, 0. ") != std::string::npos);

  const auto evaluated = [&](const std::string& set) {
    std::vector<std::string> arguments = twice;
    arguments.insert(arguments.end(), {"--eval", set});
    return compare(arguments);
  };
  CHECK(evaluated("set/val").out == table.out);
  const ProcessResult others = evaluated("set/train");
  CHECK(others.status == 0);
  CHECK(others.out != table.out);
  // A set of some of the classes, counted by their names.
  const fs::path some = fs::path(folder.path()) / "some";
  fs::create_directories(some);
  const std::string kept = "star";
  fs::copy(fs::path(folder.path()) / "set/val" / kept, some / kept,
           fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  CHECK(evaluated("some").status == 0);
  fs::copy(some / kept, some / "unknown", fs::copy_options::recursive);
  const ProcessResult unknown = evaluated("some");
  CHECK(unknown.status == 2);
  CHECK_MESSAGE(unknown.err.find("unknown") != std::string::npos, unknown.err);
  const ProcessResult absent = evaluated("set/nowhere");
  CHECK(absent.status == 2);
  CHECK(absent.out.empty());
  CHECK(absent.err.find("set/nowhere") != std::string::npos);
  const ProcessResult uneven =
      compare({"dense,again/dense", "whole/shift", "--eval", "set/nowhere"});
  CHECK(uneven.status == 2);
  CHECK(uneven.err.find("whole/shift: 1 run; dense and 1 more: 2 runs: give as many") !=
        std::string::npos);
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& reason) {
    const ProcessResult result = compare(arguments);
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK_MESSAGE(result.err.find(reason) != std::string::npos, result.err);
  };
  for (const char* missing : {"", "dense,", ",dense"}) refused({missing}, "expected folders");
  // A pair of two seeds, as the runs' manifests tell them.
  const std::string manifest = folder / "again/shift/manifest.json";
  std::string text = read_text(manifest);
  const std::size_t at = text.find("\"seed\": 0");
  REQUIRE(at != std::string::npos);
  write_file(manifest, text.replace(at, 9, "\"seed\": 8"));
  refused(twice, "again/shift has seed 8, and again/dense, which it is paired with, has 0");
  CHECK(
      compare({"dense", "again/shift"}).out.find("again/shift: seed 8, and the baseline's is 0") !=
      std::string::npos);
  refused({"dense,./dense"}, "./dense stands twice: expected a run for each seed");
  refused({"whole"},
          "--compare whole: holds a run of stages: expected one of them, whole/add or "
          "whole/shift");
  refused({"dense", "--seed", "2"}, "--seed excludes --compare");
  refused({"dense", "--dry-run"}, "--dry-run excludes --compare");
  const ProcessResult alone = test::run({program, "--eval", "set/val"}, "", {}, folder.path());
  CHECK(alone.status == 2);
  CHECK(alone.err.find("--eval set/val goes with --compare") != std::string::npos);
}

TEST_CASE("stages and recipes with mistakes are refused, naming them") {
  const TrainFolder& folder = reference().folder;
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& reason) {
    const ProcessResult result = folder.train("refused", arguments);
    CHECK(result.status == 2);
    CHECK_MESSAGE(result.err.find(reason) != std::string::npos, result.err);
    CHECK_FALSE(std::filesystem::exists(folder / "refused/last.safetensors"));
  };
  const std::string init = "init.checkpoint=dense/model.safetensors";
  refused({"--set", init, "--set", R"(surgery.recipe=["7: mlp=shift"])"},
          "surgery.recipe: block 7: the network");
  refused({"--set", init, "--set", R"(surgery.recipe=["1-0: mlp=shift"])"},
          "expected the lower number first");
  refused({"--set", init, "--set", R"(surgery.recipe=["all: mpl=shift"])"}, "did you mean 'mlp'");
  write_file(folder / "two.json", R"({"extends": "config.json", "stages": [
    {"name": "a", "train": {"epochs": 2}}, {"name": "b", "train": {"epochs": 3}}]})");
  const auto with_two = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {test::program("shiftadd-train"), "two.json",
                                        "--print-config"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return test::run(command, "", {}, folder.path());
  };
  const ProcessResult nothing = with_two({"--set", "train.epochs=1"});
  CHECK(nothing.status == 2);
  CHECK_MESSAGE(
      nothing.err.find("--set train.epochs=1: nothing would come of it") != std::string::npos,
      nothing.err);
  const ProcessResult reached = with_two({"--set", "stages.b.train.epochs=1"});
  CHECK(reached.status == 0);
  CHECK(reached.err.empty());
  CHECK(parse_json(reached.out)["stages"][1]["train"]["epochs"] == 1);
  CHECK(with_two({"--set", "stages.a.seed=5", "--seed", "6"}).err.empty());
  refused({"--set", "stages=3"}, "stages: expected a list of objects");
  refused({"--set", "stages=[7]"}, "expected an object of options");
  refused({"--set", R"(stages=[{"out": "x"}])"}, "belongs to all stages");
  refused({"--set", R"(stages=[{"name": "a/b"}])"}, "it names the stage's folder");
  refused({"--set", R"(stages=[{"name": "a"}, {"name": "a"}])"}, "two stages are called");
  refused({"--set", R"(stages=[{"trian": {}}])"}, "trian");
  refused({"--set", R"(router.latency=[6, 0])"}, "router.latency");
  // What a later stage cannot be made of is known before the first.
  const std::string back = R"(stages=[{"name": "a", "surgery": {"recipe": ["all: mlp=mixture"]}},
                                      {"name": "b", "surgery": {"recipe": ["1: mlp=shift"]}}])";
  refused({"--set", init, "--set", back}, "stage b: surgery.recipe: ");
  CHECK_FALSE(std::filesystem::exists(folder / "refused/a"));
  // A converted checkpoint where a plain one is meant, and the reverse: what differs is named.
  refused({"--set", "init.checkpoint=whole/add/model.safetensors"},
          "whole/add/model.safetensors: holds a converted network, this run's is plain: "
          "blocks.0.attention linear_add instead of softmax");
  refused({"--set", "init.checkpoint=whole/shift/model.safetensors", "--set",
           R"(surgery.recipe=["all: mlp=multiply"])"},
          "cannot become");
}

TEST_CASE("the second stage without the first is allowed, and says so") {
  const ProcessResult result = reference().folder.train(
      "alone", {"--set", "init.checkpoint=dense/model.safetensors", "--set",
                R"(surgery.recipe=["all: mlp=shift"])", "--set", "train.epochs=1"});
  CHECK(result.status == 0);
  CHECK(result.err.find("the second stage without the first") != std::string::npos);
}
