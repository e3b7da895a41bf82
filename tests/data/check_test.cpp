// Every broken and odd file is listed, in order.
#include "data/check.h"

#include <filesystem>

#include "tests/data/dataset_support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using namespace shiftadd::test;
namespace fs = std::filesystem;

namespace {

TEST_CASE("check: broken and odd files are listed in order, good ones are not") {
  const TemporaryFolder folder;
  write_small_set(folder.path(), {"a", "b"}, 3);
  write_text(folder / "a/01.bmp", "this is text");
  write_text(folder / "a/03.png", "");
  write_text(folder / "b/00.bmp", bmp(8, 8, 1, 2, 3).substr(0, 100));
  write_text(folder / "b/01.jpg", bmp(8, 8, 1, 2, 3));
  write_text(folder / "b/03.bmp", bmp(1, 1, 1, 2, 3));
  write_text(folder / "a/04.webp", "not known");
  write_text(folder / "loose.jpg", "beside the classes");
  write_text(folder / "b/.hidden", "");
  const DataReport report = check_data(ImageFolder::open(folder.path()));
  CHECK(report.ignored == 2);
  CHECK(report.images == 9);
  CHECK(report.broken == 3);
  CHECK(report.odd == 2);
  REQUIRE(report.lines.size() == 7);
  CHECK(report.lines[0].starts_with("broken: " + folder / "a/01.bmp: "));
  CHECK(report.lines[1].starts_with("broken: " + folder / "a/03.png: "));
  CHECK(report.lines[2].starts_with("broken: " + folder / "b/00.bmp: "));
  CHECK(report.lines[3] == "odd: " + folder / "b/01.jpg: contents are BMP, the name says JPEG");
  CHECK(report.lines[4] == "odd: " + folder / "b/03.bmp: tiny (1x1)");
  CHECK(report.lines[5] == "ignored: " + folder / "a/04.webp");
  CHECK(report.lines[6] == "ignored: " + folder / "loose.jpg");
}

TEST_CASE("check: the odd images of the shared collection") {
  const std::string shared = shared_path("data/images-odd");
  if (shared.empty()) return;
  const TemporaryFolder folder;
  fs::create_directories(folder / "odd");
  for (const auto& entry : fs::directory_iterator(shared))
    if (entry.path().extension() != ".tsv")
      fs::copy(entry.path(), fs::path(folder / "odd") / entry.path().filename());
  const DataReport report = check_data(ImageFolder::open(folder.path()));
  CHECK(report.images == 15);
  CHECK(report.broken == 4);
  std::string all;
  for (const std::string& line : report.lines) all += line + "\n";
  check_contains(all, "broken: " + folder / "odd/bmp_b_shortfile.bmp");
  check_contains(all, "broken: " + folder / "odd/broken.png");
  check_contains(all, "broken: " + folder / "odd/truncated_jpeg.jpg");
  check_contains(all, "broken: " + folder / "odd/xcsn0g01.png");
  check_contains(all, "odd: " + folder / "odd/hopper_gray.jpg: gray");
  check_contains(all, "odd: " + folder / "odd/pil_sample_cmyk.jpg: CMYK");
  check_contains(all, "odd/basn0g16.png: gray, 16 bits a sample");
  check_contains(all, "odd/hopper_orientation_6.jpg: turned by EXIF (orientation 6)");
}

}  // namespace
