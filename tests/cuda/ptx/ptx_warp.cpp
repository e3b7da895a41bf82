// The order in which the lanes of a warp execute, and what they may access.
#include "tests/cuda/ptx/ptx_warp.h"

#include <algorithm>

#include "core/error.h"
#include "cuda/simt/device_heap.h"

namespace shiftadd::ptx {
namespace {

constexpr uint32_t kNowhere = std::numeric_limits<uint32_t>::max();

std::string list(uint32_t lanes) {
  std::string text;
  for (int lane = 0; lane < kLanes; ++lane)
    if (lanes >> lane & 1) text += concat(text.empty() ? "" : " ", lane);
  return text;
}

uint32_t lanes_that_hold(const uint32_t* predicate) {
  uint32_t lanes = 0;
  for (int lane = 0; lane < kLanes; ++lane)
    lanes |= static_cast<uint32_t>(predicate[lane] != 0) << lane;
  return lanes;
}

}  // namespace

void Warp::begin() {
  fragments_ = {{0, kAllLanes, false}};
  copies.clear();
  groups = {};
  std::fill(local.begin(), local.end(), std::byte{0xff});
}

Warp::State Warp::run(const std::vector<Instruction>& code) {
  State state = State::kRunning;
  while (state == State::kRunning) {
    if (fragments_.empty()) return State::kDone;
    state = step(code, take_first(code));
  }
  return state;
}

// The lanes that are furthest behind go first, so that lanes that parted meet again as early as
// they can. Takes them, with all others that are there.
Warp::Fragment Warp::take_first(const std::vector<Instruction>& code) {
  uint32_t first = kNowhere;
  for (const Fragment& each : fragments_)
    if (!each.waits) first = std::min(first, each.at);
  if (first == kNowhere) {
    const Fragment& stuck = fragments_.front();
    fault(code[stuck.at], std::countr_zero(stuck.lanes),
          concat("reached by the lanes ", list(stuck.lanes), " of the warp alone"));
  }
  return {first, take_all(first), false};
}

uint32_t Warp::take_all(uint32_t at) {
  uint32_t lanes = 0;
  for (const Fragment& each : fragments_)
    if (each.at == at) lanes |= each.lanes;
  std::erase_if(fragments_, [&](const Fragment& each) { return each.at == at; });
  return lanes;
}

// Goes on until others are there, or the lanes part, wait or end.
Warp::State Warp::step(const std::vector<Instruction>& code, Fragment fragment) {
  uint32_t others = kNowhere;
  for (const Fragment& each : fragments_)
    if (each.at > fragment.at) others = std::min(others, each.at);
  auto& [at, lanes, waits] = fragment;
  while (at < others) {
    const Instruction& instruction = code[at];
    switch (instruction.kind) {
      case Kind::kLanes:
        instruction.run(*this, instruction, lanes);
        ++at;
        break;
      case Kind::kWarp:
      case Kind::kBarrier:
        lanes |= take_all(at);
        if (lanes != kAllLanes) {
          waits = true;
          fragments_.push_back(fragment);
          return State::kRunning;
        }
        ++at;
        if (instruction.kind == Kind::kBarrier) {
          fragments_.push_back(fragment);
          return State::kAtBarrier;
        }
        instruction.run(*this, instruction, lanes);
        break;
      case Kind::kBranch: {
        uint32_t taken = lanes;
        if (instruction.guard != kNoSlot) {
          const uint32_t hold = lanes_that_hold(lanes_at<uint32_t>(instruction.guard));
          taken &= instruction.is_guard_negated ? ~hold : hold;
        }
        if (taken != 0 && taken != lanes) {
          fragments_.push_back({instruction.target, taken, false});
          fragments_.push_back({at + 1, lanes & ~taken, false});
          return State::kRunning;
        }
        at = taken ? instruction.target : at + 1;
        break;
      }
      case Kind::kExit:
        return State::kRunning;
    }
  }
  fragments_.push_back(fragment);
  return State::kRunning;
}

Range Warp::find_range(const Instruction& instruction, Space space, uint64_t address,
                       unsigned bytes, unsigned alignment, int lane) const {
  if (address % alignment)
    fault(instruction, lane, concat("address ", address, " is no multiple of ", alignment));
  const auto* pointer = reinterpret_cast<const void*>(address);
  switch (space) {
    case Space::kParam:
      if (block->params.contains(address, bytes)) return block->params;
      fault(instruction, lane, concat(bytes, " bytes at ", address, " of the parameters"));
    case Space::kShared:
      for (const Range& range : block->shared)
        if (range.contains(address, bytes)) return range;
      fault(instruction, lane,
            concat(bytes, " bytes at ", address, ", which are in no array of shared memory"));
    case Space::kLocal: {
      std::byte* begin =
          const_cast<std::byte*>(local.data()) + static_cast<std::size_t>(lane) * local_bytes;
      const Range own{kLocalBegin, local_bytes, begin};
      if (own.contains(address, bytes)) return own;
      fault(instruction, lane, concat(bytes, " bytes at ", address, " of local memory"));
    }
    case Space::kGlobal:
      break;
  }
  const std::span<std::byte> found = simt::device_allocation(pointer);
  const Range range{reinterpret_cast<uint64_t>(found.data()), found.size(), found.data()};
  if (range.contains(address, bytes)) return range;
  fault(instruction, lane,
        concat(bytes, " bytes of global memory at ",
               simt::is_device_address(pointer) ? simt::describe_device(pointer)
                                                : concat("the address ", address)));
}

}  // namespace shiftadd::ptx
