// Reads how much memory the machine, control groups and ulimit leave, and refuses larger work.
#include "core/memory_limit.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

#include "core/error.h"

namespace shiftadd {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// Reads lines of "NAME VALUE" or "NAME: VALUE kB"; the values are returned in bytes.
std::map<std::string, double> read_table(const std::string& path) {
  std::map<std::string, double> table;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name, unit;
    double value = 0;
    if (!(words >> name >> value)) continue;
    if (name.back() == ':') name.pop_back();
    words >> unit;
    table[name] = unit == "kB" ? value * 1024 : value;
  }
  return table;
}

double value_of(const std::map<std::string, double>& table, const std::string& name) {
  const auto found = table.find(name);
  return found == table.end() ? 0 : found->second;
}

// Returns infinity where the file is absent or says "max".
double read_limit(const std::string& path) {
  std::ifstream file(path);
  double value = 0;
  return file >> value ? value : kInfinite;
}

// These files say what one control group leaves; each version has other names for them.
struct GroupFiles {
  const char *limit, *used, *cache;  // cache: lines of memory.stat that can be given back
};
constexpr GroupFiles kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                                  "total_inactive_file total_active_file"};
constexpr GroupFiles kVersion2 = {"memory.max", "memory.current", "inactive_file active_file"};

double left_in_group(const std::string& folder, const GroupFiles& files) {
  const double limit = read_limit(folder + "/" + files.limit);
  const double used = read_limit(folder + "/" + files.used);
  if (limit == kInfinite || used == kInfinite) return kInfinite;
  const auto stat = read_table(folder + "/memory.stat");
  double cache = 0;
  std::istringstream names(files.cache);
  for (std::string name; names >> name;) cache += value_of(stat, name);
  return std::max(0.0, limit - std::max(0.0, used - cache));
}

// Returns the least that the group at `path` below `mount` and the groups above it leave.
double left_in_groups(const std::string& mount, std::string path, const GroupFiles& files) {
  double left = left_in_group(mount, files);
  while (path.size() > 1) {
    left = std::min(left, left_in_group(mount + path, files));
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  return left;
}

// Reads lines of "NUMBER:CONTROLLERS:PATH"; version 2 has no controllers there.
double left_in_all_groups(const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  double left = kInfinite;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") left = std::min(left, left_in_groups(mount, path, kVersion2));
    if (controllers.find(",memory,") != std::string::npos)
      left = std::min(left, left_in_groups(mount + "/memory", path, kVersion1));
  }
  return left;
}

// Address space that is reserved is not memory: only what is resident counts against the limit.
double left_of_resource(int resource, const std::string& root) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kInfinite;
  double pages = 0, resident = 0;
  std::ifstream file(root + "/proc/self/statm");
  file >> pages >> resident;
  const double used = resident * static_cast<double>(sysconf(_SC_PAGESIZE));
  return std::max(0.0, static_cast<double>(limit.rlim_cur) - used);
}

}  // namespace

MemoryLimit memory_limit(const std::string& root) {
  const auto machine = read_table(root + "/proc/meminfo");
  const double available = machine.contains("MemAvailable")
                               ? value_of(machine, "MemAvailable") + value_of(machine, "SwapFree")
                               : kInfinite;
  MemoryLimit least = {available, "available on this machine"};
  const auto consider = [&](double bytes, const char* what) {
    if (bytes < least.bytes) least = {bytes, what};
  };
  consider(left_in_all_groups(root), "left to this process's control group (container)");
  consider(left_of_resource(RLIMIT_AS, root), "left of the limit on address space (ulimit -v)");
  consider(left_of_resource(RLIMIT_DATA, root), "left of the limit on data (ulimit -d)");
  return least;
}

std::string memory_text(double bytes) {
  char text[48];
  const double mib = bytes / (1 << 20);
  if (mib < 1000)
    std::snprintf(text, sizeof text, "%.1f MiB", mib);
  else
    std::snprintf(text, sizeof text, "%.1f GiB", mib / 1024);
  return text;
}

void require_memory(const std::string& what, const std::vector<MemoryUse>& uses,
                    const MemoryLimit& limit) {
  double total = 0;
  for (const MemoryUse& use : uses) total += use.bytes;
  if (total <= limit.bytes) return;
  std::string parts, keys;
  for (const MemoryUse& use : uses) {
    if (use.bytes < 0.01 * total) continue;
    parts += (parts.empty() ? "" : ", ") + use.what + " " + memory_text(use.bytes);
    // A use of less than a tenth of the total does not decide.
    if (use.bytes >= 0.1 * total && keys.find(use.keys) == std::string::npos)
      keys += (keys.empty() ? "" : "; ") + use.keys;
  }
  throw user_error(what, " needs about ", memory_text(total), " of memory (", parts, "), but ",
                   memory_text(limit.bytes), " is ", limit.what, ": lower ", keys);
}

}  // namespace shiftadd
