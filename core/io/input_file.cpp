// Opens a file without blocking, refuses what is no regular file or pipe, and reads its bytes.
#include "core/io/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace shiftadd {
namespace {

struct OpenFile {
  Descriptor descriptor;
  struct stat status;
};

// Opens without blocking, because a named pipe that nobody writes to would wait for ever.
OpenFile open_to_read(const std::string& path) {
  OpenFile file;
  // A socket is named as one: the error of open says less ("no such device or address").
  if (stat(path.c_str(), &file.status) == 0 && S_ISSOCK(file.status.st_mode))
    throw user_error(path, " is a socket: expected a file");
  file.descriptor = Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.descriptor.number() < 0)
    throw user_error(path, ": cannot be opened: ", std::strerror(errno));
  if (fstat(file.descriptor.number(), &file.status) != 0)
    throw failure(path, ": ", std::strerror(errno));
  return file;
}

// A pipe between two programs has no name in any folder: a shell made it for us to read.
bool is_unnamed_pipe(const OpenFile& file) {
  constexpr long kPipeFs = 0x50495045;  // linux/magic.h
  struct statfs system {};
  return S_ISFIFO(file.status.st_mode) && fstatfs(file.descriptor.number(), &system) == 0 &&
         system.f_type == kPipeFs;
}

[[noreturn]] void refuse(const std::string& path, const OpenFile& file) {
  throw user_error(path, " is ", special_kind(file.status.st_mode), ": expected a file");
}

Error shrunk(const std::string& path, int64_t before, int64_t now) {
  return failure(path, ": had ", before, " bytes when it was opened and has ", now,
                 " now: it must not change while it is read");
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) close(number_);
}

std::string special_kind(unsigned mode) {
  if (S_ISREG(mode)) return "";
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return S_ISBLK(mode) ? "a block device" : "a character device";
}

InputFile::InputFile(const std::string& path) : path_(path) {
  OpenFile file = open_to_read(path);
  if (!S_ISREG(file.status.st_mode)) refuse(path, file);
  file_ = std::move(file.descriptor);
  size_ = file.status.st_size;
}

void InputFile::read(int64_t offset, std::span<uint8_t> to) const {
  while (!to.empty()) {
    const ssize_t got = pread(file_.number(), to.data(), to.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw failure(path_, ": cannot be read: ", std::strerror(errno));
    if (got == 0) break;
    offset += got;
    to = to.subspan(static_cast<std::size_t>(got));
  }
  // The size is compared after the reading, so that a change in the meantime is noticed.
  struct stat status {};
  if (fstat(file_.number(), &status) != 0) throw failure(path_, ": ", std::strerror(errno));
  if (!to.empty() || status.st_size != size_) throw shrunk(path_, size_, status.st_size);
}

std::vector<uint8_t> read_whole(const std::string& path, std::size_t most) {
  const OpenFile file = open_to_read(path);
  const int number = file.descriptor.number();
  if (is_unnamed_pipe(file))
    fcntl(number, F_SETFL, 0);  // waits for its writer
  else if (!S_ISREG(file.status.st_mode))
    refuse(path, file);
  const auto size = static_cast<std::size_t>(file.status.st_size);
  const auto too_large = [&] {
    constexpr std::size_t kMiB = std::size_t{1} << 20;
    return user_error(path, " is larger than ", most / kMiB,
                      " MiB, the most that is read into memory of such a file");
  };
  if (size > most) throw too_large();
  // With one byte more than the file has, its end is met without growing the buffer by half.
  std::vector<uint8_t> bytes(size + 1);
  std::size_t filled = 0;
  while (true) {  // a pipe has no size: grow until the end
    if (filled > most) throw too_large();
    if (filled == bytes.size()) bytes.resize(filled + std::max<std::size_t>(4096, filled / 2));
    const ssize_t got = read(number, bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw failure(path, ": cannot be read: ", std::strerror(errno));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  // The files of /proc and /sys hold less than they claim, but do not change their claim.
  struct stat now {};
  if (filled < size && fstat(number, &now) == 0 && now.st_size < file.status.st_size)
    throw shrunk(path, file.status.st_size, now.st_size);
  bytes.resize(filled);
  return bytes;
}

}  // namespace shiftadd
