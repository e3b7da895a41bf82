// Puts the same tokens in front of those of every image.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/support.h"
#include "core/parallel.h"

namespace shiftadd::autograd {

Variable prepend_tokens(const Variable& tokens, const Variable& x) {
  check_rank("prepend_tokens", "input", x, 3);
  check_rank("prepend_tokens", "tokens", tokens, 3);
  check_same_dtype("prepend_tokens", x, {tokens});
  const int64_t batch = x.dim(0), channels = x.dim(2), count = tokens.dim(1);
  check_shape("prepend_tokens", "tokens", tokens.shape(), {1, count, channels});
  // Elements in front of an image's own, its own, and all.
  const int64_t first = count * channels, own = x.dim(1) * channels, all = first + own;
  Tensor y({batch, count + x.dim(1), channels}, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    const T *front = tokens.value().data<T>(), *source = x.value().data<T>();
    T* target = y.data<T>();
    parallel_for(batch, [&](int64_t b) {
      std::copy_n(front, first, target + b * all);
      std::copy_n(source + b * own, own, target + b * all + first);
    });
  });
  ParameterGradient dtokens(tokens);
  return make_result("prepend_tokens", std::move(y), {tokens, x},
                     [batch, first, own, all, dtokens, x_shape = x.shape(),
                      wanted = wants_gradient(x)](const Tensor& dy) mutable -> std::vector<Tensor> {
                       Tensor dx;
                       dispatch(dy.dtype(), [&]<class T>() {
                         const T* g = dy.data<T>();
                         if (dtokens.wanted()) {
                           T* sum = dtokens.target().template data<T>();
                           for (int64_t b = 0; b < batch; ++b)
                             for (int64_t j = 0; j < first; ++j) sum[j] += g[b * all + j];
                         }
                         if (!wanted) return;
                         dx = Tensor(x_shape, dy.dtype());
                         T* target = dx.data<T>();
                         parallel_for(batch, [&](int64_t b) {
                           std::copy_n(g + b * all + first, own, target + b * own);
                         });
                       });
                       return {dtokens.result(), dx};
                     });
}

}  // namespace shiftadd::autograd
