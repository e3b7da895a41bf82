// Softmax attention (Vaswani et al. 2017), by definition, one head at a time.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// Where the vector of (image, head, row) begins.
int64_t at_q(const AttentionShape& s, int64_t b, int64_t h, int64_t n) {
  return b * s.q_batch + n * s.q_row + h * s.q_head;
}
int64_t at_k(const AttentionShape& s, int64_t b, int64_t h, int64_t n) {
  return b * s.k_batch + n * s.k_row + h * s.k_head;
}
int64_t at_v(const AttentionShape& s, int64_t b, int64_t h, int64_t n) {
  return b * s.v_batch + n * s.v_row + h * s.v_head;
}
int64_t at_o(const AttentionShape& s, int64_t b, int64_t h, int64_t n) {
  return b * s.o_batch + n * s.o_row + h * s.o_head;
}

template <class T>
double dot(const T* x, const T* y, int64_t n) {
  double sum = 0;
  for (int64_t j = 0; j < n; ++j) sum += static_cast<double>(x[j]) * y[j];
  return sum;
}

}  // namespace

template <class T>
void attention(const AttentionArgs<T>& args) {
  const AttentionShape& s = args.shape;
  std::vector<double> p(s.keys);
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t n = 0; n < s.queries; ++n) {
        for (int64_t m = 0; m < s.keys; ++m)
          p[m] = args.scale * dot(args.q + at_q(s, b, h, n), args.k + at_k(s, b, h, m), s.code_dim);
        const double top = *std::max_element(p.begin(), p.end());
        double sum = 0;
        for (double& score : p) sum += score = std::exp(score - top);
        if (args.log_sum_exp)
          args.log_sum_exp[(b * s.heads + h) * s.queries + n] = static_cast<T>(top + std::log(sum));
        for (int64_t j = 0; j < s.head_dim; ++j) {
          double out = 0;
          for (int64_t m = 0; m < s.keys; ++m) out += p[m] * args.v[at_v(s, b, h, m) + j];
          args.out[at_o(s, b, h, n) + j] = static_cast<T>(out / sum);
        }
      }
}

template <class T>
void attention_backward(const AttentionBackwardArgs<T>& args) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim;
  std::vector<double> dk(s.keys * c), dv(s.keys * d), dq(c);
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h) {
      std::fill(dk.begin(), dk.end(), 0.0);
      std::fill(dv.begin(), dv.end(), 0.0);
      for (int64_t n = 0; n < s.queries; ++n) {
        const T *q = args.q + at_q(s, b, h, n), *dout = args.dout + at_o(s, b, h, n);
        const double log_sum_exp = args.log_sum_exp[(b * s.heads + h) * s.queries + n];
        const double mean = dot(dout, args.out + at_o(s, b, h, n), d);  // sum over keys of p dp
        std::fill(dq.begin(), dq.end(), 0.0);
        for (int64_t m = 0; m < s.keys; ++m) {
          const T *k = args.k + at_k(s, b, h, m), *v = args.v + at_v(s, b, h, m);
          const double p = std::exp(args.scale * dot(q, k, c) - log_sum_exp);
          const double ds = args.scale * p * (dot(dout, v, d) - mean);
          for (int64_t j = 0; j < c; ++j) {
            dq[j] += ds * k[j];
            dk[m * c + j] += ds * q[j];
          }
          for (int64_t j = 0; j < d; ++j) dv[m * d + j] += p * dout[j];
        }
        for (int64_t j = 0; j < c; ++j) args.dq[at_q(s, b, h, n) + j] = static_cast<T>(dq[j]);
      }
      for (int64_t m = 0; m < s.keys; ++m) {
        for (int64_t j = 0; j < c; ++j)
          args.dk[at_k(s, b, h, m) + j] = static_cast<T>(dk[m * c + j]);
        for (int64_t j = 0; j < d; ++j)
          args.dv[at_v(s, b, h, m) + j] = static_cast<T>(dv[m * d + j]);
      }
    }
}

template void attention(const AttentionArgs<float>&);
template void attention(const AttentionArgs<double>&);
template void attention_backward(const AttentionBackwardArgs<float>&);
template void attention_backward(const AttentionBackwardArgs<double>&);

}  // namespace shiftadd::reference
