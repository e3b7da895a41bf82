// One warp of the machine: 32 lanes that execute an instruction together, and what an instruction
// can reach.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "cuda/simt/running.h"
#include "tests/cuda/ptx/ptx_module.h"

namespace shiftadd::ptx {

constexpr int kLanes = 32;
constexpr uint32_t kAllLanes = 0xffffffff;
constexpr uint32_t kNoSlot = 0xffffffff;

/// A register is 32 lanes side by side, of 8 bytes where it has 64 bits and of 4 otherwise; what is
/// narrower lies in the low bits of its lane, and the others hold anything. Constants are registers
/// too.
template <class T>
using Lane = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T>
T from_lane(Lane<T> bits) {
  if constexpr (std::is_same_v<T, bool>)
    return bits != 0;
  else if constexpr (std::is_floating_point_v<T>)
    return std::bit_cast<T>(bits);
  else
    return static_cast<T>(bits);
}

template <class T>
Lane<T> to_lane(T value) {
  if constexpr (std::is_floating_point_v<T>)
    return std::bit_cast<Lane<T>>(value);
  else
    return static_cast<Lane<T>>(value);
}

struct Warp;
struct Instruction;
/// Executes an instruction in these lanes.
using Handler = void (*)(Warp& warp, const Instruction& instruction, uint32_t lanes);

/// Memory that may be accessed: addresses from `begin` on, and where their bytes are.
struct Range {
  uint64_t begin = 0, size = 0;
  std::byte* memory = nullptr;
  bool contains(uint64_t address, uint64_t bytes) const {
    return address - begin < size && bytes <= size - (address - begin);
  }
};

enum class Kind {
  kLanes,    // each lane for itself
  kWarp,     // all lanes of the warp, or it waits for them
  kBarrier,  // all lanes, and then all warps of the block
  kBranch,
  kExit,
};

struct Instruction {
  Kind kind = Kind::kLanes;
  Handler run = nullptr;
  std::array<uint32_t, 14> slots{};   // the operands in order: where in the warp's file, in bytes
  std::array<uint64_t, 2> offsets{};  // of the addresses among them
  uint32_t guard = kNoSlot;           // the branch is taken where it holds, or everywhere
  bool is_guard_negated = false;
  uint32_t target = 0;
  uint32_t statement = 0;                 // of the entry
  mutable std::array<Range, 2> ranges{};  // that it accessed last: of shared and of other memory
};

/// A fault of the kernel, found in `lane` at an instruction.
struct Fault {
  uint32_t statement = 0;
  int warp = 0, lane = 0;
  std::string text;
};

struct Block {
  uint3 index{};
  std::vector<Range> shared;
  Range params;
  bool has_waited = false;  // griddepcontrol.wait
};

struct Warp {
  enum class State { kRunning, kAtBarrier, kDone };

  /// 16 bytes on their way to shared memory.
  struct Copy {
    uint32_t group;
    int lane;
    uint32_t valid_bytes;
    std::byte* to;
    const std::byte* from;
  };

  /// Begins a block at the first instruction.
  void begin();
  /// Executes until the next barrier of the block or the end. Throws Fault.
  State run(const std::vector<Instruction>& code);

  template <class T>
  T* lanes_at(uint32_t slot) {
    return reinterpret_cast<T*>(file.data() + slot);
  }
  template <class L>
  void write(uint32_t slot, const L (&values)[kLanes], uint32_t lanes) {
    L* to = lanes_at<L>(slot);
    if (lanes == kAllLanes)
      std::memcpy(to, values, sizeof(values));
    else
      for (int lane = 0; lane < kLanes; ++lane)
        if (lanes >> lane & 1) to[lane] = values[lane];
  }

  /// The bytes at an address of a space, which must be a multiple of `alignment`. Throws Fault.
  template <Space kSpace>
  std::byte* memory(const Instruction& instruction, uint64_t address, unsigned bytes,
                    unsigned alignment, int lane) {
    Range& last = instruction.ranges[kSpace != Space::kShared];
    if (kSpace == Space::kLocal || address % alignment || !last.contains(address, bytes))
      last = find_range(instruction, kSpace, address, bytes, alignment, lane);
    return last.memory + (address - last.begin);
  }

  [[noreturn]] void fault(const Instruction& instruction, int lane, const std::string& text) const {
    throw Fault{instruction.statement, number, lane, text};
  }

  Block* block = nullptr;
  int number = 0;                // in the block
  std::vector<std::byte> file;   // the registers
  std::vector<std::byte> local;  // of lane after lane
  uint64_t local_bytes = 0;      // of a lane
  std::vector<Copy> copies;
  std::array<uint32_t, kLanes> groups{};  // of copies, that were closed

 private:
  // Lanes that are at the same instruction.
  struct Fragment {
    uint32_t at, lanes;
    bool waits;  // for the other lanes
  };

  Range find_range(const Instruction& instruction, Space space, uint64_t address, unsigned bytes,
                   unsigned alignment, int lane) const;
  Fragment take_first(const std::vector<Instruction>& code);
  uint32_t take_all(uint32_t at);
  State step(const std::vector<Instruction>& code, Fragment fragment);

  std::vector<Fragment> fragments_;
};

/// Where the addresses of local and of shared memory begin; 0 is in none.
constexpr uint64_t kLocalBegin = 0x1000, kSharedBegin = 0x400;
/// What generic addresses of shared and of local memory have more.
constexpr uint64_t kSharedWindow = uint64_t{1} << 56, kLocalWindow = uint64_t{2} << 56;

}  // namespace shiftadd::ptx
