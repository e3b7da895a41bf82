// The pickle machine: protocols 0 to 5 (CPython's Lib/pickle.py and PEP 3154, 574 define the
// opcodes).
#include "core/io/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "core/io/pickle_stream.h"

namespace shiftadd {
namespace {

using Kind = PickleValue::Kind;

// A value takes 80 bytes, and an opcode of one byte can make one: a stream may make so many values
// outright, and one more for every four bytes of it, about the density of the plainest real ones
// (lists of small integers aside, and those are made once).
constexpr std::size_t kFreeValues = std::size_t{1} << 15;
constexpr std::size_t kBytesPerValue = 4;

constexpr std::string_view kDictTypes[] = {"collections.OrderedDict", "builtins.dict",
                                           "__builtin__.dict"};
constexpr std::string_view kSetTypes[] = {"builtins.set", "__builtin__.set", "builtins.frozenset",
                                          "__builtin__.frozenset"};
constexpr std::string_view kByteTypes[] = {"_codecs.encode", "builtins.bytearray",
                                           "__builtin__.bytearray", "builtins.bytes"};

template <std::size_t kCount>
bool contains(const std::string_view (&list)[kCount], const std::string& text) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

}  // namespace

class PickleMachine : private PickleStream {
 public:
  using PickleStream::PickleStream;

  Pickle run() {
    while (step(take<uint8_t>())) {
    }
    result_.root_ = pop();
    result_.consumed_ = position();
    return std::move(result_);
  }

 private:
  // --- values and the stack
  // -----------------------------------------------------------------------
  PickleValue* make(Kind kind) {
    if (result_.values_.size() >= kFreeValues + size() / kBytesPerValue)
      throw error("it makes more values than a file of its size can hold");
    PickleValue& value = result_.values_.emplace_back();
    value.kind = kind;
    return &value;
  }
  // None, True and False are one byte each in the stream: made once.
  PickleValue* constant(int which) {
    PickleValue*& slot = constants_[which];
    if (!slot) slot = make(which == 0 ? Kind::kNone : Kind::kBool), slot->integer = which == 2;
    return slot;
  }
  void push(PickleValue* value) { stack_.push_back(value); }
  void push_int(int64_t value) {
    // Nothing changes an integer after it is made: the small ones are shared.
    const bool small = value >= 0 && value < static_cast<int64_t>(small_.size());
    PickleValue* made = small ? small_[static_cast<std::size_t>(value)] : nullptr;
    if (!made) made = make(Kind::kInt), made->integer = value;
    if (small) small_[static_cast<std::size_t>(value)] = made;
    push(made);
  }
  void push_text(Kind kind, std::string text) {
    push(make(kind));
    stack_.back()->text = std::move(text);
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleValue* pop() {
    PickleValue* value = top();
    stack_.pop_back();
    return value;
  }
  PickleValue* top() {
    if (stack_.size() <= floor()) throw error("the stack is empty where a value is needed");
    return stack_.back();
  }
  std::vector<PickleValue*> pop_mark() {
    if (marks_.empty()) throw error("a mark is missing");
    std::vector<PickleValue*> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()),
                                    stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  void push_items(Kind kind, std::vector<PickleValue*> items) {
    if (kind == Kind::kDict && items.size() % 2) throw error("a dict has a key without a value");
    push(make(kind));
    stack_.back()->items = std::move(items);
  }
  void push_tuple(int count) {
    std::vector<PickleValue*> items(static_cast<std::size_t>(count));
    for (int i = count - 1; i >= 0; --i) items[static_cast<std::size_t>(i)] = pop();
    push_items(Kind::kTuple, std::move(items));
  }
  // Items set on an inert object stay out of reach, like everything else about it.
  void extend(Kind kind, const std::vector<PickleValue*>& items) {
    PickleValue* target = top();
    if (kind == Kind::kDict && items.size() % 2) throw error("a dict has a key without a value");
    if (target->is(Kind::kObject)) return;
    if (!target->is(kind)) throw error("items are added to something that takes none");
    target->items.insert(target->items.end(), items.begin(), items.end());
  }
  void remember(uint64_t index) {
    if (memo_.size() > kFreeValues + size() / kBytesPerValue) throw error("it remembers too much");
    memo_[index] = top();
  }
  void recall(uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) throw error("memo entry ", index, " does not exist");
    push(found->second);
  }

  // --- globals and calls
  // --------------------------------------------------------------------------
  PickleValue* global(std::string_view module, std::string_view name) {
    constexpr std::size_t kLongest = 512;
    if (module.size() > kLongest || name.size() > kLongest)
      throw error("a global's name is too long");
    const std::string in(module), what(name);
    if (is_dangerous_global(in, what))
      throw error("refused: it names ", in, ".", what,
                  ", which could run code; do not trust this file");
    PickleValue*& value = globals_[in + "." + what];
    if (!value) {
      charge(in.size() + what.size());
      value = make(Kind::kGlobal);
      value->text = in + "." + what;
      result_.globals_.insert(value->text);
    }
    return value;
  }
  // Counts bytes copied from values that already exist: the memo could repeat them without end.
  void charge(std::size_t bytes) {
    copied_ += bytes;
    if (copied_ > 16 * size() + 65536)
      throw error("it copies more data than a file of its size can hold");
  }
  void copy_items(const PickleValue* source, PickleValue* target) {
    charge(source->items.size() * sizeof(source));
    target->items = source->items;
  }

  // What calling `callable` with `arguments` would give, where that is plain data; an inert object
  // otherwise.
  PickleValue* construct(PickleValue* callable, PickleValue* arguments) {
    if (!arguments->is(Kind::kTuple)) throw error("a call's arguments are not a tuple");
    const std::vector<PickleValue*>& given = arguments->items;
    if (callable->is(Kind::kGlobal)) {
      if (contains(kDictTypes, callable->text))
        return construct_dict(given.empty() ? nullptr : given[0]);
      if (callable->text == "collections.defaultdict")
        return construct_dict(given.size() < 2 ? nullptr : given[1]);
      if (contains(kSetTypes, callable->text)) {
        PickleValue* set = make(Kind::kSet);
        if (!given.empty()) copy_items(given[0], set);
        return set;
      }
      if (contains(kByteTypes, callable->text)) {
        PickleValue* bytes = make(Kind::kBytes);
        if (!given.empty()) {
          charge(given[0]->text.size());
          bytes->text = given[0]->text;
        }
        return bytes;
      }
    }
    PickleValue* object = make(Kind::kObject);
    object->items = {callable, arguments};
    return object;
  }
  // OrderedDict(), OrderedDict([[k, v], ...]), dict({...})
  PickleValue* construct_dict(const PickleValue* source) {
    PickleValue* dict = make(Kind::kDict);
    if (!source) return dict;
    if (source->is(Kind::kDict)) {
      copy_items(source, dict);
      return dict;
    }
    charge(2 * source->items.size() * sizeof(source));
    for (const PickleValue* pair : source->items) {
      if (pair->items.size() != 2) throw error("a dict is built from something that is not a pair");
      dict->items.insert(dict->items.end(), pair->items.begin(), pair->items.end());
    }
    return dict;
  }
  void call() {
    PickleValue* arguments = pop();
    PickleValue* callable = pop();
    push(construct(callable, arguments));
  }
  void call_with_items(PickleValue* callable, std::vector<PickleValue*> items) {
    push_items(Kind::kTuple, std::move(items));
    PickleValue* arguments = pop();
    push(construct(callable, arguments));
  }

  bool step(uint8_t opcode);
  bool step_number(uint8_t opcode);
  bool step_text(uint8_t opcode);
  bool step_container(uint8_t opcode);
  bool step_object(uint8_t opcode);
  void push_long(std::string_view digits);

  Pickle result_;
  std::size_t copied_ = 0;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<uint64_t, PickleValue*> memo_;
  std::map<std::string, PickleValue*> globals_;
  PickleValue* constants_[3] = {};
  std::array<PickleValue*, 256> small_ = {};
};

// Runs one opcode; false after STOP.
bool PickleMachine::step(uint8_t opcode) {
  switch (opcode) {
    case '.':
      return false;  // STOP
    case 0x80:       // PROTO
      if (take<uint8_t>() > 5) throw error("the pickle protocol is newer than 5");
      return true;
    case 0x95:
      take<uint64_t>();
      return true;  // FRAME: a hint for readers of streams
    case '(':
      marks_.push_back(stack_.size());
      return true;
    case '0':  // POP takes a mark, too
      if (stack_.size() == floor() && !marks_.empty())
        marks_.pop_back();
      else
        pop();
      return true;
    case '1':
      pop_mark();
      return true;
    case '2':
      push(top());
      return true;
    case 'N':
      push(constant(0));
      return true;
    case 0x88:
      push(constant(2));
      return true;
    case 0x89:
      push(constant(1));
      return true;
    case 'p':
      remember(static_cast<uint64_t>(to_integer(take_line())));
      return true;
    case 'q':
      remember(take<uint8_t>());
      return true;
    case 'r':
      remember(take<uint32_t>());
      return true;
    case 0x94:
      remember(memo_.size());
      return true;
    case 'g':
      recall(static_cast<uint64_t>(to_integer(take_line())));
      return true;
    case 'h':
      recall(take<uint8_t>());
      return true;
    case 'j':
      recall(take<uint32_t>());
      return true;
    default:
      break;
  }
  if (step_number(opcode) || step_text(opcode) || step_container(opcode) || step_object(opcode))
    return true;
  throw error("opcode ", int{opcode}, " is not supported");
}

// Little-endian two's complement of any length.
void PickleMachine::push_long(std::string_view digits) {
  if (digits.size() > 8) return push_text(Kind::kLong, std::string(digits));
  uint64_t value = !digits.empty() && (digits.back() & 0x80) ? ~uint64_t{0} : 0;
  std::memcpy(&value, digits.data(), digits.size());
  push_int(static_cast<int64_t>(value));
}

bool PickleMachine::step_number(uint8_t opcode) {
  switch (opcode) {
    case 'I': {  // INT; 00 and 01 were False and True
      const std::string_view line = take_line();
      if (line == "00" || line == "01")
        push(constant(line == "01" ? 2 : 1));
      else
        push_int(to_integer(line));
      return true;
    }
    case 'L': {  // LONG: digits, perhaps with an L
      std::string_view line = take_line();
      if (line.ends_with('L')) line.remove_suffix(1);
      if (line.size() <= 18)
        push_int(to_integer(line));
      else
        push_text(Kind::kLong, std::string(line));
      return true;
    }
    case 'J':
      push_int(take<int32_t>());
      return true;
    case 'K':
      push_int(take<uint8_t>());
      return true;
    case 'M':
      push_int(take<uint16_t>());
      return true;
    case 0x8a:
      push_long(take_bytes(take<uint8_t>()));
      return true;
    case 0x8b:
      push_long(take_bytes(take<uint32_t>()));
      return true;
    case 'F': {
      const std::string line(take_line().substr(0, 64));
      push(make(Kind::kFloat));
      stack_.back()->real = std::strtod(line.c_str(), nullptr);
      return true;
    }
    case 'G':
      push(make(Kind::kFloat));
      stack_.back()->real = std::bit_cast<double>(__builtin_bswap64(take<uint64_t>()));
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_text(uint8_t opcode) {
  const auto text = [&](Kind kind, uint64_t length) {
    push_text(kind, std::string(take_bytes(length)));
  };
  switch (opcode) {
    case 'S': {
      std::string_view line = take_line();
      if (line.size() < 2 || line.front() != line.back()) throw error("a string is not quoted");
      push_text(Kind::kString, unescape_string(line.substr(1, line.size() - 2)));
      return true;
    }
    case 'V':
      push_text(Kind::kString, unescape_unicode(take_line()));
      return true;
    case 'T':
      text(Kind::kString, take<uint32_t>());
      return true;
    case 'U':
      text(Kind::kString, take<uint8_t>());
      return true;
    case 'X':
      text(Kind::kString, take<uint32_t>());
      return true;
    case 0x8c:
      text(Kind::kString, take<uint8_t>());
      return true;
    case 0x8d:
      text(Kind::kString, take<uint64_t>());
      return true;
    case 'B':
      text(Kind::kBytes, take<uint32_t>());
      return true;
    case 'C':
      text(Kind::kBytes, take<uint8_t>());
      return true;
    case 0x8e:
    case 0x96:
      text(Kind::kBytes, take<uint64_t>());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_container(uint8_t opcode) {
  switch (opcode) {
    case ')':
      push_tuple(0);
      return true;
    case 0x85:
      push_tuple(1);
      return true;
    case 0x86:
      push_tuple(2);
      return true;
    case 0x87:
      push_tuple(3);
      return true;
    case 't':
      push_items(Kind::kTuple, pop_mark());
      return true;
    case ']':
      push(make(Kind::kList));
      return true;
    case 'l':
      push_items(Kind::kList, pop_mark());
      return true;
    case '}':
      push(make(Kind::kDict));
      return true;
    case 'd':
      push_items(Kind::kDict, pop_mark());
      return true;
    case 0x8f:
      push(make(Kind::kSet));
      return true;
    case 0x91:
      push_items(Kind::kSet, pop_mark());
      return true;
    case 'a': {
      PickleValue* item = pop();
      extend(Kind::kList, {item});
      return true;
    }
    case 'e':
      extend(Kind::kList, pop_mark());
      return true;
    case 's': {
      PickleValue* value = pop();
      PickleValue* key = pop();
      extend(Kind::kDict, {key, value});
      return true;
    }
    case 'u':
      extend(Kind::kDict, pop_mark());
      return true;
    case 0x90:
      extend(Kind::kSet, pop_mark());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_object(uint8_t opcode) {
  switch (opcode) {
    case 'c': {
      const std::string_view module = take_line();
      push(global(module, take_line()));
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const PickleValue* name = pop();
      const PickleValue* module = pop();
      if (!name->is(Kind::kString) || !module->is(Kind::kString))
        throw error("a global's name is not a string");
      push(global(module->text, name->text));
      return true;
    }
    case 'R':
    case 0x81:
      call();
      return true;  // REDUCE, NEWOBJ
    case 0x92:      // NEWOBJ_EX: the keyword arguments are dropped
      pop();
      call();
      return true;
    case 'i': {
      const std::string_view module = take_line();
      PickleValue* type = global(module, take_line());
      call_with_items(type, pop_mark());
      return true;
    }
    case 'o': {
      std::vector<PickleValue*> items = pop_mark();
      if (items.empty()) throw error("an object has no class");
      PickleValue* type = items.front();
      items.erase(items.begin());
      call_with_items(type, std::move(items));
      return true;
    }
    case 'b':  // BUILD: attributes of an OrderedDict or of an inert object are nobody's business
      pop();
      top();
      return true;
    case 'P':
      push_text(Kind::kString, std::string(take_line()));
      [[fallthrough]];
    case 'Q': {
      PickleValue* id = pop();
      push_items(Kind::kPersistent, {id});
      return true;
    }
    default:
      return false;
  }
}

const PickleValue* PickleValue::find(const std::string& key) const {
  if (kind != Kind::kDict) return nullptr;
  for (std::size_t i = items.size(); i >= 2; i -= 2)
    if (items[i - 2]->is(Kind::kString) && items[i - 2]->text == key) return items[i - 1];
  return nullptr;
}

Pickle Pickle::parse(const uint8_t* bytes, std::size_t size, const std::string& file) {
  return PickleMachine(bytes, size, file).run();
}

}  // namespace shiftadd
