// Softmax attention on codes, by definition: whole codes multiplied, and their bits counted.
#include <array>

#include "core/cpu/reference/attention_codes.h"
#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

double dot(const Matrix& x, int64_t n, const Matrix& y, int64_t m, int64_t d) {
  double sum = 0;
  for (int64_t j = 0; j < d; ++j) sum += x[n * d + j] * y[m * d + j];
  return sum;
}

/// The bits of a code: its sign, and whether b0 of level = b0 + 2 b1 is -1.
std::array<bool, 2> bits_of(int level) { return {level < 0, level == -3 || level == 1}; }

/// The product of two rows of codes from how many of their bits differ.
template <class T>
int64_t count_product(Codes codes, const Rows<const T>& q, int64_t n, const Rows<const T>& k,
                      int64_t m) {
  int64_t product = 0;
  const int planes = codes == Codes::kBipolar2 ? 2 : 1;
  for (int a = 0; a < planes; ++a)
    for (int b = 0; b < planes; ++b) {
      int64_t different = 0;
      for (int64_t j = 0; j < q.d; ++j)
        different +=
            bits_of(whole_code(codes, q.at(n, j)))[a] != bits_of(whole_code(codes, k.at(m, j)))[b];
      // Plane 0 is the sign: worth two where there is another.
      product += (q.d - 2 * different) * (planes == 1 ? 1 : (a == 0 ? 2 : 1) * (b == 0 ? 2 : 1));
    }
  return product;
}

/// product(n, m): that of the codes of a query and a key of the head.
template <class T, class Product>
void attend(const SoftmaxAddArgs<T>& args, int64_t b, int64_t h, Product product) {
  const AttentionShape& s = args.shape;
  const HeadScores<T> scores(args.scores, h);
  double scale;
  Matrix v = take_values(args.value, v_rows(s, args.v, b, h), &scale);
  for (double& x : v) x = static_cast<T>(x * scale);
  const Rows<T> out = o_rows(s, args.out, b, h);
  std::vector<double> p(s.keys);
  for (int64_t n = 0; n < s.queries; ++n) {
    for (int64_t m = 0; m < s.keys; ++m) p[m] = scores.factor * product(n, m);
    const double top = *std::max_element(p.begin(), p.end());
    double sum = 0;
    for (double& score : p) sum += score = std::exp(score - top);
    if (args.log_sum_exp)
      args.log_sum_exp[(b * s.heads + h) * s.queries + n] = static_cast<T>(top + std::log(sum));
    for (int64_t j = 0; j < s.head_dim; ++j) {
      double y = 0;
      for (int64_t m = 0; m < s.keys; ++m) y += p[m] * v[m * s.head_dim + j];
      out.at(n, j) = static_cast<T>(y / sum);
    }
  }
}

template <class T>
void softmax_add_backward_head(const SoftmaxAddBackwardArgs<T>& args, int64_t b, int64_t h) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim, image_head = b * s.heads + h;
  const Rows<const T> q_in = q_rows(s, args.q, b, h, s.queries), k_in = k_rows(s, args.k, b, h);
  const Matrix q = encode(args.scores.codes, q_in, 1, 0), k = encode(args.scores.codes, k_in, 1, 0);
  double scale;
  Matrix v = take_values(args.value, v_rows(s, args.v, b, h), &scale);
  const HeadScores<T> scores(args.scores, h);
  Matrix dq(q.size()), dk(k.size()), dv(v.size());
  double dtemperature = 0;
  const Rows<const T> out = o_rows(s, args.out, b, h), dout = o_rows(s, args.dout, b, h);
  for (int64_t n = 0; n < s.queries; ++n) {
    const double log_sum_exp = args.log_sum_exp[image_head * s.queries + n];
    double mean = 0;  // sum over keys of p dp
    for (int64_t j = 0; j < d; ++j) mean += double{out.at(n, j)} * dout.at(n, j);
    for (int64_t m = 0; m < s.keys; ++m) {
      const double product = dot(q, n, k, m, c);
      const double p = std::exp(scores.factor * product - log_sum_exp);
      double dp = 0;
      for (int64_t j = 0; j < d; ++j) {
        dp += dout.at(n, j) * static_cast<T>(v[m * d + j] * scale);
        dv[m * d + j] += p * dout.at(n, j);
      }
      const double ds = p * (dp - mean);
      dtemperature += ds * scores.factor * product / scores.temperature;
      for (int64_t j = 0; j < c; ++j) {
        dq[n * c + j] += scores.factor * ds * k[m * c + j];
        dk[m * c + j] += scores.factor * ds * q[n * c + j];
      }
    }
  }
  encode_backward(args.scores.codes, q_in, 1, dq, q_rows(s, args.dq, b, h, s.queries));
  encode_backward(args.scores.codes, k_in, 1, dk, k_rows(s, args.dk, b, h));
  const Rows<T> dv_out = v_rows(s, args.dv, b, h);
  for (int64_t m = 0; m < s.keys; ++m)
    for (int64_t j = 0; j < d; ++j) dv_out.at(m, j) = static_cast<T>(dv[m * d + j]);
  if (args.dtemperature) args.dtemperature[image_head] = static_cast<T>(dtemperature);
}

template <class Body>
void for_heads(const AttentionShape& s, Body body) {
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h) body(b, h);
}

}  // namespace

template <class T>
void softmax_add(const SoftmaxAddArgs<T>& args) {
  const AttentionShape& s = args.shape;
  for_heads(s, [&](int64_t b, int64_t h) {
    const Matrix q = encode(args.scores.codes, q_rows(s, args.q, b, h, s.queries), 1, 0);
    const Matrix k = encode(args.scores.codes, k_rows(s, args.k, b, h), 1, 0);
    attend(args, b, h, [&](int64_t n, int64_t m) { return dot(q, n, k, m, s.code_dim); });
  });
}

template <class T>
void softmax_add_backward(const SoftmaxAddBackwardArgs<T>& args) {
  for_heads(args.shape, [&](int64_t b, int64_t h) { softmax_add_backward_head(args, b, h); });
}

template <class T>
void popcount_attention(const SoftmaxAddArgs<T>& args) {
  const AttentionShape& s = args.shape;
  for_heads(s, [&](int64_t b, int64_t h) {
    const Rows<const T> q = q_rows(s, args.q, b, h, s.queries), k = k_rows(s, args.k, b, h);
    attend(args, b, h, [&](int64_t n, int64_t m) {
      return static_cast<double>(count_product(args.scores.codes, q, n, k, m));
    });
  });
}

template void softmax_add(const SoftmaxAddArgs<float>&);
template void softmax_add(const SoftmaxAddArgs<double>&);
template void softmax_add_backward(const SoftmaxAddBackwardArgs<float>&);
template void softmax_add_backward(const SoftmaxAddBackwardArgs<double>&);
template void popcount_attention(const SoftmaxAddArgs<float>&);
template void popcount_attention(const SoftmaxAddArgs<double>&);

}  // namespace shiftadd::reference
