// Operands of matrix products in every form, for the tests of float32 and bf16 ones.
#pragma once

#include <cmath>

#include "core/kernels.h"
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {

struct Form {
  bool transpose_a, transpose_b;
};
constexpr Form kForms[] = {{false, false}, {false, true}, {true, false}, {true, true}};

// Operands with leading dimensions larger than the rows, so that a confusion of the two shows.
struct Operands {
  Operands(int64_t m, int64_t n, int64_t k, Form form)
      : a(normals((form.transpose_a ? k : m) * ((form.transpose_a ? m : k) + 3), 1)),
        b(normals((form.transpose_b ? n : k) * ((form.transpose_b ? k : n) + 5), 2)),
        c(normals(m * (n + 2), 3)),
        bias(normals(n, 4)),
        residual(normals(m * (n + 1), 5)),
        scale(normals(m, 6)) {
    args.m = m;
    args.n = n;
    args.k = k;
    args.a = a.data();
    args.lda = (form.transpose_a ? m : k) + 3;
    args.transpose_a = form.transpose_a;
    args.b = b.data();
    args.ldb = (form.transpose_b ? k : n) + 5;
    args.transpose_b = form.transpose_b;
    args.c = c.data();
    args.ldc = n + 2;
  }
  Numbers a, b, c, bias, residual, scale;
  GemmArgs<float> args{};
};

// Rounding grows like the square root of k.
inline double tolerance(int64_t k) { return 1e-6 * (1 + std::sqrt(static_cast<double>(k)) / 4); }

// In each form, an element computed alone has the bits that it has among all others. Matrices: the
// operands to make.
template <class Matrices, class Gemm>
void check_elements_alone(const std::string& name, Gemm gemm) {
  for (Form form : kForms) {
    Matrices all(197, 65, 77, form), part(197, 65, 77, form);
    gemm(all.args);
    for (int64_t row : {0, 13, 100, 196})
      for (int64_t column : {0, 31, 64}) {
        GemmArgs<float> args = part.args;
        args.m = args.n = 1;
        args.a += form.transpose_a ? row : row * args.lda;
        args.b += form.transpose_b ? column * args.ldb : column;
        float c = 0;
        args.c = &c;
        gemm(args);
        INFO(name, " row ", row, " column ", column);
        CHECK(c == all.c[row * all.args.ldc + column]);
      }
  }
}

}  // namespace shiftadd::test
