// Written from the PTX ISA alone: the host executor's reading of the same instructions is another.
#include "tests/cuda/ptx/ptx_operations.h"

#include "core/error.h"
#include "tests/cuda/ptx/ptx_tables.h"

namespace shiftadd::ptx {
namespace {

// How a block's warps wait, and how a thread ends.
void add_control(Table& table) {
  table["bar.sync"] = {nullptr, 0, {4}, Kind::kBarrier};
  table["griddepcontrol.wait"] = {
      [](Warp& warp, const Instruction&, uint32_t) { warp.block->has_waited = true; }, 0, {}};
  table["griddepcontrol.launch_dependents"] = {[](Warp&, const Instruction&, uint32_t) {}, 0, {}};
  table["ret"] = {nullptr, 0, {}, Kind::kExit};
}

Table all_operations() {
  Table table;
  add_lane_operations(table);
  add_memory_operations(table);
  add_warp_operations(table);
  add_matrix_operations(table);
  add_control(table);
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
