// Appends to a file through its descriptor.
#include "train/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace shiftadd::train {

AppendFile::AppendFile(std::string path, int64_t size) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw failure(path_, ": cannot be opened: ", std::strerror(errno));
  const int64_t length = ::lseek(descriptor_, 0, SEEK_END);
  size_ = std::min(size, length);
  if (::ftruncate(descriptor_, size_) != 0 || ::lseek(descriptor_, size_, SEEK_SET) != size_) {
    const int reason = errno;
    ::close(descriptor_);
    throw failure(path_, ": cannot be cut to ", size_, " bytes: ", std::strerror(reason));
  }
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw failure(path_, ": cannot be written: ", std::strerror(errno));
    size_ += written;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace shiftadd::train
