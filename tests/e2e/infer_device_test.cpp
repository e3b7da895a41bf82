// shiftadd-infer --device as a process: what it says without a GPU, and that a device, here the
// host executor as a plug-in, gives the CPU's answers.
#include <algorithm>
#include <filesystem>
#include <map>

#include "core/io/files.h"
#include "tests/e2e/infer_support.h"

using namespace shiftadd;
using test::contains;
using test::InferFolder;
using test::ProcessResult;

namespace {

// shiftadd-infer with that plug-in; "" is the one that is built, or none.
ProcessResult infer(const InferFolder& folder, const std::string& plugin,
                    const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {test::program("shiftadd-infer"), folder.model_path()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return test::run(command, "", {{"SHIFTADD_CUDA_PLUGIN", plugin}});
}

std::string host_plugin() { return test::build_folder() + "/plugins/host.so"; }

}  // namespace

TEST_CASE("--device cuda without a device fails in one line, and auto is the CPU") {
  const InferFolder folder;
  const std::string image = folder.image("a.bmp", 64, 64, 1), none = folder / "none.so";
  for (const char* device : {"cuda", "cuda:1"}) {
    const ProcessResult cuda = infer(folder, none, {image, "--device", device});
    CHECK(cuda.status == 1);
    CHECK(cuda.out.empty());
    CHECK(cuda.err == "shiftadd-infer: error: CUDA: SHIFTADD_CUDA_PLUGIN names " + none +
                          ", which does not exist: expected the plug-in libshiftadd_cuda.so\n");
  }
  const ProcessResult cpu = infer(folder, none, {image, "--device", "cpu"});
  CHECK(cpu.status == 0);
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{image}, {image, "--device", "auto"}}) {
    const ProcessResult automatic = infer(folder, none, arguments);
    CHECK(automatic.status == 0);
    CHECK(automatic.out == cpu.out);
    CHECK(automatic.err.empty());
  }
}

TEST_CASE("--device: other names are the user's mistake") {
  const InferFolder folder;
  const ProcessResult result =
      infer(folder, "", {folder.image("a.bmp", 64, 64, 1), "--device", "gpu"});
  CHECK(result.status == 2);
  CHECK(result.err ==
        "shiftadd-infer: error: device 'gpu': expected cpu, cuda, cuda:1 (another than the first) "
        "or auto\n");
}

TEST_CASE("--device: a program that was moved without its plug-in names the folders it looked in") {
  const InferFolder folder;
  namespace fs = std::filesystem;
  const std::string image = folder.image("a.bmp", 64, 64, 1), bin = folder / "there/bin";
  fs::create_directories(bin);
  fs::copy_file(test::program("shiftadd-infer"), bin + "/shiftadd-infer");
  const std::vector<std::string> command = {bin + "/shiftadd-infer", folder.model_path(), image,
                                            "--device", "cuda"};
  const ProcessResult missing = test::run(command, "", {{"SHIFTADD_CUDA_PLUGIN", ""}});
  CHECK(missing.status == 1);
  const std::string there = fs::canonical(folder / "there").string();
  CHECK_MESSAGE(contains(missing.err,
                         "CUDA: the plug-in libshiftadd_cuda.so is not installed: "
                         "expected it in " +
                             there + "/bin or " + there + "/lib, or"),
                missing.err);
  CHECK(std::count(missing.err.begin(), missing.err.end(), '\n') == 1);
  fs::create_directories(folder / "there/lib");
  fs::copy_file(host_plugin(), folder / "there/lib/libshiftadd_cuda.so");
  const ProcessResult found = test::run(command, "", {{"SHIFTADD_CUDA_PLUGIN", ""}});
  CHECK_MESSAGE(found.status == 0, found.err);
}

TEST_CASE("--device: a device gives the CPU's answers") {
  const InferFolder folder;
  for (int i = 0; i < 5; ++i) folder.image("in/" + std::to_string(i) + ".bmp", 50 + 5 * i, 80, i);
  std::map<std::string, std::string> digests;
  for (const char* device : {"cpu", "cuda", "cuda:0", "auto"}) {
    const ProcessResult result = infer(folder, host_plugin(),
                                       {folder / "in", "--device", device, "--batch", "2", "--dump",
                                        folder / "dump.safetensors", "--json"});
    CHECK_MESSAGE(result.status == 0, result.err);
    digests[device] = result.out + sha256_of_file(folder / "dump.safetensors");
    CHECK(digests[device] == digests["cpu"]);
  }
  const ProcessResult second = infer(folder, host_plugin(), {folder / "in", "--device", "cuda:1"});
  CHECK(second.status == 1);
  CHECK(second.err ==
        "shiftadd-infer: error: cuda:1: no such device: expected cuda:0, the only one\n");
}
