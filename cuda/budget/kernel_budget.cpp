// Holds what each kernel takes of each architecture against cuda/kernel_budget.txt, or writes that
// file anew. Built and run where nvcc is: cmake --build ... --target cuda_budget.
#include <cuda_occupancy.h>
#include <cxxabi.h>
#include <elf.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

// What a kernel takes on one architecture.
struct Resources {
  int registers = 0, shared = 0;
  int spilled = 0;  // bytes of registers that did not fit, and of stack
  int code = 0;     // bytes of machine code
  int threads = 0;  // of a block, at most
};
using Build = std::pair<std::string, int>;  // kernel, architecture
using Builds = std::map<Build, Resources>;

// A line of the budget: at most so many, and at least so many blocks on a multiprocessor.
struct Budget {
  int dynamic = 0;  // bytes of dynamic shared memory that it is launched with
  int registers = 0, shared = 0, code = 0, blocks = 0;
};
using Budgets = std::map<std::string, Budget>;

constexpr const char* kHead =
    "# What each kernel may take on any architecture that the plug-in is built for: registers of "
    "a\n"
    "# thread, bytes of static shared memory and of machine code, all at most, and the least "
    "blocks\n"
    "# that a multiprocessor holds when a block has `dynamic` bytes of dynamic shared memory too.\n"
    "# Registers never spill. Checked by the target cuda_budget, written by cuda_budget_rewrite,\n"
    "# which keeps `dynamic`: that is given by hand.\n";

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path.string() + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

// "mlp<32>" of the mangled name of void shiftadd::cuda::mlp<32>(shiftadd::cuda::MlpArgs).
std::string kernel_name(const std::string& mangled) {
  int status = 0;
  char* demangled = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string name = status == 0 ? demangled : mangled;
  std::free(demangled);
  name = std::regex_replace(name, std::regex("\\(anonymous namespace\\)::|shiftadd::cuda::|^void "),
                            "");
  return name.substr(0, name.rfind('('));
}

// Registers, shared memory and spills from the lines of ptxas -v.
void read_log(const fs::path& path, Builds& builds) {
  static const std::regex entry("Compiling entry function '(.*)' for 'sm_([0-9]+)'");
  static const std::regex spills("([0-9]+) bytes stack frame, ([0-9]+) bytes spill stores");
  static const std::regex used("Used ([0-9]+) registers(?:.*, ([0-9]+) bytes smem)?");
  std::istringstream lines(text_of(path));
  Resources* current = nullptr;
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_search(line, match, entry))
      current = &builds[{kernel_name(match[1]), std::stoi(match[2])}];
    else if (current && std::regex_search(line, match, spills))
      current->spilled = std::stoi(match[1]) + std::stoi(match[2]);
    else if (current && std::regex_search(line, match, used)) {
      current->registers = std::stoi(match[1]);
      current->shared = match[2].matched ? std::stoi(match[2]) : 0;
    }
  }
}

// Bytes of machine code from the sections .text.KERNEL of "NAME.sm_80.cubin".
void read_code(const fs::path& path, Builds& builds) {
  static const std::regex named("([0-9]+)\\.cubin$");
  const std::string file = path.filename().string(), bytes = text_of(path);
  std::smatch match;
  if (!std::regex_search(file, match, named)) return;
  const int architecture = std::stoi(match[1]);
  const auto at = [&](uint64_t offset, void* to, std::size_t size) {
    if (offset > bytes.size() || size > bytes.size() - offset)
      throw std::runtime_error(path.string() + ": not a whole ELF file");
    std::memcpy(to, bytes.data() + offset, size);
  };
  Elf64_Ehdr header;
  Elf64_Shdr names, section;
  at(0, &header, sizeof header);
  at(header.e_shoff + uint64_t{header.e_shstrndx} * sizeof names, &names, sizeof names);
  for (int i = 0; i < header.e_shnum; ++i) {
    at(header.e_shoff + i * sizeof section, &section, sizeof section);
    const std::string name = bytes.c_str() + names.sh_offset + section.sh_name;
    const std::string prefix = ".text.";
    if (name.rfind(prefix, 0) == 0)
      builds[{kernel_name(name.substr(prefix.size())), architecture}].code =
          static_cast<int>(section.sh_size);
  }
}

// The threads of a block from the directives .maxntid of PTX, for all architectures.
void read_threads(const fs::path& path, std::map<std::string, int>& threads) {
  static const std::regex entry("\\.entry ([A-Za-z0-9_$]+)");
  static const std::regex most("\\.maxntid ([0-9]+)(?:, ([0-9]+))?(?:, ([0-9]+))?");
  std::istringstream lines(text_of(path));
  std::string current;
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_search(line, match, entry)) {
      current = kernel_name(match[1]);
      threads[current] = 1024;
    } else if (std::regex_search(line, match, most)) {
      threads[current] = std::stoi(match[1]) * (match[2].matched ? std::stoi(match[2]) : 1) *
                         (match[3].matched ? std::stoi(match[3]) : 1);
    }
  }
}

Builds read_builds(const std::vector<std::string>& objects) {
  Builds builds;
  std::map<std::string, int> threads;
  for (const std::string& object : objects) {
    const fs::path folder = object + ".resources";
    if (!fs::is_directory(folder)) continue;  // not an object of nvcc
    for (const auto& file : fs::directory_iterator(folder)) {
      const std::string kind = file.path().extension();
      if (kind == ".log") read_log(file.path(), builds);
      if (kind == ".cubin") read_code(file.path(), builds);
      if (kind == ".ptx") read_threads(file.path(), threads);
    }
  }
  for (auto& [build, resources] : builds) resources.threads = threads.at(build.first);
  return builds;
}

Budgets read_budgets(const std::string& path) {
  Budgets budgets;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string kernel;
    Budget budget;
    if (!(words >> kernel >> budget.dynamic >> budget.registers >> budget.shared >> budget.code >>
          budget.blocks))
      throw std::runtime_error(path + ": expected a kernel and five numbers: " + line);
    budgets[kernel] = budget;
  }
  return budgets;
}

// The limits of a multiprocessor, as the CUDA programming guide lists them.
cudaOccDeviceProp device_of(int architecture) {
  const bool large = architecture == 80 || architecture == 90 || architecture == 100;
  const int kibibytes = architecture == 80 ? 164 : large ? 228 : 100;
  cudaOccDeviceProp device;
  device.computeMajor = architecture / 10;
  device.computeMinor = architecture % 10;
  device.maxThreadsPerBlock = 1024;
  device.maxThreadsPerMultiprocessor = large ? 2048 : 1536;
  device.regsPerBlock = device.regsPerMultiprocessor = 65536;
  device.warpSize = 32;
  device.numSms = 1;
  device.sharedMemPerBlock = 48 << 10;
  device.sharedMemPerMultiprocessor = static_cast<std::size_t>(kibibytes) << 10;
  device.sharedMemPerBlockOptin = static_cast<std::size_t>(kibibytes - 1) << 10;
  device.reservedSharedMemPerBlock = 1 << 10;
  return device;
}

// How many blocks a multiprocessor holds; 0 where not even one fits.
int blocks_of(const Resources& resources, int architecture, int dynamic) {
  const cudaOccDeviceProp device = device_of(architecture);
  cudaOccFuncAttributes kernel;
  kernel.maxThreadsPerBlock = resources.threads;
  kernel.numRegs = resources.registers;
  kernel.sharedSizeBytes = static_cast<std::size_t>(resources.shared);
  kernel.partitionedGCConfig = PARTITIONED_GC_OFF;
  kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
  kernel.maxDynamicSharedSizeBytes = device.sharedMemPerBlockOptin - kernel.sharedSizeBytes;
  kernel.numBlockBarriers = 1;
  const cudaOccDeviceState state;
  cudaOccResult result;
  if (cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &kernel, &state, resources.threads,
                                              static_cast<std::size_t>(dynamic)) !=
      CUDA_OCC_SUCCESS)
    return 0;
  return result.activeBlocksPerMultiprocessor;
}

// Prints what is over its budget; how much that is.
int check(const Builds& builds, const Budgets& budgets) {
  int wrong = 0;
  const auto over = [&](const Build& build, const auto&... text) {
    std::cerr << build.first << " on sm_" << build.second << ": ";
    (std::cerr << ... << text) << "\n";
    ++wrong;
  };
  for (const auto& [build, taken] : builds) {
    if (taken.spilled) over(build, taken.spilled, " bytes of registers and arrays are in memory");
    const auto found = budgets.find(build.first);
    if (found == budgets.end()) {
      over(build, "no line in the budget");
      continue;
    }
    const Budget& budget = found->second;
    if (taken.registers > budget.registers)
      over(build, taken.registers, " registers, ", budget.registers, " are allowed");
    if (taken.shared > budget.shared)
      over(build, taken.shared, " bytes of static shared memory, ", budget.shared, " are allowed");
    if (taken.code > budget.code)
      over(build, taken.code, " bytes of machine code, ", budget.code, " are allowed");
    const int blocks = blocks_of(taken, build.second, budget.dynamic);
    if (blocks < budget.blocks)
      over(build, blocks, " blocks on a multiprocessor, ", budget.blocks, " are expected");
  }
  for (const auto& [kernel, budget] : budgets)
    if (std::none_of(builds.begin(), builds.end(),
                     [&, name = kernel](const auto& each) { return each.first.first == name; })) {
      std::cerr << kernel << ": a line in the budget, and no such kernel\n";
      ++wrong;
    }
  return wrong;
}

// What is taken now is the budget; machine code, which a new ptxas makes otherwise, has an eighth
// of room.
Budgets budgets_of(const Builds& builds, const Budgets& before) {
  Budgets budgets;
  for (const auto& [build, taken] : builds) {
    const auto old = before.find(build.first);
    const auto [place, is_new] = budgets.try_emplace(build.first);
    Budget& budget = place->second;
    if (old != before.end()) budget.dynamic = old->second.dynamic;
    const int blocks = blocks_of(taken, build.second, budget.dynamic);
    budget.registers = std::max(budget.registers, taken.registers);
    budget.shared = std::max(budget.shared, taken.shared);
    budget.code = std::max(budget.code, (taken.code + taken.code / 8 + 127) / 128 * 128);
    budget.blocks = is_new ? blocks : std::min(budget.blocks, blocks);
  }
  return budgets;
}

void write(const std::string& path, const Budgets& budgets) {
  std::ofstream file(path);
  const auto line = [&](const auto& kernel, const auto&... columns) {
    file << std::left << std::setw(24) << kernel << std::right;
    ((file << std::setw(11) << columns), ...);
    file << "\n";
  };
  file << kHead;
  line("# kernel", "dynamic", "registers", "shared", "code", "blocks");
  for (const auto& [kernel, budget] : budgets)
    line(kernel, budget.dynamic, budget.registers, budget.shared, budget.code, budget.blocks);
  if (!file.flush()) throw std::runtime_error(path + ": cannot be written");
}

int run(std::vector<std::string> arguments) {
  const bool rewrites = !arguments.empty() && arguments[0] == "--rewrite";
  if (rewrites) arguments.erase(arguments.begin());
  if (arguments.empty()) throw std::runtime_error("expected [--rewrite] BUDGET OBJECT...");
  const std::string path = arguments[0];
  arguments.erase(arguments.begin());
  const Builds builds = read_builds(arguments);
  if (builds.empty()) throw std::runtime_error("no kernels were built");
  if (rewrites) write(path, budgets_of(builds, read_budgets(path)));
  const Budgets budgets = read_budgets(path);
  if (const int wrong = check(builds, budgets))
    throw std::runtime_error(std::to_string(wrong) + " times over " + path);
  std::cout << budgets.size() << " kernels, " << builds.size() << " builds: within " << path
            << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "kernel_budget: " << error.what() << "\n";
    return 1;
  }
}
