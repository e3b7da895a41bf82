// Codes whose gradient is that of smooth steps: the window of the codes' own estimators lets
// nothing through to a value far from 0, and the same through to all others.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/support.h"
#include "core/parallel.h"

namespace shiftadd::autograd {
namespace {

template <class F>
void for_each_row(const Shape& shape, F&& f) {
  const int64_t channels = shape[2];
  parallel_chunks(shape[0] * shape[1], std::max<int64_t>(1, (1 << 15) / channels),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t row = begin; row < end; ++row) f(row * channels);
                  });
}

// A number that has the code of x, and that the code's estimator passes.
template <class T>
T stand_in(Codes codes, T x) {
  if (codes == Codes::kSign) return x < 0 ? T{-1} : T{1};
  const int level = level_of(x);
  const T magnitude = level * level > 1 ? T{kBipolarEdge} : T{kBipolarStep} / 2;
  return level < 0 ? -magnitude : magnitude;
}

// The gradient of stand_in as it is here.
template <class T>
T slope_at(Codes codes, T x, T slope) {
  const auto step = [slope](T y) { return slope / (1 + slope * slope * y * y); };
  if (codes == Codes::kSign) return step(x);
  const T edge = kBipolarStep;
  return (step(x + edge) + step(x) + step(x - edge)) * (edge / 2);
}

}  // namespace

Variable smooth_codes(const Variable& input, Codes codes, int64_t coded, double slope) {
  check_rank("smooth_codes", "input", input, 3);
  if (coded < 0 || coded > input.dim(2) || !(slope > 0))
    throw user_error("[smooth_codes] input is ", input.shape(), ", ", coded, " channels, slope ",
                     slope, ": expected (B, N, C), at most C channels and a slope > 0");
  if (!is_whole(codes)) throw user_error("[smooth_codes] codes are neither signs nor bipolar2");
  const Shape shape = input.shape();
  const Tensor y(shape, input.dtype());
  dispatch(input.dtype(), [&]<class T>() {
    const T* x = input.value().data<T>();
    T* out = y.data<T>();
    for_each_row(shape, [&](int64_t row) {
      for (int64_t i = row; i < row + coded; ++i) out[i] = stand_in(codes, x[i]);
      std::copy_n(x + row + coded, shape[2] - coded, out + row + coded);
    });
  });
  return make_result("smooth_codes", y, {input},
                     [=, kept = input.value()](const Tensor& dy) -> std::vector<Tensor> {
                       const Tensor dx = reuse(dy);
                       dispatch(dy.dtype(), [&]<class T>() {
                         const T *x = kept.data<T>(), *d = dy.data<T>();
                         T* out = dx.data<T>();
                         const T s = static_cast<T>(slope);
                         for_each_row(shape, [&](int64_t row) {
                           for (int64_t i = row; i < row + coded; ++i)
                             out[i] = d[i] * slope_at(codes, x[i], s);
                           if (out != d)
                             std::copy_n(d + row + coded, shape[2] - coded, out + row + coded);
                         });
                       });
                       return {dx};
                     });
}

}  // namespace shiftadd::autograd
