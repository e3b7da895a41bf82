// libFuzzer target of the training config: any text is read or refused with an Error; what is read
// prints back to itself.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "train/config.h"

using namespace shiftadd;

/// The text up to a zero byte is the file, each part after it an override.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(bytes), size);
  std::size_t end = all.find('\0');
  const std::string_view text = all.substr(0, end);
  std::vector<std::string> overrides;
  while (end != std::string_view::npos) {
    const std::size_t start = end + 1;
    end = all.find('\0', start);
    overrides.emplace_back(all.substr(start, end == std::string_view::npos ? end : end - start));
  }
  std::string printed;
  try {
    printed = train::to_text(train::parse_train_config(text, "fuzz.json", overrides));
  } catch (const Error&) {
    return 0;
  }
  if (train::to_text(train::parse_train_config(printed, "printed.json")) != printed) std::abort();
  return 0;
}
