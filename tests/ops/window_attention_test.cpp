// window_attention against its definition in float64, whose gradients are central differences, and
// evaluation against training.
#include <array>

#include "tests/ops/codes_definition.h"

namespace shiftadd::test {
using autograd::window_attention;
using autograd::WindowAttentionOptions;

namespace {

WindowAttentionOptions options_of(const CodedProblem& p, const PatchGrid& grid) {
  return {.heads = CodedProblem::kHeads, .temperature = p.temperature, .grid = grid};
}

// Whether a query sees a key as softmax does: patches that touch, and whatever is no patch.
bool near(const PatchGrid& g, int64_t query, int64_t key) {
  if (query < g.first || key < g.first) return true;
  const int64_t q = query - g.first, k = key - g.first;
  return std::abs(q / g.grid_w - k / g.grid_w) <= 1 && std::abs(q % g.grid_w - k % g.grid_w) <= 1;
}

std::vector<double> weights_of(const PatchGrid& grid, int64_t query,
                               const std::vector<double>& scores) {
  double mean = 0, outside = 0;
  for (std::size_t m = 0; m < scores.size(); ++m)
    if (!near(grid, query, static_cast<int64_t>(m))) mean += scores[m], outside += 1;
  if (outside > 0) mean /= outside;
  std::vector<double> weights;
  for (std::size_t m = 0; m < scores.size(); ++m)
    weights.push_back(near(grid, query, static_cast<int64_t>(m)) ? std::exp(scores[m])
                                                                 : 1 + scores[m] - mean);
  return weights;
}

// A square with a class token, none before the patches, a line, many before them, one patch.
const PatchGrid kGrids[] = {{4, 4, 1}, {3, 5, 0}, {1, 7, 1}, {4, 1, 2}, {2, 2, 5}, {1, 1, 0}};

}  // namespace

TEST_CASE("window_attention: values and gradients are the definition's") {
  for (const PatchGrid& grid : kGrids) {
    CAPTURE(grid.grid_h * 100 + grid.grid_w * 10 + grid.first);
    CodedProblem p(grid.tokens(), Codes::kBipolar2);
    p.check(
        [&](const Variable& qkv) { return window_attention(qkv, options_of(p, grid)); },
        [&](int64_t n, const std::vector<double>& scores) { return weights_of(grid, n, scores); });
  }
}

TEST_CASE("window_attention: float32 is float64's, and evaluation training's bits") {
  for (const PatchGrid& grid : kGrids)
    for (const ValueFormat value : {ValueFormat::kFloat, ValueFormat::kInt8}) {
      CodedProblem p(grid.tokens(), Codes::kBipolar2);
      WindowAttentionOptions options = options_of(p, grid);
      options.value = value;
      const Variable wide = window_attention(p.qkv, options);
      const Variable qkv = narrow(p.qkv), temperature = narrow(p.temperature);
      options.temperature = temperature;
      const Variable out = window_attention(qkv, options);
      if (value == ValueFormat::kFloat) {  // int8 may round the other way
        check_close(out.value(), wide.value().to(DType::kF32), 1e-5, "values", 1e-6);
        wide.backward(p.dout.clone());
        out.backward(p.dout.to(DType::kF32));
        check_close(temperature.grad(), p.temperature.grad().to(DType::kF32), 1e-4, "temperature",
                    1e-5);
        check_close(qkv.grad(), p.qkv.grad().to(DType::kF32), 1e-4, "qkv", 1e-5);
      }
      const autograd::NoGradGuard guard;
      CHECK(values(window_attention(qkv, options).value()) == values(out.value()));
    }
}

TEST_CASE("window_attention: q and kv apart, fewer queries, each image for itself: the same bits") {
  const PatchGrid grid = {4, 4, 1};
  const Variable qkv = variable({3, 17, 3 * 10});
  const WindowAttentionOptions options = {
      .heads = 2, .value = ValueFormat::kInt8, .temperature = variable({2}), .grid = grid};
  const std::vector<float> all = values(window_attention(qkv, options).value());

  const Tensor q({3, 17, 10}), kv({3, 17, 20});
  for (int64_t row = 0; row < 3 * 17; ++row) {
    const float* from = qkv.value().data<float>() + row * 30;
    std::copy_n(from, 10, q.data<float>() + row * 10);
    std::copy_n(from + 10, 20, kv.data<float>() + row * 20);
  }
  CHECK(values(window_attention(Variable(q), Variable(kv), options).value()) == all);

  WindowAttentionOptions fewer = options;
  fewer.queries = 4;
  const std::vector<float> first = values(window_attention(qkv, fewer).value());
  for (int64_t b = 0; b < 3; ++b)
    for (int64_t i = 0; i < 40; ++i) CHECK(first[b * 40 + i] == all[b * 170 + i]);

  Tensor last({1, 17, 30});
  std::copy_n(qkv.value().data<float>() + 2 * 17 * 30, 17 * 30, last.data<float>());
  const std::vector<float> alone = values(window_attention(Variable(last), options).value());
  CHECK(std::equal(alone.begin(), alone.end(), all.begin() + 340));
}

TEST_CASE("window_attention: large scores overflow nothing") {
  const PatchGrid grid = {3, 3, 1};
  const Variable qkv = variable({1, 10, 3 * 64});
  const Variable temperature(Tensor::full({1}, 100), true);
  const Variable out = window_attention(
      qkv, {.heads = 1, .value = ValueFormat::kInt8, .temperature = temperature, .grid = grid});
  out.backward(variable({1, 10, 64}, 2).value().clone());
  for (const float x : values(out.value())) CHECK(std::isfinite(x));
  for (const float x : values(qkv.grad())) CHECK(std::isfinite(x));
  CHECK(std::isfinite(values(temperature.grad())[0]));
}

TEST_CASE("window_attention: where a window is everything, scores far below 0 are softmax's") {
  // Keys point away from every query, one token's a little less.
  for (const PatchGrid& grid : {PatchGrid{1, 1, 0}, {2, 2, 0}, {1, 2, 1}})
    for (const ValueFormat value : {ValueFormat::kFloat, ValueFormat::kInt8}) {
      const int64_t tokens = grid.tokens(), d = 64;
      const Tensor x = variable({1, tokens, 3 * d}).value().clone();
      for (int64_t n = 0; n < tokens; ++n)
        for (int64_t j = 0; j < 2 * d; ++j)
          x.data<float>()[n * 3 * d + j] = j < d || (n == 0 && j == d) ? 2.0F : -2.0F;
      const Variable qkv(x, true), same(x.clone(), true);
      const Variable temperature(Tensor::full({1}, 100), true), also(Tensor::full({1}, 100), true);
      const Variable out = window_attention(
          qkv, {.heads = 1, .value = value, .temperature = temperature, .grid = grid});
      const Variable softmax = autograd::softmax_add_attention(
          same, {.heads = 1, .codes = Codes::kBipolar2, .value = value, .temperature = also});
      check_close(out.value(), softmax.value(), 1e-5, "values");
      const Tensor dout = variable({1, tokens, d}, 2).value();
      out.backward(dout.clone());
      softmax.backward(dout.clone());
      check_close(qkv.grad(), same.grad(), 1e-5, "gradient", 1e-6);
      const autograd::NoGradGuard guard;
      CHECK(values(window_attention(
                       qkv, {.heads = 1, .value = value, .temperature = temperature, .grid = grid})
                       .value()) == values(out.value()));
    }
}

TEST_CASE("a temperature below the least counts as the least, and its gradient passes") {
  const PatchGrid grid = {2, 3, 1};
  const Variable qkv = variable({2, 7, 3 * 10});
  const Tensor dout = variable({2, 7, 10}, 2).value();
  for (const bool window : {true, false}) {
    const auto results_at = [&](float temperature) {
      const Variable x(qkv.value(), true), t(Tensor::full({2}, temperature), true);
      const Variable out = window
                               ? window_attention(x, {.heads = 2, .temperature = t, .grid = grid})
                               : autograd::softmax_add_attention(
                                     x, {.heads = 2, .codes = Codes::kBipolar2, .temperature = t});
      out.backward(dout.clone());
      return std::array{values(out.value()), values(x.grad()), values(t.grad())};
    };
    const auto least = results_at(kLeastTemperature);
    CHECK(results_at(-0.5F) == least);
    CHECK(results_at(0) == least);
    for (const float gradient : least[2]) CHECK(gradient != 0);
    // What is not a number is not hidden.
    CHECK(std::isnan(results_at(std::nanf(""))[0][0]));
  }
}

TEST_CASE("window_attention: errors name what does not fit") {
  const auto fails = [](const WindowAttentionOptions& options, const std::string& text) {
    check_error(
        [&] {
          window_attention(variable({2, 5, 12}), options);
        },
        "[window_attention] " + text);
  };
  fails({.heads = 2, .grid = {3, 2, 0}}, "5 tokens for 0 and 3 x 2 patches: expected as many");
  fails({.heads = 2}, "5 tokens for 0 and 0 x 0 patches: expected as many");
  fails({.heads = 3, .grid = {2, 2, 1}},
        "input is (2, 5, 12) with 3 heads: expected a number of heads that divides 4");
  fails({.heads = 2, .temperature = variable({4}), .grid = {2, 2, 1}},
        "temperature is (4,): expected (2,)");
  check_error(
      [] {
        window_attention(variable({2, 6, 4}), variable({2, 5, 8}), {.heads = 2, .grid = {2, 2, 1}});
      },
      "[window_attention] q is (2, 6, 4), kv is (2, 5, 8): expected a key for each query");
}

}  // namespace shiftadd::test
