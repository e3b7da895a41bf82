// Takes the mean over the token axis.
#include "autograd/ops.h"
#include "autograd/ops/support.h"
#include "core/parallel.h"

namespace shiftadd::autograd {

Variable mean_tokens(const Variable& x) {
  check_rank("mean_tokens", "input", x, 3);
  const int64_t batch = x.dim(0), tokens = x.dim(1), channels = x.dim(2);
  if (tokens < 1)
    throw user_error("[mean_tokens] input is ", x.shape(), ": expected at least one token");
  Tensor y = Tensor::zeros({batch, channels}, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    const T* source = x.value().data<T>();
    T* target = y.data<T>();
    parallel_for(batch, [&](int64_t b) {
      T* row = target + b * channels;
      for (int64_t n = 0; n < tokens; ++n) {
        for (int64_t j = 0; j < channels; ++j) row[j] += source[(b * tokens + n) * channels + j];
      }
      for (int64_t j = 0; j < channels; ++j) row[j] /= static_cast<T>(tokens);
    });
  });
  return make_result("mean_tokens", std::move(y), {x},
                     [batch, tokens, channels](const Tensor& dy) -> std::vector<Tensor> {
                       const Tensor dx({batch, tokens, channels}, dy.dtype());
                       dispatch(dy.dtype(), [&]<class T>() {
                         const T* g = dy.data<T>();
                         T* target = dx.data<T>();
                         parallel_for(batch, [&](int64_t b) {
                           for (int64_t n = 0; n < tokens; ++n) {
                             for (int64_t j = 0; j < channels; ++j)
                               target[(b * tokens + n) * channels + j] =
                                   g[b * channels + j] / static_cast<T>(tokens);
                           }
                         });
                       });
                       return {dx};
                     });
}

}  // namespace shiftadd::autograd
