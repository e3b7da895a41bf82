// The folder of a training run never destroys what the run reads.
#include <filesystem>

#include "core/io/files.h"
#include "tests/e2e/train_support.h"

using namespace shiftadd;
namespace fs = std::filesystem;
using test::contains;
using test::ProcessResult;
using test::TrainFolder;

namespace {

struct Input {
  std::string option, set;  // set: the override that names PATH
};

// A trained model, and a run that has been given `path` as one of its inputs.
class Runs {
 public:
  Runs() {
    REQUIRE(folder_.train("first", {"--set", "train.epochs=1"}).status == 0);
    const std::string spec = folder_ / "latency.json";
    test::write_text(spec, "{}");
  }
  std::string operator/(const std::string& name) const { return folder_ / name; }

  void check_refused(const std::string& out, const std::string& option,
                     const std::string& override_text) const {
    CAPTURE(out);
    CAPTURE(override_text);
    const ProcessResult result = folder_.train(out, {"--set", override_text});
    CHECK(result.status == 2);
    CHECK_MESSAGE(contains(result.err, "--out"), result.err);
    CHECK_MESSAGE(contains(result.err, option), result.err);
    CHECK_FALSE(fs::exists(folder_ / out + "/.lock"));
  }
  const TrainFolder& folder() const { return folder_; }

 private:
  TrainFolder folder_;
};

}  // namespace

TEST_CASE("what a run reads may not lie where the run writes") {
  const Runs runs;
  const std::string model = runs / "first/model.safetensors", before = read_text(model);
  int number = 0;
  for (const char* key : {"init.checkpoint", "train.teacher.checkpoint", "router.latency_file"})
    for (const char* name :
         {"model.safetensors", "best.safetensors", "epoch_007.safetensors", "metrics.csv"}) {
      const std::string out = "out" + std::to_string(number++), place = runs / out + "/" + name;
      const std::string set = std::string(key) + "=" + out + "/" + name;
      fs::create_directories(runs / out);
      fs::copy_file(model, place);
      runs.check_refused(out, key, set);
      CHECK(read_text(place) == before);
      fs::create_directory_symlink(runs / out, runs / ("link" + out));
      runs.check_refused("link" + out, key, set);
      runs.check_refused("first/../" + out, key, set);
      fs::remove(place);
      fs::create_symlink(model, place);
      runs.check_refused(out, key, std::string(key) + "=" + model);
      fs::remove(place);
      fs::create_hard_link(model, place);
      runs.check_refused(out, key, std::string(key) + "=" + model);
    }
  CHECK(read_text(model) == before);
  for (const char* name : {"result.json", "manifest.json", "latency.json", "report.md"}) {
    fs::create_directories(runs / "spec");
    test::write_text((runs / "spec/") + name, R"({"base": "vit_micro"})");
    runs.check_refused("spec", "model.base", std::string("model.base=spec/") + name);
  }
}

TEST_CASE("configuration files count, those that are extended, too") {
  const Runs runs;
  const TrainFolder& folder = runs.folder();
  fs::create_directories(folder / "out");
  fs::copy_file(folder / "config.json", folder / "out/manifest.json");
  test::write_text(folder / "child.json", R"({"extends": "out/manifest.json"})");
  for (const char* config : {"out/manifest.json", "child.json"}) {
    CAPTURE(config);
    const ProcessResult result =
        test::run({test::program("shiftadd-train"), config, "--out", "out"}, "", {}, folder.path());
    CHECK(result.status == 2);
    CHECK_MESSAGE(contains(result.err, "CONFIG"), result.err);
  }
  CHECK(read_text(folder / "out/manifest.json") == read_text(folder / "config.json"));
  fs::rename(folder / "out/manifest.json", folder / "out/config.json");  // a name no run writes
  CHECK(test::run({test::program("shiftadd-train"), "out/config.json", "--out", "out", "--set",
                   "train.epochs=1"},
                  "", {}, folder.path())
            .status == 0);
}

TEST_CASE("a run's folder is no folder of images, nor inside one") {
  const Runs runs;
  fs::create_directory_symlink(runs / "set/train", runs / "linked");
  for (const char* out : {"set/train", "set/train/run", "linked", "linked/run", "set/./val/x/y"})
    runs.check_refused(out, contains(out, "val") ? "data.val" : "data.train", "seed=1");
  CHECK_FALSE(fs::exists(runs / "set/train/run"));
  CHECK_FALSE(fs::exists(runs / "set/val/x"));
}

TEST_CASE("the stages of a run may read each other, and nothing else of theirs") {
  const Runs runs;
  const std::string stages = R"(stages=[{"name": "one"}, {"name": "two", "train": {"epochs": 1}}])";
  fs::create_directories(runs / "out/two");
  fs::copy_file(runs / "first/model.safetensors", runs / "out/two/model.safetensors");
  const ProcessResult result = runs.folder().train(
      "out", {"--set", stages, "--set", "init.checkpoint=out/two/model.safetensors", "--set",
              "train.epochs=1"});
  CHECK(result.status == 2);
  CHECK_MESSAGE(contains(result.err, "stage one: init.checkpoint"), result.err);
  CHECK_MESSAGE(contains(result.err, "stage two: out"), result.err);
  fs::remove_all(runs / "out");
  for (const char* resume : {"", "auto"}) {
    std::vector<std::string> words = {"--set", stages, "--set", "train.epochs=1"};
    if (*resume) words.insert(words.end(), {"--resume", resume});
    const ProcessResult whole = runs.folder().train("out", words);
    CHECK_MESSAGE(whole.status == 0, whole.err);
  }
  fs::remove(runs / "out/report.md");
  fs::create_directory(runs / "out/report.md");  // it cannot be written: it is printed all the same
  const ProcessResult unwritten =
      runs.folder().train("out", {"--set", stages, "--set", "train.epochs=1", "--resume", "auto"});
  CHECK(unwritten.status == 1);
  CHECK(contains(unwritten.err, "report.md"));
  CHECK(contains(unwritten.out, "| two |"));
}

TEST_CASE("a run's own folder is read and written by a resume") {
  const Runs runs;
  for (const char* resume : {"auto", "first", "first/best.safetensors"}) {
    const ProcessResult result =
        runs.folder().train("first", {"--resume", resume, "--set", "train.epochs=1"});
    CHECK_MESSAGE(result.status == 0, result.err);
  }
}

TEST_CASE("a run's folder that cannot be written is known before the work") {
  const TrainFolder folder;
  test::write_text(folder / "file", "kept");
  fs::create_symlink("nowhere/at/all", folder / "dangling");
  for (const char* out : {"file", "file/run", "dangling/run", "/proc/run", "/dev/null/run"}) {
    CAPTURE(out);
    const ProcessResult result = folder.train(out);
    CHECK(result.status != 0);
    CHECK(contains(result.err, "--out"));
    CHECK_FALSE(fs::exists(folder / "set"));  // not even the images were drawn
  }
  CHECK(read_text(folder / "file") == "kept");
}
