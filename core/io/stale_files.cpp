// Finds temporary files by their names, and removes those whose writing process has ended.
#include "core/io/stale_files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace shiftadd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = ".tmp-";
constexpr double kClockSlack = 2;  // seconds that two clocks, or their rounding, may disagree by

/// Returns the process in the name of a temporary of `name`; an empty `name` stands for any.
std::optional<pid_t> writer_in(const std::string& file, const std::string& name) {
  const std::size_t mark = file.rfind(kMark);
  if (mark == std::string::npos || mark == 0) return std::nullopt;
  if (!name.empty() && file.substr(0, mark) != name) return std::nullopt;
  pid_t process = 0;
  const char* const end = file.data() + file.size();
  const auto [stop, error] = std::from_chars(file.data() + mark + kMark.size(), end, process);
  return error == std::errc() && stop == end && process > 0 ? std::optional(process) : std::nullopt;
}

/// Returns how many seconds ago the process began; nothing where the system does not say.
std::optional<double> age_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  constexpr int kFieldsBeforeStart = 19;  // from the third to the 22nd, see proc(5)
  std::string skipped;
  for (int i = 0; i < kFieldsBeforeStart; ++i) fields >> skipped;
  double ticks = 0;
  timespec now{};
  if (!(fields >> ticks) || clock_gettime(CLOCK_BOOTTIME, &now) != 0) return std::nullopt;
  return static_cast<double>(now.tv_sec) - ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

bool is_gone(pid_t process, const struct stat& file) {
  if (kill(process, 0) != 0 && errno == ESRCH) return true;
  const std::optional<double> age = age_of(process);
  const double idle = static_cast<double>(time(nullptr) - file.st_mtime);
  return age && idle > *age + kClockSlack;
}

void remove_if_stale(const std::string& path, pid_t writer) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (file < 0) return;
  struct stat status;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && is_gone(writer, status) &&
      flock(file, LOCK_EX | LOCK_NB) == 0)
    unlink(path.c_str());
  close(file);
}

}  // namespace

void remove_stale_temporaries(const std::string& folder, const std::string& name) {
  std::error_code problem;
  fs::directory_iterator entries(folder, problem);
  for (; !problem && entries != fs::directory_iterator(); entries.increment(problem))
    if (const auto writer = writer_in(entries->path().filename().string(), name))
      remove_if_stale(entries->path().string(), *writer);
}

}  // namespace shiftadd
