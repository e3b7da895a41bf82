// Every program on images that are damaged, that would cost too much, and on the largest that are
// decoded.
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "core/error.h"
#include "core/io/files.h"
#include "tests/data/image_bombs.h"
#include "tests/e2e/infer_support.h"
#include "tests/e2e/train_support.h"

using namespace shiftadd;
using namespace shiftadd::test;

namespace {

// What a command cost beside its result (tests/support/measure.cpp).
struct Measured {
  ProcessResult result;
  double seconds = 0;  // of all its threads
  int mib = 0;         // at the most
};

Measured measured(std::vector<std::string> command) {
  command.insert(command.begin(), program("measure"));
  Measured run{test::run(command)};
  const std::size_t line = run.result.err.rfind("cpu ");
  REQUIRE(line != std::string::npos);
  REQUIRE(std::sscanf(run.result.err.c_str() + line, "cpu %lf s, peak %d MiB", &run.seconds,
                      &run.mib) == 2);
  return run;
}

// FOLDER/ok: two classes of two good images each. FOLDER/NAME: the same and one more image.
class Sets {
 public:
  Sets() { folder_.labelled("ok", {"ant", "bee"}, 2); }
  std::string path() const { return folder_ / "ok"; }
  const InferFolder& folder() const { return folder_; }
  void add(const std::string& name, const Bytes& bytes) const {
    write_text(path() + "/ant/" + name, std::string(bytes.begin(), bytes.end()));
  }

 private:
  InferFolder folder_;
};

// A training that would end in a moment, were all its images good.
std::vector<std::string> training(const TrainFolder& folder, const std::string& set) {
  return {program("shiftadd-train"),
          folder / "config.json",
          "--out",
          folder / "run",
          "--set",
          "data.synthetic=null",
          "--set",
          "data.train=" + set,
          "--set",
          "data.val=" + set,
          "--set",
          "train.max_steps=1",
          "--set",
          "train.batch=4"};
}

// infer, --eval, --check-data and train refuse the one bad image of a set with that text.
void check_all_refuse(const std::string& set, const std::string& image, const std::string& reason) {
  static const InferFolder models;
  const TrainFolder folder;
  std::vector<std::string> check = training(folder, set);
  check.push_back("--check-data");
  for (const auto& command : {std::vector{program("shiftadd-infer"), models.model_path(), image},
                              {program("shiftadd-infer"), models.model_path(), "--eval", set},
                              check,
                              training(folder, set)}) {
    const ProcessResult result = run(command);
    CHECK(result.status == 2);
    CHECK_MESSAGE(contains(result.out + result.err, reason), reason, " in ", result.err);
    CHECK(contains(result.out + result.err, std::filesystem::path(image).filename().string()));
  }
  CHECK_FALSE(std::filesystem::exists(folder / "run/model.safetensors"));
}

TEST_CASE("a flipped bit of a PNG is refused by every program") {
  PngMaker maker{.width = 24, .height = 24};
  append(maker.before, png_chunk("gAMA", Bytes{0, 0, 0xB1, 0x8F}));
  append(maker.before, png_chunk("tEXt", Bytes{'a', 0, 'b'}));
  append(maker.after, png_chunk("tIME", Bytes{7, 230, 1, 2, 3, 4, 5}));
  const Bytes whole = maker.file();
  const auto place_of = [&](const std::string& chunk) {
    return std::search(whole.begin(), whole.end(), chunk.begin(), chunk.end()) - whole.begin();
  };
  const Sets sets;
  sets.add("whole.png", whole);
  const TrainFolder folder;
  CHECK(run(training(folder, sets.path())).status == 0);
  for (const std::string chunk : {"gAMA", "tEXt", "IDAT", "tIME", "IEND"}) {
    Bytes flipped = whole;
    flipped[place_of(chunk) + 4] ^= 4;  // its data, or the checksum where there are none
    sets.add("whole.png", flipped);
    check_all_refuse(sets.path(), sets.path() + "/ant/whole.png",
                     "the checksum of chunk " + chunk + " is wrong");
  }
}

TEST_CASE("a damaged PNG of the shared collection is refused by every program") {
  const std::string file = shared_path("data/faults/damaged.png");
  if (file.empty()) return;
  const Sets sets;
  sets.add("damaged.png", read_file(file));
  check_all_refuse(sets.path(), sets.path() + "/ant/damaged.png", "checksum of chunk IDAT");
}

TEST_CASE("images beyond a limit are refused by every program, without taking memory") {
  const Sets sets;
  for (const NamedImage& bomb : image_bombs()) {
    INFO(bomb.name);
    const std::string path = write_image(sets.path() + "/ant", bomb);
    check_all_refuse(sets.path(), path, bomb.reason);
    const Measured infer =
        measured({program("shiftadd-infer"), sets.folder().model_path(), path, "--threads", "1"});
    CHECK(infer.mib <= 100);
    std::filesystem::remove(path);
  }
}

TEST_CASE("max_pixels moves the limit in every program") {
  const Sets sets;
  const TrainFolder folder;
  const auto status_of = [&](const std::string& limit) {
    std::vector<std::string> command = training(folder, sets.path());
    command.insert(command.end(), {"--set", "data.max_pixels=" + limit});
    const int trained = run(command).status;
    command.push_back("--check-data");
    CHECK(run(command).status == trained);
    for (const std::vector<std::string>& images :
         {std::vector<std::string>{sets.path()}, {"--eval", sets.path()}}) {
      std::vector<std::string> arguments = images;
      arguments.insert(arguments.end(), {"--max-pixels", limit});
      CHECK(sets.folder().infer(arguments).status == trained);
    }
    return trained;
  };
  CHECK(status_of("2009") == 0);  // 41 x 49
  CHECK(status_of("1999") == 2);  // less than 40 x 50
}

// The measurement behind docs/images.md: test_e2e --no-skip --test-case="measure: *"
TEST_CASE("measure: images beyond the limits and the largest within" * doctest::skip()) {
  const InferFolder folder;
  std::cout << "file                     MiB   cpu s  peak MiB  what became of it\n";
  for (const auto& images : {image_bombs(), largest_images()})
    for (const NamedImage& image : images) {
      const std::string path = write_image(folder.path(), image);
      const Measured infer =
          measured({program("shiftadd-infer"), folder.model_path(), path, "--threads", "1"});
      char row[80];
      std::snprintf(row, sizeof row, "%-20s %7.1f %7.2f %9d  ", image.name.c_str(),
                    static_cast<double>(std::filesystem::file_size(path)) / (1 << 20),
                    infer.seconds, infer.mib);
      const std::string text = infer.result.err.substr(0, infer.result.err.find('\n'));
      const std::size_t name = text.find(path);
      std::cout << row
                << (infer.result.status == 0    ? "classified"
                    : name == std::string::npos ? text
                                                : text.substr(name + path.size() + 2, 60))
                << std::endl;
      CHECK(infer.result.status == (image.reason.empty() ? 0 : 2));
      CHECK(infer.mib <= (image.reason.empty() ? 600 : 100));
      std::filesystem::remove(path);
    }
}

}  // namespace
