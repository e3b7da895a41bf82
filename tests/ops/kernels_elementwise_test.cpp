// Element-wise kernels, the sum, dropout and the optimizers against the reference.
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

constexpr int64_t kSizes[] = {1, 3, 17, 197, 16384, 20001};

TEST_CASE("kernels: gelu over its whole range") {
  Numbers x;
  for (float v = -12; v <= 12; v += 0.0037f) x.push_back(v);
  const int64_t n = static_cast<int64_t>(x.size());
  // 5e-7 of the largest value, 12: an absolute error, everywhere.
  check_kernel("gelu", 5e-7, [&](const KernelTable<float>& kernels) {
    Numbers y(n);
    kernels.gelu({n, x.data(), y.data()});
    return y;
  });
  check_kernel("gelu_backward", 1e-5, [&](const KernelTable<float>& kernels) {
    Numbers dy(n, 1.f);
    kernels.gelu_backward({n, x.data(), dy.data(), dy.data()});
    return dy;
  });
  for (Isa isa : isas()) {
    Numbers odd = {std::nanf(""), INFINITY, -INFINITY, -1e30f, 1e30f, 0.f}, y(6);
    cpu_kernels(isa).gelu({6, odd.data(), y.data()});
    CHECK(std::isnan(y[0]));
    CHECK(y[1] == INFINITY);
    CHECK(y[4] == doctest::Approx(1e30f));
    CHECK(y[3] == 0);
    CHECK(y[5] == 0);
  }
}

TEST_CASE("kernels: add, multiply, scale") {
  for (int64_t n : kSizes) {
    const Numbers a = normals(n, 1), b = normals(n, 2);
    check_kernel(concat("add, multiply, scale ", n), 1e-6, [&](const KernelTable<float>& kernels) {
      Numbers sum(n), product = a, scaled(n), accumulated = b;
      kernels.add({n, a.data(), b.data(), sum.data()});
      kernels.multiply({n, product.data(), b.data(), product.data()});
      kernels.scale({n, -0.7, a.data(), scaled.data()});
      kernels.scale({n, 1.7, a.data(), accumulated.data(), true});
      return join({sum, product, scaled, accumulated});
    });
  }
}

TEST_CASE("kernels: add_broadcast wraps at any period") {
  for (int64_t period : {1, 3, 17, 192, 15000})
    check_kernel(concat("add_broadcast ", period), 1e-6, [&](const KernelTable<float>& kernels) {
      Numbers x = normals(2 * period + 20001, 1);
      const Numbers b = normals(period, 2);
      kernels.add_broadcast({static_cast<int64_t>(x.size()), period, x.data(), b.data(), x.data()});
      return x;
    });
}

TEST_CASE("kernels: sum in double") {
  for (int64_t n : kSizes)
    check_kernel(concat("sum ", n), 1e-7, [&](const KernelTable<float>& kernels) {
      Numbers x = normals(n, 1);
      for (float& value : x) value = value * value;
      double out = -1;
      kernels.sum({n, x.data(), &out});
      return Numbers{static_cast<float>(out)};
    });
}

TEST_CASE("kernels: drop keeps the same elements as the reference") {
  for (int64_t group : {1, 3, 17, 15000})
    for (double keep : {0.1, 0.9, 1.0})
      check_kernel(concat("drop group ", group), 1e-6, [&](const KernelTable<float>& kernels) {
        Numbers x = normals(20001, 1);
        kernels.drop({20001, group, keep, 7, 9, x.data(), x.data()});
        return x;
      });
}

TEST_CASE("kernels: adamw and sgd over three steps") {
  for (int64_t n : kSizes) {
    const Numbers start = normals(n, 1);
    check_kernel(concat("adamw ", n), 1e-6, [&](const KernelTable<float>& kernels) {
      Numbers p = start, m(n), v(n);
      for (int64_t step = 1; step <= 3; ++step) {
        const Numbers g = normals(n, 10 + step);
        kernels.adamw(
            {n, 1e-3, 0.9, 0.999, 1e-8, 0.05, 0.5, step, g.data(), p.data(), m.data(), v.data()});
      }
      return join({p, m, v});
    });
    for (bool nesterov : {false, true})
      check_kernel(concat("sgd ", n), 1e-6, [&](const KernelTable<float>& kernels) {
        Numbers p = start, buffer(n);
        for (int64_t step = 1; step <= 3; ++step) {
          const Numbers g = normals(n, 10 + step);
          kernels.sgd({n, 0.1, 0.9, 1e-4, 0.5, nesterov, g.data(), p.data(), buffer.data()});
        }
        return join({p, buffer});
      });
  }
}

TEST_CASE("kernels: losses") {
  for (int64_t rows : {1, 3, 17})
    for (int64_t classes : {1, 3, 17, 197}) {
      const Numbers logits = normals(rows * classes, 1), teacher = normals(rows * classes, 2);
      Numbers target = normals(rows * classes, 3), weight = normals(rows, 4);
      for (float& value : target) value = std::abs(value);
      for (float& value : weight) value = std::abs(value);
      check_kernel(
          concat("losses ", rows, 'x', classes), 1e-5, [&](const KernelTable<float>& kernels) {
            Numbers loss(2), d1(rows * classes), d2(rows * classes);
            kernels.cross_entropy(
                {rows, classes, logits.data(), target.data(), weight.data(), &loss[0], d1.data()});
            kernels.distill({rows, classes, 3, logits.data(), teacher.data(), &loss[1], d2.data()});
            return join({loss, d1, d2});
          });
    }
}

}  // namespace
}  // namespace shiftadd::test
