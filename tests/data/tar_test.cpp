// Tar headers of every kind read in place, and archives that are not what they seem.
#include "data/tar.h"

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "tests/data/dataset_support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using namespace shiftadd::test;
namespace fs = std::filesystem;

namespace {

std::vector<TarMember> index(const std::string& bytes) {
  return index_tar({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "x.tar");
}
std::string contents(const std::string& archive, const TarMember& member) {
  return archive.substr(member.offset, member.size);
}

TEST_CASE("tar: plain members, folders, './' and prefixes") {
  const std::string archive =
      tar_member("./", "", '5') + tar_member("./a/", "", '5') + tar_member("./a//1.png", "one") +
      tar_member("2.png", std::string(513, 'x'), '0', "", "long/prefix") +
      tar_member("old/", "", '\0') + tar_member("null", "", '3') + tar_member("e", "") + tar_end();
  const auto members = index(archive);
  REQUIRE(members.size() == 6);
  CHECK(members[0].name == "a");
  CHECK(members[0].kind == TarMember::Kind::kFolder);
  CHECK(members[1].name == "a/1.png");
  CHECK(contents(archive, members[1]) == "one");
  CHECK(members[2].name == "long/prefix/2.png");
  CHECK(contents(archive, members[2]) == std::string(513, 'x'));
  CHECK(members[3].kind == TarMember::Kind::kFolder);
  CHECK(members[4].kind == TarMember::Kind::kSpecial);
  CHECK(members[5].name == "e");
  CHECK(members[5].size == 0);
}

TEST_CASE("tar: GNU long names, pax names and sizes, hard and symbolic links") {
  const std::string longer = std::string(150, 'n') + "/" + std::string(130, 'm') + ".png";
  std::string sized = tar_member("s", "1234567");  // its header says 0 bytes, pax says 7
  sized = tar_member("s", "") + sized.substr(512);
  const std::string archive =
      tar_member("././@LongLink", longer + '\0', 'L') + tar_member(longer, "gnu") +
      tar_member("p", pax_record("mtime", "1.5") + pax_record("path", "b/" + longer), 'x') +
      tar_member("short", "pax") + tar_member("p", pax_record("size", "7"), 'x') + sized +
      tar_member("h", "", '1', "s") + tar_member("l", "", '2', "s") + tar_end();
  const auto members = index(archive);
  REQUIRE(members.size() == 5);
  CHECK(members[0].name == longer);
  CHECK(contents(archive, members[0]) == "gnu");
  CHECK(members[1].name == "b/" + longer);
  CHECK(contents(archive, members[1]) == "pax");
  CHECK(contents(archive, members[2]) == "1234567");
  CHECK(members[3].name == "h");
  CHECK(contents(archive, members[3]) == "1234567");
  CHECK(members[4].kind == TarMember::Kind::kLink);
  CHECK(members[4].link == "s");
}

TEST_CASE("tar: names that lead out are taken as tar unpacks them") {
  const auto members =
      index(tar_member("../../photos/a/1.png", "x") + tar_member("/mnt/b/2.png", "x") +
            tar_member("c/../d/3.png", "x") + tar_member("e..f/..g/4.png", "x") + tar_end());
  REQUIRE(members.size() == 4);
  CHECK(members[0].name == "photos/a/1.png");
  CHECK(members[1].name == "mnt/b/2.png");
  CHECK(members[2].name == "d/3.png");
  CHECK(members[3].name == "e..f/..g/4.png");
}

TEST_CASE("tar: links of every form carry their target; hard links are found or refused") {
  const std::string far = std::string(140, 'f') + "/cat";
  const auto links =
      index(tar_member("a", "", '2', "../b") + tar_member("././@LongLink", far + '\0', 'K') +
            tar_member("c", "", '2') + tar_member("p", pax_record("linkpath", "/x/" + far), 'x') +
            tar_member("d", "", '2', "short") + tar_end());
  REQUIRE(links.size() == 3);
  CHECK(links[0].link == "../b");
  CHECK(links[1].link == far);
  CHECK(links[2].link == "/x/" + far);

  const std::string hard = tar_member("./a/1.png", "one") +
                           tar_member("b/1.png", "", '1', "./a/1.png") +
                           tar_member("c/1.png", "", '1', "b/1.png") +
                           tar_member("a/1.png", "later") + tar_member("d", "", '1', "a/1.png");
  const auto members = index(hard + tar_end());
  REQUIRE(members.size() == 5);
  CHECK(contents(hard, members[1]) == "one");
  CHECK(contents(hard, members[2]) == "one");
  CHECK(contents(hard, members[4]) == "later");
  const auto error = [](const std::string& bytes) {
    return error_of([&] { index(bytes + tar_end()); });
  };
  check_contains(error(tar_member("a/", "", '5') + tar_member("b", "", '1', "a")),
                 "'b' is a hard link to 'a', which is not a file");
  check_contains(error(tar_member("a", "", '2', "x") + tar_member("b", "", '1', "a")),
                 "'b' is a hard link to 'a', which is not a file");
  check_contains(error(tar_member("b", "", '1', "a") + tar_member("a", "x")),
                 "'b' is a hard link to 'a', which does not come before it");
}

TEST_CASE("tar: a second archive behind the first is named, padding and other bytes are not") {
  const std::string one = tar_member("a/1.png", "x") + tar_end();
  const std::string padding(200 * 512, '\0');
  const auto error = [](const std::string& bytes) { return error_of([&] { index(bytes); }); };
  check_contains(error(one + one), "a second archive begins at byte 2048");
  check_contains(error(one + padding + one), "a second archive begins at byte 104448");
  check_contains(error(tar_member("a", "") + std::string(512, '\0') + one),
                 "a second archive begins at byte 1024");
  CHECK(index(one + padding).size() == 1);
  CHECK(index(one + "some bytes of a tape").size() == 1);
  CHECK(index(one + padding + std::string(700, 'q')).size() == 1);
}

TEST_CASE("tar: short headers cannot ask for much memory") {
  const auto error = [](const std::string& bytes) {
    return error_of([&] { index(bytes + tar_end()); });
  };
  const std::string longer(5000, 'n');
  check_contains(error(tar_member("l", longer, 'L')), "a name of 5000 bytes");
  check_contains(error(tar_member("l", longer, 'K')), "a name of 5000 bytes");
  check_contains(error(tar_member("p", pax_record("path", longer), 'g')), "a name of 5000 bytes");
  check_contains(error(tar_member("p", pax_record("linkpath", longer), 'x')),
                 "a name of 5000 bytes");
  check_contains(error(tar_member("p", std::string(2 << 20, ' '), 'x')), "pax header of 2097152");
}

TEST_CASE("tar: sizes in base 256") {
  std::string archive = tar_member("a", "12345");
  archive.replace(124, 12, std::string("\x80\0\0\0\0\0\0\0\0\0\0\x05", 12));
  uint64_t sum = 8 * ' ';
  for (int i = 0; i < 512; ++i)
    sum += i >= 148 && i < 156 ? 0 : static_cast<unsigned char>(archive[i]);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", static_cast<unsigned>(sum));
  archive.replace(148, 6, text);
  CHECK(contents(archive, index(archive + tar_end()).at(0)) == "12345");
}

TEST_CASE("tar: bad archives give clear errors") {
  const std::string good =
      tar_member("a/1.png", std::string(700, 'x')) + tar_member("a/2.png", "y") + tar_end();
  CHECK(index(good).size() == 2);
  const auto error = [](const std::string& bytes) { return error_of([&] { index(bytes); }); };
  check_contains(error(""), "x.tar: empty file");
  check_contains(error("short text"), "not a tar archive");
  check_contains(error(std::string(2000, 'q')), "not a tar archive");
  check_contains(error("\x1f\x8b" + good), "gzip");
  check_contains(error("BZh9" + good), "bzip2");
  check_contains(error(std::string("\xfd"
                                   "7zXZ\0",
                                   6) +
                       good),
                 "xz");
  check_contains(error("\x28\xb5\x2f\xfd" + good), "zstd");
  check_contains(error("\x04\x22\x4d\x18" + good), "lz4");
  check_contains(error("LZIP\1" + good), "lzip");
  check_contains(error(std::string("\x5d\0\0\x80", 4) + good), "lzma");
  check_contains(error("\x1f\x9d\x90" + good), "compress");
  check_contains(error("PK\x03\x04" + good), "zip");
  check_contains(error(good.substr(0, 600)), "truncated");
  check_contains(error(good.substr(0, 600)), "'a/1.png' needs 700 bytes, 88 are left");
  check_contains(error(good.substr(0, 512 + 1024)), "end-of-archive mark is missing");
  check_contains(error(good.substr(0, 512 + 1024 + 100)), "truncated");
  std::string flipped = good;
  flipped[512 + 1024 + 3] ^= 1;
  check_contains(error(flipped), "wrong checksum in the header at byte 1536");
  check_contains(error(tar_member("p", "12 path", 'x') + good), "pax record");
  check_contains(error(tar_member("p", "99999999999999999999 path=a\n", 'x') + good), "pax record");
  check_contains(error(tar_member("p", "3 =", 'x') + good), "pax record");
  check_contains(error(tar_member("p", pax_record("size", "-3"), 'x') + good), "bad pax size");
  check_contains(error(tar_member("p", pax_record("size", "9223372036854775807"), 'x') + good),
                 "needs 9223372036854775807 bytes");
  check_contains(error(tar_member("p", pax_record("GNU.sparse.map", "0"), 'x') + good), "sparse");
  check_contains(error(tar_member("h", "", '1', "nowhere") + good), "hard link to 'nowhere'");
}

TEST_CASE("tar: every prefix and every damaged byte of an archive is survived") {
  const std::string good = tar_member("././@LongLink", std::string(120, 'n') + '\0', 'L') +
                           tar_member("a", "one") +
                           tar_member("p", pax_record("path", "c") + pax_record("size", "3"), 'x') +
                           tar_member("b", "two") + tar_end();
  int refused = 0;
  const auto attempt = [&](const std::string& bytes) {
    try {
      for (const TarMember& member : index(bytes)) {
        REQUIRE(member.offset >= 0);
        REQUIRE(member.offset + member.size <= static_cast<int64_t>(bytes.size()));
      }
    } catch (const Error&) {
      ++refused;
    }
  };
  for (std::size_t length = 0; length < good.size(); length += 7) attempt(good.substr(0, length));
  for (std::size_t at = 0; at < good.size(); ++at)
    for (int bit : {0, 3, 7}) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      attempt(bytes);
    }
  CHECK(refused > 1000);  // every flip in a header
}

// Leaves the index no second place, in the user's cache folder, while it lives.
class OnlyBesideTheTar {
 public:
  OnlyBesideTheTar() { setenv("XDG_CACHE_HOME", "/proc/no-folder", 1); }
  ~OnlyBesideTheTar() {
    if (before_)
      setenv("XDG_CACHE_HOME", before_->c_str(), 1);
    else
      unsetenv("XDG_CACHE_HOME");
  }

 private:
  std::optional<std::string> before_ = [] {
    const char* value = std::getenv("XDG_CACHE_HOME");
    return value ? std::optional<std::string>(value) : std::nullopt;
  }();
};

TEST_CASE("tar: the index is cached, and made anew when the archive changes") {
  const TemporaryFolder folder;
  const OnlyBesideTheTar beside;
  const std::string path = folder / "x.tar";
  const auto read = [&path] { return index_tar_cached(InputFile(path), path); };
  write_text(path, tar_member("a", "one") + tar_end());
  CHECK(read().size() == 1);
  REQUIRE(fs::exists(path + ".index"));
  const auto again = read();
  REQUIRE(again.size() == 1);
  CHECK(again[0].name == "a");
  CHECK(again[0].offset == 512);
  CHECK(again[0].size == 3);

  // A cache that belongs to the file by stamp is believed: an archive whose bytes changed under the
  // same time still shows the old index.
  const auto time = fs::last_write_time(path);
  write_text(path, tar_member("b", "one") + tar_end());
  fs::last_write_time(path, time);
  CHECK(read()[0].name == "a");
  fs::last_write_time(path, time + std::chrono::seconds(1));
  CHECK(read()[0].name == "b");
  write_text(path, tar_member("b", "one") + tar_member("c", "two") + tar_end());
  CHECK(read().size() == 2);

  std::string damaged = read_text(path + ".index");  // any damage to the cache makes it anew
  for (std::size_t at = 0; at < damaged.size(); at += 5) {
    std::string bytes = damaged;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    write_text(path + ".index", bytes);
    REQUIRE(read().size() == 2);
  }
  for (std::size_t length : {0, 10, 60, 100}) {
    write_text(path + ".index", damaged.substr(0, length));
    REQUIRE(read().size() == 2);
  }
  CHECK(read_text(path + ".index") == damaged);
}

TEST_CASE("tar: what lies where the index would is never overwritten unless it is an index") {
  const TemporaryFolder folder;
  const OnlyBesideTheTar beside;
  const std::string path = folder / "x.tar", index = path + ".index";
  write_text(path, tar_member("a", "one") + tar_end());
  const auto read = [&path] { return index_tar_cached(InputFile(path), path).size(); };
  for (const std::string& other : {std::string(), std::string("a list of mine\n"),
                                   std::string("shiftadd\n"), std::string(5000, '\0')}) {
    write_text(index, other);
    CHECK(read() == 1);
    CHECK(read_text(index) == other);
  }
  fs::remove(index);
  write_text(folder / "precious", "shiftadd tar index 1\n");
  fs::create_symlink(folder / "precious", index);
  CHECK(read() == 1);
  CHECK(read_text(folder / "precious") == "shiftadd tar index 1\n");
  CHECK(fs::is_symlink(index));
  fs::remove(index);
  fs::create_symlink("nowhere", index);
  CHECK(read() == 1);
  CHECK_FALSE(fs::exists(folder / "nowhere"));
  fs::remove(index);
  write_text(index, "shiftadd tar index 1\nof an older version");
  CHECK(read() == 1);
  CHECK(read_text(index).starts_with("shiftadd tar index 2\n"));
}

}  // namespace
