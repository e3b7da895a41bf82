// Softmax attention on sign codes, by definition: as a composition, and with counted signs.
#include "core/cpu/reference/attention_codes.h"
#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// Codes and values of all heads, each matrix (B, heads, rows, columns) and contiguous.
template <class T>
struct Coded {
  AttentionShape shape;
  std::vector<T> q, k, v;
};

template <class T>
void append(std::vector<T>& all, const Matrix& x, double scale) {
  for (double value : x) all.push_back(static_cast<T>(value * scale));
}

template <class T, class Args>
Coded<T> code(const Args& args) {
  const AttentionShape& s = args.shape;
  const int64_t n = s.queries * s.code_dim, m = s.keys * s.code_dim, l = s.keys * s.head_dim;
  Coded<T> c = {s, {}, {}, {}};
  c.shape.q_batch = s.heads * n, c.shape.q_head = n, c.shape.q_row = s.code_dim;
  c.shape.k_batch = s.heads * m, c.shape.k_head = m, c.shape.k_row = s.code_dim;
  c.shape.v_batch = s.heads * l, c.shape.v_head = l, c.shape.v_row = s.head_dim;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h) {
      double scale;
      append(c.q, encode(Codes::kSign, q_rows(s, args.q, b, h, s.queries), 1, 0), 1);
      append(c.k, encode(Codes::kSign, k_rows(s, args.k, b, h), 1, 0), 1);
      const Matrix v = take_values(args.value, v_rows(s, args.v, b, h), &scale);
      append(c.v, v, scale);
    }
  return c;
}

template <class T>
void window(const Rows<const T>& x, const T* g, const Rows<T>& dx) {
  for (int64_t n = 0; n < x.count; ++n)
    for (int64_t j = 0; j < x.d; ++j)
      dx.at(n, j) = std::abs(x.at(n, j)) <= 1 ? g[n * x.d + j] : T(0);
}

}  // namespace

template <class T>
void softmax_add(const SoftmaxAddArgs<T>& args) {
  const Coded<T> c = code<T>(args);
  attention<T>(
      {c.shape, args.scale, c.q.data(), c.k.data(), c.v.data(), args.out, args.log_sum_exp});
}

template <class T>
void softmax_add_backward(const SoftmaxAddBackwardArgs<T>& args) {
  const AttentionShape& s = args.shape;
  const Coded<T> c = code<T>(args);
  std::vector<T> dq(c.q.size()), dk(c.k.size()), dv(c.v.size());
  attention_backward<T>({c.shape, args.scale, c.q.data(), c.k.data(), c.v.data(), args.out,
                         args.log_sum_exp, args.dout, dq.data(), dk.data(), dv.data()});
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h) {
      const int64_t i = b * s.heads + h, n = s.queries * s.code_dim, m = s.keys * s.code_dim;
      window(q_rows(s, args.q, b, h, s.queries), dq.data() + i * n,
             q_rows(s, args.dq, b, h, s.queries));
      window(k_rows(s, args.k, b, h), dk.data() + i * m, k_rows(s, args.dk, b, h));
      const Rows<T> out = v_rows(s, args.dv, b, h);
      for (int64_t row = 0; row < s.keys; ++row)
        for (int64_t j = 0; j < s.head_dim; ++j)
          out.at(row, j) = dv[(i * s.keys + row) * s.head_dim + j];
    }
}

template <class T>
void popcount_attention(const SoftmaxAddArgs<T>& args) {
  const AttentionShape& s = args.shape;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h) {
      const Rows<const T> q = q_rows(s, args.q, b, h, s.queries), k = k_rows(s, args.k, b, h);
      double scale;
      Matrix v = take_values(args.value, v_rows(s, args.v, b, h), &scale);
      for (double& x : v) x = static_cast<T>(x * scale);
      const Rows<T> out = o_rows(s, args.out, b, h);
      std::vector<double> p(s.keys);
      for (int64_t n = 0; n < s.queries; ++n) {
        for (int64_t m = 0; m < s.keys; ++m) {
          int64_t different = 0;
          for (int64_t j = 0; j < s.code_dim; ++j)
            different += (q.at(n, j) < 0) != (k.at(m, j) < 0);
          p[m] = args.scale * static_cast<double>(s.code_dim - 2 * different);
        }
        const double top = *std::max_element(p.begin(), p.end());
        double sum = 0;
        for (double& logit : p) sum += logit = std::exp(logit - top);
        if (args.log_sum_exp)
          args.log_sum_exp[(b * s.heads + h) * s.queries + n] = static_cast<T>(top + std::log(sum));
        for (int64_t j = 0; j < s.head_dim; ++j) {
          double y = 0;
          for (int64_t m = 0; m < s.keys; ++m) y += p[m] * v[m * s.head_dim + j];
          out.at(n, j) = static_cast<T>(y / sum);
        }
      }
    }
}

template void softmax_add(const SoftmaxAddArgs<float>&);
template void softmax_add(const SoftmaxAddArgs<double>&);
template void softmax_add_backward(const SoftmaxAddBackwardArgs<float>&);
template void softmax_add_backward(const SoftmaxAddBackwardArgs<double>&);
template void popcount_attention(const SoftmaxAddArgs<float>&);
template void popcount_attention(const SoftmaxAddArgs<double>&);

}  // namespace shiftadd::reference
