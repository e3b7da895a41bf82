// A mapped file that shrinks ends its program with the file's name.
#include "core/io/map_guard.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/io/torch_file.h"
#include "tests/core/torch_bytes.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

struct Ending {
  int status;  // as a shell has it
  std::string err;
};

// What becomes of a process of its own, called "prog", that runs `body`.
template <class Body>
Ending ending_of(const Body& body) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    guard_maps("prog");
    body();
    _exit(0);
  }
  close(ends[1]);
  Ending ending{0, ""};
  for (char letter; read(ends[0], &letter, 1) == 1;) ending.err += letter;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  ending.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ending;
}

int sum_of(const void* bytes, std::size_t size) {
  int sum = 0;
  for (std::size_t i = 0; i < size; ++i) sum += static_cast<const volatile uint8_t*>(bytes)[i];
  return sum;
}

constexpr int kFloats = 100'000;

}  // namespace

TEST_CASE("a file that shrinks while it is mapped is named, status 1") {
  const test::TemporaryFolder folder;
  const auto expect = [](const Ending& ending, const std::string& path) {
    INFO(ending.err);
    CHECK(ending.status == 1);
    CHECK(ending.err.starts_with("prog: error: " + path + ": was cut short"));
    CHECK(ending.err.ends_with("start again\n"));
  };
  const std::string plain = folder / "plain", weights = folder / "w.safetensors",
                    torch = folder / "w.pth";
  write_file(plain, std::string(100'000, 'x'));
  const MappedFile other = map_file(plain);
  expect(ending_of([&] {
           const MappedFile map = map_file(plain);
           std::filesystem::resize_file(plain, 10'000);
           sum_of(map.data, map.size);
         }),
         plain);
  write_safetensors(weights, {{{"a", Tensor::full({kFloats}, 1)}}, {}});
  expect(ending_of([&] {
           const TensorFile file = read_safetensors(weights);
           std::filesystem::resize_file(weights, 0);
           sum_of(file.at("a").raw(), file.at("a").bytes());
         }),
         weights);
  const std::string pickle =
      test::PickleBytes().dict().text("w").tensor("0", kFloats, {kFloats}, {1}).set().stop();
  const std::string floats(4 * kFloats, '\1');
  std::string bytes;
  for (std::size_t pad = 0; pad < 4 && (pad == 0 || bytes.find(floats) % 4 != 0); ++pad)
    bytes = test::zip_bytes(
        {{"a/pad", std::string(pad, 'x')}, {"a/data.pkl", pickle}, {"a/data/0", floats}});
  test::write_text(torch, bytes);  // whose floats are aligned, and so not copied
  expect(ending_of([&] {
           const TorchFile file = read_torch(torch);
           std::filesystem::resize_file(torch, 50);
           sum_of(file.tensors.at(0).second.raw(), file.tensors.at(0).second.bytes());
         }),
         torch);
}

TEST_CASE("other bus errors, and maps that are gone, end as without the guard") {
  const test::TemporaryFolder folder;
  write_file(folder / "f", std::string(100'000, 'x'));
  const Ending raised = ending_of([] {
    raise(SIGBUS);
    raise(SIGBUS);
  });
  CHECK(raised.status == 128 + SIGBUS);
  CHECK(raised.err.empty());
  const Ending many = ending_of([&] {  // more maps than there are names for
    std::vector<MappedFile> maps;
    for (int i = 0; i < 300; ++i) maps.push_back(map_file(folder / "f"));
    maps.resize(150);
    for (int i = 0; i < 300; ++i) maps.push_back(map_file(folder / "f"));
    for (const MappedFile& map : maps) sum_of(map.data, map.size);
  });
  CHECK(many.status == 0);
}
