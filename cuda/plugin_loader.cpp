// Opens the plug-in and holds it against what this program expects.
#include "cuda/plugin_loader.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "cuda/kernel_list.h"

namespace shiftadd::cuda {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "libshiftadd_cuda.so";
constexpr const char* kVariable = "SHIFTADD_CUDA_PLUGIN";

// The folders of the program and of the library that holds this code, and the lib/ of each.
std::vector<fs::path> folders() {
  std::vector<fs::path> found;
  const auto add = [&](const fs::path& file) {
    std::error_code ignored;
    const fs::path real = fs::canonical(file, ignored);
    if (ignored) return;
    for (const fs::path& folder : {real.parent_path(), real.parent_path().parent_path() / "lib"})
      if (std::find(found.begin(), found.end(), folder) == found.end()) found.push_back(folder);
  };
  Dl_info here;
  // A program's own name may be one that the shell looked up: it tells of no folder then.
  if (dladdr(reinterpret_cast<const void*>(&load_plugin), &here) && here.dli_fname &&
      std::strchr(here.dli_fname, '/'))
    add(here.dli_fname);
  add("/proc/self/exe");
  return found;
}

std::string find_file() {
  const char* named = secure_getenv(kVariable);
  if (named && *named) {
    std::error_code ignored;
    if (!fs::exists(named, ignored))
      throw failure("CUDA: ", kVariable, " names ", named,
                    ", which does not exist: expected the plug-in ", kFile);
    return fs::absolute(named).string();
  }
  std::string tried;
  for (const fs::path& folder : folders()) {
    std::error_code ignored;
    const fs::path file = folder / kFile;
    if (fs::exists(file, ignored)) return file.string();
    tried += (tried.empty() ? "" : " or ") + folder.string();
  }
  throw failure("CUDA: the plug-in ", kFile, " is not installed: expected it in ", tried, ", or ",
                kVariable, " to name it; or compute on the CPU");
}

// A library that is cut off is mapped all the same, and kills the program where its end is read.
void require_whole(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  ElfW(Ehdr) header;
  if (!in.read(reinterpret_cast<char*>(&header), sizeof(header)) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return;  // the dynamic linker says what it is not
  std::error_code ignored;
  const uintmax_t bytes = fs::file_size(file, ignored);
  for (int i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) part;
    in.seekg(static_cast<std::streamoff>(header.e_phoff) + i * header.e_phentsize);
    const bool read = static_cast<bool>(in.read(reinterpret_cast<char*>(&part), sizeof(part)));
    if (!read || (part.p_type == PT_LOAD && part.p_offset + part.p_filesz > bytes))
      throw failure("CUDA: the plug-in ", file, " is cut off at ", bytes,
                    " bytes: install it again, or compute on the CPU");
  }
}

// What the dynamic linker says names the file and its own reason, in one line.
std::string linker_error() {
  const char* text = dlerror();
  std::string line = text ? text : "unknown error";
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

// The same kernels under the same numbers.
void require_same_kernels(const shiftadd_device_api& api, const std::string& file) {
  bool same = api.kernels == kKernels;
  for (uint32_t i = 0; same && i < kKernels; ++i)
    same = std::strcmp(api.kernel_name(i), kKernelNames[i]) == 0;
  if (!same)
    throw failure("CUDA: the plug-in ", file, " has other kernels than this version of ShiftAdd: ",
                  "install both from one build, or compute on the CPU");
}

}  // namespace

const shiftadd_device_api& load_plugin() {
  const std::string file = find_file();
  require_whole(file);
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw failure("CUDA: the plug-in cannot be loaded: ", linker_error(),
                  "; install it again, or compute on the CPU");
  const auto plugin =
      reinterpret_cast<shiftadd_device_plugin>(dlsym(library, SHIFTADD_DEVICE_PLUGIN_SYMBOL));
  if (!plugin)
    throw failure("CUDA: ", file, " is not ShiftAdd's plug-in: it lacks the function ",
                  SHIFTADD_DEVICE_PLUGIN_SYMBOL, "; expected ", kFile);
  const shiftadd_device_api* api = plugin();
  if (api->version != SHIFTADD_DEVICE_API_VERSION)
    throw failure("CUDA: the plug-in ", file, " has version ", api->version,
                  " of the interface, and this program needs version ", SHIFTADD_DEVICE_API_VERSION,
                  ": install both from one build, or compute on the CPU");
  require_same_kernels(*api, file);
  return *api;
}

}  // namespace shiftadd::cuda
