// Written from the PTX ISA alone: the host executor's reading of the same instructions is another.
#include "tests/cuda/ptx/ptx_operations.h"

#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "core/error.h"

namespace shiftadd::ptx {
namespace {

using Table = std::map<std::string, Operation>;

template <class T>
constexpr unsigned kWidth = sizeof(Lane<T>);

// ---- What each lane computes for itself ----

template <class F, class D, class... A, std::size_t... k>
void compute(Warp& warp, const Instruction& instruction, uint32_t lanes,
             std::index_sequence<k...>) {
  Lane<D> results[kLanes];
  [&](const Lane<A>*... operands) {
    for (int lane = 0; lane < kLanes; ++lane)
      results[lane] = to_lane<D>(F{}(from_lane<A>(operands[lane])...));
  }(warp.lanes_at<Lane<A>>(instruction.slots[k + 1])...);
  warp.write(instruction.slots[0], results, lanes);
}

template <class F, class D, class... A>
Operation of_lanes(D (F::*)(A...) const) {
  return {[](Warp& warp, const Instruction& instruction, uint32_t lanes) {
            compute<F, D, A...>(warp, instruction, lanes, std::index_sequence_for<A...>());
          },
          1,
          {kWidth<D>, kWidth<A>...}};
}

// Of a function without state: its types are those of the registers. It is called for lanes that
// are not active too, with anything in them.
template <class F>
Operation each_lane(F) {
  return of_lanes(&F::operator());
}

template <class T>
void add_ordered_comparisons(Table& table, const std::string& type) {
  table["setp.eq" + type] = each_lane([](T a, T b) { return a == b; });
  table["setp.ne" + type] = each_lane([](T a, T b) { return a != b; });
  table["setp.lt" + type] = each_lane([](T a, T b) { return a < b; });
  table["setp.le" + type] = each_lane([](T a, T b) { return a <= b; });
  table["setp.gt" + type] = each_lane([](T a, T b) { return a > b; });
  table["setp.ge" + type] = each_lane([](T a, T b) { return a >= b; });
}

// These hold of NaN too.
template <class T>
void add_unordered_comparisons(Table& table, const std::string& type) {
  table["setp.ltu" + type] = each_lane([](T a, T b) { return !(a >= b); });
  table["setp.leu" + type] = each_lane([](T a, T b) { return !(a > b); });
}

void add_comparisons(Table& table) {
  add_ordered_comparisons<int16_t>(table, ".s16");
  add_ordered_comparisons<int32_t>(table, ".s32");
  add_ordered_comparisons<int64_t>(table, ".s64");
  add_ordered_comparisons<uint32_t>(table, ".u32");
  add_ordered_comparisons<uint64_t>(table, ".u64");
  add_ordered_comparisons<float>(table, ".f32");
  add_ordered_comparisons<double>(table, ".f64");
  add_unordered_comparisons<float>(table, ".f32");
  add_unordered_comparisons<double>(table, ".f64");
  table["setp.eq.b32"] = table["setp.eq.s32"];
}

template <class T>
void add_moves(Table& table, const std::string& type) {
  table["mov" + type] = each_lane([](T a) { return a; });
  table["selp" + type] = each_lane([](T a, T b, bool p) { return p ? a : b; });
}

template <class T>
void add_bits(Table& table, const std::string& type) {
  table["and" + type] = each_lane([](T a, T b) { return static_cast<T>(a & b); });
  table["or" + type] = each_lane([](T a, T b) { return static_cast<T>(a | b); });
  table["xor" + type] = each_lane([](T a, T b) { return static_cast<T>(a ^ b); });
  table["not" + type] = each_lane([](T a) {
    if constexpr (std::is_same_v<T, bool>)
      return !a;
    else
      return static_cast<T>(~a);
  });
}

// Shifts by the width or more are those by the width.
template <class T>
T shift_right(T a, uint32_t by) {
  constexpr uint32_t kMost = 8 * sizeof(T) - 1;
  return by <= kMost ? static_cast<T>(a >> by) : a < 0 ? static_cast<T>(-1) : T{0};
}

// Integers wrap around: they are computed unsigned.
template <class U>
void add_integers(Table& table, const std::string& bits) {
  using S = std::make_signed_t<U>;
  for (const std::string& type : {".s" + bits, ".u" + bits}) {
    table["add" + type] = each_lane([](U a, U b) { return a + b; });
    table["sub" + type] = each_lane([](U a, U b) { return a - b; });
    table["mul.lo" + type] = each_lane([](U a, U b) { return a * b; });
    table["mad.lo" + type] = each_lane([](U a, U b, U c) { return a * b + c; });
  }
  table["neg.s" + bits] = each_lane([](U a) { return U{0} - a; });
  table["min.s" + bits] = each_lane([](S a, S b) { return a < b ? a : b; });
  table["max.s" + bits] = each_lane([](S a, S b) { return a > b ? a : b; });
  table["max.u" + bits] = each_lane([](U a, U b) { return a > b ? a : b; });
  table["shl.b" + bits] =
      each_lane([](U a, uint32_t by) { return by < 8 * sizeof(U) ? a << by : U{0}; });
  table["shr.u" + bits] = each_lane([](U a, uint32_t by) { return shift_right<U>(a, by); });
  table["shr.s" + bits] = each_lane([](S a, uint32_t by) { return shift_right<S>(a, by); });
  // The ISA leaves a division by zero open.
  table["div.u" + bits] = each_lane([](U a, U b) { return b ? a / b : ~U{0}; });
  table["rem.u" + bits] = each_lane([](U a, U b) { return b ? a % b : a; });
  table["div.s" + bits] = each_lane([](S a, S b) {
    return b == 0 ? S{-1} : b == -1 ? static_cast<S>(U{0} - static_cast<U>(a)) : a / b;
  });
  table["rem.s" + bits] = each_lane([](S a, S b) { return b == 0 || b == -1 ? S{0} : a % b; });
  table["bfi.b" + bits] = each_lane([](U a, U b, uint32_t position, uint32_t length) {
    constexpr uint32_t kBits = 8 * sizeof(U);
    position &= 0xff;
    length &= 0xff;
    const U low = length >= kBits ? ~U{0} : (U{1} << length) - 1;
    const U mask = position >= kBits ? U{0} : low << position;
    return (b & ~mask) | (position >= kBits ? U{0} : a << position & mask);
  });
  table["popc.b" + bits] = each_lane([](U a) { return static_cast<uint32_t>(std::popcount(a)); });
}

template <class Byte>
uint32_t dot_4(uint32_t a, uint32_t b, uint32_t c) {
  for (int i = 0; i < 32; i += 8)
    c += static_cast<uint32_t>(static_cast<Byte>(a >> i) * static_cast<Byte>(b >> i));
  return c;
}

// Four of the eight bytes of b:a. The top bit of a selector's nibble asks for the byte's sign.
uint32_t permute(uint32_t a, uint32_t b, uint32_t selector) {
  uint32_t result = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    const uint32_t nibble = selector >> (4 * i) & 0xf, number = nibble & 7;
    uint32_t byte = (number < 4 ? a >> (8 * number) : b >> (8 * (number - 4))) & 0xff;
    if (nibble & 8) byte = byte & 0x80 ? 0xff : 0;
    result |= byte << (8 * i);
  }
  return result;
}

void add_bytes_and_bits(Table& table) {
  add_bits<bool>(table, ".pred");
  add_bits<uint16_t>(table, ".b16");
  add_bits<uint32_t>(table, ".b32");
  add_bits<uint64_t>(table, ".b64");
  table["shr.u16"] = each_lane([](uint16_t a, uint32_t by) { return shift_right(a, by); });
  table["prmt.b32"] =
      each_lane([](uint32_t a, uint32_t b, uint32_t selector) { return permute(a, b, selector); });
  table["dp4a.s32.s32"] =
      each_lane([](uint32_t a, uint32_t b, uint32_t c) { return dot_4<int8_t>(a, b, c); });
  table["dp4a.u32.u32"] =
      each_lane([](uint32_t a, uint32_t b, uint32_t c) { return dot_4<uint8_t>(a, b, c); });
  table["clz.b32"] =
      each_lane([](uint32_t a) { return static_cast<uint32_t>(std::countl_zero(a)); });
  table["bfind.shiftamt.u32"] =
      each_lane([](uint32_t a) { return a ? static_cast<uint32_t>(std::countl_zero(a)) : ~0U; });
  table["brev.b32"] = each_lane([](uint32_t a) {
    uint32_t result = 0;
    for (int i = 0; i < 32; ++i) result |= (a >> i & 1) << (31 - i);
    return result;
  });
}

template <class T>
void add_floats(Table& table, const std::string& type) {
  table["add.rn" + type] = each_lane([](T a, T b) { return a + b; });
  table["sub.rn" + type] = each_lane([](T a, T b) { return a - b; });
  table["mul.rn" + type] = each_lane([](T a, T b) { return a * b; });
  table["div.rn" + type] = each_lane([](T a, T b) { return a / b; });
  table["rcp.rn" + type] = each_lane([](T a) { return T{1} / a; });
  table["sqrt.rn" + type] = each_lane([](T a) { return std::sqrt(a); });
  table["fma.rn" + type] = each_lane([](T a, T b, T c) { return std::fma(a, b, c); });
  table["neg" + type] = each_lane([](T a) { return -a; });
  table["abs" + type] = each_lane([](T a) { return std::abs(a); });
}

// Within two units of the last place, the ISA says; here as near as the host has it.
void add_approximations(Table& table) {
  table["ex2.approx.f32"] = each_lane([](float a) { return std::exp2(a); });
}

// To the nearest integer, ties to even; what lies beyond becomes the end of the range, NaN 0.
int32_t to_int(float a) {
  if (std::isnan(a)) return 0;
  if (a >= 2147483648.0F) return std::numeric_limits<int32_t>::max();
  if (a < -2147483648.0F) return std::numeric_limits<int32_t>::min();
  return static_cast<int32_t>(std::nearbyint(a));
}

// To the nearest bf16 number, ties to even; all NaNs become one.
uint32_t to_bf16(float a) {
  if (std::isnan(a)) return 0x7fff;
  const auto bits = std::bit_cast<uint32_t>(a);
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

void add_conversions(Table& table) {
  // The first operand becomes the upper half.
  table["cvt.rn.bf16x2.f32"] =
      each_lane([](float a, float b) { return to_bf16(a) << 16 | to_bf16(b); });
  table["cvt.s64.s32"] = each_lane([](int32_t a) { return int64_t{a}; });
  table["cvt.u64.u32"] = each_lane([](uint32_t a) { return uint64_t{a}; });
  table["cvt.u32.u64"] = each_lane([](uint64_t a) { return static_cast<uint32_t>(a); });
  table["cvt.s32.s8"] = each_lane([](int8_t a) { return int32_t{a}; });
  table["cvt.s16.s8"] = each_lane([](int8_t a) { return int16_t{a}; });
  table["cvt.u32.u16"] = each_lane([](uint16_t a) { return uint32_t{a}; });
  table["cvt.u16.u32"] = each_lane([](uint32_t a) { return static_cast<uint16_t>(a); });
  table["cvt.rn.f32.s32"] = each_lane([](int32_t a) { return static_cast<float>(a); });
  table["cvt.rn.f32.s16"] = each_lane([](int16_t a) { return static_cast<float>(a); });
  table["cvt.rn.f64.s32"] = each_lane([](int32_t a) { return static_cast<double>(a); });
  table["cvt.rn.f32.f64"] = each_lane([](double a) { return static_cast<float>(a); });
  table["cvt.f64.f32"] = each_lane([](float a) { return static_cast<double>(a); });
  table["cvt.rni.f32.f32"] = each_lane([](float a) { return std::nearbyint(a); });
  table["cvt.rni.s32.f32"] = each_lane([](float a) { return to_int(a); });
  table["cvt.rmi.f64.f64"] = each_lane([](double a) { return std::floor(a); });
  table["cvta.to.global.u64"] = each_lane([](uint64_t a) { return a; });
  table["cvta.shared.u64"] = each_lane([](uint64_t a) { return a + kSharedWindow; });
  table["cvta.local.u64"] = each_lane([](uint64_t a) { return a + kLocalWindow; });
  table["cvta.to.local.u64"] = each_lane([](uint64_t a) { return a - kLocalWindow; });
}

// ---- Memory ----

// Calls the function for each of the lanes, in their order.
template <class F>
void for_each_lane(uint32_t lanes, F f) {
  for (; lanes; lanes &= lanes - 1) f(std::countr_zero(lanes));
}

template <Space kSpace>
using Address = std::conditional_t<kSpace == Space::kShared, uint32_t, uint64_t>;

// What an operand says; `kAt`: which of the addresses of the instruction it is.
template <Space kSpace, int kAt = 0>
struct Addresses {
  const Address<kSpace>* lanes;
  uint64_t offset;
  Addresses(Warp& warp, const Instruction& instruction, int operand)
      : lanes(warp.lanes_at<Address<kSpace>>(instruction.slots[static_cast<std::size_t>(operand)])),
        offset(instruction.offsets[kAt]) {}
  uint64_t operator[](int lane) const { return static_cast<Address<kSpace>>(lanes[lane] + offset); }
};

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

// ---- What the lanes of a warp do together ----

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

// ---- Matrices ----
// Names as in the ISA's chapter on mma: a lane has a group, lane / 4, and a place in it, lane % 4.

// Lane i names row i % 8, of 16 bytes, of matrix i / 8.
struct MatrixRows {
  const std::byte* of_lane[kLanes];

  MatrixRows(Warp& warp, const Instruction& instruction) {
    constexpr unsigned kRowBytes = 16;
    const Addresses<Space::kShared> addresses(warp, instruction, 4);
    for (int lane = 0; lane < kLanes; ++lane)
      of_lane[lane] =
          warp.memory<Space::kShared>(instruction, addresses[lane], kRowBytes, kRowBytes, lane);
  }
  const std::byte* operator[](int row) const { return of_lane[row]; }
};

// A lane gets 4 bytes of each matrix: those of its place in the row of its group.
void load_matrices(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  const MatrixRows rows(warp, instruction);
  for (int matrix = 0; matrix < 4; ++matrix) {
    uint32_t results[kLanes];
    for (int lane = 0; lane < kLanes; ++lane)
      std::memcpy(&results[lane], rows[8 * matrix + lane / 4] + 4 * (lane % 4), 4);
    warp.write(instruction.slots[static_cast<std::size_t>(matrix)], results, lanes);
  }
}

// The same of the matrix turned: its place's two rows, of each the number in the column of its
// group.
void load_turned_matrices(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  const MatrixRows rows(warp, instruction);
  for (int matrix = 0; matrix < 4; ++matrix) {
    uint32_t results[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) {
      uint16_t two[2];
      for (int i = 0; i < 2; ++i)
        std::memcpy(&two[i], rows[8 * matrix + 2 * (lane % 4) + i] + 2 * (lane / 4), 2);
      results[lane] = two[0] | static_cast<uint32_t>(two[1]) << 16;
    }
    warp.write(instruction.slots[static_cast<std::size_t>(matrix)], results, lanes);
  }
}

// d = a b + c of 16 x kDepth times kDepth x 8. Elements lie in registers of 4 bytes: those of a
// lane in one register are neighbours along the depth, and a register is `kStep` elements of it.
//   a: registers 0 and 2 hold the row of the group, 1 and 3 the row 8 below; 2 and 3 the second
//      half of the depth
//   b: the column of the group; register 1 the second half of the depth
//   c, d: columns 2 place and 2 place + 1; registers 0 and 1 of the row of the group, 2 and 3 of
//   the
//      row 8 below
template <class Element, class Sum, int kDepth, class Unpack>
void multiply(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  constexpr int kStep = kDepth / 8, kHalf = kDepth / 2;
  Element a[16][kDepth], b[kDepth][8];
  Sum sums[16][8];
  const auto slot = [&](int operand) {
    return warp.lanes_at<uint32_t>(instruction.slots[static_cast<std::size_t>(operand)]);
  };
  for (int lane = 0; lane < kLanes; ++lane) {
    const int group = lane / 4, place = lane % 4;
    for (int i = 0; i < kStep; ++i) {
      const int k = place * kStep + i;
      a[group][k] = Unpack{}(slot(4)[lane], i);
      a[group + 8][k] = Unpack{}(slot(5)[lane], i);
      a[group][k + kHalf] = Unpack{}(slot(6)[lane], i);
      a[group + 8][k + kHalf] = Unpack{}(slot(7)[lane], i);
      b[k][group] = Unpack{}(slot(8)[lane], i);
      b[k + kHalf][group] = Unpack{}(slot(9)[lane], i);
    }
    for (int i = 0; i < 4; ++i)
      sums[group + i / 2 * 8][2 * place + i % 2] = from_lane<Sum>(slot(10 + i)[lane]);
  }
  for (auto& row : sums) {
    const Element* factors = a[&row - sums];
    for (int k = 0; k < kDepth; ++k)
      for (int column = 0; column < 8; ++column)
        row[column] += static_cast<Sum>(factors[k] * b[k][column]);
  }
  for (int i = 0; i < 4; ++i) {
    uint32_t results[kLanes];
    for (int lane = 0; lane < kLanes; ++lane)
      results[lane] = to_lane<Sum>(sums[lane / 4 + i / 2 * 8][2 * (lane % 4) + i % 2]);
    warp.write(instruction.slots[static_cast<std::size_t>(i)], results, lanes);
  }
}

struct UnpackInt8 {
  int16_t operator()(uint32_t bits, int i) const { return static_cast<int8_t>(bits >> (8 * i)); }
};
struct UnpackBf16 {
  float operator()(uint32_t bits, int i) const {
    return std::bit_cast<float>(i == 0 ? bits << 16 : bits & 0xffff0000);
  }
};

void add_matrices(Table& table) {
  table["ldmatrix.sync.aligned.m8n8.x4.shared.b16"] = {
      load_matrices, 4, {4, 4, 4, 4, 4}, Kind::kWarp};
  table["ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16"] = {
      load_turned_matrices, 4, {4, 4, 4, 4, 4}, Kind::kWarp};
  const std::vector<unsigned> operands(14, 4);
  // Sums modulo 2^32, which the ISA leaves open without .satfinite.
  table["mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32"] = {
      multiply<int16_t, uint32_t, 32, UnpackInt8>, 4, operands, Kind::kWarp};
  // The ISA leaves open in which order and precision; here each product is added to the sum so far
  // in float, k from 0 on.
  table["mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"] = {
      multiply<float, float, 16, UnpackBf16>, 4, operands, Kind::kWarp};
}

// ---- The rest ----

void add_others(Table& table) {
  table["mov.b32.unpack"] = {[](Warp& warp, const Instruction& instruction, uint32_t lanes) {
                               uint32_t low[kLanes], high[kLanes];
                               const auto* from = warp.lanes_at<uint32_t>(instruction.slots[2]);
                               for (int lane = 0; lane < kLanes; ++lane) {
                                 low[lane] = from[lane] & 0xffff;
                                 high[lane] = from[lane] >> 16;
                               }
                               warp.write(instruction.slots[0], low, lanes);
                               warp.write(instruction.slots[1], high, lanes);
                             },
                             2,
                             {4, 4, 4}};
  table["cp.async.cg.shared.global"] = {copy_async, 0, {4, 8, 4, 4}};
  table["cp.async.commit_group"] = {commit_copies, 0, {}};
  table["cp.async.wait_group"] = {wait_for_copies, 0, {4}};
  table["bar.sync"] = {nullptr, 0, {4}, Kind::kBarrier};
  table["griddepcontrol.wait"] = {
      [](Warp& warp, const Instruction&, uint32_t) { warp.block->has_waited = true; }, 0, {}};
  table["griddepcontrol.launch_dependents"] = {[](Warp&, const Instruction&, uint32_t) {}, 0, {}};
  table["ret"] = {nullptr, 0, {}, Kind::kExit};
}

Table all_operations() {
  Table table;
  add_comparisons(table);
  table["mov.pred"] = each_lane([](bool a) { return a; });
  add_moves<uint16_t>(table, ".b16");
  add_moves<uint16_t>(table, ".u16");
  add_moves<uint32_t>(table, ".b32");
  add_moves<uint32_t>(table, ".u32");
  add_moves<uint32_t>(table, ".f32");
  add_moves<uint64_t>(table, ".b64");
  add_moves<uint64_t>(table, ".u64");
  add_bytes_and_bits(table);
  add_integers<uint32_t>(table, "32");
  add_integers<uint64_t>(table, "64");
  table["mul.wide.s32"] = each_lane([](int32_t a, int32_t b) { return int64_t{a} * int64_t{b}; });
  table["mul.wide.u32"] =
      each_lane([](uint32_t a, uint32_t b) { return uint64_t{a} * uint64_t{b}; });
  add_floats<float>(table, ".f32");
  add_floats<double>(table, ".f64");
  add_approximations(table);
  add_conversions(table);
  add_all_loads<Space::kParam>(table, "ld.param");
  add_all_loads<Space::kGlobal>(table, "ld.global");
  add_all_loads<Space::kGlobal>(table, "ld.global.nc");
  add_all_loads<Space::kShared>(table, "ld.shared");
  add_all_loads<Space::kLocal>(table, "ld.local");
  add_all_stores<Space::kGlobal>(table, "st.global");
  add_all_stores<Space::kShared>(table, "st.shared");
  add_all_stores<Space::kLocal>(table, "st.local");
  add_atomics(table);
  add_warp_operations(table);
  add_matrices(table);
  add_others(table);
  return table;
}

}  // namespace

Operation operation_of(const std::string& opcode, unsigned result_width) {
  static const Table table = all_operations();
  auto found = table.find(opcode);
  if (found == table.end()) found = table.find(concat(opcode, "#", result_width));
  if (found == table.end()) throw failure("the instruction '", opcode, "' is not known");
  return found->second;
}

}  // namespace shiftadd::ptx
