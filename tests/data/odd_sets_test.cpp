// Folders and tars that people have: links, named pipes, other formats, archives inside, parts of a
// set in place of classes, names that are no text, files that change meanwhile.
#include <sys/stat.h>

#include <filesystem>

#include "core/unicode.h"
#include "data/dataset.h"
#include "tests/data/dataset_support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using namespace shiftadd::test;
namespace fs = std::filesystem;

namespace {

std::string open_error(const std::string& path) {
  return error_of([&] { ImageFolder::open(path); });
}

/// A tar "s.tar" of these members, in a folder of its own.
class TarOf {
 public:
  explicit TarOf(const std::string& members) { write_text(path(), members + tar_end()); }
  std::string path() const { return folder_ / "s.tar"; }
  std::string error() const { return open_error(path()); }

 private:
  TemporaryFolder folder_;
};

/// A folder of empty files; names that end in '/' are folders.
void make_files(const std::string& root, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name.ends_with('/'))
      fs::create_directories(root + "/" + name);
    else
      write_text(root + "/" + name, "x");
  }
}

/// The same as a tar's members.
std::string members_of(const std::vector<std::string>& names) {
  std::string members;
  for (const std::string& name : names)
    members += name.ends_with('/') ? tar_member(name, "", '5') : tar_member(name, "x");
  return members;
}

std::string read_error(const ImageFolder& set, int64_t sample, int exit_code) {
  return error_of([&] { set.read(sample); }, exit_code);
}

TEST_CASE("tar: a link that may stand for images is an error, wherever it is") {
  const std::string cats = tar_member("cat/1.png", "x");
  const auto link = [](const std::string& name, const std::string& target) {
    return tar_member(name, "", '2', target);
  };
  const std::pair<std::string, std::string> cases[] = {
      {cats + link("dog", "../other/dog"), "'dog' is a symbolic link to '../other/dog'"},
      {cats + link("dog", "cat"), "'dog' is a symbolic link to 'cat'"},
      {cats + link("cat/old", "/mnt/old"), "'cat/old' is a symbolic link to '/mnt/old'"},
      {cats + link("n01.tench", "x"), "'n01.tench' is a symbolic link"},
      {link("photos", "/mnt/photos"), "'photos' is a symbolic link to '/mnt/photos'"},
      {tar_member("train/", "", '5') + link("train/cat", "a") + link("train/dog", "b"),
       "'train/cat' is a symbolic link to 'a', which is not followed: pack the archive with tar "
       "--dereference (and 1 more)"},
      {cats + link("cat/2.JFIF", "1.png"), "'cat/2.JFIF' is a symbolic link to '1.png'"},
      {cats + tar_member("h", "", '2', "1.png") + tar_member("dog", "", '1', "h"),
       "hard link to 'h', which is not a file"}};
  for (const auto& [members, expected] : cases) {
    const std::string error = TarOf(members).error();
    check_contains(error, expected);
    check_contains(error, "pack the archive with tar --");
  }
  // Only text is lost with these.
  const TarOf harmless(cats + tar_member("doc/notes", "text") + link("README", "doc/notes") +
                       link("cat/README", "../doc/./notes") + link(".hidden", "away") +
                       tar_member("doc/1.png", "x"));
  CHECK(ImageFolder::open(harmless.path()).size() == 2);
  for (const char* name : {"linked-class.tar", "all-classes-linked.tar"}) {
    const std::string fault = shared_path(std::string("data/faults/") + name);
    if (!fault.empty())
      check_contains(open_error(fault), "pack the archive with tar --dereference");
  }
}

TEST_CASE("tar: hard links are images of their own class") {
  const TarOf tar(tar_member("cat/1.png", "one") + tar_member("dog/1.png", "", '1', "cat/1.png") +
                  tar_member("dog/2.png", "", '1', "./dog/1.png"));
  const ImageFolder set = ImageFolder::open(tar.path());
  REQUIRE(set.size() == 3);
  for (int64_t i = 0; i < 3; ++i) CHECK(set.read(i) == std::vector<uint8_t>{'o', 'n', 'e'});
  CHECK(set.label(2) == 1);
}

TEST_CASE("tar: named pipes and devices with an image's name are named") {
  check_contains(TarOf(tar_member("cat/1.png", "x") + tar_member("cat/2.png", "", '6')).error(),
                 "'cat/2.png' is a named pipe or a device");
  const TarOf other(tar_member("cat/1.png", "x") + tar_member("cat/pipe", "", '6'));
  CHECK(ImageFolder::open(other.path()).ignored() ==
        std::vector<std::string>{"cat/pipe (not a file)"});
}

TEST_CASE("archives in place of images are named, with what to do") {
  const std::vector<std::vector<std::string>> sets = {{"n1.tar", "n2.tar", "n3.tar"},
                                                      {"train/n1.tar", "train/n2.tgz"},
                                                      {"cat.zip", "README"},
                                                      {"cat/images.tar.gz", "dog/images.7z"}};
  for (const auto& names : sets) {
    const TemporaryFolder folder;
    make_files(folder.path(), names);
    for (const std::string& error : {open_error(folder.path()), TarOf(members_of(names)).error()}) {
      check_contains(error, "it holds archives ('" + names.front() + "'");
      check_contains(error, "extract each into a folder named as its class");
    }
  }
  check_contains(TarOf(members_of(sets[0])).error(), "and 2 more");
  if (const std::string fault = shared_path("data/faults/tar-of-tars.tar"); !fault.empty())
    check_contains(open_error(fault), "it holds archives ('n0a.tar' and 2 more)");
}

TEST_CASE("formats that are not read are counted, the spellings of JPEG are read") {
  const std::vector<std::string> names = {
      "a/1.jpg",  "a/2.JFIF", "a/3.jpe",  "a/4.Jif", "a/5.pjpeg", "a/6.gif",  "a/7.webp",
      "a/8.WEBP", "a/9.tiff", "a/10.tif", "b/1.PNG", "b/2.avif",  "b/3.HEIC", "b/4.jp2",
      "b/5.svg",  "b/6.ppm",  "b/7.txt",  "b/8.tar", "b/.9.tif",  "top.jxl"};
  const TemporaryFolder folder;
  make_files(folder.path(), names);
  const TarOf tar(members_of(names));
  for (const std::string& path : {folder.path(), tar.path()}) {
    const ImageFolder set = ImageFolder::open(path);
    CHECK(set.size() == 7);
    CHECK(set.notes() ==
          std::vector<std::string>{
              path + ": not read: 1 .avif, 1 .heic, 1 .jp2, 1 .jxl, 1 .ppm, 1 .svg, 1 "
                     ".tif, 1 .tiff, 2 .webp (formats that are not read: convert them to "
                     "PNG or JPEG), 1 .tar (archives inside are not read: extract them)"});
  }
  const std::vector<std::string> lost = {"a/1.jpg", "b/2.webp", "c/3.avif", "d/e/4.tif"};
  make_files(folder / "lost", lost);
  for (const std::string& error : {open_error(folder / "lost"), TarOf(members_of(lost)).error()}) {
    check_contains(error, "class folders without images: 'b', 'c', 'd'");
    check_contains(error, "; not read: 1 .avif, 1 .tif, 1 .webp (formats that are not read");
  }
  make_files(folder / "plain", {"a/1.png", "a/notes.txt", "b/1.bmp", "tif"});
  CHECK(ImageFolder::open(folder / "plain").notes().empty());
  if (const std::string fault = shared_path("data/faults/mixed-formats.tar"); !fault.empty()) {
    const ImageFolder set = ImageFolder::open(fault);
    CHECK(set.size() == 13);
    check_contains(set.notes().at(0), "mixed-formats.tar: not read: 5 .tif, 5 .webp (");
  }
}

TEST_CASE("links that lead nowhere and named pipes: refused, or kept until they are read") {
  const TemporaryFolder folder;
  const std::string set = folder / "set";
  make_files(set, {"a/1.png", "b/1.png"});
  REQUIRE(mkfifo((set + "/a/control").c_str(), 0600) == 0);
  CHECK(ImageFolder::open(set).ignored() == std::vector<std::string>{"a/control (not a file)"});
  fs::create_symlink("nowhere.png", set + "/a/2.png");
  check_contains(open_error(set),
                 "a/2.png: not a file: a link to 'nowhere.png', which leads "
                 "nowhere (No such file or directory)");
  REQUIRE(mkfifo((set + "/a/3.png").c_str(), 0600) == 0);
  fs::create_symlink("/dev/zero", set + "/a/4.png");
  fs::create_symlink("5.png", set + "/a/5.png");
  check_contains(open_error(set), " (and 3 more)");
  const ImageFolder kept = ImageFolder::open(set, OddFiles::kKeep);
  REQUIRE(kept.size() == 6);
  check_contains(read_error(kept, 1, 2), "a/2.png: not a file: a link to 'nowhere.png'");
  check_contains(read_error(kept, 2, 2), "a/3.png: not a file: a named pipe");
  check_contains(read_error(kept, 3, 2), "a/4.png: not a file: a character device");
  check_contains(read_error(kept, 4, 2), "Too many levels of symbolic links");
  // A class that is not there is never left out.
  fs::create_directory_symlink("/mnt/away/cat", set + "/cat");
  check_contains(error_of([&] { ImageFolder::open(set, OddFiles::kKeep); }),
                 "set/cat: not a file: a link to '/mnt/away/cat', which leads nowhere");
  check_contains(open_error("/dev/zero"), "/dev/zero is a character device: expected a file");
  check_contains(open_error(set + "/a/control"), "is a named pipe: expected a file");
}

TEST_CASE("the parts of a set are not classes") {
  const std::vector<std::vector<std::string>> parents = {
      {"train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "val/dog/1.png"},
      {"Train/cat/1.png", "Validation/cat/1.png", "annotations/"},
      {"training/a/1.png", "test/a/1.png", "raw/a/1.png"},
      {"train2017/1.png", "val2017/1.png"},
      {"photos/train/a/1.png", "photos/valid/a/1.png"},
      {"x/photos/train_images/a/1.png", "x/photos/test_images/a/1.png", "x/photos/labels/"},
      {"seg_train/a/1.png", "seg_test/a/1.png", "seg_pred/1.png"},
      {"trainset/a/1.png", "valset/"}};
  for (const auto& names : parents) {
    const TemporaryFolder folder;
    make_files(folder.path(), names);
    check_contains(open_error(folder.path()), " of a data set, not classes: name one of them");
    check_contains(TarOf(members_of(names)).error(), " of a data set, not classes: pack each part");
  }
  const TemporaryFolder folder;
  make_files(folder.path(), parents[0]);
  CHECK(open_error(folder.path()) ==
        concat(folder.path(),
               ": 'train', 'val' are parts of a data set, not classes: name one of "
               "them, e.g. ",
               folder.path(), "/train; to train: data.train=", folder.path(),
               "/train data.val=", folder.path(), "/val"));
  make_files(folder / "only", {"train/cat/1.png", "train/dog/1.png"});
  check_contains(open_error(folder / "only"), "'train' is a part of a data set");

  const std::vector<std::vector<std::string>> sets = {
      {"bus/1.png", "car/1.png", "train/1.png"},  // vehicles
      {"bus/1.png", "train/steam/1.png", "train/diesel/2.png"},
      {"steam train/a/1.png", "model train/a/1.png"},
      {"blood test/1.png", "train station/1.png"},
      {"cat/train/1.png", "cat/2.png"},
      {"valve/a/1.png", "trainer/a/1.png"}};
  for (const auto& names : sets) {
    const TemporaryFolder other;
    make_files(other.path(), names);
    CHECK(ImageFolder::open(other.path()).size() == static_cast<int64_t>(names.size()));
    CHECK(ImageFolder::open(TarOf(members_of(names)).path()).size() ==
          static_cast<int64_t>(names.size()));
  }
}

TEST_CASE("class folders whose names are no text, or one name written in two ways") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::vector<std::string>& names) {
    fs::remove_all(folder / "set");
    std::vector<std::string> files;
    for (const std::string& name : names) files.push_back(name + "/1.png");
    make_files(folder / "set", files);
    const std::string error = open_error(folder / "set");
    check_contains(TarOf(members_of(files)).error(), error.substr(error.find(": ")));
    return error;
  };
  for (const char* name : {"caf\xe9", "\xff\xfe", "\xed\xa0\x80", "a\xc3"}) {
    const ImageFolder set =
        ImageFolder::open(TarOf(members_of({"a/1.png", name + std::string("/1.png")})).path());
    REQUIRE(set.notes().size() == 1);
    check_contains(set.notes()[0], shown(name) + " is not UTF-8");
  }
  check_contains(refusal({"caf\xc3\xa9", "cafe\xcc\x81"}), "two classes are one name");
  check_contains(refusal({"\xc3\x84", "x", "A\xcc\x88"}), "Unicode normalisation");
  check_contains(refusal({"\xea\xb0\x80", "\xe1\x84\x80\xe1\x85\xa1"}), "two classes are one name");
}

TEST_CASE("a file or a tar that changes after the set was opened is named") {
  const TemporaryFolder folder;
  write_small_set(folder / "set", {"a", "b"}, 2);
  const ImageFolder set = ImageFolder::open(folder / "set");
  const auto size = static_cast<int64_t>(fs::file_size(folder / "set/a/00.bmp"));
  for (const int64_t now : {int64_t{10}, int64_t{0}, size + 1}) {
    fs::resize_file(folder / "set/a/00.bmp", static_cast<uint64_t>(now));
    CHECK(read_error(set, 0, 1) == concat(folder / "set/a/00.bmp", ": had ", size,
                                          " bytes when the data set was opened and has ", now,
                                          " now: it must not change while it is used"));
  }
  fs::remove(folder / "set/a/01.bmp");
  check_contains(read_error(set, 1, 2), "a/01.bmp: is gone");
  CHECK(set.read(2).size() == static_cast<std::size_t>(size));

  const TarOf tar(tar_member("a/1.png", std::string(5000, 'x')) + tar_member("a/2.png", "y"));
  const ImageFolder packed = ImageFolder::open(tar.path());
  const auto whole = static_cast<int64_t>(fs::file_size(tar.path()));
  for (const int64_t now : {int64_t{0}, int64_t{1024}, whole - 512, whole + 512}) {
    fs::resize_file(tar.path(), static_cast<uint64_t>(now));
    for (const int64_t sample : {0, 1})
      check_contains(read_error(packed, sample, 1),
                     concat("s.tar: had ", whole, " bytes when it was opened and has ", now));
  }
}

}  // namespace
