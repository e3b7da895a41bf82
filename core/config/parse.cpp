// Reads JSON strictly, keeps line numbers, and explains the usual slips.
#include <cmath>
#include <map>

#include "core/config/node.h"
#include "core/error.h"
#include "core/names.h"

namespace shiftadd {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// Bytes of the well-formed UTF-8 character at `at` (Unicode 15, table 3-7); 0 if it is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  auto in = [&](std::size_t i, unsigned low, unsigned high) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return in(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80, high = first == 0xED ? 0x9F : 0xBF;
    return in(1, low, high) && in(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80, high = first == 0xF4 ? 0x8F : 0xBF;
    return in(1, low, high) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

void append_utf8(std::string& out, uint32_t code) {
  auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F)), put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& source)
      : text_(text), source_(std::make_shared<const std::string>(source)) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  ConfigNode document() {
    skip_space();
    if (at_end()) fail(at_, "the file is empty: expected '{'");
    ConfigNode root = value(0);
    skip_space();
    if (!at_end()) fail(at_, concat("expected the end of the file, got ", shown(at_)));
    return root;
  }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  /// The column is counted only here: errors are rare, characters are many.
  [[noreturn]] void fail(std::size_t where, const std::string& message) const {
    int64_t line = 1, column = 1;
    for (std::size_t i = 0; i < where && i < text_.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text_[i]);
      if (byte == '\n') {
        ++line, column = 1;
      } else if ((byte & 0xC0) != 0x80) {
        ++column;
      }
    }
    throw user_error(*source_, ":", line, ":", column, ": ", message);
  }

  std::string shown(std::size_t where) const {
    if (where >= text_.size()) return "the end of the file";
    const auto c = static_cast<unsigned char>(text_[where]);
    if (c == '\n' || c == '\r') return "the end of the line";
    if (c > 0x20 && c < 0x7F) return std::string("'") + static_cast<char>(c) + "'";
    const std::size_t length = utf8_length(text_, where);
    if (c >= 0x80 && length > 0) return concat("'", text_.substr(where, length), "'");
    constexpr char kHex[] = "0123456789ABCDEF";
    return std::string("byte 0x") + kHex[c >> 4] + kHex[c & 15];
  }

  void skip_space() {
    for (; !at_end(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '/' || c == '#') fail(at_, "JSON has no comments: remove this one");
      if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
    }
  }

  ConfigNode make(ConfigNode::Kind kind, std::string text = {}) const {
    ConfigNode node;
    node.kind = kind, node.text = std::move(text), node.source = source_, node.line = line_;
    return node;
  }

  ConfigNode value(int depth) {
    if (depth > kMaxConfigDepth)
      fail(at_, concat("nested deeper than ", kMaxConfigDepth, " levels"));
    const char c = peek();
    if (c == '{') return object(depth);
    if (c == '[') return array(depth);
    if (c == '"') {
      ConfigNode node = make(ConfigNode::Kind::kString);
      node.text = string();
      return node;
    }
    if (c == '-' || is_digit(c)) return number();
    if (is_letter(c)) return word();
    if (c == '\'') fail(at_, "strings stand in double quotes: \"...\"");
    if (c == '+' || c == '.')
      fail(at_, concat("a number starts with a digit or '-', not with '", c, "'"));
    fail(at_, concat("expected a value, got ", shown(at_)));
  }

  ConfigNode word() {
    const std::size_t start = at_;
    while (!at_end() && (is_letter(peek()) || is_digit(peek()))) ++at_;
    const std::string name(text_.substr(start, at_ - start));
    if (name == "null") return make(ConfigNode::Kind::kNull, name);
    if (name == "true" || name == "false") return make(ConfigNode::Kind::kBoolean, name);
    const std::string shown = name.substr(0, 40);
    fail(start,
         concat("expected a value, got ", shown, did_you_mean(shown, {"true", "false", "null"}),
                " (strings stand in double quotes)"));
  }

  ConfigNode number() {
    const std::size_t start = at_;
    auto digits = [&](const char* after) {
      if (!is_digit(peek()))
        fail(at_, concat("expected a digit after ", after, ", got ", shown(at_)));
      while (is_digit(peek())) ++at_;
    };
    if (peek() == '-') ++at_;
    if (peek() == '0' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))
      fail(at_, "a number does not start with 0 and a further digit");
    digits("'-'");
    if (peek() == '.') ++at_, digits("'.'");
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      digits("the exponent's sign or 'e'");
    }
    ConfigNode node =
        make(ConfigNode::Kind::kNumber, std::string(text_.substr(start, at_ - start)));
    if (std::isinf(node.number()))
      fail(start, concat("the number ", node.text.substr(0, 40), " is too large"));
    return node;
  }

  uint32_t hex4() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const int digit = is_digit(c)            ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail(at_, "\\u needs four hexadecimal digits");
      code = code * 16 + static_cast<uint32_t>(digit);
    }
    return code;
  }

  void escape(std::string& out) {
    const std::size_t start = at_ - 1;  // the backslash
    const char c = peek();
    const std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
    if (const std::size_t i = names.find(c); !at_end() && i != std::string_view::npos) {
      out.push_back(values[i]);
      ++at_;
      return;
    }
    if (c != 'u') fail(start, "unknown escape: after \\ stands one of \" \\ / b f n r t u");
    ++at_;
    uint32_t code = hex4();
    if (code >= 0xD800 && code < 0xDC00) {
      if (!text_.substr(at_).starts_with("\\u")) fail(start, "half of a surrogate pair");
      at_ += 2;
      const uint32_t low = hex4();
      if (low < 0xDC00 || low > 0xDFFF) fail(start, "half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
      fail(start, "half of a surrogate pair");
    }
    if (code == 0) fail(start, "\\u0000 has no place in a name or a path");
    append_utf8(out, code);
  }

  std::string string() {
    const std::size_t start = at_++;
    std::string out;
    for (;;) {
      if (at_end()) fail(start, "this string is never closed");
      const auto c = static_cast<unsigned char>(peek());
      if (c == '"') return ++at_, out;
      if (c == '\n' || c == '\r') fail(start, "this string is not closed on its line");
      if (c < 0x20) fail(at_, concat("unescaped control character in a string: ", shown(at_)));
      if (c == '\\') {
        ++at_;
        escape(out);
        continue;
      }
      const std::size_t length = utf8_length(text_, at_);
      if (length == 0) fail(at_, concat("invalid UTF-8: ", shown(at_), "; save the file as UTF-8"));
      out.append(text_.substr(at_, length));
      at_ += length;
    }
  }

  /// After an element: true if another follows. Explains a comma before the closing bracket.
  bool another(char close) {
    skip_space();
    if (peek() == close && !at_end()) return ++at_, false;
    if (peek() != ',' || at_end())
      fail(at_, concat("expected ',' or '", close, "', got ", shown(at_)));
    const std::size_t comma = at_++;
    skip_space();
    if (peek() == close && !at_end())
      fail(comma, concat("trailing comma before '", close, "': remove it"));
    return true;
  }

  ConfigNode array(int depth) {
    ConfigNode node = make(ConfigNode::Kind::kArray);
    ++at_;
    skip_space();
    if (peek() == ']') return ++at_, node;
    do {
      node.items.push_back(value(depth + 1));
    } while (another(']'));
    return node;
  }

  ConfigNode object(int depth) {
    ConfigNode node = make(ConfigNode::Kind::kObject);
    ++at_;
    skip_space();
    if (peek() == '}') return ++at_, node;
    std::map<std::string, int64_t> lines;  // of the keys so far
    do {
      if (peek() != '"') fail(at_, concat("expected a key in double quotes, got ", shown(at_)));
      const std::size_t start = at_;
      ConfigMember member;
      member.line = line_;
      member.key = string();
      if (const auto [first, is_new] = lines.emplace(member.key, member.line); !is_new)
        fail(start, concat("duplicate key '", member.key, "', first on line ", first->second));
      if (node.members.size() == kMaxConfigMembers)
        fail(start, concat("more than ", kMaxConfigMembers, " keys in one object"));
      skip_space();
      if (peek() != ':') fail(at_, concat("expected ':' after the key, got ", shown(at_)));
      ++at_;
      skip_space();
      member.value = value(depth + 1);
      node.members.push_back(std::move(member));
    } while (another('}'));
    return node;
  }

  std::string_view text_;
  std::shared_ptr<const std::string> source_;
  std::size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

ConfigNode parse_config_node(std::string_view text, const std::string& source) {
  return Parser(text, source).document();
}

}  // namespace shiftadd
