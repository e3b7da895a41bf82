// Files opened for reading: never one that could block or has no end.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace shiftadd {

/// A file descriptor, closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();
  int number() const { return number_; }

 private:
  int number_;
};

/// A regular file, read at any place by any number of threads.
class InputFile {
 public:
  /// Throws Error (user): cannot be opened, or is a folder, pipe, socket or device.
  explicit InputFile(const std::string& path);
  int64_t size() const { return size_; }  // in bytes, when it was opened
  int descriptor() const { return file_.number(); }
  /// Fills `to` from byte `offset`. Throws Error (failure): the file has another size than when it
  /// was opened, or cannot be read.
  void read(int64_t offset, std::span<uint8_t> to) const;

 private:
  std::string path_;
  Descriptor file_;
  int64_t size_ = 0;
};

/// The most that is read into memory of a file that nobody expects to be large.
inline constexpr std::size_t kLargestWholeFile = std::size_t{512} << 20;

/// All bytes of a regular file, or of a pipe that another program writes to (`<(command)`,
/// /dev/stdin). Throws Error (user): cannot be opened, anything else (named pipes, which block
/// until somebody writes, sockets, devices), more than `most` bytes; (failure): it shrank
/// meanwhile.
std::vector<uint8_t> read_whole(const std::string& path, std::size_t most = kLargestWholeFile);

/// "a named pipe", "a folder" and so on, for st_mode of stat(); "" for a regular file.
std::string special_kind(unsigned mode);

}  // namespace shiftadd
