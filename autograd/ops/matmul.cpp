// Multiplies matrices with equal leading axes.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {
namespace {

struct MatmulShape {
  int64_t count, m, k, n;
  bool bf16;
};

template <class T>
void product(GemmArgs<T> args, bool bf16) {
  args.bf16 = bf16;
  kernels<T>().gemm(args);
}

}  // namespace

Variable matmul(const Variable& a, const Variable& b) {
  check_min_rank("matmul", "a", a, 2);
  check_defined("matmul", "b", b);
  check_same_dtype("matmul", a, {b});
  const Shape &left = a.shape(), &right = b.shape();
  if (left.size() != right.size() || a.dim(-1) != b.dim(-2) ||
      !std::equal(left.begin(), left.end() - 2, right.begin()))
    throw user_error("[matmul] a is ", left, ", b is ", right,
                     ": expected (..., m, k) and (..., k, n) with equal leading axes");
  Shape shape = left;
  shape.back() = right.back();
  const Shape leading(left.begin(), left.end() - 2);
  const MatmulShape s{element_count(leading), a.dim(-2), a.dim(-1), b.dim(-1), bf16_products()};
  Tensor y(shape, a.dtype());
  dispatch(a.dtype(), [&]<class T>() {
    const T *pa = a.value().data<T>(), *pb = b.value().data<T>();
    for (int64_t i = 0; i < s.count; ++i)
      product<T>({s.m, s.n, s.k, pa + i * s.m * s.k, s.k, false, pb + i * s.k * s.n, s.n, false,
                  y.data<T>() + i * s.m * s.n, s.n},
                 s.bf16);
  });
  return make_result(
      "matmul", std::move(y), {a, b},
      [s, a_shape = left, b_shape = right, kept_a = wants_gradient(b) ? a.value() : Tensor(),
       kept_b = wants_gradient(a) ? b.value() : Tensor()](const Tensor& dy) -> std::vector<Tensor> {
        Tensor da, db;
        dispatch(dy.dtype(), [&]<class T>() {
          const T* g = dy.data<T>();
          if (kept_b.defined()) {  // da = dy b^T
            da = Tensor(a_shape, dy.dtype());
            for (int64_t i = 0; i < s.count; ++i)
              product<T>(
                  {s.m, s.k, s.n, g + i * s.m * s.n, s.n, false, kept_b.data<T>() + i * s.k * s.n,
                   s.n, true, da.data<T>() + i * s.m * s.k, s.k},
                  s.bf16);
          }
          if (kept_a.defined()) {  // db = a^T dy
            db = Tensor(b_shape, dy.dtype());
            for (int64_t i = 0; i < s.count; ++i)
              product<T>({s.k, s.n, s.m, kept_a.data<T>() + i * s.m * s.k, s.k, true,
                          g + i * s.m * s.n, s.n, false, db.data<T>() + i * s.k * s.n, s.n},
                         s.bf16);
          }
        });
        return {da, db};
      });
}

}  // namespace shiftadd::autograd
