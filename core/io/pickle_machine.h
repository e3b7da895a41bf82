// Inside of the pickle reader: the machine that the opcodes of pickle.cpp run on.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "core/io/pickle.h"
#include "core/io/pickle_stream.h"

namespace shiftadd {

class PickleMachine : private PickleStream {
 public:
  using PickleStream::PickleStream;

  Pickle run() {
    try {
      while (step(take<uint8_t>())) {
      }
    } catch (const Error&) {
      if (unjudged_) throw refused(unjudged_->text);  // rather than what is wrong after it
      throw;
    }
    if (unjudged_) throw refused(unjudged_->text);
    result_.root_ = pop();
    result_.consumed_ = position();
    return std::move(result_);
  }

 private:
  using Kind = PickleValue::Kind;

  // A value takes 80 bytes, and an opcode of one byte can make one: a stream may make so many
  // values outright, and one more for every four bytes of it, about the density of the plainest
  // real ones (lists of small integers aside, and those are made once).
  static constexpr std::size_t kFreeValues = std::size_t{1} << 15;
  static constexpr std::size_t kBytesPerValue = 4;

  static constexpr std::string_view kDictTypes[] = {"collections.OrderedDict", "builtins.dict",
                                                    "__builtin__.dict"};
  static constexpr std::string_view kSetTypes[] = {"builtins.set", "__builtin__.set",
                                                   "builtins.frozenset", "__builtin__.frozenset"};
  static constexpr std::string_view kByteTypes[] = {"_codecs.encode", "builtins.bytearray",
                                                    "__builtin__.bytearray", "builtins.bytes"};

  template <std::size_t kCount>
  static bool contains(const std::string_view (&list)[kCount], const std::string& text) {
    return std::find(std::begin(list), std::end(list), text) != std::end(list);
  }

  // values and the stack
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

  // globals and calls
  Error refused(const std::string& global) const {
    return error("refused: it names ", global, ", which could run code; do not trust this file");
  }
  static bool is_getattr(const std::string& global) {
    return global == "builtins.getattr" || global == "__builtin__.getattr";
  }
  PickleValue* global(std::string_view module, std::string_view name) {
    constexpr std::size_t kLongest = 512;
    if (module.size() > kLongest || name.size() > kLongest)
      throw error("a global's name is too long");
    const std::string in(module), what(name), full = in + "." + what;
    if (is_dangerous_global(in, what) && !is_getattr(full)) throw refused(full);
    PickleValue*& value = globals_[full];
    if (!value) {
      charge(full.size());
      value = make(Kind::kGlobal);
      value->text = full;
      result_.globals_.insert(full);
      if (is_getattr(full)) unjudged_ = value;
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
      if (is_getattr(callable->text)) judge_getattr(*callable, given);
      if (contains(kDictTypes, callable->text))
        return construct_dict(given.empty() ? nullptr : given[0]);
      if (callable->text == "collections.defaultdict")
        return construct_dict(given.size() < 2 ? nullptr : given[1]);
      if (contains(kSetTypes, callable->text)) {
        PickleValue* set = make(Kind::kSet);
        if (!given.empty() && is_sequence(*given[0])) copy_items(given[0], set);
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
  static bool is_sequence(const PickleValue& value) {
    return value.is(Kind::kList) || value.is(Kind::kTuple) || value.is(Kind::kSet);
  }
  // Members of an enumeration and bound methods are getattr(class, "NAME"): what stands for them is
  // as inert as all else, but a name that leads out of the class is refused.
  void judge_getattr(const PickleValue& callable, const std::vector<PickleValue*>& given) {
    const bool is_member = given.size() == 2 && given[1]->is(Kind::kString) &&
                           (given[0]->is(Kind::kGlobal) || given[0]->is(Kind::kObject));
    if (!is_member || is_dangerous_global("member", "of." + given[1]->text + ".it"))
      throw refused(callable.text);
    if (unjudged_ == &callable) unjudged_ = nullptr;
  }
  // OrderedDict(), OrderedDict([[k, v], ...]), dict({...}); empty where it is built from something
  // that is no data.
  PickleValue* construct_dict(const PickleValue* source) {
    PickleValue* dict = make(Kind::kDict);
    if (source && source->is(Kind::kDict)) copy_items(source, dict);
    if (!source || !is_sequence(*source)) return dict;
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
  const PickleValue* unjudged_ = nullptr;  // getattr, named but not called so far
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<uint64_t, PickleValue*> memo_;
  std::map<std::string, PickleValue*> globals_;
  PickleValue* constants_[3] = {};
  std::array<PickleValue*, 256> small_ = {};
};

}  // namespace shiftadd
