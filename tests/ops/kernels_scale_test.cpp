// Factors of channels and of rows, and their gradients, against the reference.
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

TEST_CASE("kernels: scale_channels and scale_rows have the bits of the reference") {
  for (int64_t rows : {1, 3, 17, 197})
    for (int64_t columns : {1, 3, 17, 197}) {
      const int64_t n = rows * columns;
      const Numbers x = normals(n, 1), residual = normals(n, 2), factors = normals(columns, 3),
                    row_factors = normals(rows, 4);
      const auto run = [&](const KernelTable<float>& kernels) {
        Numbers plain(n), added(n), onto = residual, in_place = x, scaled(n), rows_in_place = x;
        kernels.scale_channels({rows, columns, x.data(), factors.data(), nullptr, plain.data()});
        kernels.scale_channels(
            {rows, columns, x.data(), factors.data(), residual.data(), added.data()});
        kernels.scale_channels({rows, columns, x.data(), factors.data(), onto.data(), onto.data()});
        kernels.scale_channels(
            {rows, columns, in_place.data(), factors.data(), residual.data(), in_place.data()});
        CHECK(same_bits(onto, added));
        CHECK(same_bits(in_place, added));
        kernels.scale_rows({rows, columns, x.data(), row_factors.data(), scaled.data()});
        kernels.scale_rows(
            {rows, columns, rows_in_place.data(), row_factors.data(), rows_in_place.data()});
        CHECK(same_bits(rows_in_place, scaled));
        return join({plain, added, scaled});
      };
      const std::string what = concat("factors ", rows, 'x', columns);
      check_kernel(what, 0, run);
      INFO(what);
      for (Isa isa : isas())
        CHECK(same_bits(run(cpu_kernels(isa)), run(reference_kernels<float>())));
    }
}

TEST_CASE("kernels: column_dot and row_dot add to what is there") {
  for (int64_t rows : {1, 3, 17, 197, 1001})
    for (int64_t columns : {1, 3, 17, 64, 197}) {
      const Numbers a = normals(rows * columns, 1), b = normals(rows * columns, 2);
      check_kernel(concat("dots ", rows, 'x', columns), 1e-5,
                   [&](const KernelTable<float>& kernels) {
                     Numbers of_columns = normals(columns, 3), of_rows = normals(rows, 4);
                     kernels.column_dot({rows, columns, a.data(), b.data(), of_columns.data()});
                     kernels.row_dot({rows, columns, a.data(), b.data(), of_rows.data()});
                     return join({of_columns, of_rows});
                   });
    }
}

}  // namespace
}  // namespace shiftadd::test
