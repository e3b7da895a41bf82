// What the lanes of a warp do together: shuffles, votes and sums over them.
#include "core/error.h"
#include "tests/cuda/ptx/ptx_tables.h"

namespace shiftadd::ptx {
namespace {

void require_all(Warp& warp, const Instruction& instruction, std::size_t operand) {
  const uint32_t* masks = warp.lanes_at<uint32_t>(instruction.slots[operand]);
  for (int lane = 0; lane < kLanes; ++lane)
    if (masks[lane] != kAllLanes)
      warp.fault(instruction, lane, concat("a mask of ", masks[lane], ": expected all lanes"));
}

enum class Shuffle { kUp, kDown, kButterfly, kIndex };

template <Shuffle kMode>
void shuffle(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  require_all(warp, instruction, 5);
  const uint32_t* a = warp.lanes_at<uint32_t>(instruction.slots[2]);
  const uint32_t* b = warp.lanes_at<uint32_t>(instruction.slots[3]);
  const uint32_t* c = warp.lanes_at<uint32_t>(instruction.slots[4]);
  uint32_t results[kLanes], in_range[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) {
    const int by = static_cast<int>(b[lane] & 31), clamp = static_cast<int>(c[lane] & 31);
    const int segment = static_cast<int>(c[lane] >> 8 & 31);
    const int last = (lane & segment) | (clamp & ~segment), first = lane & segment;
    int from = 0;
    if (kMode == Shuffle::kUp) from = lane - by;
    if (kMode == Shuffle::kDown) from = lane + by;
    if (kMode == Shuffle::kButterfly) from = lane ^ by;
    if (kMode == Shuffle::kIndex) from = first | (by & ~segment);
    const bool holds = kMode == Shuffle::kUp ? from >= last : from <= last;
    results[lane] = a[holds ? from : lane];
    in_range[lane] = holds;
  }
  warp.write(instruction.slots[0], results, lanes);
  warp.write(instruction.slots[1], in_range, lanes);
}

// Operand 1 of all lanes becomes one result.
template <class F>
void combine(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  require_all(warp, instruction, 2);
  const uint32_t result = F{}(warp.lanes_at<uint32_t>(instruction.slots[1]));
  uint32_t results[kLanes];
  for (uint32_t& each : results) each = result;
  warp.write(instruction.slots[0], results, lanes);
}

template <class F>
Operation combined(F) {
  return {combine<F>, 1, {4, 4, 4}, Kind::kWarp};
}

template <class T>
uint32_t largest(const uint32_t* values) {
  auto most = static_cast<T>(values[0]);
  for (int lane = 1; lane < kLanes; ++lane)
    if (static_cast<T>(values[lane]) > most) most = static_cast<T>(values[lane]);
  return static_cast<uint32_t>(most);
}

uint32_t sum(const uint32_t* values) {
  uint32_t result = 0;
  for (int lane = 0; lane < kLanes; ++lane) result += values[lane];
  return result;
}

uint32_t votes(const uint32_t* values) {
  uint32_t result = 0;
  for (int lane = 0; lane < kLanes; ++lane)
    result |= static_cast<uint32_t>(values[lane] != 0) << lane;
  return result;
}

}  // namespace

void add_warp_operations(Table& table) {
  const std::vector<unsigned> operands = {4, 4, 4, 4, 4, 4};
  table["shfl.sync.up.b32"] = {shuffle<Shuffle::kUp>, 2, operands, Kind::kWarp};
  table["shfl.sync.down.b32"] = {shuffle<Shuffle::kDown>, 2, operands, Kind::kWarp};
  table["shfl.sync.bfly.b32"] = {shuffle<Shuffle::kButterfly>, 2, operands, Kind::kWarp};
  table["shfl.sync.idx.b32"] = {shuffle<Shuffle::kIndex>, 2, operands, Kind::kWarp};
  table["vote.sync.ballot.b32"] = combined([](const uint32_t* a) { return votes(a); });
  table["vote.sync.any.pred"] = combined([](const uint32_t* a) { return uint32_t{votes(a) != 0}; });
  table["vote.sync.all.pred"] =
      combined([](const uint32_t* a) { return uint32_t{votes(a) == kAllLanes}; });
  table["redux.sync.max.s32"] = combined([](const uint32_t* a) { return largest<int32_t>(a); });
  table["redux.sync.max.u32"] = combined([](const uint32_t* a) { return largest<uint32_t>(a); });
  table["redux.sync.add.s32"] = combined([](const uint32_t* a) { return sum(a); });
  table["redux.sync.add.u32"] = combined([](const uint32_t* a) { return sum(a); });
  table["bar.warp.sync"] = {[](Warp& warp, const Instruction& instruction, uint32_t) {
                              require_all(warp, instruction, 0);
                            },
                            0,
                            {4},
                            Kind::kWarp};
}

}  // namespace shiftadd::ptx
