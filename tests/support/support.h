// What the tests share: golden files, temporary folders, subprocesses, comparisons.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "core/parallel.h"

namespace shiftadd::test {

/// $SHIFTADD_GOLDEN, else ../shared/golden beside the source tree, else tests/golden.
std::string golden_folder();
/// Cases of golden_folder()/operators whose file name starts with `prefix`, sorted; e.g.
/// "layer_norm_". Requires at least one.
std::vector<std::string> golden_cases(const std::string& prefix);
TensorFile golden_operator(const std::string& name);  // "linear"
TensorFile golden_model(const std::string& name);     // "vit_micro"
/// The file's "attributes" JSON text.
std::string attributes(const TensorFile& file);

/// Path below ../shared; empty, with a printed "SKIPPED" line, when ../shared is absent; a test
/// failure then if CI=true.
std::string shared_path(const std::string& relative);

std::string source_folder();
std::string build_folder();
std::string program(const std::string& name);  // path of a built program

/// max |a - b| <= relative * max |b|, or <= floor; reports the worst element under `what`.
void check_close(const Tensor& actual, const Tensor& expected, double relative,
                 const std::string& what, double floor = 0);

/// A folder of its own under the system's temporary folder, removed at the end of the scope.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct ProcessResult {
  int status = 0;  // exit status, or 128 + signal
  std::string out, err;
};
/// Runs a program without a shell; extra environment is added; input goes to its standard input.
ProcessResult run(const std::vector<std::string>& command, const std::string& input = "",
                  const std::map<std::string, std::string>& environment = {},
                  const std::string& folder = "");

/// The larger of two errors, where NaN is larger than any: comparisons with it are false, so that
/// a maximum would forget it.
inline double worse(double worst, double error) {
  if (error <= worst) return worst;
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// So many threads inside its scope.
class Threads {
 public:
  explicit Threads(int threads) : before_(num_threads()) { set_num_threads(threads); }
  ~Threads() { set_num_threads(before_); }

 private:
  int before_;
};

/// Writes text to a file (for configs and broken inputs).
void write_text(const std::string& path, const std::string& text);

}  // namespace shiftadd::test
