// Column sums, layer normalisation and softmax against the reference.
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

constexpr int64_t kRows[] = {1, 3, 17, 197};
constexpr int64_t kColumns[] = {1, 3, 17, 64, 197};

TEST_CASE("kernels: column_sum") {
  for (int64_t rows : {1, 3, 197, 1001})
    for (int64_t columns : kColumns)
      check_kernel(concat("column_sum ", rows, 'x', columns), 1e-5,
                   [&](const KernelTable<float>& kernels) {
                     const Numbers x = normals(rows * columns, 1);
                     Numbers out = normals(columns, 2);
                     kernels.column_sum({rows, columns, x.data(), out.data()});
                     return out;
                   });
}

TEST_CASE("kernels: layer_norm and its backward") {
  for (int64_t rows : kRows)
    for (int64_t columns : kColumns) {
      const Numbers x = normals(rows * columns, 1), gamma = normals(columns, 2),
                    beta = normals(columns, 3);
      const Numbers dy = normals(rows * columns, 4), residual = normals(rows * columns, 5);
      Numbers mean(rows), rstd(rows), y(rows * columns);
      reference_kernels<float>().layer_norm({rows, columns, 1e-6, x.data(), gamma.data(),
                                             beta.data(), y.data(), mean.data(), rstd.data()});
      if (columns > 1)  // one column is constant: rstd is 1/sqrt(eps) of rounding errors
        check_kernel(concat("layer_norm ", rows, 'x', columns), 1e-5,
                     [&](const KernelTable<float>& kernels) {
                       Numbers out(rows * columns), m(rows), r(rows);
                       kernels.layer_norm({rows, columns, 1e-6, x.data(), gamma.data(), beta.data(),
                                           out.data(), m.data(), r.data()});
                       return join({out, m, r});
                     });
      for (bool with_residual : {false, true})
        check_kernel(concat("layer_norm_backward ", rows, 'x', columns), 2e-5,
                     [&](const KernelTable<float>& kernels) {
                       Numbers dx = dy, dgamma = normals(columns, 6), dbeta = normals(columns, 7);
                       kernels.layer_norm_backward({rows, columns, x.data(), gamma.data(),
                                                    mean.data(), rstd.data(), dx.data(),
                                                    with_residual ? residual.data() : nullptr,
                                                    dx.data(), dgamma.data(), dbeta.data()});
                       // dx of one column is 0 up to rounding, times a huge rstd
                       return columns > 1 ? join({dx, dgamma, dbeta}) : join({dgamma, dbeta});
                     });
    }
}

TEST_CASE("kernels: layer_norm without statistics, backward without parameters") {
  check_kernel("layer_norm bare", 1e-5, [&](const KernelTable<float>& kernels) {
    const Numbers x = normals(5 * 19, 1), gamma = normals(19, 2), beta = normals(19, 3),
                  dy = normals(5 * 19, 4);
    const Numbers mean(5, 0.1f), rstd(5, 0.9f);
    Numbers y(5 * 19), dx(5 * 19);
    kernels.layer_norm(
        {5, 19, 1e-5, x.data(), gamma.data(), beta.data(), y.data(), nullptr, nullptr});
    kernels.layer_norm_backward({5, 19, x.data(), gamma.data(), mean.data(), rstd.data(), dy.data(),
                                 nullptr, dx.data(), nullptr, nullptr});
    return join({y, dx});
  });
}

TEST_CASE("kernels: softmax and its backward") {
  for (int64_t rows : kRows)
    for (int64_t columns : kColumns) {
      Numbers x = normals(rows * columns, 1);
      for (float& value : x) value *= 10;  // far apart, so that the tails underflow
      check_kernel(concat("softmax ", rows, 'x', columns), 1e-6,
                   [&](const KernelTable<float>& kernels) {
                     Numbers y = x;
                     kernels.softmax({rows, columns, y.data(), y.data()});
                     return y;
                   });
      check_kernel(concat("softmax_backward ", rows, 'x', columns), 1e-5,
                   [&](const KernelTable<float>& kernels) {
                     Numbers y = normals(rows * columns, 3), dx = normals(rows * columns, 2);
                     reference_kernels<float>().softmax({rows, columns, y.data(), y.data()});
                     kernels.softmax_backward({rows, columns, y.data(), dx.data(), dx.data()});
                     return dx;
                   });
    }
}

TEST_CASE("kernels: softmax survives large, infinite and NaN inputs") {
  for (Isa isa : isas()) {
    Numbers x(20, 1e30f);
    x[3] = -INFINITY;
    cpu_kernels(isa).softmax({1, 20, x.data(), x.data()});
    CHECK(x[3] == 0);
    CHECK(x[0] == doctest::Approx(1 / 19.0));
    for (std::size_t at : {0, 18}) {
      Numbers bad(19, 1.f);
      bad[at] = std::nanf("");
      cpu_kernels(isa).softmax({1, 19, bad.data(), bad.data()});
      CHECK(std::isnan(bad[at]));
    }
  }
}

}  // namespace
}  // namespace shiftadd::test
