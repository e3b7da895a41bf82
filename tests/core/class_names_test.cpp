// Class names: text files of every encoding, and the classes of a set found among a model's.
#include "core/class_names.h"

#include "core/io/files.h"
#include "tests/data/dataset_support.h"

using namespace shiftadd;
using namespace shiftadd::test;

namespace {

using Names = std::vector<std::string>;
using Indices = std::vector<int64_t>;

// The same word as one character and as a letter with an accent: NFC and NFD.
const std::string kComposed = "caf\xc3\xa9", kApart = "cafe\xcc\x81";

void check_error(const std::function<void()>& action, const std::string& part) {
  check_contains(error_of(action), part);
}

Names names_in(const std::string& text) {
  const TemporaryFolder folder;
  write_file(folder / "c.txt", text);
  return read_class_names(folder / "c.txt").names;
}

TEST_CASE("class names: a byte-order mark is no part of the first name") {
  CHECK(names_in("\xef\xbb\xbf"
                 "a\r\nb\r\nc\r\n") == Names{"a", "b", "c"});
  CHECK(names_in("\xef\xbb\xbf"
                 "index\tlabel\n0\tcat\n1\tdog\n") == Names{"cat", "dog"});
  CHECK(names_in("\xef\xbb\xbf"
                 "0\tcat\r\n1\tdog") == Names{"cat", "dog"});
  CHECK(names_in("\xef\xbb\xbf\xc3\xa9t\xc3\xa9\n") == Names{"\xc3\xa9t\xc3\xa9"});
  check_error([] { names_in("\xef\xbb\xbf\r\n"); }, "no class names");
  const std::string marked = shared_path("data/faults/classes-bom.txt");
  if (!marked.empty()) CHECK(read_class_names(marked).names == Names{"a", "b", "c"});
}

TEST_CASE(
    "class names: marks at the start of any line, as joined files have, are no part of a name") {
  const std::string mark = "\xef\xbb\xbf";
  CHECK(names_in(mark + mark + "a\nb\n") == Names{"a", "b"});
  CHECK(names_in("a\n" + mark + "b\r\n" + mark + "c") == Names{"a", "b", "c"});
  CHECK(names_in("0\tcat\n" + mark + "1\tdog\n") == Names{"cat", "dog"});
}

TEST_CASE("class names: characters that nobody sees are named") {
  for (const std::string& name : {std::string("ca\xef\xbb\xbft"), std::string("cat\xe2\x80\x8b"),
                                  std::string("\xe2\x81\xa0"
                                              "cat"),
                                  std::string("\x1b[31mcat"),
                                  std::string("c\x7f"
                                              "at")}) {
    check_error([&] { names_in("dog\n" + name + "\n"); }, "which nobody sees");
    check_error([&] { require_sound_names({"dog", name}, "set"); }, "which nobody sees");
  }
  // Joiners are letters' business in Persian and in emoji.
  require_sound_names({"\xd9\x85\xdb\x8c\xe2\x80\x8c", "\xe2\x80\x8d"}, "set");
}

TEST_CASE("class names: a pointer or a web page in the list's place is named") {
  check_error(
      [] { names_in("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n"); },
      "is a Git LFS pointer, not the file itself (of 12345 bytes)");
  check_error([] { names_in("<!DOCTYPE html>\n<html>\n"); }, "is a web page (HTML)");
  check_error([] { names_in("<?xml version=\"1.0\"?>\n<Error>\n"); }, "is XML");
  CHECK(names_in("<unknown>\n<2 wheels\n") == Names{"<unknown>", "<2 wheels"});
  check_error([] { names_in("/annex/objects/MD5-s3--acbd18db4cc2f85cedef654fccc4a4d8\n"); },
              "is a git-annex pointer");
}

TEST_CASE("classes: an unnamed model's folders in another order as text than by their numbers") {
  const auto match = [](const Names& set) {
    return match_classes({}, {}, static_cast<int64_t>(set.size()), set, "set");
  };
  for (const Names& set :
       {Names{"class0", "class1", "class10", "class2"}, Names{"0_x", "10_x", "2_x"},
        Names{" 10", " 9"}, Names{"a-1-b10", "a-1-b9"}})
    check_error([&] { match(set); }, "name them (shiftadd-convert --classes FILE)");
  for (const Names& set :
       {Names{"class00", "class02", "class10"}, Names{"n01440764", "n01443537", "n02007558"},
        Names{"cat", "dog", "dog2", "wolf"}, Names{"A", "B", "a"}, Names{"1a", "1b", "2a"}})
    CHECK(match(set).back() == static_cast<int64_t>(set.size()) - 1);
}

TEST_CASE("class names: other encodings are named") {
  const auto error = [](const std::string& text) { return error_of([&] { names_in(text); }); };
  for (const std::string& text : {std::string("\xff\xfe"
                                              "a\0\n\0",
                                              6),
                                  std::string("\xfe\xff\0a\0\n", 6), std::string("a\0\n\0b\0", 6),
                                  std::string("\0a\0\n\0b", 6)})
    CHECK(contains(error(text), "UTF-16"));
  const std::string latin = error("cat\nna\xefve\n");
  CHECK(contains(latin, "line 2 is not UTF-8: 'na\\xefve'"));
  CHECK(contains(error("cat\n\xc3\x28\n"), "line 2 is not UTF-8"));      // a broken sequence
  CHECK(contains(error("\xed\xa0\x80\n"), "line 1 is not UTF-8"));       // half a surrogate pair
  CHECK(contains(error("0\tcat\n1\td\xf6g\n"), "line 2 is not UTF-8"));  // a table
  CHECK(contains(error("cat\rdog\rwolf"), "line 1 holds a carriage return"));  // an old Mac's file
}

TEST_CASE("class names: two that differ only in their Unicode normalisation are named") {
  check_error([] { names_in(kComposed + "\ndog\n" + kApart + "\n"); },
              "'cafe\xcc\x81' (cafe\\xcc\\x81) differ only in their Unicode normalisation");
  // Angstrom sign and letter; Hangul as one syllable and as letters; Cyrillic short i.
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{
           {"\xe2\x84\xab", "\xc3\x85"},
           {"\xea\xb0\x80", "\xe1\x84\x80\xe1\x85\xa1"},
           {"\xd0\xb9", "\xd0\xb8\xcc\x86"}})
    check_error([&] { require_sound_names({"x", a, b}, "set"); }, "set: two classes are one name");
  require_sound_names({"crane", "Crane", "crane", kComposed, "cafe"}, "set");
}

TEST_CASE("classes: an unnamed model's are counted, and folders that are numbers say which") {
  const auto match = [](const Names& set, int64_t classes) {
    return match_classes({}, {}, classes, set, "set");
  };
  CHECK(match({"0", "1", "10", "11", "2"}, 12) == Indices{0, 1, 10, 11, 2});
  CHECK(match({"00", "03", "11"}, 12) == Indices{0, 3, 11});  // padded, with gaps
  CHECK(match({"7"}, 1000) == Indices{7});
  CHECK(match({"0001", "000999", "5"}, 1000) == Indices{1, 999, 5});
  CHECK(match({"ant", "bee"}, 2) == Indices{0, 1});
  CHECK(match({"-1", "1.5"}, 2) == Indices{0, 1});  // no indices: names in the order of their text
  check_error([&] { match({"1", "12", "2"}, 12); }, "the class '12' is a number");
  check_error([&] { match({"99999999999999999999"}, 12); }, "counted from 0 to 11");
  check_error([&] { match({"01", "1"}, 12); }, "'01' and '1' are the same number");
  check_error([&] { match({"0", "1", "other"}, 3); }, "some classes are numbers and some are not");
  // A model with names is asked for names, whatever they look like.
  CHECK(match_classes({"2", "0", "1"}, {}, 3, {"0", "1", "2"}, "set") == Indices{1, 2, 0});
  check_error(
      [] {
        match_classes({"cat", "dog"}, {}, 2, {"0", "1"}, "set");
      },
      "classes the model does not know: 0, 1");
}

TEST_CASE("classes: a name that the model has twice is no answer") {
  check_error(
      [] {
        match_classes({"crane", "cat", "crane"}, {}, 3, {"crane"}, "set");
      },
      "'crane' is the name of the model's classes 0 and 2");
}

TEST_CASE("classes: names that are nearly the same are pointed out") {
  const auto error = [](const std::string& model, const std::string& set) {
    return error_of([&] { match_classes({model, "dog"}, {}, 2, {set, "dog"}, "val"); });
  };
  CHECK(contains(error(kComposed, kApart), "differ only in their Unicode normalisation"));
  for (const auto& [model, set] : std::vector<std::pair<std::string, std::string>>{
           {"Cat", "cat"},
           {"cat", "cat "},
           {"tiger cat", "tiger_cat"},
           {"7", "007"},
           {"cat", "cat\xe2\x80\x8b"},                    // a space of no width
           {"\xc3\x89t\xc3\xa9", "e\xcc\x81t\xc3\xa9"}})  // case and normalisation
    CHECK(contains(error(model, set), "differ only in case, spaces or leading zeros"));
  CHECK_FALSE(contains(error("cat", "wolf"), "differ"));
}

TEST_CASE("classes are matched by name") {
  CHECK(match_classes({"cat", "dog"}, {}, 2, {"cat", "dog"}, "set") == std::vector<int64_t>{0, 1});
  CHECK(match_classes({"dog", "cat"}, {}, 2, {"cat", "dog"}, "set") == std::vector<int64_t>{1, 0});
  CHECK(match_classes({}, {}, 2, {"cat", "dog"}, "set") == std::vector<int64_t>{0, 1});
}

TEST_CASE("folders may be named by the classes' ids, and be fewer than the classes") {
  const std::vector<std::string> names = {"crane", "cat", "crane"}, ids = {"n3", "n1", "n2"};
  CHECK(match_classes(names, ids, 3, {"n1", "n2", "n3"}, "set") == std::vector<int64_t>{1, 2, 0});
  CHECK(match_classes(names, ids, 3, {"n2"}, "set") == std::vector<int64_t>{2});
  CHECK(match_classes(names, ids, 3, {"cat"}, "set") == std::vector<int64_t>{1});
  CHECK_THROWS_AS(match_classes(names, ids, 3, {"cat", "n2"}, "set"), Error);
}

TEST_CASE("unknown classes are an error that lists them") {
  CHECK_THROWS_WITH_AS(match_classes({"cat", "dog"}, {}, 2, {"cat", "wolf"}, "val"),
                       "val: classes the model does not know: wolf. The model's: cat, dog", Error);
  CHECK_THROWS_WITH_AS(
      match_classes({}, {}, 3, {"cat", "dog"}, "val"),
      "val: 2 class folders, but the model has 3 classes (unnamed): expected one folder per class",
      Error);
}

}  // namespace
