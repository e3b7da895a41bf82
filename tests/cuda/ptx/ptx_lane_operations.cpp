// What each lane computes for itself, of its registers.
#include <cmath>
#include <limits>
#include <utility>

#include "core/error.h"
#include "tests/cuda/ptx/ptx_tables.h"

namespace shiftadd::ptx {
namespace {

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

}  // namespace

void add_lane_operations(Table& table) {
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
}

}  // namespace shiftadd::ptx
