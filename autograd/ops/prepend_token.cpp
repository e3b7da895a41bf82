// Puts the class token in front of the patches, and adds the learned positions to all of them.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/support.h"
#include "core/parallel.h"

namespace shiftadd::autograd {

Variable prepend_token(const Variable& token, const Variable& x, const Variable& positions) {
  check_rank("prepend_token", "input", x, 3);
  check_defined("prepend_token", "token", token);
  check_defined("prepend_token", "positions", positions);
  check_same_dtype("prepend_token", x, {token, positions});
  const int64_t batch = x.dim(0), tokens = x.dim(1), channels = x.dim(2);
  check_shape("prepend_token", "token", token.shape(), {1, 1, channels});
  check_shape("prepend_token", "positions", positions.shape(), {1, tokens + 1, channels});
  const int64_t in = tokens * channels, out = in + channels;  // elements of an image
  Tensor y({batch, tokens + 1, channels}, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    const T *t = token.value().data<T>(), *source = x.value().data<T>(),
            *p = positions.value().data<T>();
    T* target = y.data<T>();
    parallel_for(batch, [&](int64_t b) {
      T* row = target + b * out;
      for (int64_t j = 0; j < channels; ++j) row[j] = t[j] + p[j];
      for (int64_t j = 0; j < in; ++j) row[channels + j] = source[b * in + j] + p[channels + j];
    });
  });
  ParameterGradient dtoken(token), dpositions(positions);
  return make_result(
      "prepend_token", std::move(y), {token, x, positions},
      [batch, tokens, channels, in, out, dtoken, dpositions,
       wanted = wants_gradient(x)](const Tensor& dy) mutable -> std::vector<Tensor> {
        Tensor dx;
        dispatch(dy.dtype(), [&]<class T>() {
          const T* g = dy.data<T>();
          if (dpositions.wanted())
            kernels<T>().column_sum({batch, out, g, dpositions.target().template data<T>()});
          if (dtoken.wanted()) {
            T* sum = dtoken.target().template data<T>();
            for (int64_t b = 0; b < batch; ++b) {
              for (int64_t j = 0; j < channels; ++j) sum[j] += g[b * out + j];
            }
          }
          if (!wanted) return;
          dx = Tensor({batch, tokens, channels}, dy.dtype());
          T* target = dx.data<T>();
          parallel_for(
              batch, [&](int64_t b) { std::copy_n(g + b * out + channels, in, target + b * in); });
        });
        return {dtoken.result(), dx, dpositions.result()};
      });
}

}  // namespace shiftadd::autograd
