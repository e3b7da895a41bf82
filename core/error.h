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
/// 2, a failure of the machine or of the program (disk full, no memory) is 1.
class Error : public std::runtime_error {
 public:
  enum class Kind { kUser, kFailure };
  Error(Kind kind, std::string text) : std::runtime_error(std::move(text)), kind_(kind) {}
  Kind kind() const { return kind_; }
  int exit_code() const { return kind_ == Kind::kUser ? 2 : 1; }

 private:
  Kind kind_;
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

template <class... Parts>
Error failure(const Parts&... parts) {
  return Error(Error::Kind::kFailure, concat(parts...));
}

}  // namespace shiftadd
