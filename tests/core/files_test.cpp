// Files: atomic writes that fail and succeed, maps, hashes; near names.
#include "core/io/files.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "core/io/safetensors.h"
#include "core/io/temporaries.h"
#include "core/names.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

std::size_t entries_in(const std::string& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a write that fails leaves the old file and no other") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "a.txt";
  write_file(path, "old");
  for (const char* room : {"0", "1", "5", "9"}) {
    setenv("SHIFTADD_FAIL_WRITE_AFTER", room, 1);
    try {
      write_file(path, "new content");
      FAIL("expected an Error");
    } catch (const Error& error) {
      CHECK(error.exit_code() == 1);
      CHECK(std::string(error.what()).find("No space left") != std::string::npos);
      CHECK(std::string(error.what()).find(path) != std::string::npos);
    }
    unsetenv("SHIFTADD_FAIL_WRITE_AFTER");
    CHECK(read_text(path) == "old");
    CHECK(entries_in(folder.path()) == 1);
    write_file(folder / "b.txt", "");  // counts the injected bytes anew
    std::filesystem::remove(folder / "b.txt");
  }
  write_file(path, "new content");
  CHECK(read_text(path) == "new content");
}

TEST_CASE("a safetensors file survives a failed overwrite at every byte") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "w.safetensors";
  write_safetensors(path, {{{"a", Tensor::full({3}, 1)}}, {}});
  const std::string digest = sha256_of_file(path);
  constexpr int kFileSize = 128 + 9 * 4;  // header and data of the new file
  for (int room = 0; room < kFileSize; room += 7) {
    setenv("SHIFTADD_FAIL_WRITE_AFTER", std::to_string(room).c_str(), 1);
    CHECK_THROWS_AS(write_safetensors(path, {{{"a", Tensor::full({9}, 2)}}, {}}), Error);
    unsetenv("SHIFTADD_FAIL_WRITE_AFTER");
    write_file(folder / "b", "");
    std::filesystem::remove(folder / "b");
  }
  CHECK(sha256_of_file(path) == digest);
  CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("an abandoned file vanishes, a folder is no target") {
  const test::TemporaryFolder folder;
  {
    AtomicFile file(folder / "c.txt");
    file.write("half");
    CHECK(entries_in(folder.path()) == 1);
  }
  CHECK(entries_in(folder.path()) == 0);
  CHECK_THROWS_AS(write_file(folder.path(), "x"), Error);
  CHECK_THROWS_AS(write_file(folder / "missing/x", "x"), Error);
  CHECK_THROWS_AS(map_file(folder / "missing"), Error);
  CHECK_THROWS_AS(map_file(folder.path()), Error);
  CHECK_THROWS_AS(read_file(folder.path()), Error);
}

TEST_CASE("links are followed, devices and pipes written to") {
  namespace fs = std::filesystem;
  const test::TemporaryFolder folder;
  write_file(folder / "real", "old");
  fs::create_symlink("real", folder / "link");
  fs::create_symlink("not_yet", folder / "dangling");
  write_file(folder / "link", "new");
  write_file(folder / "dangling", "made");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(read_text(folder / "real") == "new");
  CHECK(fs::is_symlink(folder / "dangling"));
  CHECK(read_text(folder / "not_yet") == "made");
  const std::string pipe = folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  std::string received;
  std::thread reader([&] { std::getline(std::ifstream(pipe), received); });
  write_file(pipe, "through");
  reader.join();
  CHECK(received == "through");
  CHECK(fs::is_fifo(pipe));
  write_file("/dev/null", "gone");
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("what a process that must end has begun is removed, and nothing else") {
  const test::TemporaryFolder folder;
  write_file(folder / "whole", "old");
  {
    AtomicFile first(folder / "whole"), second(folder / "new");
    first.write("half");
    CHECK(entries_in(folder.path()) == 3);
    remove_temporaries();
    CHECK(entries_in(folder.path()) == 1);
  }
  std::vector<std::unique_ptr<AtomicFile>> many;  // more than are noted at a time
  for (int i = 0; i < 20; ++i)
    many.push_back(std::make_unique<AtomicFile>(folder / std::to_string(i)));
  for (const auto& file : many) file->commit();
  remove_temporaries();
  CHECK(entries_in(folder.path()) == 21);
  CHECK(read_text(folder / "whole") == "old");
}

TEST_CASE("empty and odd sizes are read and mapped") {
  const test::TemporaryFolder folder;
  for (std::size_t size : {0, 1, 17, 4096, 10007}) {
    const std::string text(size, 'x');
    write_file(folder / "f", text);
    CHECK(read_text(folder / "f") == text);
    const MappedFile map = map_file(folder / "f");
    CHECK(std::string(reinterpret_cast<const char*>(map.data), map.size) == text);
  }
}

TEST_CASE("SHA-256 gives the published digests") {
  const auto hash = [](const std::string& text) {
    Sha256 sha;
    for (char c : text) sha.update(&c, 1);
    return sha.hex();
  };
  CHECK(hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hash(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("the nearest name is found, a far one is not") {
  const std::vector<std::string> names = {"epochs", "learning_rate", "batch_size"};
  CHECK(nearest_name("lerning_rate", names) == "learning_rate");
  CHECK(nearest_name("epoch", names) == "epochs");
  CHECK(nearest_name("batchsize", names) == "batch_size");
  CHECK(nearest_name("weight_decay", names) == "");
  CHECK(nearest_name("", names) == "");
  CHECK(nearest_name("ab", {"xy"}) == "");
  CHECK(nearest_name(std::string(100000, 'e'), names) == "");
  CHECK(did_you_mean("epoch", names) == "; did you mean 'epochs'?");
  CHECK(did_you_mean("zzz", names) == "");
}
