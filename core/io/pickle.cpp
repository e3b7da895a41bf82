// The pickle machine's opcodes: protocols 0 to 5 (CPython's Lib/pickle.py and PEP 3154, 574 define
// them).
#include "core/io/pickle.h"

#include <bit>
#include <cstdlib>
#include <cstring>

#include "core/io/pickle_machine.h"

namespace shiftadd {

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
    case 0x82:  // EXT1, EXT2, EXT4: a number of copyreg's registry, which stands for a global
      push(global("copyreg", concat("extension ", int{take<uint8_t>()})));
      return true;
    case 0x83:
      push(global("copyreg", concat("extension ", take<uint16_t>())));
      return true;
    case 0x84:
      push(global("copyreg", concat("extension ", take<uint32_t>())));
      return true;
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
