// Matrices in the registers of a warp: ldmatrix and mma. Names as in the ISA's chapter on mma: a
// lane has a group, lane / 4, and a place in it, lane % 4.
#include "core/error.h"
#include "tests/cuda/ptx/ptx_tables.h"

namespace shiftadd::ptx {
namespace {

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

}  // namespace

void add_matrix_operations(Table& table) {
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

}  // namespace shiftadd::ptx
