// The matrix products against the reference, and the promise that an element's bits depend on its
// operands alone.
#include "core/cpu/packed_gemm.h"
#include "tests/ops/gemm_operands.h"
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

TEST_CASE("kernels: gemm in all forms and odd sizes") {
  for (int64_t m : {1, 3, 17, 197})
    for (int64_t n : {1, 3, 17, 65})
      for (int64_t k : {1, 17, 197})
        for (Form form : kForms)
          check_kernel(concat("gemm ", m, 'x', n, 'x', k, ' ', form.transpose_a, form.transpose_b),
                       tolerance(k), [&](const KernelTable<float>& kernels) {
                         Operands x(m, n, k, form);
                         kernels.gemm(x.args);
                         return x.c;
                       });
}

TEST_CASE("kernels: gemm with bias, gelu and residual") {
  for (bool bias : {false, true})
    for (bool gelu : {false, true})
      for (int residual : {0, 1, 2})  // none, another matrix, c itself
        check_kernel(concat("gemm epilogue ", bias, gelu, residual), 1e-5,
                     [&](const KernelTable<float>& kernels) {
                       Operands x(29, 83, 40, {false, true});
                       if (bias) x.args.bias = x.bias.data();
                       if (gelu) x.args.activation = Activation::kGelu;
                       if (residual)
                         x.args.residual = residual == 1 ? x.residual.data() : x.c.data();
                       x.args.ldr = residual == 1 ? 84 : x.args.ldc;
                       kernels.gemm(x.args);
                       return x.c;
                     });
}

TEST_CASE("kernels: gemm accumulates over a tall k") {
  for (Form form : kForms)
    for (int64_t k : {17, 384, 385, 800})
      check_kernel(concat("gemm accumulate k=", k), tolerance(k),
                   [&](const KernelTable<float>& kernels) {
                     Operands x(35, 67, k, form);
                     x.args.accumulate = true;
                     kernels.gemm(x.args);
                     return x.c;
                   });
}

TEST_CASE("kernels: an element of gemm does not depend on the rows and columns beside it") {
  for (Isa isa : isas()) check_elements_alone<Operands>(name_of(isa), cpu_kernels(isa).gemm);
}

TEST_CASE("kernels: a packed weight gives the bits of gemm for any number of rows") {
  for (Isa isa : isas())
    for (int64_t m : {1, 2, 17, 197}) {
      Operands x(m, 83, 40, {false, true});
      x.args.bias = x.bias.data();
      x.args.activation = Activation::kGelu;
      x.args.residual = x.residual.data();
      x.args.ldr = 84;
      Numbers packed_c = x.c;
      cpu_kernels(isa).gemm(x.args);
      const PackedMatrix weight(x.b.data(), 83, 40, x.args.ldb, isa);
      gemm_packed(x.a.data(), x.args.lda, m, weight, packed_c.data(), x.args.ldc, x.bias.data(),
                  Activation::kGelu, x.residual.data(), 84);
      INFO(name_of(isa), " m=", m);
      CHECK(same_bits(packed_c, x.c));
    }
}

TEST_CASE("kernels: pack and gemm_packed") {
  for (int64_t n : {1, 17, 83})
    for (int64_t k : {1, 40, 197})
      check_kernel(concat("gemm_packed ", n, 'x', k), tolerance(k),
                   [&](const KernelTable<float>& kernels) {
                     Operands x(19, n, k, {false, true});
                     Numbers packed(kernels.packed_size(n, k));
                     kernels.pack({n, k, x.b.data(), x.args.ldb, packed.data()});
                     x.args.b = packed.data();
                     kernels.gemm_packed(x.args);
                     return x.c;
                   });
}

TEST_CASE("kernels: gemm with a scale for each row") {
  for (bool bias : {false, true})
    for (bool gelu : {false, true})
      for (int64_t m : {1, 17, 197})
        check_kernel(
            concat("gemm row_scale ", bias, gelu, ' ', m), 1e-5,
            [&](const KernelTable<float>& kernels) {
              const int64_t n = 37, k = 29;
              const Numbers a = normals(m * k, 1), b = normals(n * k, 2), v = normals(n, 3),
                            scale = normals(m, 4), residual = normals(m * n, 5);
              Numbers c(m * n);
              GemmArgs<float> args{m, n, k, a.data(), k, false, b.data(), k, true, c.data(), n};
              if (bias) args.bias = v.data();
              if (gelu) {
                args.activation = Activation::kGelu;
                args.residual = residual.data();
                args.ldr = n;
              }
              args.row_scale = scale.data();
              kernels.gemm(args);
              return c;
            });
}

TEST_CASE("kernels: gemm keeps infinities and NaN in their rows") {
  for (Isa isa : isas()) {
    Operands x(17, 33, 9, {false, true});
    x.a[2 * x.args.lda] = std::nanf("");
    x.args.a = x.a.data();
    cpu_kernels(isa).gemm(x.args);
    for (int64_t i = 0; i < 17; ++i)
      for (int64_t j = 0; j < 33; ++j) CHECK(std::isnan(x.c[i * x.args.ldc + j]) == (i == 2));
  }
}

TEST_CASE("kernels: a table of an instruction set that the CPU has not is refused") {
  for (Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    if (supported(isa))
      CHECK_NOTHROW(cpu_kernels(isa));
    else
      CHECK_THROWS_AS(cpu_kernels(isa), Error);
  }
}

}  // namespace
}  // namespace shiftadd::test
