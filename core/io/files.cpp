// Reads, maps and atomically writes whole files.
#include "core/io/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <utility>

#include "core/error.h"
#include "core/io/input_file.h"
#include "core/io/map_guard.h"
#include "core/io/stale_files.h"
#include "core/io/temporaries.h"

namespace shiftadd {
namespace {

// How many of `wanted` bytes the injected disk (SHIFTADD_FAIL_WRITE_AFTER) still takes. The count
// is of the whole process and starts anew whenever the variable is absent.
std::size_t injected_room(std::size_t wanted) {
  static std::mutex mutex;
  static uint64_t written = 0;
  const std::lock_guard lock(mutex);
  const char* limit = std::getenv("SHIFTADD_FAIL_WRITE_AFTER");
  if (!limit) {
    written = 0;
    return wanted;
  }
  const uint64_t room = std::strtoull(limit, nullptr, 10);
  const std::size_t taken = std::min<uint64_t>(wanted, room > written ? room - written : 0);
  written += taken;
  return taken;
}

// Where a symbolic link leads, so that the file behind it is replaced and not the link.
std::string behind_links(std::string path) {
  namespace fs = std::filesystem;
  constexpr int kMostLinks = 40;  // as Linux allows
  std::error_code error;
  for (int i = 0; i < kMostLinks && fs::is_symlink(path, error); ++i) {
    const fs::path target = fs::read_symlink(path, error);
    if (error) break;
    path = (fs::path(path).parent_path() / target).string();  // an absolute target replaces all
  }
  return path;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

MappedFile map_file(const std::string& path) {
  const InputFile file(path);
  const auto size = static_cast<std::size_t>(file.size());
  static constexpr uint8_t kNothing = 0;
  if (size == 0) return {std::shared_ptr<const void>(&kNothing, [](const void*) {}), &kNothing, 0};
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (data == MAP_FAILED)
    throw failure(path, ": cannot map ", size, " bytes: ", std::strerror(errno));
  note_map(data, size, path);
  std::shared_ptr<const void> owner(data, [size](const void* start) {
    forget_map(start);
    munmap(const_cast<void*>(start), size);
  });
  return {std::move(owner), static_cast<const uint8_t*>(data), size};
}

std::vector<uint8_t> read_file(const std::string& path) { return read_whole(path); }

std::string read_text(const std::string& path) {
  const std::vector<uint8_t> bytes = read_file(path);
  return std::string(bytes.begin(), bytes.end());
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  struct stat status;
  const bool exists = stat(path_.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode))
    throw failure(path_, " is a folder: cannot write a file there");
  // A device or a pipe (/dev/null, /dev/stdout) is written to, never replaced.
  const bool in_place = exists && !S_ISREG(status.st_mode);
  if (!in_place) {
    path_ = behind_links(std::move(path_));
    temporary_ = concat(path_, ".tmp-", getpid());
    remove_stale_temporaries(folder_of(path_), path_.substr(path_.rfind('/') + 1));
    note_temporary(temporary_);
  }
  descriptor_ = in_place ? open(path_.c_str(), O_WRONLY | O_CLOEXEC)
                         : open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    const int reason = errno;
    forget_temporary(temporary_);
    throw failure(path_, ": cannot create: ", std::strerror(reason));
  }
  if (!in_place) flock(descriptor_, LOCK_EX | LOCK_NB);  // others see that its writer is alive
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  if (temporary_.empty()) return;
  unlink(temporary_.c_str());
  forget_temporary(temporary_);
}

void AtomicFile::write(const void* bytes, std::size_t size) {
  if (descriptor_ < 0) throw failure(path_, ": written after it was committed");
  const char* next = static_cast<const char*>(bytes);
  const std::size_t taken = injected_room(size);
  for (std::size_t left = taken; left > 0;) {
    const ssize_t put = ::write(descriptor_, next, left);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw failure(path_, ": cannot write: ", std::strerror(errno));
    next += put, left -= static_cast<std::size_t>(put);
  }
  if (taken < size)
    throw failure(path_, ": cannot write: ", std::strerror(ENOSPC), " (SHIFTADD_FAIL_WRITE_AFTER)");
}

void AtomicFile::commit() {
  if (descriptor_ < 0) throw failure(path_, ": committed twice");
  if (temporary_.empty()) {
    if (close(std::exchange(descriptor_, -1)) != 0)
      throw failure(path_, ": cannot finish: ", std::strerror(errno));
    return;
  }
  if (fsync(descriptor_) != 0) throw failure(path_, ": cannot sync: ", std::strerror(errno));
  const int file = std::exchange(descriptor_, -1);
  if (close(file) != 0 || rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    unlink(temporary_.c_str());
    forget_temporary(temporary_);
    throw failure(path_, ": cannot finish: ", std::strerror(reason));
  }
  forget_temporary(temporary_);
  // The new name survives a power cut only once the folder is on disk; some file systems cannot
  // sync a folder, and the file itself is complete either way.
  const Descriptor folder(open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.number() >= 0) (void)fsync(folder.number());
}

void write_file(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

}  // namespace shiftadd
