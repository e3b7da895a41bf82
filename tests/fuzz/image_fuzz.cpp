// libFuzzer target: image headers and decoders on arbitrary bytes.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "data/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size) {
  const std::string name = "input";
  shiftadd::data::ImageSize claimed{0, 0};
  try {
    claimed = shiftadd::data::image_size({bytes, size}, name);
  } catch (const shiftadd::Error&) {
  }
  // Larger pictures are decoded elsewhere: here many small ones are worth more than a few slow
  // ones.
  constexpr int64_t kMaxPixels = 1 << 20;
  if (claimed.width * claimed.height > kMaxPixels) return 0;
  try {
    const shiftadd::data::Image image = shiftadd::data::decode_image({bytes, size}, name, true);
    if (claimed.width * claimed.height != image.width * image.height) std::abort();
  } catch (const shiftadd::Error&) {
  }
  return 0;
}
