// Loads, stores, atomics and asynchronous copies.
#include "core/error.h"
#include "tests/cuda/ptx/ptx_tables.h"

namespace shiftadd::ptx {
namespace {

// Calls the function for each of the lanes, in their order.
template <class F>
void for_each_lane(uint32_t lanes, F f) {
  for (; lanes; lanes &= lanes - 1) f(std::countr_zero(lanes));
}

// kCount elements of type M at once, each into a register of type D.
template <Space kSpace, class M, class D, int kCount>
void load(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  const Addresses<kSpace> addresses(warp, instruction, kCount);
  Lane<D> results[kCount][kLanes];
  for_each_lane(lanes, [&](int lane) {
    const std::byte* from = warp.memory<kSpace>(instruction, addresses[lane], kCount * sizeof(M),
                                                kCount * sizeof(M), lane);
    M values[kCount];
    std::memcpy(values, from, sizeof(values));
    for (int i = 0; i < kCount; ++i) results[i][lane] = to_lane<D>(static_cast<D>(values[i]));
  });
  for (std::size_t i = 0; i < kCount; ++i) warp.write(instruction.slots[i], results[i], lanes);
}

template <Space kSpace, class M, int kCount>
void store(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  const Addresses<kSpace> addresses(warp, instruction, 0);
  for_each_lane(lanes, [&](int lane) {
    M values[kCount];
    for (std::size_t i = 0; i < kCount; ++i)
      values[i] = from_lane<M>(warp.lanes_at<Lane<M>>(instruction.slots[i + 1])[lane]);
    std::memcpy(
        warp.memory<kSpace>(instruction, addresses[lane], sizeof(values), sizeof(values), lane),
        values, sizeof(values));
  });
}

template <Space kSpace, class M, class D>
void add_loads(Table& table, const std::string& names, const std::string& type) {
  const std::string end = type + concat("#", kWidth<D>);
  table[names + end] = {load<kSpace, M, D, 1>, 1, {kWidth<D>, sizeof(Address<kSpace>)}};
  table[names + ".v2" + end] = {
      load<kSpace, M, D, 2>, 2, {kWidth<D>, kWidth<D>, sizeof(Address<kSpace>)}};
  table[names + ".v4" + end] = {
      load<kSpace, M, D, 4>,
      4,
      {kWidth<D>, kWidth<D>, kWidth<D>, kWidth<D>, sizeof(Address<kSpace>)}};
}

template <Space kSpace, class M>
void add_stores(Table& table, const std::string& names, const std::string& type) {
  table[names + type] = {store<kSpace, M, 1>, 0, {sizeof(Address<kSpace>), kWidth<M>}};
  table[names + ".v2" + type] = {
      store<kSpace, M, 2>, 0, {sizeof(Address<kSpace>), kWidth<M>, kWidth<M>}};
  table[names + ".v4" + type] = {
      store<kSpace, M, 4>,
      0,
      {sizeof(Address<kSpace>), kWidth<M>, kWidth<M>, kWidth<M>, kWidth<M>}};
}

template <Space kSpace>
void add_all_loads(Table& table, const std::string& load) {
  add_loads<kSpace, uint8_t, uint32_t>(table, load, ".u8");
  add_loads<kSpace, int8_t, int32_t>(table, load, ".s8");
  add_loads<kSpace, uint16_t, uint32_t>(table, load, ".u16");
  add_loads<kSpace, uint32_t, uint32_t>(table, load, ".u32");
  add_loads<kSpace, uint32_t, uint32_t>(table, load, ".f32");
  add_loads<kSpace, int32_t, int64_t>(table, load, ".s32");
  add_loads<kSpace, uint64_t, uint64_t>(table, load, ".u64");
  add_loads<kSpace, uint64_t, uint64_t>(table, load, ".f64");
}

template <Space kSpace>
void add_all_stores(Table& table, const std::string& store) {
  add_stores<kSpace, uint8_t>(table, store, ".u8");
  add_stores<kSpace, uint16_t>(table, store, ".u16");
  add_stores<kSpace, uint32_t>(table, store, ".u32");
  add_stores<kSpace, uint32_t>(table, store, ".f32");
  add_stores<kSpace, uint64_t>(table, store, ".u64");
}

// One lane after the other.
template <Space kSpace, class T, class F>
void update(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  const Addresses<kSpace> addresses(warp, instruction, 1);
  const Lane<T>* operands = warp.lanes_at<Lane<T>>(instruction.slots[2]);
  Lane<T> results[kLanes];
  for_each_lane(lanes, [&](int lane) {
    std::byte* at = warp.memory<kSpace>(instruction, addresses[lane], sizeof(T), sizeof(T), lane);
    T before;
    std::memcpy(&before, at, sizeof(T));
    const T after = F{}(before, from_lane<T>(operands[lane]));
    std::memcpy(at, &after, sizeof(T));
    results[lane] = to_lane<T>(before);
  });
  warp.write(instruction.slots[0], results, lanes);
}

template <Space kSpace, class T, class F>
Operation atomic(F) {
  return {update<kSpace, T, F>, 1, {kWidth<T>, sizeof(Address<kSpace>), kWidth<T>}};
}

void add_atomics(Table& table) {
  constexpr auto kMost = [](int32_t a, int32_t b) { return a > b ? a : b; };
  table["atom.shared.max.s32"] = atomic<Space::kShared, int32_t>(kMost);
  table["atom.global.max.s32"] = atomic<Space::kGlobal, int32_t>(kMost);
  table["atom.global.add.u32"] =
      atomic<Space::kGlobal, uint32_t>([](uint32_t a, uint32_t b) { return a + b; });
  table["atom.global.add.f32"] =
      atomic<Space::kGlobal, float>([](float a, float b) { return a + b; });
}

// The old bytes are gone at once, and the new ones there when the copy has been waited for: what
// relies on anything between finds 0xff.
void copy_async(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  constexpr unsigned kBytes = 16;
  const Addresses<Space::kShared, 0> to(warp, instruction, 0);
  const Addresses<Space::kGlobal, 1> from(warp, instruction, 1);
  const uint32_t* valid = warp.lanes_at<uint32_t>(instruction.slots[3]);
  for_each_lane(lanes, [&](int lane) {
    if (warp.lanes_at<uint32_t>(instruction.slots[2])[lane] != kBytes || valid[lane] > kBytes)
      warp.fault(instruction, lane, concat("copies ", valid[lane], " bytes: expected 0 ... 16"));
    std::byte* destination =
        warp.memory<Space::kShared>(instruction, to[lane], kBytes, kBytes, lane);
    const std::byte* source = valid[lane] ? warp.memory<Space::kGlobal>(instruction, from[lane],
                                                                        valid[lane], kBytes, lane)
                                          : nullptr;
    std::memset(destination, 0xff, kBytes);
    warp.copies.push_back(
        {warp.groups[static_cast<std::size_t>(lane)], lane, valid[lane], destination, source});
  });
}

void commit_copies(Warp& warp, const Instruction&, uint32_t lanes) {
  for_each_lane(lanes, [&](int lane) { ++warp.groups[static_cast<std::size_t>(lane)]; });
}

void wait_for_copies(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  const uint32_t most = *warp.lanes_at<uint32_t>(instruction.slots[0]);
  std::erase_if(warp.copies, [&](const Warp::Copy& copy) {
    const uint32_t closed = warp.groups[static_cast<std::size_t>(copy.lane)];
    if (!(lanes >> copy.lane & 1) || copy.group + most >= closed) return false;
    std::memset(copy.to, 0, 16);
    if (copy.valid_bytes) std::memcpy(copy.to, copy.from, copy.valid_bytes);
    return true;
  });
}

}  // namespace

void add_memory_operations(Table& table) {
  add_all_loads<Space::kParam>(table, "ld.param");
  add_all_loads<Space::kGlobal>(table, "ld.global");
  add_all_loads<Space::kGlobal>(table, "ld.global.nc");
  add_all_loads<Space::kShared>(table, "ld.shared");
  add_all_loads<Space::kLocal>(table, "ld.local");
  add_all_stores<Space::kGlobal>(table, "st.global");
  add_all_stores<Space::kShared>(table, "st.shared");
  add_all_stores<Space::kLocal>(table, "st.local");
  add_atomics(table);
  table["cp.async.cg.shared.global"] = {copy_async, 0, {4, 8, 4, 4}};
  table["cp.async.commit_group"] = {commit_copies, 0, {}};
  table["cp.async.wait_group"] = {wait_for_copies, 0, {4}};
}

}  // namespace shiftadd::ptx
