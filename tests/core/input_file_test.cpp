// What is read: regular files and the pipes of shells; never what blocks, has no end or shrinks.
#include "core/io/input_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "core/class_names.h"
#include "core/error.h"
#include "core/io/safetensors.h"
#include "tests/data/dataset_support.h"

using namespace shiftadd;
using test::contains;
using test::error_of;
namespace fs = std::filesystem;

namespace {

void make_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::strcpy(address.sun_path, path.c_str());
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  REQUIRE(bind(socket.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
}

TEST_CASE("folders, named pipes, sockets and devices are refused by name by every reader") {
  const test::TemporaryFolder folder;
  const std::string pipe = folder / "pipe", socket = folder / "socket", link = folder / "link";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  make_socket(socket);
  fs::create_symlink(pipe, link);
  const std::pair<std::string, std::string> cases[] = {
      {pipe, " is a named pipe: expected a file"},
      {link, " is a named pipe: expected a file"},
      {socket, " is a socket: expected a file"},
      {folder.path(), " is a folder: expected a file"},
      {"/dev/zero", " is a character device: expected a file"},
      {"/dev/urandom", " is a character device: expected a file"},
      {"/dev/null", " is a character device: expected a file"}};
  for (const auto& [path, reason] : cases) {
    CHECK(error_of([&] { read_file(path); }) == path + reason);
    CHECK(error_of([&] { read_text(path); }) == path + reason);
    CHECK(error_of([&] { map_file(path); }) == path + reason);
    CHECK(error_of([&] { InputFile file(path); }) == path + reason);
    CHECK(error_of([&] { sha256_of_file(path); }) == path + reason);
    CHECK(error_of([&] { read_safetensors(path); }) == path + reason);
    CHECK(error_of([&] { read_class_names(path); }) == path + reason);
  }
  CHECK(error_of([&] { read_file(folder / "none"); }) ==
        (folder / "none") + ": cannot be opened: No such file or directory");
}

TEST_CASE("the pipe of a shell is read to its end, and no further than the limit") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const Descriptor from(ends[0]);
  const std::string path = concat("/dev/fd/", ends[0]);
  const std::string text(200'000, 'x');  // more than a pipe holds at once
  const auto send = [&text](int end, int times) {
    const Descriptor to(end);
    for (int i = 0; i < times; ++i)
      if (write(to.number(), text.data(), text.size()) < 0) return;
  };
  std::thread writer(send, ends[1], 1);
  const std::vector<uint8_t> bytes = read_whole(path);
  writer.join();
  CHECK(std::string(bytes.begin(), bytes.end()) == text);

  int more[2];
  REQUIRE(pipe(more) == 0);
  signal(SIGPIPE, SIG_IGN);
  Descriptor second(more[0]);
  std::thread endless(send, more[1], 20);
  CHECK(contains(error_of([&] { read_whole(concat("/dev/fd/", more[0]), 1 << 20); }),
                 "is larger than 1 MiB"));
  second = Descriptor();  // nobody reads any more: the writer ends
  endless.join();
}

TEST_CASE("files that claim another size than they hold") {
  CHECK(!read_whole("/proc/self/status").empty());  // claims 0 bytes
  const test::TemporaryFolder folder;
  test::write_text(folder / "sparse.jpg", "");
  fs::resize_file(folder / "sparse.jpg", uint64_t{1} << 40);
  CHECK(contains(error_of([&] { read_file(folder / "sparse.jpg"); }),
                 "sparse.jpg is larger than 512 MiB"));
  test::write_text(folder / "exact", std::string(1 << 20, 'x'));
  CHECK(read_whole(folder / "exact", 1 << 20).size() == 1 << 20);
  test::write_text(folder / "exact", std::string((1 << 20) + 1, 'x'));
  CHECK_THROWS_AS(read_whole(folder / "exact", 1 << 20), Error);
}

TEST_CASE("a file that shrinks, grows or is replaced while it is open") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "set.tar";
  const auto part_of = [](const InputFile& file, int64_t offset, std::size_t count) {
    std::vector<uint8_t> bytes(count);
    file.read(offset, bytes);
    return std::string(bytes.begin(), bytes.end());
  };
  test::write_text(path, "0123456789");
  const InputFile file(path);
  CHECK(file.size() == 10);
  CHECK(part_of(file, 3, 4) == "3456");
  CHECK(part_of(file, 10, 0) == "");
  const auto refusal = [&] { return error_of([&] { part_of(file, 0, 2); }, 1); };
  for (const int size : {5, 0, 11, 9}) {
    fs::resize_file(path, size);
    CHECK(refusal() == concat(path, ": had 10 bytes when it was opened and has ", size,
                              " now: it must not change while it is read"));
  }
  fs::resize_file(path, 10);
  CHECK(part_of(file, 8, 2) == std::string(2, '\0'));
  fs::remove(path);  // an open file stays what it was
  test::write_text(path, "another");
  CHECK(part_of(file, 8, 2) == std::string(2, '\0'));
}

}  // namespace
