// What each instruction of PTX does, by its opcode.
#pragma once

#include <string>
#include <vector>

#include "tests/cuda/ptx/ptx_warp.h"

namespace shiftadd::ptx {

struct Operation {
  Handler run = nullptr;
  int results = 0;               // how many of the first operands are written
  std::vector<unsigned> widths;  // of a lane of each operand: 4 or 8 bytes; 0 of a plain number
  Kind kind = Kind::kLanes;
};

/// `result_width` is that of the register that is written: loads widen to it. Throws failure() of
/// an instruction that is not known.
Operation operation_of(const std::string& opcode, unsigned result_width);

}  // namespace shiftadd::ptx
