// See op_test.h.
#include "tests/ops/op_test.h"

#include "core/io/json_text.h"

namespace shiftadd::test {

GoldenCase::GoldenCase(const std::string& name)
    : name_(name), file_(golden_operator(name)), attributes_(parse_json(test::attributes(file_))) {}

Variable GoldenCase::leaf(const std::string& name) {
  const Tensor* found = file_.find("in." + name);
  if (!found) found = &file_.at("param." + name);
  const auto [entry, fresh] =
      leaves_.try_emplace(name, Variable(found->clone(), file_.find("grad." + name) != nullptr));
  return entry->second;
}

void GoldenCase::check(const Variable& output) {
  INFO(name_);
  check_close(output.value(), file_.at("out.y"), 1e-5, name_ + " out.y");
  output.backward(file_.at("cot.y").clone());
  for (const auto& [key, expected] : file_.tensors) {
    if (key.rfind("grad.", 0) != 0) continue;
    const std::string leaf = key.substr(5);
    REQUIRE_MESSAGE(leaves_.count(leaf) == 1, name_ << ": the test does not use " << leaf);
    REQUIRE_MESSAGE(leaves_.at(leaf).grad().defined(), name_ << ": no gradient reached " << leaf);
    check_close(leaves_.at(leaf).grad(), expected, 1e-4, name_ + " " + key, 1e-6);
  }
}

void check_gradients(const Function& function, const std::vector<Shape>& shapes) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) inputs.push_back(random_normal(shape, 100 + inputs.size()));
  CHECK(autograd::gradcheck(function, inputs) == "");
}

void check_error(const std::function<void()>& function, const std::string& text) {
  std::string thrown = "nothing was thrown";
  try {
    function();
  } catch (const Error& error) {
    thrown = error.what();
    CHECK(error.kind() == Error::Kind::kUser);
  }
  CHECK(thrown == text);
}

Variable variable(Shape shape, uint64_t seed, bool requires_grad) {
  return Variable(random_normal(std::move(shape), seed).to(DType::kF32), requires_grad);
}

std::vector<float> values(const Tensor& tensor) {
  const auto span = tensor.span<float>();
  return {span.begin(), span.end()};
}

namespace {

// Heads of `from` into part number `part` of `parts` in each row of `to`.
void place_heads(const Tensor& from, const Tensor& to, int64_t part, int64_t parts) {
  const int64_t batch = from.dim(0), heads = from.dim(1), tokens = from.dim(2), d = from.dim(3);
  const float* x = from.data<float>();
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t n = 0; n < tokens; ++n, x += d)
        std::copy_n(x, d, to.data<float>() + (((b * tokens + n) * parts + part) * heads + h) * d);
}

Tensor merged(const Tensor& heads, int64_t parts) {
  return Tensor({heads.dim(0), heads.dim(2), parts * heads.dim(1) * heads.dim(3)});
}

}  // namespace

Tensor merge(const Tensor& heads) {
  const Tensor out = merged(heads, 1);
  place_heads(heads, out, 0, 1);
  return out;
}

Tensor fuse(const TensorFile& file, const std::string& prefix) {
  const Tensor out = merged(file.at(prefix + "q"), 3);
  int64_t part = 0;
  for (const char* name : {"q", "k", "v"}) place_heads(file.at(prefix + name), out, part++, 3);
  return out;
}

}  // namespace shiftadd::test
