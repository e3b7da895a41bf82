// What the process tests of shiftadd-train share: a tiny configuration and a program that can be
// signalled.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/support/support.h"

namespace shiftadd::test {

/// A folder with a configuration ("config.json") that uses every source of random numbers and
/// trains for 3 epochs in a second or two. Runs are started inside it, so that relative paths stay
/// there.
class TrainFolder {
 public:
  TrainFolder();
  std::string operator/(const std::string& name) const { return folder_ / name; }
  const std::string& path() const { return folder_.path(); }

  /// shiftadd-train config.json --out OUT ARGUMENTS...
  std::vector<std::string> command(const std::string& out,
                                   const std::vector<std::string>& arguments = {}) const;
  ProcessResult train(const std::string& out, const std::vector<std::string>& arguments = {},
                      const std::map<std::string, std::string>& environment = {}) const;
  /// The same, but sends `signal` when stderr has shown `count` lines that contain `text`
  /// (run_until); with every step's line, it comes at most two steps later. `ignored`: the program
  /// is started with that signal ignored.
  ProcessResult train_until(const std::string& out, const std::vector<std::string>& arguments,
                            const std::string& text, int count, int signal,
                            bool ignored = false) const;
  /// SHA-256 of OUT/model.safetensors.
  std::string model_hash(const std::string& out) const;

 private:
  TemporaryFolder folder_;
};

}  // namespace shiftadd::test
