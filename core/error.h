// The one exception type of the project.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace shiftadd {

using Shape = std::vector<int64_t>;
std::ostream& operator<<(std::ostream& out, const Shape& shape);  // (2, 3, 5)

/// Its kind decides a program's exit status: a user's mistake (bad file, key, shape, argument) is
/// 2, a failure of the machine or of the program (disk full, no memory) is 1. An error about an
/// option has that option's key, which what() begins with: "width: 100 is not divisible by ...".
class Error : public std::runtime_error {
 public:
  enum class Kind { kUser, kFailure };
  Error(Kind kind, const std::string& text, std::string key = "")
      : std::runtime_error(key.empty() ? text : key + ": " + text),
        kind_(kind),
        key_(std::move(key)) {}
  Kind kind() const { return kind_; }
  int exit_code() const { return kind_ == Kind::kUser ? 2 : 1; }
  /// "shift_add.codes", or "" of an error that is about no option.
  const std::string& key() const { return key_; }
  /// what() without the key.
  std::string text() const { return key_.empty() ? what() : what() + key_.size() + 2; }
  /// The same error of an object inside another: "width" under "model" is "model.width".
  Error under(const std::string& outer) const {
    return {kind_, text(), outer.empty() || key_.empty() ? outer + key_ : outer + "." + key_};
  }

 private:
  Kind kind_;
  std::string key_;
};

/// concat("width ", 3) == "width 3"; anything with operator<<, and Shape.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// throw user_error("[linear] weight is ", shape, ": expected ...");
template <class... Parts>
Error user_error(const Parts&... parts) {
  return Error(Error::Kind::kUser, concat(parts...));
}

/// throw key_error("width", 100, " is not divisible by heads ", 3);
template <class... Parts>
Error key_error(std::string key, const Parts&... parts) {
  return {Error::Kind::kUser, concat(parts...), std::move(key)};
}

template <class... Parts>
Error failure(const Parts&... parts) {
  return Error(Error::Kind::kFailure, concat(parts...));
}

}  // namespace shiftadd
