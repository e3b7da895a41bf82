// Activations of an MLP and tanh against the reference, over their whole range and at its ends.
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

constexpr HiddenActivation kKinds[] = {HiddenActivation::kGelu, HiddenActivation::kGeluTanh,
                                       HiddenActivation::kQuickGelu, HiddenActivation::kRelu,
                                       HiddenActivation::kSwiGlu};

std::string name_of_kind(HiddenActivation kind) {
  return concat("activation ", static_cast<int>(kind));
}

// Forward's y, then backward's dx, both of T.
template <class T>
std::vector<T> both(const KernelTable<T>& kernels, HiddenActivation kind, int64_t rows,
                    int64_t width, const std::vector<T>& x, const std::vector<T>& dy) {
  std::vector<T> y(rows * width), dx(x.size());
  kernels.activation({kind, rows, width, x.data(), y.data()});
  kernels.activation_backward({kind, rows, width, x.data(), dy.data(), dx.data()});
  y.insert(y.end(), dx.begin(), dx.end());
  return y;
}

std::vector<double> doubles(const Numbers& x) { return {x.begin(), x.end()}; }

// |actual - expected| <= relative |expected| + absolute, element by element.
void check_each(const Numbers& actual, const std::vector<double>& expected, double relative,
                double absolute, const std::string& what) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double error = std::abs(actual[i] - expected[i]);
    if (error <= relative * std::abs(expected[i]) + absolute) continue;
    FAIL_CHECK(what, ": element ", i, " is ", actual[i], ", expected ", expected[i]);
    return;
  }
}

TEST_CASE("kernels: activations at odd sizes") {
  for (HiddenActivation kind : kKinds)
    for (int64_t rows : {1, 3, 17, 197})
      for (int64_t width : {1, 3, 17, 197}) {
        Numbers x = normals(rows * width * inputs_of(kind), 1);
        for (float& value : x) value *= 3;
        const Numbers dy = normals(rows * width, 2);
        const double tolerance = kind == HiddenActivation::kGelu ? 1e-5 : 2e-6;
        check_kernel(concat(name_of_kind(kind), ' ', rows, 'x', width), tolerance,
                     [&](const KernelTable<float>& kernels) {
                       return both(kernels, kind, rows, width, x, dy);
                     });
      }
}

TEST_CASE("kernels: activations over their whole range, against double") {
  Numbers range;
  for (float v = -12; v <= 12; v += 0.0037f) range.push_back(v);
  const int64_t n = static_cast<int64_t>(range.size());
  for (HiddenActivation kind : kKinds) {
    Numbers x = range;
    if (kind == HiddenActivation::kSwiGlu) x.resize(2 * n, 1.5f);
    const Numbers dy(n, 1.f);
    const std::vector<double> expected =
        both(reference_kernels<double>(), kind, 1, n, doubles(x), doubles(dy));
    // The polynomials of gelu err by 2.1e-7 x, those of its slope by up to 7.3e-6.
    const bool gelu = kind == HiddenActivation::kGelu;
    check_kernel(name_of_kind(kind), gelu ? 1e-5 : 1e-6, [&](const KernelTable<float>& kernels) {
      return both(kernels, kind, 1, n, x, dy);
    });
    for (Isa isa : isas())
      check_each(both(cpu_kernels(isa), kind, 1, n, x, dy), expected, gelu ? 1e-5 : 1e-6,
                 gelu ? 1e-5 : 2e-7, name_of_kind(kind));
  }
}

TEST_CASE("kernels: gelu among the activations has the bits of gelu, in place, too") {
  const Numbers x = normals(17 * 1001, 1), dy = normals(17 * 1001, 2);
  const int64_t n = 17 * 1001;
  for (Isa isa : isas()) {
    const KernelTable<float>& kernels = cpu_kernels(isa);
    Numbers y(n), dx(n), in_place = x, back = dy;
    kernels.gelu({n, x.data(), y.data()});
    kernels.gelu_backward({n, x.data(), dy.data(), dx.data()});
    kernels.activation({HiddenActivation::kGelu, 17, 1001, in_place.data(), in_place.data()});
    kernels.activation_backward(
        {HiddenActivation::kGelu, 17, 1001, x.data(), back.data(), back.data()});
    CHECK(same_bits(in_place, y));
    CHECK(same_bits(back, dx));
  }
}

TEST_CASE("kernels: activations of large, infinite and no numbers") {
  const Numbers x = {-100, 100, -1e30f, 1e30f, -3e38f, 3e38f, -INFINITY, INFINITY, 0};
  const Numbers slopes = {0, 1, 0, 1, 0, 1, 0, 1};
  const int64_t n = static_cast<int64_t>(x.size());
  for (Isa isa : isas())
    for (HiddenActivation kind : kKinds) {
      INFO(name_of_kind(kind), " on ", name_of(isa));
      Numbers gated = x;
      if (kind == HiddenActivation::kSwiGlu) gated.resize(2 * n, 1.f);
      const Numbers y = both(cpu_kernels(isa), kind, 1, n, gated, Numbers(n, 1.f));
      for (int64_t i = 0; i < n; ++i) {
        // gelu's sum 1/2 + (Phi - 1/2) is right to 2.1e-7.
        if (x[i] > 0 && std::isfinite(x[i])) CHECK(y[i] == doctest::Approx(x[i]).epsilon(1e-6));
        if (x[i] > 0 && std::isinf(x[i])) CHECK(y[i] == INFINITY);
        if (x[i] <= 0) CHECK(y[i] == 0);
        if (x[i] != 0) CHECK(y[n + i] == doctest::Approx(slopes[i]).epsilon(1e-5));
      }
      Numbers none(3 * inputs_of(kind), std::nanf(""));
      Numbers out(3);
      cpu_kernels(isa).activation({kind, 3, 1, none.data(), out.data()});
      for (float value : out) CHECK(std::isnan(value));
    }
  for (HiddenActivation kind : kKinds) {  // the twin, too, at whatever is finite
    std::vector<double> far = {-100, 100, -1e30, 1e30, -1e300, 1e150};
    if (kind == HiddenActivation::kSwiGlu) far.resize(12, 1.0);
    const std::vector<double> y =
        both(reference_kernels<double>(), kind, 1, 6, far, std::vector<double>(6, 1.0));
    for (int64_t i = 0; i < 6; ++i) {
      CHECK(y[i] == doctest::Approx(std::max(far[i], 0.0)).epsilon(1e-12));
      CHECK(y[6 + i] == doctest::Approx(far[i] > 0 ? 1 : 0).epsilon(1e-12));
    }
  }
}

TEST_CASE("kernels: tanh and its backward") {
  Numbers x = {0,  -0.f, 1e-30f, -1e-8f, 0.6249999f, 0.625f,
               40, -40,  100,    -1e30f, INFINITY,   -INFINITY};
  for (float v = -12; v <= 12; v += 0.00037f) x.push_back(v);
  const int64_t n = static_cast<int64_t>(x.size());
  const Numbers dy = normals(n, 1);
  check_kernel("tanh", 1e-6, [&](const KernelTable<float>& kernels) {
    Numbers y = x, dx = dy;
    kernels.tanh({n, y.data(), y.data()});
    kernels.tanh_backward({n, y.data(), dx.data(), dx.data()});
    return join({y, dx});
  });
  std::vector<double> expected;
  for (float value : x) expected.push_back(std::tanh(static_cast<double>(value)));
  for (Isa isa : isas()) {
    Numbers y(n), none = {std::nanf("")};
    cpu_kernels(isa).tanh({n, x.data(), y.data()});
    check_each(y, expected, 3e-7, 0, "tanh");
    CHECK(std::signbit(y[1]));
    cpu_kernels(isa).tanh({1, none.data(), none.data()});
    CHECK(std::isnan(none[0]));
  }
}

}  // namespace
}  // namespace shiftadd::test
