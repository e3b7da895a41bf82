// libFuzzer target of the safetensors reader: any bytes are read or refused with an Error; every
// byte of what is read can be touched.
#include <cstdint>

#include "core/error.h"
#include "core/io/safetensors.h"

using namespace shiftadd;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size) {
  try {
    const TensorFile file = parse_safetensors(bytes, size, "fuzz.safetensors");
    volatile uint8_t sum = 0;
    for (const auto& [name, tensor] : file.tensors) {
      const uint8_t* data = static_cast<const uint8_t*>(tensor.raw());
      for (std::size_t i = 0; i < tensor.bytes(); ++i) sum = static_cast<uint8_t>(sum + data[i]);
    }
  } catch (const Error&) {
  }
  return 0;
}
