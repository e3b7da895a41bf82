// Every broken and odd file is listed, in order.
#include "data/check.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "tests/data/dataset_support.h"
#include "tests/data/encoded_images.h"

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
  REQUIRE(report.lines.size() == 8);
  check_contains(report.lines[0], ": not read: 1 .webp (");
  CHECK(report.lines[1].starts_with("broken: " + folder / "a/01.bmp: "));
  CHECK(report.lines[2].starts_with("broken: " + folder / "a/03.png: "));
  CHECK(report.lines[3].starts_with("broken: " + folder / "b/00.bmp: "));
  CHECK(report.lines[4] == "odd: " + folder / "b/01.jpg: contents are BMP, the name says JPEG");
  CHECK(report.lines[5] == "odd: " + folder / "b/03.bmp: tiny (1x1)");
  CHECK(report.lines[6] == "ignored: " + folder / "a/04.webp");
  CHECK(report.lines[7] == "ignored: " + folder / "loose.jpg");
}

TEST_CASE("check: named pipes, devices and links that lead nowhere are listed, and it goes on") {
  const TemporaryFolder folder;
  write_small_set(folder / "set", {"a", "b"}, 2);
  for (const char* name : {"set/a/00.png", "set/b/pipe"})
    REQUIRE(mkfifo((folder / name).c_str(), 0600) == 0);
  fs::create_symlink("/dev/zero", folder / "set/a/05.jpg");
  fs::create_symlink("away.jfif", folder / "set/b/06.jfif");
  const DataReport report = check_data(ImageFolder::open(folder / "set", OddFiles::kKeep));
  CHECK(report.images == 7);
  CHECK(report.broken == 3);
  REQUIRE(report.lines.size() == 4);
  CHECK(report.lines[0] == "broken: " + folder / "set/a/00.png: not a file: a named pipe");
  CHECK(report.lines[1] == "broken: " + folder / "set/a/05.jpg: not a file: a character device");
  check_contains(report.lines[2],
                 "06.jfif: not a file: a link to 'away.jfif', which leads nowhere");
  CHECK(report.lines[3] == "ignored: " + folder / "set/b/pipe (not a file)");
}

TEST_CASE("check: what may hide a class is listed, and it goes on") {
  const TemporaryFolder folder;
  write_small_set(folder / "set", {"a", "b"}, 2);
  fs::create_symlink("/mnt/away/cat", folder / "set/cat");
  fs::create_directory_symlink(".", folder / "set/dog");
  fs::create_directory_symlink("../../set", folder / "set/b/again");
  fs::create_symlink("self", folder / "set/self");
  const ImageFolder set = ImageFolder::open(folder / "set", OddFiles::kList);
  CHECK(set.classes() == std::vector<std::string>{"a", "b"});
  const DataReport report = check_data(set);
  CHECK(report.images == 4);
  CHECK(report.broken == 4);
  REQUIRE(report.lines.size() == 4);
  const auto listed = [&report](const std::string& text) {
    return std::count_if(report.lines.begin(), report.lines.end(), [&](const std::string& line) {
      return line.starts_with("broken: ") && contains(line, text);
    });
  };
  CHECK(listed("set/cat: not a file: a link to '/mnt/away/cat', which leads nowhere") == 1);
  CHECK(listed("set/dog: a link back to a folder that contains it") == 1);
  CHECK(listed("set/b/again: a link back to a folder that contains it") == 1);
  CHECK(listed("set/self: not a file: a link to 'self', which leads nowhere") == 1);
}

TEST_CASE("check: a set that holds nothing but such entries says what they are") {
  const TemporaryFolder folder;
  fs::create_directories(folder / "links");
  fs::create_symlink("/mnt/away/cat", folder / "links/cat");
  fs::create_symlink("/mnt/away/dog", folder / "links/dog");
  check_contains(error_of([&] { ImageFolder::open(folder / "links", OddFiles::kList); }),
                 "a link to '/mnt/away/");
  write_text(folder / "x.tar", tar_member("photos", "", '2', "elsewhere") + tar_end());
  check_contains(error_of([&] { ImageFolder::open(folder / "x.tar", OddFiles::kList); }),
                 "pack the archive with tar --dereference");
  write_text(folder / "y.tar",
             tar_member("a/", "", '5') + tar_member("a/1", "", '2', "../b") + tar_end());
  check_contains(error_of([&] { ImageFolder::open(folder / "y.tar", OddFiles::kList); }),
                 "class folder without images: 'a'");
}

TEST_CASE(
    "check: folders of links that lead on to two others each are listed, not walked for ever") {
  const TemporaryFolder folder;
  for (int i = 0; i < 24; ++i) {
    const std::string here = folder / concat("nodes/", i);
    fs::create_directories(here);
    for (const char* link : {"l", "r"})
      if (i < 23) fs::create_directory_symlink(concat("../", i + 1), here + "/" + link);
  }
  write_small_set(folder / "set", {"a", "b"}, 1);
  fs::create_directory_symlink(folder / "nodes/0", folder / "set/a/linked");
  check_contains(error_of([&] { ImageFolder::open(folder / "set"); }), "ways of links lead here");
  const ImageFolder set = ImageFolder::open(folder / "set", OddFiles::kList);
  CHECK(set.size() == 2);
  CHECK(set.hidden().size() > 10);
}

TEST_CASE("check: an orientation of any integer type, in either byte order, is listed") {
  const TemporaryFolder folder;
  const auto little = [](uint8_t type, uint8_t value) {
    return Bytes{'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, type, 0, 1, 0, 0, 0, value, 0, 0, 0};
  };
  // Big-endian: the value of a BYTE, a SHORT and a LONG stands at another place in its field; the
  // directory needs not follow the header at once.
  const auto big = [](uint8_t type, uint8_t value, std::size_t gap) {
    Bytes tiff{'M', 'M', 0, 42, 0, 0, 0, static_cast<uint8_t>(8 + gap)};
    tiff.resize(8 + gap);
    append(tiff, Bytes{0, 1, 1, 0x12, 0, type, 0, 0, 0, 1, 0, 0, 0, 0});
    tiff[tiff.size() - 4 + (type == 1 ? 0 : type == 3 ? 1 : 3)] = value;
    return tiff;
  };
  const std::pair<Bytes, int> cases[] = {{little(1, 3), 3}, {little(4, 8), 8}, {little(9, 5), 5},
                                         {big(1, 6, 0), 6}, {big(3, 7, 4), 7}, {big(4, 2, 16), 2}};
  std::vector<std::string> expected;
  for (const auto& [tiff, orientation] : cases) {
    Bytes jpeg = baseline_jpeg(16, 24), exif{0xff, 0xe1, 0, 0, 'E', 'x', 'i', 'f', 0, 0};
    append(exif, tiff);
    exif[3] = static_cast<uint8_t>(exif.size() - 2);
    jpeg.insert(jpeg.begin() + 2, exif.begin(), exif.end());
    const std::string name = concat(folder.path(), "/a/", expected.size(), ".jpe");
    write_text(name, {jpeg.begin(), jpeg.end()});
    expected.push_back(concat("odd: ", name, ": turned by EXIF (orientation ", orientation, ")"));
  }
  CHECK(check_data(ImageFolder::open(folder.path())).lines == expected);
  if (const std::string fault = shared_path("data/faults/exif_long6.jpg"); !fault.empty()) {
    fs::create_directories(folder / "fault/a");
    fs::copy(fault, folder / "fault/a/x.jpg");
    const DataReport report = check_data(ImageFolder::open(folder / "fault"));
    REQUIRE(report.lines.size() == 1);
    check_contains(report.lines[0], "turned by EXIF (orientation 6)");
  }
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

TEST_CASE("check: what is in a file of another format is said") {
  const TemporaryFolder folder;
  const std::pair<std::string, std::string> cases[] = {
      {std::string("RIFF\1\2\3\4WEBPVP8 ", 16), "WebP"},
      {std::string("II*\0\10\0\0\0", 8), "TIFF"},
      {std::string("MM\0*\0\0\0\10", 8), "TIFF"},
      {std::string("\0\0\0\x20"
                   "ftypavif",
                   12),
       "AVIF"},
      {std::string("\0\0\0\x18"
                   "ftypheic",
                   12),
       "HEIC or another of the MP4 family"},
      {std::string("\0\0\0\x0cjP  \r\n", 10), "JPEG 2000"},
      {"<svg xmlns=\"\"/>", "SVG"},
      {"<!DOCTYPE html>", "a web page"},
      {tar_member("a.jpg", "x"), "a tar archive"},
      {"version https://git-lfs.github.com/spec/v1\n",
       "a pointer of Git LFS in place of the image: git lfs pull"}};
  std::vector<std::string> expected;
  for (const auto& [bytes, contents] : cases) {
    const std::string name = concat(folder.path(), "/a/", expected.size(), ".jpg");
    write_text(name, bytes);
    expected.push_back(concat("broken: ", name,
                              ": not a JPEG, PNG, BMP or GIF image, whatever its "
                              "name says (it is ",
                              contents, ")"));
  }
  CHECK(check_data(ImageFolder::open(folder.path())).lines == expected);
}

}  // namespace
