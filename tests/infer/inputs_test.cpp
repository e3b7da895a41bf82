// The list of images that a command line names.
#include "infer/inputs.h"

#include <filesystem>
#include <sstream>

#include "core/error.h"
#include "tests/support/support.h"

using namespace shiftadd;
using infer::list_images;

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
  CHECK_THROWS_AS(list_images({"-"}, empty), Error);
}
