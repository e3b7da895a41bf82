// Whole files: read, mapped, written atomically, hashed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shiftadd {

/// A read-only map of a whole file, unmapped with the last handle.
struct MappedFile {
  std::shared_ptr<const void> owner;
  const uint8_t* data = nullptr;
  std::size_t size = 0;
};
MappedFile map_file(const std::string& path);  // throws Error (user) if it cannot be opened

std::vector<uint8_t> read_file(const std::string& path);
std::string read_text(const std::string& path);

/// Writes path.tmp-PID, fsyncs, renames over path, fsyncs the folder; on any error removes the
/// temporary and throws Error (failure) with the system's reason. What killed programs left of the
/// same file is removed first. A symbolic link is followed, a device or a pipe written to in place.
/// SHIFTADD_FAIL_WRITE_AFTER=BYTES in the environment makes writes fail with "no space left" after
/// that many bytes in total (for tests).
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();  // abandons an uncommitted file
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(const void* bytes, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  std::string path_, temporary_;  // no temporary: written in place
  int descriptor_ = -1;
};
void write_file(const std::string& path, std::string_view content);  // through AtomicFile

/// SHA-256 as 64 hex digits.
class Sha256 {
 public:
  Sha256();
  void update(const void* bytes, std::size_t size);
  std::string hex();  // finishes

 private:
  uint32_t state_[8];
  uint64_t length_ = 0;
  uint8_t block_[64];
};
std::string sha256_of_file(const std::string& path);

}  // namespace shiftadd
