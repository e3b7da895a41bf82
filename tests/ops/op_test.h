// What the tests of ops share: golden cases, gradient checks, error messages.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "tests/support/support.h"

namespace shiftadd::test {

using autograd::random_normal;
using autograd::Variable;

/// One golden file: leaves by name without prefix ("x", "w", ...), attributes as JSON.
class GoldenCase {
 public:
  explicit GoldenCase(const std::string& name);
  const nlohmann::json& attributes() const { return attributes_; }
  const Tensor& tensor(const std::string& name) const { return file_.at(name); }  // "in.target"
  /// The leaf "in.NAME" or "param.NAME", float32, requiring a gradient if the file has one for it.
  Variable leaf(const std::string& name);
  /// Compares `output` with out.y, sends cot.y back, compares the gradient of every leaf asked for
  /// with grad.*; a grad.* whose leaf was not used fails.
  void check(const Variable& output);

 private:
  std::string name_;
  TensorFile file_;
  nlohmann::json attributes_;
  std::map<std::string, Variable> leaves_;
};

using Function = std::function<Variable(const std::vector<Variable>&)>;
/// Passes when gradcheck finds nothing for random inputs of these shapes.
void check_gradients(const Function& function, const std::vector<Shape>& shapes);
/// The function must throw a user error with exactly this text.
void check_error(const std::function<void()>& function, const std::string& text);

Variable variable(Shape shape, uint64_t seed = 1, bool requires_grad = true);  // float32, normal
std::vector<float> values(const Tensor& tensor);

/// (B, heads, N, d), as golden files hold attention, to the ops' (B, N, heads d); and PREFIXq,
/// PREFIXk, PREFIXv of a file to one fused (B, N, 3 heads d).
Tensor merge(const Tensor& heads);
Tensor fuse(const TensorFile& file, const std::string& prefix);

}  // namespace shiftadd::test
