// Reads the name of a device, and opens it with the CUDA plug-in.
#include "infer/device_choice.h"

#include <charconv>
#include <string_view>

#include "core/error.h"
#include "cuda/plugin_loader.h"

namespace shiftadd::infer {

DeviceChoice device_choice(const std::string& text) {
  using Kind = DeviceChoice::Kind;
  if (text == "cpu") return {Kind::kCpu};
  if (text == "cuda") return {Kind::kCuda};
  if (text == "auto") return {Kind::kAuto};
  const std::string_view prefix = "cuda:";
  if (text.starts_with(prefix)) {
    DeviceChoice choice = {Kind::kCuda};
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + prefix.size(), end, choice.number);
    if (error == std::errc() && rest == end && choice.number >= 0) return choice;
  }
  throw user_error("device '", text, "': expected cpu, cuda, cuda:1 (another than the first) or ",
                   "auto");
}

std::optional<cuda::Device> open_device(const DeviceChoice& choice) {
  if (choice.kind == DeviceChoice::Kind::kCpu) return std::nullopt;
  try {
    return cuda::Device(cuda::load_plugin(), choice.number);
  } catch (const Error&) {
    if (choice.kind == DeviceChoice::Kind::kCuda) throw;
  }
  return std::nullopt;
}

}  // namespace shiftadd::infer
