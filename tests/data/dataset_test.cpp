// Folders and tars as labelled images; splits; class mismatches.
#include "data/dataset.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>

#include "tests/data/dataset_support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using namespace shiftadd::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> names(const ImageFolder& set) {
  std::vector<std::string> result;
  for (int64_t i = 0; i < set.size(); ++i) result.push_back(set.name(i));
  return result;
}
std::string bytes(const ImageFolder& set, int64_t i) {
  const auto read = set.read(i);
  return {read.begin(), read.end()};
}
std::string open_error(const std::string& path) {
  return error_of([&] { ImageFolder::open(path); });
}

TEST_CASE("dataset: a folder in sorted order, nested folders walked, other files left alone") {
  const TemporaryFolder folder;
  for (const char* file :
       {"b/2.JPG", "b/10.png", "b/deep/er/1.gif", "B/x.jpeg", "a/1.bmp", "a/.hidden.png",
        ".git/1.png", "a/notes.txt", "top.png", "README", "\xc3\xa9/1.jpg", "a/.thumbs/1.jpg"})
    write_text(folder / file, std::string("contents of ") + file);
  const ImageFolder set = ImageFolder::open(folder.path() + "/");
  CHECK(set.path() == folder.path());
  CHECK(set.classes() == std::vector<std::string>{"B", "a", "b", "\xc3\xa9"});
  CHECK(names(set) == std::vector<std::string>{"B/x.jpeg", "a/1.bmp", "b/10.png", "b/2.JPG",
                                               "b/deep/er/1.gif", "\xc3\xa9/1.jpg"});
  CHECK(set.label(0) == 0);
  CHECK(set.label(4) == 2);
  CHECK(bytes(set, 4) == "contents of b/deep/er/1.gif");
  CHECK(set.full_name(1) == folder.path() + "/a/1.bmp");
}

TEST_CASE("dataset: links to folders are followed, but not in circles") {
  const TemporaryFolder folder;
  write_text(folder / "elsewhere/1.png", "x");
  write_text(folder / "set/b/1.png", "y");
  fs::create_directory_symlink(folder / "elsewhere", folder / "set/a");
  CHECK(names(ImageFolder::open(folder / "set")) == std::vector<std::string>{"a/1.png", "b/1.png"});
  fs::create_symlink("nowhere.png", folder / "set/b/2.png");
  check_contains(open_error(folder / "set"), "2.png: not a file");
  fs::remove(folder / "set/b/2.png");
  fs::create_directory_symlink("..", folder / "set/b/up");
  check_contains(open_error(folder / "set"), "a link back to a folder that contains it");
}

TEST_CASE("dataset: bad folders give clear errors") {
  const TemporaryFolder folder;
  check_contains(open_error(folder / "none"), "none: no such file or folder");
  check_contains(open_error(folder.path()), "empty: no class folders");
  write_text(folder / "1.png", "x");
  check_contains(open_error(folder.path()),
                 "1 images but no class folders: expected CLASS/image.jpg");
  write_text(folder / "cat/1.png", "x");
  write_text(folder / "dog/readme.txt", "x");
  fs::create_directories(folder / "ant/inner");
  const std::string error = open_error(folder.path());
  check_contains(error, "class folders without images: 'ant', 'dog'");
  CHECK(error.find("'cat'") == std::string::npos);
  check_contains(open_error(folder / "1.png"), "1.png: not a tar archive");
}

TEST_CASE("dataset: a tar gives what the folder gives") {
  const TemporaryFolder folder;
  write_small_set(folder / "set", {"x", "a", "m"}, 3);
  const ImageFolder loose = ImageFolder::open(folder / "set");
  std::string members, wrapped = tar_member("./train/", "", '5');
  for (int64_t i = loose.size() - 1; i >= 0; --i) {
    members += tar_member("./" + loose.name(i), bytes(loose, i));
    wrapped += tar_member("./train/" + loose.name(i), bytes(loose, i));
  }
  write_text(folder / "set.tar", members + tar_member("README.md", "text") +
                                     tar_member("a/._1.png", "mac") + tar_end());
  write_text(folder / "wrapped.tar", wrapped + tar_end());
  for (const char* file : {"set.tar", "wrapped.tar"}) {
    const ImageFolder packed = ImageFolder::open(folder / file);
    CHECK(packed.classes() == loose.classes());
    CHECK(names(packed) == names(loose));
    CHECK(packed.digest() == loose.digest());
    for (int64_t i = 0; i < loose.size(); ++i) {
      CHECK(packed.label(i) == loose.label(i));
      CHECK(bytes(packed, i) == bytes(loose, i));
    }
    CHECK(names(ImageFolder::open(folder / file)) == names(loose));  // through the cached index
  }
}

TEST_CASE("dataset: tar specials") {
  const TemporaryFolder folder;
  const std::string path = folder / "s.tar";
  // A single class is not mistaken for a common folder.
  write_text(path, tar_member("cat/", "", '5') + tar_member("cat/1.png", "x") +
                       tar_member("cat/deep/2.png", "y") + tar_end());
  CHECK(ImageFolder::open(path).classes() == std::vector<std::string>{"cat"});
  // The later of two members with one name counts.
  write_text(path, tar_member("cat/1.png", "old") + tar_member("dog/1.png", "z") +
                       tar_member("cat/1.png", "newer") + tar_end());
  const ImageFolder set = ImageFolder::open(path);
  CHECK(set.size() == 2);
  CHECK(bytes(set, 0) == "newer");
  write_text(path, tar_member("cat/1.png", "x") + tar_member("dog/", "", '5') +
                       tar_member("eel/note.txt", "") + tar_member("eel/", "", '5') + tar_end());
  check_contains(open_error(path), "class folders without images: 'dog', 'eel'");
  write_text(path,
             tar_member("cat/1.png", "x") + tar_member("cat/2.png", "", '2', "1.png") + tar_end());
  check_contains(open_error(path), "'cat/2.png' is a symbolic link");
  write_text(path, tar_end());
  check_contains(open_error(path), "empty: no class folders");
  write_text(path, tar_member("1.png", "x") + tar_end());
  check_contains(open_error(path), "1 images but no class folders");
  write_text(path, tar_member("cat/1.png", "xyz"));
  check_contains(open_error(path), "truncated");
}

TEST_CASE("dataset: a read-only place for the tar needs no cache") {
  const TemporaryFolder folder;
  const std::string path = folder / "s.tar";
  write_text(path, tar_member("cat/1.png", "x") + tar_member("dog/1.png", "x") + tar_end());
  fs::create_directories(
      path + ".index");  // a folder in the cache's place cannot be overwritten, not even by root
  setenv("XDG_CACHE_HOME", path.c_str(), 1);  // nor can a folder be made below a file
  CHECK(ImageFolder::open(path).size() == 2);
  setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1);
  CHECK(ImageFolder::open(path).size() == 2);
  CHECK(std::distance(fs::directory_iterator(folder / "cache/shiftadd"),
                      fs::directory_iterator()) == 1);
  CHECK(ImageFolder::open(path).size() == 2);
  // A folder without write permission stays as it is, even where root could write to it.
  write_text(folder / "locked/s.tar", read_text(path));
  fs::permissions(folder / "locked", fs::perms::owner_read | fs::perms::owner_exec);
  CHECK(ImageFolder::open(folder / "locked/s.tar").size() == 2);
  CHECK(!fs::exists(folder / "locked/s.tar.index"));
  CHECK(std::distance(fs::directory_iterator(folder / "cache/shiftadd"),
                      fs::directory_iterator()) == 2);
  fs::permissions(folder / "locked", fs::perms::owner_all);
  unsetenv("XDG_CACHE_HOME");
}

TEST_CASE("dataset: digest tells sets apart") {
  const TemporaryFolder folder;
  write_small_set(folder / "a", {"x", "y"}, 2);
  write_small_set(folder / "b", {"x", "y"}, 2);
  CHECK(ImageFolder::open(folder / "a").digest() == ImageFolder::open(folder / "b").digest());
  CHECK(ImageFolder::open(folder / "a").digest().size() == 64);
  fs::rename(folder / "b/x/00.bmp", folder / "b/x/07.bmp");
  CHECK(ImageFolder::open(folder / "a").digest() != ImageFolder::open(folder / "b").digest());
}

TEST_CASE("dataset: split by seed, class by class") {
  const TemporaryFolder folder;
  for (int i = 0; i < 20; ++i) write_text(folder / ("many/" + std::to_string(i) + ".png"), "m");
  for (int i = 0; i < 2; ++i) write_text(folder / ("two/" + std::to_string(i) + ".png"), "t");
  write_text(folder / "one/0.png", "o");
  const ImageFolder all = ImageFolder::open(folder.path());
  const auto [train, val] = split(all, 0.25, 3);
  std::map<int64_t, int> counts;
  for (int64_t i = 0; i < val.size(); ++i) ++counts[val.label(i)];
  CHECK(counts == std::map<int64_t, int>{{0, 5}, {2, 1}});
  CHECK(train.size() + val.size() == all.size());
  CHECK(train.classes() == all.classes());
  std::set<std::string> together;
  for (const auto& part : {names(train), names(val)}) {
    CHECK(std::is_sorted(part.begin(), part.end()));
    together.insert(part.begin(), part.end());
  }
  CHECK(together.size() == static_cast<std::size_t>(all.size()));
  CHECK(names(split(all, 0.25, 3).second) == names(val));
  CHECK(names(split(all, 0.25, 4).second) != names(val));
  CHECK(split(all, 0.99, 3).first.size() == 3);  // one of each class stays
  for (double bad : {0.0, 1.0, -0.5, 2.0})
    check_contains(error_of([&] { split(all, bad, 0); }), "expected a number between 0 and 1");
}

TEST_CASE("dataset: train and val must have the same classes") {
  const TemporaryFolder folder;
  write_small_set(folder / "train", {"ant", "bee", "cat"}, 1);
  write_small_set(folder / "val", {"bee", "cat", "dog", "eel"}, 1);
  const ImageFolder train = ImageFolder::open(folder / "train"),
                    val = ImageFolder::open(folder / "val");
  require_same_classes(train, train);
  const std::string error = error_of([&] { require_same_classes(train, val); });
  check_contains(error, "only in train: 'ant'");
  check_contains(error, "only in val: 'dog', 'eel'");
}

TEST_CASE("dataset: CIFAR-10 as a tar and as folders") {
  const std::string tar = shared_path("data/cifar10/val.tar");
  if (tar.empty()) return;
  const ImageFolder val = ImageFolder::open(tar);
  CHECK(val.size() == 5000);
  CHECK(val.classes().size() == 10);
  CHECK(val.classes().front() == "airplane");
  CHECK(val.name(0) == "airplane/0001.jpg");
  const ImageFolder sample = ImageFolder::open(shared_path("data/cifar10/sample/val"));
  CHECK(sample.size() == 20);
  CHECK(sample.classes() == val.classes());
  for (int64_t i = 0; i < sample.size(); ++i)
    for (int64_t j = 0; j < val.size(); ++j)
      if (sample.name(i) == val.name(j)) CHECK(sample.read(i) == val.read(j));
}

}  // namespace
