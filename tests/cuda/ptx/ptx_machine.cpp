#include "tests/cuda/ptx/ptx_machine.h"

#include <cxxabi.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

#include "core/error.h"
#include "cuda/simt/reports.h"
#include "tests/cuda/ptx/ptx_operations.h"
#include "tests/cuda/ptx/ptx_warp.h"

namespace shiftadd::ptx {
namespace {

// Of shared memory: what runs beyond one array does not meet the next.
constexpr uint64_t kGap = 256;

uint64_t rounded_up(uint64_t value, uint64_t step) { return (value + step - 1) / step * step; }

}  // namespace

/// The instructions of a kernel, and the block that they run in.
class Program {
 public:
  explicit Program(const Entry& entry) : entry_(entry) {
    place_variables();
    std::vector<uint32_t> begins;
    for (const Statement& statement : entry.statements) {
      begins.push_back(static_cast<uint32_t>(code_.size()));
      translate(statement);
    }
    begins.push_back(static_cast<uint32_t>(code_.size()));
    code_.push_back({.kind = Kind::kExit});
    for (Instruction& each : code_)
      if (each.kind == Kind::kBranch) each.target = begins[each.target];
  }

  void run(const simt::Shape& shape, const void* args) {
    begin_launch(shape, args);
    for (unsigned z = 0; z < shape.grid_z; ++z)
      for (unsigned y = 0; y < shape.grid_y; ++y)
        for (unsigned x = 0; x < shape.grid_x; ++x) run_block({x, y, z});
    if (shape.overlaps && !block_.has_waited)
      throw failure("never executes griddepcontrol.wait, which a launch that overlaps must");
  }

  std::string describe(const Fault& fault) const {
    const Statement& statement = entry_.statements[fault.statement];
    return concat("block (", block_.index.x, ", ", block_.index.y, ", ", block_.index.z,
                  "), thread ", fault.warp * kLanes + fault.lane, ", ", entry_.file, ":",
                  statement.line, ": ", statement.text, ": ", fault.text);
  }

 private:
  // ---- Translation ----

  void place_variables() {
    uint64_t shared = kSharedBegin, local = kLocalBegin;
    for (const auto& [name, variable] : entry_.variables) {
      if (variable.space == Space::kParam) addresses_[name] = 0;
      if (variable.space == Space::kLocal) {
        local = rounded_up(local, variable.alignment);
        addresses_[name] = std::exchange(local, local + variable.bytes);
      }
      if (variable.space != Space::kShared || variable.is_dynamic) continue;
      shared = rounded_up(shared, variable.alignment);
      block_.shared.push_back({shared, variable.bytes});
      addresses_[name] = shared;
      shared += variable.bytes + kGap;
    }
    local_bytes_ = local - kLocalBegin;
    dynamic_begin_ = rounded_up(shared, kGap);
    for (const auto& [name, variable] : entry_.variables)
      if (variable.is_dynamic) addresses_[name] = dynamic_begin_;
  }

  template <class... Parts>
  [[noreturn]] void stop(const Statement& statement, const Parts&... parts) const {
    throw failure(entry_.file, ":", statement.line, ": ", statement.text, ": ", concat(parts...));
  }

  void translate(const Statement& statement) {
    if (statement.opcode == "bra" || statement.opcode == "bra.uni") return branch(statement);
    if (!statement.guard.empty()) stop(statement, "only branches may have a predicate here");
    std::vector<const Operand*> operands;
    for (const Operand& operand : statement.operands) flatten(operand, operands);
    const Operation operation = operation_for(statement, operands);
    if (operation.widths.size() != operands.size())
      stop(statement, operands.size(), " operands: expected ", operation.widths.size());
    Instruction made{.kind = operation.kind, .run = operation.run};
    made.statement = static_cast<uint32_t>(&statement - entry_.statements.data());
    std::size_t addresses = 0;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const bool is_result = static_cast<int>(i) < operation.results;
      made.slots[i] = slot_of(statement, *operands[i], operation.widths[i], is_result);
      if (operands[i]->kind == Operand::Kind::kAddress)
        made.offsets[addresses++] = static_cast<uint64_t>(operands[i]->offset);
    }
    code_.push_back(made);
  }

  void branch(const Statement& statement) {
    const auto label = entry_.labels.find(statement.operands.at(0).name);
    if (label == entry_.labels.end()) stop(statement, "there is no such label");
    Instruction made{.kind = Kind::kBranch};
    made.target = label->second;
    made.statement = static_cast<uint32_t>(&statement - entry_.statements.data());
    made.is_guard_negated = statement.is_guard_negated;
    if (!statement.guard.empty()) made.guard = register_of(statement, statement.guard).slot;
    code_.push_back(made);
  }

  static void flatten(const Operand& operand, std::vector<const Operand*>& flat) {
    if (operand.elements.empty()) flat.push_back(&operand);
    for (const Operand& each : operand.elements) flatten(each, flat);
  }

  Operation operation_for(const Statement& statement, const std::vector<const Operand*>& operands) {
    unsigned width = 0;
    if (!operands.empty() && operands[0]->kind == Operand::Kind::kName)
      width = register_of(statement, operands[0]->name).width;
    const bool unpacks =
        statement.opcode == "mov.b32" && statement.operands[0].elements.size() == 2;
    try {
      return operation_of(unpacks ? "mov.b32.unpack" : statement.opcode, width);
    } catch (const Error& error) {
      stop(statement, error.text());
    }
  }

  struct Register {
    uint32_t slot;
    unsigned width;  // of a lane
  };

  uint32_t new_slot(unsigned width) {
    const uint32_t slot = file_bytes_;
    file_bytes_ += width * kLanes;
    return slot;
  }

  Register register_of(const Statement& statement, const std::string& name) {
    const auto known = registers_.find(name);
    if (known != registers_.end()) return known->second;
    const std::size_t end = name.find_last_not_of("0123456789") + 1;
    auto bank = entry_.banks.find(name);
    if (bank == entry_.banks.end()) bank = entry_.banks.find(name.substr(0, end));
    const bool is_special = specials().count(name) != 0;
    if (bank == entry_.banks.end() && !is_special) stop(statement, "no register '", name, "'");
    const unsigned width = !is_special && bank->second.bits == 64 ? 8 : 4;
    return registers_[name] = {new_slot(width), width};
  }

  uint32_t constant(uint64_t value, unsigned width) {
    const auto [known, is_new] = constants_.emplace(std::pair(value, width), 0);
    if (is_new) known->second = new_slot(width);
    return known->second;
  }

  uint32_t slot_of(const Statement& statement, const Operand& operand, unsigned width,
                   bool is_result) {
    if (operand.kind == Operand::Kind::kImmediate && !is_result)
      return constant(operand.bits, width);
    const auto variable = addresses_.find(operand.name);
    if (variable != addresses_.end() && !is_result) return constant(variable->second, width);
    const Register found = register_of(statement, operand.name);
    if (found.width == width) return found.slot;
    if (is_result || found.width < width)
      stop(statement, "'", operand.name, "' has ", 8 * found.width, " bits: expected ", 8 * width);
    // The low half of a wider register, by an instruction of its own.
    Instruction narrow{.run = operation_of("cvt.u32.u64", 0).run};
    narrow.slots = {new_slot(width), found.slot};
    narrow.statement = static_cast<uint32_t>(&statement - entry_.statements.data());
    code_.push_back(narrow);
    return narrow.slots[0];
  }

  // ---- Launches ----

  using Special = unsigned (*)(const simt::Shape& shape, uint3 block, unsigned thread);
  static const std::map<std::string, Special>& specials() {
    using Shape = simt::Shape;
    static const std::map<std::string, Special> all = {
        {"%tid.x", [](const Shape& s, uint3, unsigned i) { return i % s.block_x; }},
        {"%tid.y", [](const Shape& s, uint3, unsigned i) { return i / s.block_x % s.block_y; }},
        {"%tid.z", [](const Shape& s, uint3, unsigned i) { return i / s.block_x / s.block_y; }},
        {"%ntid.x", [](const Shape& s, uint3, unsigned) { return s.block_x; }},
        {"%ntid.y", [](const Shape& s, uint3, unsigned) { return s.block_y; }},
        {"%ntid.z", [](const Shape& s, uint3, unsigned) { return s.block_z; }},
        {"%ctaid.x", [](const Shape&, uint3 block, unsigned) { return block.x; }},
        {"%ctaid.y", [](const Shape&, uint3 block, unsigned) { return block.y; }},
        {"%ctaid.z", [](const Shape&, uint3 block, unsigned) { return block.z; }},
        {"%nctaid.x", [](const Shape& s, uint3, unsigned) { return s.grid_x; }},
        {"%nctaid.y", [](const Shape& s, uint3, unsigned) { return s.grid_y; }},
        {"%nctaid.z", [](const Shape& s, uint3, unsigned) { return s.grid_z; }},
    };
    return all;
  }

  void begin_launch(const simt::Shape& shape, const void* args) {
    shape_ = shape;
    block_.has_waited = false;
    const unsigned threads = shape.block_x * shape.block_y * shape.block_z;
    if (threads > entry_.most_threads)
      throw failure("has blocks of ", threads, " threads: .maxntid is ", entry_.most_threads);
    const auto* bytes = static_cast<const std::byte*>(args);
    args_.assign(bytes, bytes + entry_.param_bytes);
    block_.params = {0, args_.size(), args_.data()};
    place_shared_memory();
    for (const Instruction& each : code_) each.ranges = {};  // memory may have been released since
    while (warps_.size() < threads / kLanes) add_warp();
    running_ = threads / kLanes;
  }

  void place_shared_memory() {
    if (has_dynamic_) block_.shared.pop_back();
    has_dynamic_ = true;
    block_.shared.push_back({dynamic_begin_, shape_.shared_bytes});
    shared_.resize(dynamic_begin_ + shape_.shared_bytes);
    for (Range& range : block_.shared) range.memory = shared_.data() + range.begin;
  }

  void add_warp() {
    Warp& warp = warps_.emplace_back();
    warp.block = &block_;
    warp.number = static_cast<int>(warps_.size()) - 1;
    warp.file.assign(file_bytes_, std::byte{0xff});
    warp.local_bytes = local_bytes_;
    warp.local.resize(local_bytes_ * kLanes);
    for (const auto& [key, slot] : constants_)
      for (int lane = 0; lane < kLanes; ++lane)
        if (key.second == 8)
          warp.lanes_at<uint64_t>(slot)[lane] = key.first;
        else
          warp.lanes_at<uint32_t>(slot)[lane] = static_cast<uint32_t>(key.first);
  }

  void run_block(uint3 index) {
    block_.index = index;
    std::fill(shared_.begin(), shared_.end(), std::byte{0xff});
    for (std::size_t i = 0; i < running_; ++i) {
      warps_[i].begin();
      for (const auto& [name, value] : specials()) {
        const auto found = registers_.find(name);
        if (found == registers_.end()) continue;
        for (unsigned lane = 0; lane < kLanes; ++lane)
          warps_[i].lanes_at<uint32_t>(found->second.slot)[lane] =
              value(shape_, index, static_cast<unsigned>(i) * kLanes + lane);
      }
    }
    while (run_to_barrier()) continue;
  }

  // Whether there was one.
  bool run_to_barrier() {
    std::size_t waiting = 0;
    for (std::size_t i = 0; i < running_; ++i)
      waiting += warps_[i].run(code_) == Warp::State::kAtBarrier;
    if (waiting != 0 && waiting != running_)
      throw failure("block (", block_.index.x, ", ", block_.index.y, ", ", block_.index.z,
                    "): ", waiting, " warps wait at a barrier, and the other ", running_ - waiting,
                    " have ended");
    return waiting != 0;
  }

  const Entry& entry_;
  std::vector<Instruction> code_;
  std::map<std::string, Register> registers_;
  std::map<std::pair<uint64_t, unsigned>, uint32_t> constants_;  // value and width: the slot
  uint32_t file_bytes_ = 0;
  std::map<std::string, uint64_t> addresses_;  // of variables
  uint64_t local_bytes_ = 0, dynamic_begin_ = 0;

  simt::Shape shape_;
  Block block_;
  bool has_dynamic_ = false;
  std::vector<std::byte> args_, shared_;
  std::vector<Warp> warps_;
  std::size_t running_ = 0;  // of the warps
};

Machine::Machine() = default;
Machine::Machine(Machine&&) noexcept = default;
Machine::~Machine() = default;

void Machine::add(const std::string& text, const std::string& file) {
  for (Entry& entry : parse_module(text, file)) {
    const std::string name = kernel_name(entry.name);
    kernels_[name] = {std::move(entry), nullptr};
  }
}

void Machine::run(const std::string& kernel, const simt::Shape& shape, const void* args) {
  const auto found = kernels_.find(kernel);
  if (found == kernels_.end())
    return simt::report(concat("[", kernel, "] is no kernel of the PTX"));
  auto& [entry, program] = found->second;
  try {
    if (!program) program = std::make_unique<Program>(entry);
    program->run(shape, args);
  } catch (const Error& error) {
    simt::report(concat("[", kernel, "] ", error.what()));
  } catch (const Fault& fault) {
    simt::report(concat("[", kernel, "] ", program->describe(fault)));
  }
}

std::string kernel_name(const std::string& mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), &std::free);
  std::string name = demangled ? demangled.get() : mangled;
  name = name.substr(0, name.find('('));
  name = name.substr(name.rfind(':', name.find('<')) + 1);
  std::string plain;
  for (const char c : name) {
    if (c == '<' || c == ',')
      plain += '_';
    else if (std::isalnum(static_cast<unsigned char>(c)) || c == '_')
      plain += c;
  }
  return plain;
}

}  // namespace shiftadd::ptx
