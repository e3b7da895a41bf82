// What a list of options is shown to: each option once, for reading, printing, schema and help.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/grid.h"

namespace shiftadd {

/// Of a number: low <= x <= high, or < where open.
struct ConfigRange {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false, high_open = false;

  static ConfigRange any() { return {}; }
  static ConfigRange at_least(double low) { return {.low = low}; }
  static ConfigRange above(double low) { return {.low = low, .low_open = true}; }
  static ConfigRange between(double low, double high) { return {.low = low, .high = high}; }
  static ConfigRange from_below(double low, double high) {  // low <= x < high
    return {.low = low, .high = high, .high_open = true};
  }
  static ConfigRange above_up_to(double low, double high) {  // low < x <= high
    return {.low = low, .high = high, .low_open = true};
  }
  bool contains(double value) const;
  std::string text() const;  // "> 0", "from 0 to 1", ">= 0 and < 1", ""
};

/// A function that lists options calls one method per option, in the order of the printed config;
/// the value passed in is the default, and a reader replaces it. `about` is one line for schema and
/// help.
class ConfigVisitor {
 public:
  virtual ~ConfigVisitor() = default;
  virtual void boolean(const char* key, bool& value, const char* about) = 0;
  virtual void integer(const char* key, int64_t& value, const ConfigRange& range,
                       const char* about) = 0;
  virtual void number(const char* key, double& value, const ConfigRange& range,
                      const char* about) = 0;
  /// Height and width, whole numbers: one alone stands for both.
  virtual void size(const char* key, Grid& value, const ConfigRange& range, const char* about) = 0;
  virtual void text(const char* key, std::string& value, const char* about) = 0;
  /// One of `words`.
  virtual void choice(const char* key, std::string& value, const std::vector<std::string>& words,
                      const char* about) = 0;
  virtual void texts(const char* key, std::vector<std::string>& value, const char* about) = 0;
  /// A list of exactly value.size() numbers.
  virtual void tuple(const char* key, std::vector<double>& value, const ConfigRange& range,
                     const char* about) = 0;
  /// A list of any length.
  virtual void numbers(const char* key, std::vector<double>& value, const ConfigRange& range,
                       const char* about) = 0;
  /// One of `words`, or a list of any length: `word` is empty when `numbers` holds.
  virtual void word_or_numbers(const char* key, std::string& word,
                               const std::vector<std::string>& words, std::vector<double>& numbers,
                               const ConfigRange& range, const char* about) = 0;
  /// An object of options; end() closes it.
  virtual void begin(const char* key, const char* about) = 0;
  /// An object or null. False: nothing in it is to be listed, and end() is not called.
  virtual bool begin_optional(const char* key, bool& present, const char* about) = 0;
  virtual void end() = 0;
  /// A list of `size` objects, which `resize` gives another size. item(i) lists the options of
  /// number i; those of a new one, with the defaults, where there is none.
  virtual void objects(const char* key, std::size_t size,
                       const std::function<void(std::size_t)>& resize,
                       const std::function<void(std::size_t)>& item, const char* about) = 0;
  /// Throws Error (user): the value just given for `key` cannot be used. A reader says where it
  /// stands.
  [[noreturn]] virtual void reject(const char* key, const std::string& message) = 0;
};

}  // namespace shiftadd
