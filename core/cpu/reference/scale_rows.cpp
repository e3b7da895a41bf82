// Factors of rows and their gradient, by definition.
#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {

template <class T>
void scale_rows(const ScaleRowsArgs<T>& args) {
  for (int64_t i = 0; i < args.rows * args.columns; ++i)
    args.y[i] = args.factors[i / args.columns] * args.x[i];
}

template <class T>
void row_dot(const DotsArgs<T>& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    double sum = 0;
    for (int64_t i = row * args.columns; i < (row + 1) * args.columns; ++i)
      sum += static_cast<double>(args.a[i]) * args.b[i];
    args.out[row] = static_cast<T>(args.out[row] + sum);
  }
}

template void scale_rows(const ScaleRowsArgs<float>&);
template void scale_rows(const ScaleRowsArgs<double>&);
template void row_dot(const DotsArgs<float>&);
template void row_dot(const DotsArgs<double>&);

}  // namespace shiftadd::reference
