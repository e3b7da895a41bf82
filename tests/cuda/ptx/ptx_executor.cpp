// SHIFTADD_EXECUTOR=ptx: every launch of the host executor runs the PTX that the build made, one
// file per .cu file in SHIFTADD_PTX_DIR.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "core/error.h"
#include "cuda/simt/executor.h"
#include "tests/cuda/ptx/ptx_machine.h"

namespace shiftadd::ptx {
namespace {

Machine load_machine() {
  Machine machine;
  for (const auto& each : std::filesystem::directory_iterator(SHIFTADD_PTX_DIR)) {
    if (each.path().extension() != ".ptx") continue;
    std::ostringstream text;
    text << std::ifstream(each.path()).rdbuf();
    machine.add(text.str(), each.path().filename().string());
  }
  return machine;
}

void run_ptx(const simt::Kernel& kernel, const simt::Shape& shape, const void* args) {
  static Machine machine = load_machine();
  machine.run(kernel.name, shape, args);
}

[[maybe_unused]] const bool is_chosen = [] {
  const char* name = std::getenv("SHIFTADD_EXECUTOR");
  if (name && std::string(name) == "ptx") simt::interpreter = run_ptx;
  return simt::interpreter != nullptr;
}();

}  // namespace
}  // namespace shiftadd::ptx
