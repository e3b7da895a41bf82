// PTX text as a list of kernels and their statements; what the statements mean is the machine's.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace shiftadd::ptx {

struct Operand {
  enum class Kind {
    kName,       // a register, a variable or a label
    kImmediate,  // `bits`: of an integer, or of a float of the width that is written
    kAddress,    // [name + offset]
    kVector,     // {elements}, and "%r1|%p1"
  };
  Kind kind = Kind::kName;
  std::string name;
  uint64_t bits = 0;
  int64_t offset = 0;
  std::vector<Operand> elements;
};

struct Statement {
  std::string opcode;  // with its suffixes: "add.s32"
  std::string guard;   // the register of "@%p1", or ""
  bool is_guard_negated = false;
  std::vector<Operand> operands;
  int line = 0;
  std::string text;
};

enum class Space { kParam, kShared, kLocal, kGlobal };

struct Variable {
  Space space;
  uint64_t bytes = 0, alignment = 1;
  bool is_dynamic = false;  // the shared memory that a launch asks for
};

/// `.reg .b32 %r<9>`: registers %r0 ... %r8 of 32 bits; a count of 0 is one register of that name.
struct RegisterBank {
  int bits = 0;  // 1: a predicate
  int count = 0;
};

struct Entry {
  std::string name;  // mangled
  std::string file;
  std::map<std::string, Variable> variables;  // those of the module included
  std::map<std::string, RegisterBank> banks;
  std::map<std::string, uint32_t> labels;  // the statement that follows
  std::vector<Statement> statements;
  unsigned most_threads = 1024;  // of a block
  uint64_t param_bytes = 0;
};

/// The kernels of one PTX module of one parameter each. Throws failure() with file and line at what
/// it does not know.
std::vector<Entry> parse_module(const std::string& text, const std::string& file);

}  // namespace shiftadd::ptx
