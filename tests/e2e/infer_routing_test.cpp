// shiftadd-infer on converted networks as a process: shares of the experts and --routing pictures.
#include <filesystem>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/safetensors.h"
#include "data/decode.h"
#include "tests/e2e/infer_support.h"
#include "tests/infer/shift_add_models.h"

using namespace shiftadd;
using nlohmann::json;
using test::contains;
using test::InferFolder;
using test::ProcessResult;

namespace {

// InferFolder, whose model is plain, with the golden converted network beside it.
struct ConvertedFolder : InferFolder {
  explicit ConvertedFolder(bool full = true) {
    ModelFile model = test::golden_shift_add(full);
    model.classes = test::micro_classes();
    save_model(converted, model);
  }
  ProcessResult run_on(const std::string& model, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {test::program("shiftadd-infer"), model});
    return test::run(arguments, "", {}, path());
  }
  ProcessResult infer(const std::vector<std::string>& arguments) const {
    return run_on(converted, arguments);
  }
  const std::string converted = *this / "converted.safetensors";
};

std::string bytes_of(const std::string& path) { return read_text(path); }

}  // namespace

TEST_CASE("a converted network is classified and reports the share of each expert") {
  const ConvertedFolder folder;
  const std::string a = folder.image("in/a.bmp", 90, 70, 3),
                    b = folder.image("in/b.bmp", 64, 64, 4);
  const ProcessResult table = folder.infer({folder / "in"});
  CHECK_MESSAGE(table.status == 0, table.err);
  for (const char* part : {"router", "Mult", "Shift", "blocks.0.mlp", "blocks.1.mlp", "all"})
    CHECK(contains(table.out, part));
  const ProcessResult result = folder.infer({folder / "in", "--json"});
  CHECK_MESSAGE(result.status == 0, result.err);
  const json out = parse_json(result.out);
  REQUIRE(out.size() == 2);
  for (const json& each : out) {
    const json& routing = each["routing"];
    REQUIRE(routing["routers"].size() == 2);
    CHECK(routing["tokens"] == 34);  // 17 at each router
    double shift = 0;
    for (const json& router : routing["routers"]) {
      CHECK(router["tokens"] == 17);
      CHECK(router["mult"].get<double>() + router["shift"].get<double>() == doctest::Approx(1));
      shift += 17 * router["shift"].get<double>();
    }
    CHECK(34 * routing["shift"].get<double>() == doctest::Approx(shift));
  }
  CHECK_FALSE(contains(folder.run_on(folder.model_path(), {a, "--json"}).out, "routing"));
}

TEST_CASE("--eval reports the shares; figures have the same bits for any batch and threads") {
  const ConvertedFolder folder(false);
  const std::string set = folder.labelled("val", test::micro_classes(), 3);
  std::string hash;
  json first;
  for (const auto& [batch, threads] : {std::pair{"1", "1"}, {"5", "2"}, {"32", "3"}}) {
    const ProcessResult result =
        folder.infer({"--eval", set, "--json", "--batch", batch, "--threads", threads, "--dump",
                      folder / "dump.safetensors"});
    CHECK_MESSAGE(result.status == 0, result.err);
    const json out = parse_json(result.out);
    CHECK(out["routing"]["tokens"] == 21 * 2 * 17);
    const std::string now = sha256_of_file(folder / "dump.safetensors");
    if (hash.empty()) hash = now, first = out["routing"];
    CHECK(now == hash);
    CHECK(out["routing"] == first);
  }
  const ProcessResult table = folder.infer({"--eval", set});
  CHECK(contains(table.out, "blocks.1.mlp"));
  CHECK(contains(table.out, "Shift"));
}

TEST_CASE("--routing draws the image's patches in two colours") {
  const ConvertedFolder folder;
  const std::string image = folder.image("photo.bmp", 90, 70, 3), png = folder / "out.png";
  const ProcessResult result = folder.infer({image, "--routing", png, "--json"});
  CHECK_MESSAGE(result.status == 0, result.err);
  const json routing = parse_json(result.out)[0]["routing"];
  const std::string bytes = bytes_of(png);
  const data::Image picture =
      data::decode_image({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, png);
  // A head and one row of two tiles of 192 (3 times 64) pixels, whose labels have three lines.
  // The legend beside the head's photograph makes it wider than two tiles.
  CHECK(picture.width > 12 + 2 * (192 + 12));
  CHECK(picture.height == (192 + 24) + (192 + 70 + 12));
  int64_t orange = 0, blue = 0;
  for (int64_t y = 216; y < 216 + 192; ++y)
    for (int64_t x = 0; x < picture.width; ++x) {
      const uint8_t* p = picture.row(y) + 3 * x;
      orange += p[0] > p[2] + 80;
      blue += p[2] > p[0] + 80;
    }
  const double share = static_cast<double>(blue) / static_cast<double>(blue + orange);
  CHECK(orange > 0);
  CHECK(blue > 0);
  CHECK(share == doctest::Approx(routing["shift"].get<double>()).epsilon(0.1));  // class apart
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    files += entry.is_regular_file();
  CHECK(files == 4);  // two models, the image and the picture: no temporary
  // Drawn again, it has the same bytes.
  CHECK(folder.infer({image, "--routing", folder / "again.png", "--threads", "1"}).status == 0);
  CHECK(bytes_of(folder / "again.png") == bytes);
}

TEST_CASE("--routing: what cannot be drawn says why and leaves no file") {
  const ConvertedFolder folder;
  const std::string image = folder.image("in/a.bmp", 64, 64, 1), png = folder / "out.png";
  folder.image("in/b.bmp", 64, 64, 2);
  test::write_text(folder / "broken.png", "no picture");
  const std::string set = folder.labelled("val", test::micro_classes(), 1);
  struct Case {
    std::string model;
    std::vector<std::string> arguments;
    int status;
    const char* says;
  };
  for (const Case& each : std::vector<Case>{
           {folder.model_path(), {image, "--routing", png}, 2, "no router"},
           {folder.converted, {folder / "in", "--routing", png}, 2, "2 were named"},
           {folder.converted, {image, image, "--routing", png}, 2, "2 were named"},
           {folder.converted, {"--eval", set, "--routing", png}, 2, "one image"},
           {folder.converted, {image, "--routing", folder / "out.jpg"}, 2, ".png"},
           {folder.converted, {folder / "broken.png", "--routing", png}, 2, "broken.png"},
           {folder.converted, {folder / "none.bmp", "--routing", png}, 2, "none.bmp"},
           {folder.converted, {image, "--routing", image + "/out.png"}, 2, "a.bmp is a file"}}) {
    CAPTURE(each.says);
    const ProcessResult result = folder.run_on(each.model, each.arguments);
    CHECK(result.status == each.status);
    CHECK_MESSAGE(contains(result.err, each.says), result.err);
    CHECK_FALSE(std::filesystem::exists(png));
    CHECK_FALSE(std::filesystem::exists(folder / "out.jpg"));
  }
}

TEST_CASE("--routing does not draw over the image") {
  const ConvertedFolder folder;
  const std::string image = folder.image("a.png", 64, 64, 1);
  const std::string before = bytes_of(image);
  const ProcessResult result = folder.run_on(folder.converted, {image, "--routing", image});
  CHECK(result.status == 2);
  CHECK_MESSAGE(contains(result.err, "are the same file"), result.err);
  CHECK(bytes_of(image) == before);
}

TEST_CASE("--routing: a full disk keeps the picture that was there") {
  const ConvertedFolder folder;
  const std::string image = folder.image("a.bmp", 64, 64, 1), png = folder / "out.png";
  test::write_text(png, "the old picture");
  const ProcessResult result =
      test::run({test::program("shiftadd-infer"), folder.converted, image, "--routing", png}, "",
                {{"SHIFTADD_FAIL_WRITE_AFTER", "1000"}}, folder.path());
  CHECK(result.status == 1);
  CHECK(contains(result.err, "out.png"));
  CHECK(bytes_of(png) == "the old picture");
}

TEST_CASE("codes that look at their neighbours are refused by the runtime") {
  const ConvertedFolder folder;
  ModelFile model = test::golden_shift_add(true);
  model.spec.shift_add.codes = Codes::kUnitBatch;
  save_model(folder / "batch.safetensors", model);
  const ProcessResult result =
      folder.run_on(folder / "batch.safetensors", {folder.image("a.bmp", 64, 64, 1)});
  CHECK(result.status == 2);
  CHECK_MESSAGE(contains(result.err, "depend on its neighbours"), result.err);
}
