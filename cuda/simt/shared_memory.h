// The shared memory of the block that runs: arrays found as the kernel comes to them, each between
// red zones, all filled with 0xff (NaN, -1) when a block begins.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace shiftadd::simt {

class SharedMemory {
 public:
  /// What a block may have in all, and in SIMT_SHARED arrays.
  static constexpr std::size_t kMostBytes = 227 << 10, kMostStaticBytes = 48 << 10;
  /// All of it with red zones.
  static constexpr std::size_t kArenaBytes = 512 << 10;

  void begin_launch(std::size_t dynamic_bytes);
  void begin_block();

  unsigned char* dynamic() { return arena_ + kRedZone; }
  /// The array that the key (an address) stands for, made at its first use in a launch; null where
  /// it exceeds the limits.
  void* array(const void* key, const char* name, std::size_t bytes);

  bool contains(const void* p) const { return arena_ && p >= arena_ && p < arena_ + kArenaBytes; }
  std::size_t offset(const void* p) const {
    return static_cast<std::size_t>(static_cast<const unsigned char*>(p) - arena_);
  }
  /// "tile + 12", "2 bytes beyond tile"
  std::string describe(const void* p) const;

 private:
  static constexpr std::size_t kRedZone = 64;

  struct Array {
    const void* key;
    const char* name;
    unsigned char* begin;
    std::size_t bytes;
  };
  unsigned char* add(const void* key, const char* name, std::size_t bytes);

  unsigned char* arena_ = nullptr;
  std::size_t used_ = 0;  // bytes of the arena, red zones and all
  std::size_t static_bytes_ = 0;
  std::vector<Array> arrays_;  // the first one is the dynamic memory
};

}  // namespace shiftadd::simt
