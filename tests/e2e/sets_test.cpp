// The programs on what people have beside good photographs: links, named pipes, devices, formats
// that are not read, archives, folders one too high, files that change meanwhile.
#include <sys/stat.h>

#include <filesystem>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "data/synthetic.h"
#include "tests/e2e/infer_support.h"
#include "tests/e2e/run_until.h"
#include "tests/e2e/train_support.h"

using namespace shiftadd;
using test::contains;
using test::InferFolder;
using test::ProcessResult;
using test::TrainFolder;
namespace fs = std::filesystem;

namespace {

void check_refused(const ProcessResult& result, const std::string& reason, int status = 2) {
  CHECK_MESSAGE(result.status == status, result.err);
  CHECK_MESSAGE(contains(result.err, reason), result.err);
}

ProcessResult in_shell(const std::string& command, const std::string& folder) {
  return test::run({"bash", "-c", command}, "", {}, folder);
}

/// shiftadd-train on folders of its own in place of the synthetic set.
ProcessResult train_on(const TrainFolder& folder, const std::string& train, const std::string& val,
                       std::vector<std::string> arguments) {
  auto config = parse_json(read_text(folder / "config.json"));
  config["data"].erase("synthetic");
  config["data"]["train"] = train;
  config["data"]["val"] = val;
  test::write_text(folder / "config.json", json_text(config));
  return folder.train("a", arguments);
}

void draw_set(const TrainFolder& folder, const std::string& name) {
  data::write_synthetic(
      folder / name,
      {.size = 16, .train_per_class = 4, .val_per_class = 1, .seed = 1, .jpeg = false});
}

TEST_CASE("infer: linked folders are followed, and nothing is skipped without a word") {
  const InferFolder folder;
  folder.image("photos/a.bmp", 40, 40, 1);
  folder.image("far/b.bmp", 40, 40, 2);
  fs::create_directory_symlink(folder / "far", folder / "photos/linked");
  fs::rename(folder.image("c.bmp", 40, 40, 3), folder / "photos/c.JFIF");  // read by its contents
  for (const char* name : {"d.webp", "e.tif", "f.tif", "g.heic"})
    test::write_text(folder / ("photos/" + std::string(name)), "x");
  const ProcessResult good = folder.infer({folder / "photos", "--json"});
  CHECK_MESSAGE(good.status == 0, good.err);
  const auto out = parse_json(good.out);
  REQUIRE(out.size() == 3);
  CHECK(out[1]["image"] == folder / "photos/c.JFIF");
  CHECK(out[2]["image"] == folder / "photos/linked/b.bmp");
  CHECK(
      contains(good.err, "photos: not read: 1 .heic, 2 .tif, 1 .webp (formats that are not read"));

  REQUIRE(mkfifo((folder / "photos/h.png").c_str(), 0600) == 0);
  fs::create_symlink("nowhere.jpg", folder / "photos/i.jpg");
  fs::create_symlink("/dev/zero", folder / "photos/j.gif");
  fs::create_symlink("gone", folder / "photos/album");
  const ProcessResult odd = folder.infer({folder / "photos", "--json"});
  check_refused(odd, "photos/h.png is a named pipe: expected a file");
  check_refused(odd, "photos/i.jpg: cannot be opened: No such file or directory");
  check_refused(odd, "photos/j.gif is a character device: expected a file");
  check_refused(odd, "photos/album: not a file: a link to 'gone', which leads nowhere");
  CHECK(parse_json(odd.out).size() == 6);
  fs::create_directory_symlink("../photos", folder / "photos/again");
  check_refused(folder.infer({folder / "photos"}),
                "photos/again: a link back to a folder that contains it");
}

TEST_CASE(
    "named pipes, devices and folders in a file's place are refused by name by each program") {
  const InferFolder folder;
  const std::string pipe = folder / "pipe", image = folder.image("a.bmp", 40, 40, 1);
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const std::string infer = test::program("shiftadd-infer"),
                    convert = test::program("shiftadd-convert"),
                    train = test::program("shiftadd-train"),
                    bench = test::program("shiftadd-bench");
  const std::string weights = test::golden_folder() + "/models/vit_micro.pth", out = folder / "o";
  folder.labelled("set", test::micro_classes(), 1);
  test::write_text(folder / "c.json",
                   R"({"model": {"image_size": 16, "patch_size": 4, "width": 24, "depth": 1,
                       "heads": 3, "mlp_hidden": 48}, "data": {"train": "set", "val": "set"}})");
  const std::pair<std::string, std::string> kinds[] = {
      {pipe, "pipe is a named pipe: expected a file"},
      {"/dev/zero", "/dev/zero is a character device: expected a file"},
      {"/dev/urandom", "/dev/urandom is a character device: expected a file"}};
  for (const auto& [path, reason] : kinds) {
    const std::vector<std::string> commands[] = {
        {infer, folder.model_path(), path},
        {infer, path, image},
        {infer, folder.model_path(), "--eval", path},
        {convert, path, "--arch", "vit_micro", "--out", out},
        {convert, weights, "--arch", "vit_micro", "--out", out, "--classes", path},
        {convert, weights, "--arch", path, "--out", out},
        {convert, weights, "--arch", "vit_micro", "--out", out, "--mapping", path},
        {train, path, "--out", out},
        {train, "c.json", "--out", out, "--set", "data.train=" + path, "--dry-run"},
        {train, "c.json", "--out", out, "--set", "data.val=" + path, "--check-data"},
        {bench, "model", path}};
    for (const std::vector<std::string>& command : commands) {
      CAPTURE(command[0]);
      CAPTURE(command[1]);
      CAPTURE(command.back());
      check_refused(test::run(command, "", {}, folder.path()), reason);
      CHECK(!fs::exists(out));
    }
  }
  check_refused(in_shell(infer + " model.safetensors - < /dev/zero", folder.path()),
                "longer than any path");
  // What a shell pipes in is read.
  const ProcessResult piped =
      in_shell(infer + " model.safetensors <(cat a.bmp) --top-k 1", folder.path());
  CHECK_MESSAGE(piped.status == 0, piped.err);
  check_refused(in_shell(infer + " model.safetensors <(cat /dev/zero)", folder.path()),
                "is larger than 512 MiB");
  const ProcessResult names =
      in_shell(convert + " " + weights +
                   " --arch vit_micro --out o --classes <(printf 'a\\nb\\nc\\nd\\ne\\nf\\ng\\n')",
               folder.path());
  CHECK_MESSAGE(names.status == 0, names.err);
}

TEST_CASE(
    "--eval: tars with links and of tars, other formats, and the folder above train and val") {
  const InferFolder folder;
  const std::string faults = test::shared_path("data/faults");
  if (!faults.empty()) {
    const auto eval = [&](const char* name) {
      return folder.infer({"--eval", faults + "/" + name});
    };
    for (const char* name : {"linked-class.tar", "all-classes-linked.tar"})
      check_refused(eval(name), "is a symbolic link");
    check_refused(eval("linked-class.tar"), "pack the archive with tar --dereference");
    check_refused(eval("tar-of-tars.tar"), "it holds archives ('n0a.tar' and 2 more)");
    check_refused(eval("mixed-formats.tar"),
                  "mixed-formats.tar: not read: 5 .tif, 5 .webp (formats");
  }
  for (const char* part : {"train", "val"})
    folder.labelled(std::string("photos/") + part, test::micro_classes(), 1);
  check_refused(
      folder.infer({"--eval", folder / "photos"}),
      "photos: 'train', 'val' are parts of a data set, not classes: name one of them, e.g. " +
          (folder / "photos/train"));
  CHECK(folder.infer({"--eval", folder / "photos/val"}).status == 0);
  const std::string tar =
      "tar -C photos -cf photos.tar . && tar -czf photos.tgz.tar photos && "
      "head -c 9000 photos.tar > short.tar && cat photos.tar photos.tar > two.tar";
  REQUIRE(in_shell(tar, folder.path()).status == 0);
  check_refused(folder.infer({"--eval", folder / "photos.tar"}), "are parts of a data set");
  check_refused(folder.infer({"--eval", folder / "photos.tgz.tar"}), "compressed with gzip");
  check_refused(folder.infer({"--eval", folder / "short.tar"}), "truncated tar archive");
  check_refused(folder.infer({"--eval", folder / "two.tar"}), "a second archive begins at byte");
}

TEST_CASE("train: --check-data lists named pipes and links that lead nowhere, and goes on") {
  const TrainFolder folder;
  draw_set(folder, "set");
  const std::string name = data::synthetic_classes()[0];
  REQUIRE(mkfifo((folder / ("set/train/" + name + "/pipe.png")).c_str(), 0600) == 0);
  fs::create_symlink("away.png", folder / ("set/val/" + name + "/link.png"));
  test::write_text(folder / ("set/train/" + name + "/x.webp"), "x");
  const ProcessResult check = train_on(folder, "set/train", "set/val", {"--check-data"});
  CHECK_MESSAGE(check.status == 2, check.err);
  CHECK(contains(check.out, "set/train: not read: 1 .webp ("));
  CHECK(contains(check.out, "broken: set/train/" + name + "/pipe.png: not a file: a named pipe\n"));
  CHECK(contains(check.out, "set/val/" + name + "/link.png: not a file: a link to 'away.png'"));
  CHECK(contains(check.out, "set/val: "));  // the last line of the second set
  const ProcessResult refused = folder.train("a");
  check_refused(refused, "pipe.png: not a file: a named pipe");
  const ProcessResult skipped =
      folder.train("a", {"--set", "data.broken=skip", "--set", "train.epochs=1"});
  CHECK_MESSAGE(skipped.status == 0, skipped.err);
  CHECK(contains(skipped.err, "set/train: not read: 1 .webp ("));
  CHECK(contains(skipped.err, "pipe.png: not a file: a named pipe"));
}

TEST_CASE("train: the folder above train and val, and what else is not a set of classes") {
  const TrainFolder folder;
  draw_set(folder, "photos");
  const ProcessResult above = train_on(folder, "photos", "", {});
  check_refused(above, "photos: 'train', 'val' are parts of a data set, not classes");
  check_refused(above, "data.train=photos/train data.val=photos/val");
  CHECK(!fs::exists(folder / "a"));
  REQUIRE(in_shell("tar -cf photos.tar photos && tar -C photos -cf train.tar train && "
                   "tar -cf tars.tar train.tar && mkdir up && mv photos up/",
                   folder.path())
              .status == 0);
  check_refused(train_on(folder, "photos.tar", "", {}), "are parts of a data set");
  check_refused(train_on(folder, "up", "", {"--check-data"}), "'photos/train', 'photos/val'");
  check_refused(train_on(folder, "tars.tar", "", {}), "it holds archives ('train.tar')");
  CHECK(train_on(folder, "train.tar", "", {"--set", "train.epochs=1"}).status == 0);
}

TEST_CASE("train: a tar or a file that shrinks while it is read ends the run by its name") {
  const TrainFolder folder;
  draw_set(folder, "set");
  REQUIRE(in_shell("tar -C set/train -cf train.tar .", folder.path()).status == 0);
  const std::string image = "set/train/" + data::synthetic_classes()[2] + "/0001.png";
  for (const auto& [train, victim] :
       {std::pair<std::string, std::string>{"train.tar", "train.tar"}, {"set/train", image}}) {
    REQUIRE(train_on(folder, train, "set/val", {"--print-config"}).status == 0);
    const std::string shrinks = folder / victim;
    const ProcessResult result = test::run_until(
        folder.command("of " + train.substr(0, 3),
                       {"--set", "train.epochs=300", "--set", "data.cache_mib=0"}),
        folder.path(), {.text = "step 1/", .action = [&] { fs::resize_file(shrinks, 1024 / 16); }});
    check_refused(result, victim + ": had ", 1);
  }
}

}  // namespace
