// A log file that only grows, and can be cut back to where a checkpoint left it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace shiftadd::train {

/// Writes go straight to the system, so that a killed process loses nothing it has written. Throws
/// Error (failure) with the system's reason.
class AppendFile {
 public:
  /// Opens or creates `path` and cuts it to `size` bytes (a shorter file is left as it is).
  AppendFile(std::string path, int64_t size);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void write(std::string_view bytes);
  int64_t size() const { return size_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

}  // namespace shiftadd::train
