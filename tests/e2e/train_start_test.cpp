// Fine-tuning as a process: what a run takes from the network it starts from, and what it says.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "model/model_file.h"
#include "tests/e2e/train_support.h"

using namespace shiftadd;
using test::contains;
using test::ProcessResult;
using test::TrainFolder;

namespace {

namespace fs = std::filesystem;

// A folder with a trained network, "base/model.safetensors", and a configuration that starts from
// it and says nothing of the network or its preprocessing; its steps change next to nothing.
class StartFolder {
 public:
  StartFolder() {
    const ProcessResult made = folder_.train(
        "base", {"--set", "train.epochs=1", "--set", "data.preprocess.mean=[0.25,0.5,0.75]"});
    REQUIRE_MESSAGE(made.status == 0, made.err);
    test::write_text(folder_ / "tune.json", R"({
      "init": {"checkpoint": "base/model.safetensors"},
      "data": {"train": "set/train", "val": "set/val"},
      "train": {"epochs": 1, "batch": 16, "optimizer": {"lr": 1e-12},
                "schedule": {"warmup_lr": 0, "min_lr": 0}}
    })");
  }
  std::string operator/(const std::string& name) const { return folder_ / name; }
  ProcessResult tune(const std::string& out, std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(),
                     {test::program("shiftadd-train"), "tune.json", "--out", out});
    return test::run(arguments, "", {}, folder_.path());
  }
  ModelFile model(const std::string& out) const {
    return load_model(*this / (out + "/model.safetensors"));
  }
  Tensor head(const std::string& out) const {
    const ModelFile file = model(out);
    return file.weights[file.weights.size() - 2].second;
  }

 private:
  TrainFolder folder_;
};

// The largest difference of two rows.
double distance(const Tensor& a, int64_t row_a, const Tensor& b, int64_t row_b) {
  double most = 0;
  for (int64_t j = 0; j < a.dim(1); ++j)
    most = std::max<double>(most, std::abs(a.data<float>()[row_a * a.dim(1) + j] -
                                           b.data<float>()[row_b * b.dim(1) + j]));
  return most;
}

constexpr double kSame = 1e-6;

}  // namespace

TEST_CASE("fine-tuning takes network, preprocessing and head from its start, and says so") {
  const StartFolder folder;
  const ProcessResult result = folder.tune("tuned");
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err,
                 "preprocessing of base/model.safetensors: resize none, interpolation "
                 "bicubic, mean 0.25 0.5 0.75"));
  const ModelFile base = folder.model("base"), tuned = folder.model("tuned");
  CHECK(contains(result.err, concat("head: ", base.spec.classes, " classes kept by name")));
  CHECK(tuned.spec == base.spec);
  CHECK(tuned.preprocess == base.preprocess);
  CHECK(distance(folder.head("tuned"), 0, folder.head("base"), 0) < kSame);

  const ProcessResult given =
      folder.tune("given", {"--set", "data.preprocess.mean=[0,0,0]", "--set", "model.width=24"});
  REQUIRE_MESSAGE(given.status == 0, given.err);
  CHECK(contains(given.err, "of the configuration: mean 0 0 0 (there 0.25 0.5 0.75)"));
  CHECK(folder.model("given").preprocess.mean[1] == 0);
  for (const char* wrong : {"model.width=48", "model.depth=3", "model.heads=2"}) {
    const ProcessResult refused = folder.tune("wrong", {"--set", wrong});
    CHECK(refused.status == 2);
    CHECK(contains(refused.err, "another network than this run's model: "));
    CHECK_FALSE(fs::exists(folder / "wrong/last.safetensors"));
  }
  const ProcessResult printed = folder.tune("printed", {"--print-config"});
  CHECK(parse_json(printed.out).at("model").at("width") == 24);
  CHECK(parse_json(printed.out).at("data").at("preprocess").at("mean")[2] == 0.75);
}

TEST_CASE("a head keeps its classes by name; init.head says otherwise") {
  const StartFolder folder;
  const std::vector<std::string> classes = folder.model("base").classes;
  REQUIRE(classes.size() >= 3);
  for (const char* set : {"set/train/", "set/val/"}) {  // now the last of all
    fs::rename(folder / (set + classes[0]), folder / (std::string(set) + "zzz"));
  }
  const auto last = static_cast<int64_t>(classes.size()) - 1;
  const Tensor before = folder.head("base");
  const ProcessResult result = folder.tune("moved");
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err, concat("head: ", last, " classes kept by name, 1 new: zzz")));
  CHECK(distance(folder.head("moved"), 0, before, 1) < kSame);
  CHECK(distance(folder.head("moved"), last, before, last) > kSame);
  const ProcessResult kept = folder.tune("kept", {"--set", "init.head=keep"});
  REQUIRE_MESSAGE(kept.status == 0, kept.err);
  CHECK(distance(folder.head("kept"), last, before, last) < kSame);
  const ProcessResult fresh = folder.tune("fresh", {"--set", "init.head=new"});
  REQUIRE_MESSAGE(fresh.status == 0, fresh.err);
  CHECK(contains(fresh.err, "(init.head new)"));
  CHECK(distance(folder.head("fresh"), 0, before, 1) > kSame);
  CHECK(folder.tune("x", {"--set", "init.head=kepe"}).status == 2);
}

TEST_CASE("a run that was started goes on without the file it started from") {
  const StartFolder folder;
  const ProcessResult begun = folder.tune("run", {"--set", "train.max_steps=2"});
  REQUIRE_MESSAGE(begun.status == 0, begun.err);
  fs::remove_all(folder / "base");
  CHECK(folder.tune("another").status == 2);
  const ProcessResult resumed =
      folder.tune("run", {"--resume", "auto", "--set", "train.max_steps=3"});
  CHECK_MESSAGE(resumed.status == 0, resumed.err);
  CHECK(folder.model("run").preprocess.mean[0] == 0.25F);
}
