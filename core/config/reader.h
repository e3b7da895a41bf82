// Fills options from a config tree; every error names file, line and key path.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config/node.h"
#include "core/config/visitor.h"
#include "core/error.h"

namespace shiftadd {

/// Show it to the list of options, then call finish(). Keys that are absent keep their defaults, or
/// are refused. Throws Error (user) "FILE:LINE: train.optimizer.lr: expected a number > 0, got
/// "abc"" for a wrong type or range, and for a key that no option has, with the nearest one that
/// exists.
class ConfigReader : public ConfigVisitor {
 public:
  enum class Absent : uint8_t { kDefault, kRefused };
  /// `root` must outlive the reader. `paths`: all options' paths (option_paths), for suggestions.
  ConfigReader(const ConfigNode& root, std::vector<std::string> paths,
               Absent absent = Absent::kDefault);
  void finish();  // closes the root object

  /// Whether the file (or an override) holds this path.
  bool has(std::string_view path) const;
  /// An error found after reading, at the line of `path` or of the nearest object around it; of the
  /// whole where `path` is "".
  [[noreturn]] void fail(const std::string& path, const std::string& message) const;
  /// What `check` throws, as an error of `path`, or of the key below it that the error has.
  template <class Check>
  void checked(const std::string& path, Check check) const {
    try {
      check();
    } catch (const Error& error) {
      const Error here = error.under(path);
      fail(here.key(), here.text());
    }
  }

  void boolean(const char* key, bool& value, const char* about) override;
  void integer(const char* key, int64_t& value, const ConfigRange& range,
               const char* about) override;
  void number(const char* key, double& value, const ConfigRange& range, const char* about) override;
  void size(const char* key, Grid& value, const ConfigRange& range, const char* about) override;
  void text(const char* key, std::string& value, const char* about) override;
  void choice(const char* key, std::string& value, const std::vector<std::string>& words,
              const char* about) override;
  void texts(const char* key, std::vector<std::string>& value, const char* about) override;
  void tuple(const char* key, std::vector<double>& value, const ConfigRange& range,
             const char* about) override;
  void numbers(const char* key, std::vector<double>& value, const ConfigRange& range,
               const char* about) override;
  void word_or_numbers(const char* key, std::string& word, const std::vector<std::string>& words,
                       std::vector<double>& numbers, const ConfigRange& range,
                       const char* about) override;
  void begin(const char* key, const char* about) override;
  bool begin_optional(const char* key, bool& present, const char* about) override;
  void end() override;
  void objects(const char* key, std::size_t size, const std::function<void(std::size_t)>& resize,
               const std::function<void(std::size_t)>& item, const char* about) override;
  [[noreturn]] void reject(const char* key, const std::string& message) override;

 private:
  struct Frame {
    const ConfigNode* node;  // null: absent from the file
    std::string path;
    std::vector<std::string> keys;  // of the options listed so far
  };
  const ConfigNode* take(
      const char* key);  // the value of an option of the innermost object, or null
  std::string path_of(std::string_view key) const;
  [[noreturn]] void expected(const ConfigNode& node, const char* key,
                             const std::string& what) const;
  std::string word(const ConfigNode& node, const char* key, const std::vector<std::string>& words,
                   const std::string& otherwise) const;
  void list(const ConfigNode& node, const char* key, std::vector<double>& out,
            const ConfigRange& range, const std::string& what) const;
  void refuse_unknown(const Frame& frame) const;

  const ConfigNode& root_;
  std::vector<std::string> paths_;
  Absent absent_;
  std::vector<Frame> frames_;
};

}  // namespace shiftadd
