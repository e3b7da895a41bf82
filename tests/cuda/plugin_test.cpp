// The plug-in's loader: what it says of files that are none, and that the right ones work.
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "core/error.h"
#include "cuda/device.h"
#include "cuda/kernel_list.h"
#include "cuda/plugin_loader.h"
#include "infer/device_choice.h"
#include "tests/support/support.h"

using namespace shiftadd;
using test::contains;

namespace {

constexpr const char* kVariable = "SHIFTADD_CUDA_PLUGIN";

// Names the plug-in for a scope.
class NamedPlugin {
 public:
  explicit NamedPlugin(const std::string& file) {
    if (const char* before = std::getenv(kVariable)) before_ = before;
    setenv(kVariable, file.c_str(), 1);
  }
  ~NamedPlugin() {
    if (before_)
      setenv(kVariable, before_->c_str(), 1);
    else
      unsetenv(kVariable);
  }

 private:
  std::optional<std::string> before_;
};

std::string plugin(const std::string& name) {
  return test::build_folder() + "/plugins/" + name + ".so";
}

template <class Body>
std::string failure_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(error.exit_code() == 1);
    CHECK_FALSE(contains(error.what(), "\n"));
    return error.what();
  }
  return "no error";
}

std::string refusal(const std::string& file) {
  const NamedPlugin named(file);
  return failure_of([] { cuda::load_plugin(); });
}

}  // namespace

TEST_CASE("plug-in: what is none is refused, by name and with the reason") {
  const test::TemporaryFolder folder;
  CHECK(refusal(folder / "none.so") ==
        "CUDA: SHIFTADD_CUDA_PLUGIN names " + folder / "none.so" +
            ", which does not exist: expected the plug-in libshiftadd_cuda.so");
  test::write_text(folder / "text.so", "not a library\n");
  const std::string text = refusal(folder / "text.so");
  CHECK_MESSAGE(contains(text, "CUDA: the plug-in cannot be loaded: " + folder / "text.so"), text);
  const std::string half = folder / "half.so";
  std::filesystem::copy_file(plugin("host"), half);
  const uintmax_t bytes = std::filesystem::file_size(half) / 2;
  std::filesystem::resize_file(half, bytes);
  CHECK(refusal(half) == "CUDA: the plug-in " + half + " is cut off at " + std::to_string(bytes) +
                             " bytes: install it again, or compute on the CPU");
  std::filesystem::resize_file(half, 70);  // within the table of its parts
  CHECK(contains(refusal(half), " is cut off at 70 bytes"));
  CHECK(refusal(plugin("nameless")) ==
        "CUDA: " + plugin("nameless") +
            " is not ShiftAdd's plug-in: it lacks the function shiftadd_cuda_plugin; expected "
            "libshiftadd_cuda.so");
  CHECK(refusal(plugin("newer")) ==
        "CUDA: the plug-in " + plugin("newer") +
            " has version 1000 of the interface, and this program needs version " +
            std::to_string(SHIFTADD_DEVICE_API_VERSION) +
            ": install both from one build, or compute on the CPU");
  CHECK(refusal(plugin("kernelless")) ==
        "CUDA: the plug-in " + plugin("kernelless") +
            " has other kernels than this version of ShiftAdd: install both from one build, or "
            "compute on the CPU");
}

TEST_CASE("plug-in: one that is loaded gives devices, to auto too") {
  const NamedPlugin named(plugin("host"));
  const shiftadd_device_api& api = cuda::load_plugin();
  CHECK(&api == &cuda::load_plugin());
  CHECK(api.kernels == cuda::kKernels);
  CHECK(api.kernel_name(api.kernels) == nullptr);
  for (const char* name : {"cuda", "cuda:0", "auto"}) {
    const auto device = infer::open_device(infer::device_choice(name));
    REQUIRE(device.has_value());
    CHECK(contains(device->description().name, "host executor"));
  }
  CHECK_FALSE(infer::open_device(infer::device_choice("cpu")).has_value());
  CHECK(failure_of([] { infer::open_device(infer::device_choice("cuda:1")); }) ==
        "cuda:1: no such device: expected cuda:0, the only one");
}

TEST_CASE("plug-in: without one auto is the CPU, and cuda says where it was looked for") {
  const test::TemporaryFolder folder;
  const NamedPlugin named(folder / "none.so");
  CHECK_FALSE(infer::open_device(infer::device_choice("auto")).has_value());
  CHECK(contains(failure_of([] { infer::open_device(infer::device_choice("cuda")); }),
                 folder / "none.so"));
}

TEST_CASE("plug-in: names of devices") {
  using Kind = infer::DeviceChoice::Kind;
  CHECK(infer::device_choice("cpu").kind == Kind::kCpu);
  CHECK(infer::device_choice("auto").kind == Kind::kAuto);
  CHECK(infer::device_choice("cuda").kind == Kind::kCuda);
  CHECK(infer::device_choice("cuda").number == 0);
  CHECK(infer::device_choice("cuda:12").number == 12);
  for (const char* name :
       {"", "tpu", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda:1x", "cuda 1", "cuda:99999999999"}) {
    CAPTURE(name);
    try {
      infer::device_choice(name);
      FAIL_CHECK("no error");
    } catch (const Error& error) {
      CHECK(error.exit_code() == 2);
      CHECK(error.what() == std::string("device '") + name +
                                "': expected cpu, cuda, cuda:1 (another than the first) or auto");
    }
  }
}

// Where nvcc built it: without a GPU it must say so in one line.
TEST_CASE("plug-in: the one of CUDA opens a device or says why it has none") {
  const std::string file = test::build_folder() + "/lib/libshiftadd_cuda.so";
  if (!std::filesystem::exists(file)) return;
  const NamedPlugin named(file);
  const shiftadd_device_api& api = cuda::load_plugin();
  int32_t devices = -1;
  const shiftadd_device_status status = api.count_devices(&devices);
  if (status == SHIFTADD_DEVICE_OK) {
    CHECK(devices >= 1);
    CHECK(cuda::Device(api, 0).description().architecture >= 70);
    return;
  }
  CHECK(devices == -1);
  CHECK((status == SHIFTADD_DEVICE_NO_DRIVER || status == SHIFTADD_DEVICE_NO_DEVICE));
  const std::string text = failure_of([&] { cuda::Device(api, 0); });
  CHECK_MESSAGE(text.starts_with("cuda:0: not usable: "), text);
  CHECK_MESSAGE(contains(text, "NVIDIA driver"), text);
}
