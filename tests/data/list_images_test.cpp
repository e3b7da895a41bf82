// The list of images that a command line names.
#include "data/list_images.h"

#include <sys/stat.h>

#include <filesystem>
#include <sstream>

#include "core/error.h"
#include "tests/support/support.h"

using namespace shiftadd;
using data::list_images;
namespace fs = std::filesystem;

TEST_CASE("folders are walked in order; other files and hidden ones are left out") {
  const test::TemporaryFolder folder;
  for (const char* name :
       {"b.jpg", "a/z.PNG", "a/.hidden.jpg", ".git/x.jpg", "notes.txt", "c.jpeg"})
    test::write_text(folder / name, "x");
  std::istringstream empty;
  CHECK(list_images({folder.path()}, empty) ==
        std::vector<std::string>{folder / "a/z.PNG", folder / "b.jpg", folder / "c.jpeg"});
}

TEST_CASE("a file is taken as it is, whatever its name, and even when it does not exist") {
  std::istringstream empty;
  CHECK(list_images({"/none/photo.webp"}, empty) == std::vector<std::string>{"/none/photo.webp"});
}

TEST_CASE("linked folders are followed; what cannot be read is listed or named, never skipped") {
  const test::TemporaryFolder folder;
  for (const char* name : {"set/a/1.JFIF", "set/b.jpe", "far/deep/2.png", "set/n.txt", "set/c.webp",
                           "set/d.TIF", "set/e.tif", "set/f.heic"})
    test::write_text(folder / name, "x");
  fs::create_directory_symlink(folder / "far", folder / "set/linked");
  fs::create_directory_symlink("linked", folder / "set/twice");
  fs::create_symlink("nowhere.png", folder / "set/lost.png");
  fs::create_symlink("gone/folder", folder / "set/lost class");
  REQUIRE(mkfifo((folder / "set/pipe.gif").c_str(), 0600) == 0);
  std::istringstream empty;
  std::vector<std::string> notes;
  const auto note = [&notes](const std::string& line) { notes.push_back(line); };
  const std::string set = folder / "set";
  CHECK(list_images({set + "/"}, empty, note) ==
        std::vector<std::string>{set + "/a/1.JFIF", set + "/b.jpe", set + "/linked/deep/2.png",
                                 set + "/lost.png", set + "/pipe.gif", set + "/twice/deep/2.png"});
  REQUIRE(notes.size() == 2);
  CHECK(test::contains(notes[0], set + "/lost class: not a file: a link to 'gone/folder', which "
                                       "leads nowhere"));
  CHECK(test::contains(notes[1],
                       "set/: not read: 1 .heic, 2 .tif, 1 .webp (formats that are not "
                       "read: convert them"));
  CHECK(list_images({set}, empty).size() == 6);
  fs::create_directory_symlink("..", folder / "set/a/up");
  try {
    list_images({set}, empty);
    FAIL("a folder inside itself was walked");
  } catch (const Error& error) {
    CHECK(test::contains(error.what(), "set/a/up: a link back to a folder that contains it"));
  }
}

TEST_CASE("standard input that is no list is refused") {
  std::istringstream endless(std::string(100'000, '\0')), no_end("a.png");
  CHECK_THROWS_AS(list_images({"-"}, endless), Error);
  CHECK(list_images({"-"}, no_end) == std::vector<std::string>{"a.png"});
}

TEST_CASE("a list may have blank lines, carriage returns and folders") {
  const test::TemporaryFolder folder;
  test::write_text(folder / "in/b.jpg", "x");
  std::istringstream list("\none.png\r\n   \n" + folder.path() + "/in\n\n");
  CHECK(list_images({"zero.png", "-"}, list) ==
        std::vector<std::string>{"zero.png", "one.png", folder / "in/b.jpg"});
}

TEST_CASE("a folder or a list without images is the user's mistake") {
  const test::TemporaryFolder folder;
  std::istringstream empty("\n\n");
  CHECK_THROWS_AS(list_images({folder.path()}, empty), Error);
  test::write_text(folder / "a.webp", "x");
  test::write_text(folder / "b.tar", "x");
  CHECK_THROWS_WITH_AS(list_images({folder.path()}, empty),
                       doctest::Contains("not read: 1 .webp (formats that are not read: convert "
                                         "them to PNG or JPEG), 1 .tar (archives"),
                       Error);
  CHECK_THROWS_AS(list_images({"-"}, empty), Error);
}
