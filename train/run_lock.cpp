// Locks a file inside the run's folder by flock.
#include "train/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "core/io/stale_files.h"

namespace shiftadd::train {

RunLock::RunLock(const std::string& folder) {
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  if (problem) throw failure(folder, ": cannot create the output folder: ", problem.message());
  const std::string path = folder + "/.lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw failure(path, ": cannot be opened: ", std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) {
    remove_stale_temporaries(folder);
    return;
  }
  const int reason = errno;
  ::close(descriptor_);
  if (reason == EWOULDBLOCK)
    throw user_error(folder,
                     ": another run is writing to this folder; wait for it, or give another --out");
  throw failure(path, ": cannot be locked: ", std::strerror(reason));
}

RunLock::~RunLock() { ::close(descriptor_); }

}  // namespace shiftadd::train
