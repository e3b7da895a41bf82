// libFuzzer target of the PyTorch reader: any bytes are read or refused with an Error; every byte
// of what is read can be touched, and copies stay within what the file justifies.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "core/io/pickle.h"
#include "core/io/torch_file.h"
#include "core/memory.h"

using namespace shiftadd;

namespace {

void read_checkpoint(const uint8_t* bytes, std::size_t size) {
  reset_peak_memory();
  const std::size_t before = memory_stats().in_use;
  try {
    // Without the sums, which no mutation would leave right.
    const TorchFile file = parse_torch(bytes, size, "fuzz.pth", "", nullptr, false);
    volatile uint8_t sum = 0;
    for (const auto& [name, tensor] : file.tensors) {
      const uint8_t* data = static_cast<const uint8_t*>(tensor.raw());
      for (std::size_t i = 0; i < tensor.bytes(); ++i) sum = static_cast<uint8_t>(sum + data[i]);
    }
  } catch (const Error&) {
  }
  constexpr std::size_t kRounding =
      1 << 20;  // the arena hands out whole cache lines, also for empty tensors
  if (memory_stats().peak > before + 4 * size + kRounding) std::abort();
}

}  // namespace

/// Both as a checkpoint and, for more of the machine, as a bare pickle.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size) {
  read_checkpoint(bytes, size);
  try {
    Pickle::parse(bytes, size, "fuzz.pkl");
  } catch (const Error&) {
  }
  return 0;
}
