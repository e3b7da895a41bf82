// The operations by their opcodes: what fills the table of them, and what its entries share.
#pragma once

#include <map>
#include <string>
#include <type_traits>

#include "tests/cuda/ptx/ptx_operations.h"

namespace shiftadd::ptx {

using Table = std::map<std::string, Operation>;

/// Bytes of a lane of a register of type T.
template <class T>
constexpr unsigned kWidth = sizeof(Lane<T>);

template <Space kSpace>
using Address = std::conditional_t<kSpace == Space::kShared, uint32_t, uint64_t>;

/// What an operand says; `kAt`: which of the addresses of the instruction it is.
template <Space kSpace, int kAt = 0>
struct Addresses {
  const Address<kSpace>* lanes;
  uint64_t offset;
  Addresses(Warp& warp, const Instruction& instruction, int operand)
      : lanes(warp.lanes_at<Address<kSpace>>(instruction.slots[static_cast<std::size_t>(operand)])),
        offset(instruction.offsets[kAt]) {}
  uint64_t operator[](int lane) const { return static_cast<Address<kSpace>>(lanes[lane] + offset); }
};

void add_lane_operations(Table& table);
void add_memory_operations(Table& table);
void add_warp_operations(Table& table);
void add_matrix_operations(Table& table);

}  // namespace shiftadd::ptx
