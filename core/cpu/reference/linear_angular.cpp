// Linear-angular attention (You et al. 2023, arXiv 2211.10526), by definition, one head at a time.
#include "core/cpu/reference/attention_codes.h"
#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// c (m, n) = a b with a (m, k), b (k, n); a stored (k, m) when transpose_a, b (n, k) when
// transpose_b.
Matrix product(const Matrix& a, bool transpose_a, const Matrix& b, bool transpose_b, int64_t m,
               int64_t k, int64_t n) {
  Matrix c(m * n);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t p = 0; p < k; ++p)
        c[i * n + j] +=
            a[transpose_a ? p * m + i : i * k + p] * b[transpose_b ? j * k + p : p * n + j];
  return c;
}

template <class Args>
double threshold(const Args& args, int64_t part, int64_t b, int64_t h) {
  const AttentionShape& s = args.shape;
  return is_unit(args.codes) ? args.thresholds[(part * s.batch + b) * s.heads + h] : 0;
}

template <class T>
void find_thresholds(const LinearAngularArgs<T>& args) {
  const AttentionShape& s = args.shape;
  const int64_t heads = s.batch * s.heads;
  for (int64_t i = 0; i < heads; ++i) {
    const int64_t b = i / s.heads, h = i % s.heads;
    args.thresholds[i] = static_cast<T>(unit_mean(q_rows(s, args.q, b, h, s.keys)));
    args.thresholds[heads + i] = static_cast<T>(unit_mean(k_rows(s, args.k, b, h)));
  }
  if (args.codes != Codes::kUnitBatch) return;
  share_threshold(heads, args.thresholds);
  share_threshold(heads, args.thresholds + heads);
}

void multiply_by(double factor, Matrix& x) {
  for (double& value : x) value *= factor;
}

template <class T>
void backward_head(const LinearAngularBackwardArgs<T>& args, int64_t b, int64_t h) {
  const AttentionShape& s = args.shape;
  const int64_t n = s.keys, c = s.code_dim, d = s.head_dim;
  const int64_t taps = args.local.kernel_h * args.local.kernel_w;
  const double factor = product_factor(args.codes, c);
  const Rows<const T> q = q_rows(s, args.q, b, h, n), k = k_rows(s, args.k, b, h);
  const Matrix qc = encode(args.codes, q, 1, threshold(args, 0, b, h));
  const Matrix kc = encode(args.codes, k, 1, threshold(args, 1, b, h));
  double scale;
  Matrix v = take_values(args.value, v_rows(s, args.v, b, h), &scale);
  multiply_by(scale, v);
  const Matrix kv = product(kc, true, v, false, c, n, d);
  const Matrix m = product(qc, false, kv, false, n, c, d);
  const Rows<const T> dout = o_rows(s, args.dout, b, h);
  Matrix da(n * d), dv(n * d);  // rows beyond the queries stay zero
  Matrix dweight(taps);
  for (int64_t i = 0; i < s.queries; ++i) {
    double squares = 0, along = 0;
    std::vector<double> a(d);
    for (int64_t j = 0; j < d; ++j) {
      a[j] = 0.5 * v[i * d + j] + factor * m[i * d + j];
      squares += a[j] * a[j];
      along += a[j] * dout.at(i, j);
    }
    const double length = 1 / std::sqrt(squares + kUnitEps);
    for (int64_t j = 0; j < d; ++j) {
      da[i * d + j] = length * (dout.at(i, j) - a[j] * along * length * length);
      dv[i * d + j] += 0.5 * da[i * d + j];  // earlier rows' filters may have been here
    }
    if (!args.local_weight) continue;
    for_taps(args.local, i, [&](int64_t tap, int64_t row) {
      double sum = 0;
      for (int64_t j = 0; j < d; ++j) {
        sum += dout.at(i, j) * v[row * d + j];
        dv[row * d + j] += args.local_weight[h * taps + tap] * dout.at(i, j);
      }
      dweight[tap] += sum;
    });
  }
  for (int64_t tap = 0; args.dlocal_weight && tap < taps; ++tap)
    args.dlocal_weight[h * taps + tap] += static_cast<T>(dweight[tap]);
  multiply_by(factor, da);
  const Matrix dkv = product(qc, true, da, false, c, n, d);
  const Matrix through_k = product(kc, false, dkv, false, n, c, d);
  const Rows<T> dv_rows = v_rows(s, args.dv, b, h);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < d; ++j)
      dv_rows.at(i, j) = static_cast<T>(dv[i * d + j] + through_k[i * d + j]);
  encode_backward(args.codes, q, 1, product(da, false, kv, true, n, d, c),
                  q_rows(s, args.dq, b, h, n));
  encode_backward(args.codes, k, 1, product(v, false, dkv, true, n, d, c),
                  k_rows(s, args.dk, b, h));
}

}  // namespace

template <class T>
void linear_angular(const LinearAngularArgs<T>& args) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim;
  if (is_unit(args.codes)) find_thresholds(args);
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h) {
      const Matrix q =
          encode(args.codes, q_rows(s, args.q, b, h, s.queries), 1, threshold(args, 0, b, h));
      const Matrix k = encode(args.codes, k_rows(s, args.k, b, h), 1, threshold(args, 1, b, h));
      double scale;
      const Matrix v = take_values(args.value, v_rows(s, args.v, b, h), &scale);
      Matrix m =
          product(q, false, product(k, true, v, false, c, s.keys, d), false, s.queries, c, d);
      multiply_by(product_factor(args.codes, c), m);
      finish(args, h, m, v, scale, o_rows(s, args.out, b, h));
    }
}

template <class T>
void linear_angular_backward(const LinearAngularBackwardArgs<T>& args) {
  for (int64_t b = 0; b < args.shape.batch; ++b)
    for (int64_t h = 0; h < args.shape.heads; ++h) backward_head(args, b, h);
}

// The same with sign codes, where both products are sums and differences.
template <class T>
void add_attention(const LinearAngularArgs<T>& args) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h) {
      const Rows<const T> q = q_rows(s, args.q, b, h, s.queries), k = k_rows(s, args.k, b, h);
      double scale;
      const Matrix v = take_values(args.value, v_rows(s, args.v, b, h), &scale);
      Matrix kv(c * d), m(s.queries * d);
      for (int64_t n = 0; n < s.keys; ++n)
        for (int64_t i = 0; i < c; ++i)
          for (int64_t j = 0; j < d; ++j) {
            if (k.at(n, i) < 0)
              kv[i * d + j] -= v[n * d + j];
            else
              kv[i * d + j] += v[n * d + j];
          }
      for (int64_t n = 0; n < s.queries; ++n)
        for (int64_t i = 0; i < c; ++i)
          for (int64_t j = 0; j < d; ++j) {
            if (q.at(n, i) < 0)
              m[n * d + j] -= kv[i * d + j];
            else
              m[n * d + j] += kv[i * d + j];
          }
      multiply_by(product_factor(Codes::kSign, c), m);
      finish(args, h, m, v, scale, o_rows(s, args.out, b, h));
    }
}

template void linear_angular(const LinearAngularArgs<float>&);
template void linear_angular(const LinearAngularArgs<double>&);
template void linear_angular_backward(const LinearAngularBackwardArgs<float>&);
template void linear_angular_backward(const LinearAngularBackwardArgs<double>&);
template void add_attention(const LinearAngularArgs<float>&);
template void add_attention(const LinearAngularArgs<double>&);

}  // namespace shiftadd::reference
