// softmax_add_attention with two-bit codes and temperatures, against a definition in float64 whose
// gradients are central differences.
#include "tests/ops/codes_definition.h"

namespace shiftadd::test {
using autograd::softmax_add_attention;
using autograd::SoftmaxAddOptions;

namespace {

SoftmaxAddOptions options_of(const CodedProblem& p) {
  return {.heads = CodedProblem::kHeads, .codes = p.codes, .temperature = p.temperature};
}

}  // namespace

TEST_CASE("softmax_add of codes at a temperature: values and gradients are the definition's") {
  for (const int64_t tokens : {1, 3, 17})
    for (const Codes codes : {Codes::kSign, Codes::kBipolar2}) {
      CAPTURE(tokens);
      CodedProblem p(tokens, codes);
      p.check([&](const Variable& qkv) { return softmax_add_attention(qkv, options_of(p)); },
              [](int64_t, const std::vector<double>& scores) {
                std::vector<double> weights;
                for (const double score : scores) weights.push_back(std::exp(score));
                return weights;
              });
    }
}

TEST_CASE("softmax_add of codes at a temperature: float32 is float64's, evaluation training's") {
  for (const Codes codes : {Codes::kSign, Codes::kBipolar2}) {
    CodedProblem p(17, codes);
    const Variable wide = softmax_add_attention(p.qkv, options_of(p));
    const Variable qkv = narrow(p.qkv), temperature = narrow(p.temperature);
    SoftmaxAddOptions options = options_of(p);
    options.temperature = temperature;
    const Variable out = softmax_add_attention(qkv, options);
    check_close(out.value(), wide.value().to(DType::kF32), 1e-5, "values");
    wide.backward(p.dout.clone());
    out.backward(p.dout.to(DType::kF32));
    check_close(temperature.grad(), p.temperature.grad().to(DType::kF32), 1e-4, "temperature");
    check_close(qkv.grad(), p.qkv.grad().to(DType::kF32), 1e-4, "qkv", 1e-5);
    const autograd::NoGradGuard guard;
    CHECK(values(softmax_add_attention(qkv, options).value()) == values(out.value()));
  }
}

TEST_CASE("softmax_add: levels change at the step, at 0 and at minus the step") {
  const auto code = [](float x) {
    Tensor row({1, 1, 1});
    *row.data<float>() = x;
    return *autograd::attention_codes(Variable(row), 1, Codes::kBipolar2).value().data<float>() *
           std::sqrt(5.0f);
  };
  const float step = kBipolarStep;
  CHECK(code(0) == doctest::Approx(1));
  CHECK(code(-0.0f) == doctest::Approx(1));
  CHECK(code(step) == doctest::Approx(3));
  CHECK(code(std::nextafter(step, 0.0f)) == doctest::Approx(1));
  CHECK(code(-step) == doctest::Approx(-1));
  CHECK(code(std::nextafter(-step, -9.0f)) == doctest::Approx(-3));
  CHECK(code(-1e-30f) == doctest::Approx(-1));
}

TEST_CASE("softmax_add of codes at a temperature: errors name what does not fit") {
  const Variable qkv = variable({2, 5, 12});
  const auto fails = [&](SoftmaxAddOptions options, const std::string& text) {
    options.heads = 2;
    check_error([&] { softmax_add_attention(qkv, options); }, "[softmax_add_attention] " + text);
  };
  fails({.codes = Codes::kUnitHead}, "codes are neither signs nor bipolar2");
  fails({.temperature = variable({3})}, "temperature is (3,): expected (2,)");
  fails({.temperature = Variable(Tensor({2}, DType::kF64))}, "temperature is f64: expected f32");
}

}  // namespace shiftadd::test
