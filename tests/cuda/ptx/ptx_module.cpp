#include "tests/cuda/ptx/ptx_module.h"

#include <cctype>
#include <cstdlib>

#include "core/error.h"

namespace shiftadd::ptx {
namespace {

class Parser {
 public:
  Parser(const std::string& text, const std::string& file) : text_(text), file_(file) {}

  std::vector<Entry> module() {
    std::vector<Entry> entries;
    for (skip_blank(); at_ < text_.size(); skip_blank()) {
      const std::string word = next_word();
      if (word == ".version" || word == ".target" || word == ".address_size") {
        skip_line();
      } else if (word == ".visible" || word == ".weak" || word == ".extern") {
        continue;
      } else if (word == ".entry") {
        entries.push_back(entry());
      } else if (word == ".shared") {
        add_variable(globals_, Space::kShared);
      } else {
        stop("'", word, "' at the level of the module");
      }
    }
    return entries;
  }

 private:
  template <class... Parts>
  [[noreturn]] void stop(const Parts&... parts) const {
    throw failure(file_, ":", line_, ": unknown PTX: ", concat(parts...));
  }

  void skip_line() {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }

  void skip_blank() {
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\n')
        ++line_;
      else if (text_.compare(at_, 2, "//") == 0)
        while (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
      else if (!std::isspace(static_cast<unsigned char>(text_[at_])))
        return;
    }
  }

  char peek() {
    skip_blank();
    if (at_ >= text_.size()) stop("the end of the file");
    return text_[at_];
  }
  bool take(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!take(wanted)) stop("'", peek(), "' where '", wanted, "' was expected");
  }

  static bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' ||
           c == '.' || c == ':';
  }
  // Names, opcodes, directives, numbers; a label comes with its colon.
  std::string next_word() {
    peek();
    const std::size_t begin = at_;
    if (text_[at_] == '-') ++at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    if (at_ == begin) stop("'", text_[at_], "'");
    return text_.substr(begin, at_ - begin);
  }

  uint64_t number(const std::string& word) const {
    char* end = nullptr;
    const uint64_t value = std::strtoull(word.c_str(), &end, 0);
    if (word.empty() || *end) stop("'", word, "' where a number was expected");
    return value;
  }
  uint64_t number() { return number(next_word()); }

  static int bits_of(const std::string& type) {
    if (type == ".pred") return 1;
    const std::size_t digit = type.find_first_of("0123456789");
    return digit == std::string::npos ? 0 : std::atoi(type.c_str() + digit);
  }

  // `.align 16 .b8 NAME[32]`
  void add_variable(std::map<std::string, Variable>& variables, Space space) {
    Variable variable{space};
    std::string word = next_word();
    if (word == ".align") {
      variable.alignment = number();
      word = next_word();
    }
    variable.bytes = static_cast<uint64_t>(bits_of(word)) / 8;
    if (!variable.bytes) stop("a variable of type '", word, "'");
    const std::string name = next_word();
    if (take('[')) {
      variable.is_dynamic = peek() == ']';
      variable.bytes *= variable.is_dynamic ? 0 : number();
      expect(']');
    }
    if (space != Space::kParam) expect(';');
    variables[name] = variable;
  }

  Entry entry() {
    Entry entry;
    entry.file = file_;
    entry.name = next_word();
    expect('(');
    if (next_word() != ".param") stop("a kernel without one parameter");
    add_variable(entry.variables, Space::kParam);
    entry.param_bytes = entry.variables.begin()->second.bytes;
    expect(')');
    for (; peek() != '{';) {
      const std::string directive = next_word();
      const uint64_t x = number();
      const uint64_t y = take(',') ? number() : 1;
      const uint64_t z = take(',') ? number() : 1;
      if (directive == ".maxntid")
        entry.most_threads = static_cast<unsigned>(x * y * z);
      else if (directive != ".minnctapersm")
        stop("'", directive, "' of a kernel");
    }
    entry.variables.insert(globals_.begin(), globals_.end());
    body(entry);
    return entry;
  }

  void body(Entry& entry) {
    int depth = 0;
    do {
      const char c = peek();
      if (c == '{' || c == '}') {  // registers of an inner scope are taken for those of the kernel
        depth += c == '{' ? 1 : -1;
        ++at_;
      } else if (c == '.') {
        directive(entry);
      } else {
        statement(entry);
      }
    } while (depth);
  }

  void directive(Entry& entry) {
    const std::string word = next_word();
    if (word == ".reg") {
      registers(entry);
    } else if (word == ".shared") {
      add_variable(entry.variables, Space::kShared);
    } else if (word == ".local") {
      add_variable(entry.variables, Space::kLocal);
    } else if (word == ".pragma") {
      while (!take(';')) ++at_;
    } else {
      stop("'", word, "' in a kernel");
    }
  }

  void registers(Entry& entry) {
    const std::string type = next_word(), name = next_word();
    RegisterBank bank{bits_of(type)};
    if (!bank.bits) stop("registers of type '", type, "'");
    if (take('<')) {
      bank.count = static_cast<int>(number());
      expect('>');
    }
    expect(';');
    const auto [known, is_new] = entry.banks.emplace(name, bank);
    if (!is_new && known->second.bits != bank.bits) stop("two kinds of register '", name, "'");
  }

  void statement(Entry& entry) {
    Statement made;
    if (take('@')) {
      made.is_guard_negated = take('!');
      made.guard = next_word();
      peek();
    }
    made.line = line_;
    const std::size_t begin = at_;
    made.opcode = next_word();
    if (made.opcode.back() == ':') {
      made.opcode.pop_back();
      entry.labels[made.opcode] = static_cast<uint32_t>(entry.statements.size());
      return;
    }
    while (!take(';')) {
      if (!made.operands.empty()) expect(',');
      made.operands.push_back(operand());
    }
    made.text = text_.substr(begin, at_ - 1 - begin);
    entry.statements.push_back(std::move(made));
  }

  Operand operand() {
    Operand made;
    if (take('{')) {
      made.kind = Operand::Kind::kVector;
      do made.elements.push_back(operand());
      while (take(','));
      expect('}');
      return made;
    }
    const bool is_address = take('[');
    const std::string word = next_word();
    const char first = word[word[0] == '-' ? 1 : 0];
    if (!std::isdigit(static_cast<unsigned char>(first))) {
      made.name = word;
    } else {
      made.kind = Operand::Kind::kImmediate;
      const bool is_float = word.starts_with("0f") || word.starts_with("0d");
      made.bits = number(is_float ? concat("0x", word.substr(2)) : word);
    }
    if (take('|')) {
      Operand pair;
      pair.kind = Operand::Kind::kVector;
      pair.elements = {made, operand()};
      return pair;
    }
    if (is_address) {
      if (made.name.empty()) stop("an address without a name");
      made.kind = Operand::Kind::kAddress;
      if (take('+')) made.offset = static_cast<int64_t>(number());
      expect(']');
    }
    return made;
  }

  const std::string& text_;
  const std::string& file_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::map<std::string, Variable> globals_;
};

}  // namespace

std::vector<Entry> parse_module(const std::string& text, const std::string& file) {
  return Parser(text, file).module();
}

}  // namespace shiftadd::ptx
