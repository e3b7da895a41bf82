// Sums and products number by number, factors of channels and of rows, sums over all numbers or
// rows, and dropout.
#pragma once

#include <cstdint>

namespace shiftadd {

template <class T>
struct BinaryArgs {  // out = f(a, b), all n long; out may equal a or b
  int64_t n;
  const T *a, *b;
  T* out;
};
/// out[i] = a[i] + b[i % period]: broadcast over leading axes (position embedding, bias).
template <class T>
struct AddBroadcastArgs {
  int64_t n, period;
  const T *a, *b;
  T* out;  // may equal a
};
template <class T>
struct ScaleArgs {  // y = alpha x, or y += alpha x when accumulate; y may equal x
  int64_t n;
  double alpha;
  const T* x;
  T* y;
  bool accumulate = false;
};
/// y[row, j] = x[row, j] factors[j], or, as one rounding (fma), that plus residual[row, j]. y may
/// equal x or residual.
template <class T>
struct ScaleChannelsArgs {
  int64_t rows, columns;
  const T *x, *factors;
  const T* residual;  // or null
  T* y;
};
/// y[row, j] = factors[row] x[row, j]; y may equal x.
template <class T>
struct ScaleRowsArgs {
  int64_t rows, columns;
  const T *x, *factors;
  T* y;
};
/// Sums of a[row, j] b[row, j], added to out, in a fixed order: over rows, out (columns), or over
/// each row, out (rows). The gradients of the factors above.
template <class T>
struct DotsArgs {
  int64_t rows, columns;
  const T *a, *b;
  T* out;
};
/// out = sum of x, in a fixed order, accumulated in double.
template <class T>
struct SumArgs {
  int64_t n;
  const T* x;
  double* out;
};

/// Kept with probability keep and divided by it, else 0. Element i belongs to group i / group: one
/// draw per group (group 1: dropout; group = elements of an image: drop path). Philox stream (seed,
/// stream). Linear: backward is the same call on dy. y may equal x.
template <class T>
struct DropArgs {
  int64_t n, group;
  double keep;
  uint64_t seed, stream;
  const T* x;
  T* y;
};

/// out[j] += sum over rows of x[row, j]: the gradient of a bias. Fixed order over rows.
template <class T>
struct ColumnSumArgs {
  int64_t rows, columns;
  const T* x;
  T* out;
};

template <class T>
struct ElementwiseKernels {
  void (*add)(const BinaryArgs<T>&);
  void (*multiply)(const BinaryArgs<T>&);
  void (*add_broadcast)(const AddBroadcastArgs<T>&);
  void (*scale)(const ScaleArgs<T>&);
  void (*scale_channels)(const ScaleChannelsArgs<T>&);
  void (*scale_rows)(const ScaleRowsArgs<T>&);
  void (*column_dot)(const DotsArgs<T>&);
  void (*row_dot)(const DotsArgs<T>&);
  void (*sum)(const SumArgs<T>&);
  void (*column_sum)(const ColumnSumArgs<T>&);
  void (*drop)(const DropArgs<T>&);
};

}  // namespace shiftadd
