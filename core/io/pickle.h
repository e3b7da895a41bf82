// A pickle machine that only builds data: it calls nothing, imports nothing, and refuses by name
// whatever could run code.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

namespace shiftadd {

/// One Python object as inert data. Values live in their Pickle and may form cycles.
struct PickleValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInt,
    kFloat,
    kLong,    // an integer beyond 64 bits; text: little-endian two's complement, or digits
    kString,  // text: UTF-8 (protocol 0-2 byte strings as they stand)
    kBytes,   // text
    kTuple,
    kList,
    kSet,
    kDict,        // items: key, value, key, value ... in order
    kGlobal,      // text: "module.name"
    kObject,      // items: what would be called, its arguments (a tuple); never called
    kPersistent,  // items: the persistent id
  };
  Kind kind = Kind::kNone;
  int64_t integer = 0;  // kBool, kInt
  double real = 0;      // kFloat
  std::string text;
  std::vector<PickleValue*> items;

  bool is(Kind wanted) const { return kind == wanted; }
  /// The value of a string key in a dict (the last, as in Python); null when absent or not a dict.
  const PickleValue* find(const std::string& key) const;
};

/// The result of one pickle: the root, everything it reaches, and the unknown globals it named.
class Pickle {
 public:
  Pickle() = default;
  Pickle(Pickle&&) = default;
  Pickle& operator=(Pickle&&) = default;

  /// Runs the pickle that starts at `bytes`. Classes and functions are placeholders, whatever is
  /// done with them. Throws Error (user) naming `file` for a damaged stream, an unsupported opcode,
  /// or a global that could run code.
  static Pickle parse(const uint8_t* bytes, std::size_t size, const std::string& file);

  const PickleValue& root() const { return *root_; }
  std::size_t consumed() const { return consumed_; }  // bytes up to and with the STOP opcode
  const std::set<std::string>& globals() const { return globals_; }
  const std::deque<PickleValue>& values() const {
    return values_;
  }  // all, in the order they were made

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;
  PickleValue* root_ = nullptr;
  std::size_t consumed_ = 0;
  std::set<std::string> globals_;
};

/// True for a global such as os.system or builtins.eval, with which a pickle could run code.
bool is_dangerous_global(const std::string& module, const std::string& name);

}  // namespace shiftadd
