// Linear attention with a window, by definition: every weight of every key.
#include <limits>

#include "core/cpu/reference/attention_codes.h"
#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// One query's weights, less a factor that all share.
struct WeightRow {
  std::vector<double> scores, weights;
  std::vector<bool> near;
  double sum = 0, outside = 0;  // of all weights; how many keys lie outside
  double far = 0;               // what 1 + score - mean is times outside
};

WeightRow weigh(const PatchGrid& grid, int64_t query, const std::vector<double>& scores) {
  const auto keys = static_cast<int64_t>(scores.size());
  WeightRow row = {scores, std::vector<double>(scores.size()),
                   std::vector<bool>(scores.size(), query < grid.first)};
  if (query >= grid.first) grid.for_window(query, [&](int64_t key) { row.near[key] = true; });
  double top = -std::numeric_limits<double>::infinity(), mean = 0;
  for (int64_t m = 0; m < keys; ++m) {
    if (row.near[m]) {
      top = std::max(top, scores[m]);
    } else {
      mean += scores[m];
      row.outside += 1;
    }
  }
  if (row.outside > 0) {
    mean /= row.outside;
    top = std::max(top, 0.0);  // the score of what weighs 1
    row.far = std::exp(-top);
  }
  for (int64_t m = 0; m < keys; ++m) {
    row.weights[m] = row.near[m] ? std::exp(scores[m] - top) : row.far * (1 + scores[m] - mean);
    row.sum += row.weights[m];
  }
  return row;
}

// ds, the gradient of the scores, from dp, that of weight / sum.
std::vector<double> weigh_backward(const WeightRow& row, const std::vector<double>& dp) {
  double along = 0, mean = 0;
  for (std::size_t m = 0; m < dp.size(); ++m) along += row.weights[m] / row.sum * dp[m];
  std::vector<double> ds(dp.size());
  for (std::size_t m = 0; m < dp.size(); ++m) {
    const double dw = (dp[m] - along) / row.sum;
    ds[m] = dw * (row.near[m] ? row.weights[m] : row.far);
    if (!row.near[m]) mean += ds[m] / row.outside;
  }
  for (std::size_t m = 0; m < dp.size(); ++m)
    if (!row.near[m]) ds[m] -= mean;
  return ds;
}

// The codes and values of one head.
template <class T>
struct HeadOperands {
  template <class Args>
  HeadOperands(const Args& args, int64_t b, int64_t h)
      : scores(args.scores, h),
        code_dim(args.shape.code_dim),
        q(encode(args.scores.codes, q_rows(args.shape, args.q, b, h, args.shape.queries), 1, 0)),
        k(encode(args.scores.codes, k_rows(args.shape, args.k, b, h), 1, 0)) {
    double scale;
    v = take_values(args.value, v_rows(args.shape, args.v, b, h), &scale);
    for (double& x : v) x *= scale;
  }
  std::vector<double> products(int64_t n) const {
    std::vector<double> result(k.size() / code_dim);
    for (std::size_t m = 0; m < result.size(); ++m)
      for (int64_t j = 0; j < code_dim; ++j)
        result[m] += q[n * code_dim + j] * k[static_cast<int64_t>(m) * code_dim + j];
    return result;
  }
  std::vector<double> scores_of(int64_t n) const {
    std::vector<double> result = products(n);
    for (double& x : result) x *= scores.factor;
    return result;
  }
  HeadScores<T> scores;
  int64_t code_dim;
  Matrix q, k, v;
};

template <class T>
void backward_head(const WindowAttentionBackwardArgs<T>& args, int64_t b, int64_t h) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim;
  const HeadOperands<T> x(args, b, h);
  Matrix dq(x.q.size()), dk(x.k.size()), dv(x.v.size());
  const Rows<const T> dout = o_rows(s, args.dout, b, h);
  double dtemperature = 0;
  for (int64_t n = 0; n < s.queries; ++n) {
    const std::vector<double> scores = x.scores_of(n);
    const WeightRow row = weigh(args.grid, n, scores);
    std::vector<double> dp(scores.size());
    for (int64_t m = 0; m < s.keys; ++m)
      for (int64_t j = 0; j < d; ++j) {
        dp[m] += dout.at(n, j) * x.v[m * d + j];
        dv[m * d + j] += row.weights[m] / row.sum * dout.at(n, j);
      }
    const std::vector<double> ds = weigh_backward(row, dp);
    for (int64_t m = 0; m < s.keys; ++m) {
      dtemperature += ds[m] * scores[m] / x.scores.temperature;
      for (int64_t j = 0; j < c; ++j) {
        dq[n * c + j] += x.scores.factor * ds[m] * x.k[m * c + j];
        dk[m * c + j] += x.scores.factor * ds[m] * x.q[n * c + j];
      }
    }
  }
  encode_backward(args.scores.codes, q_rows(s, args.q, b, h, s.queries), 1, dq,
                  q_rows(s, args.dq, b, h, s.queries));
  encode_backward(args.scores.codes, k_rows(s, args.k, b, h), 1, dk, k_rows(s, args.dk, b, h));
  const Rows<T> dv_out = v_rows(s, args.dv, b, h);
  for (int64_t m = 0; m < s.keys; ++m)
    for (int64_t j = 0; j < d; ++j) dv_out.at(m, j) = static_cast<T>(dv[m * d + j]);
  if (args.dtemperature) args.dtemperature[b * s.heads + h] = static_cast<T>(dtemperature);
}

}  // namespace

template <class T>
void window_attention(const WindowAttentionArgs<T>& args) {
  const AttentionShape& s = args.shape;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h) {
      const HeadOperands<T> x(args, b, h);
      const Rows<T> out = o_rows(s, args.out, b, h);
      for (int64_t n = 0; n < s.queries; ++n) {
        const WeightRow row = weigh(args.grid, n, x.scores_of(n));
        for (int64_t j = 0; j < s.head_dim; ++j) {
          double y = 0;
          for (int64_t m = 0; m < s.keys; ++m) y += row.weights[m] * x.v[m * s.head_dim + j];
          out.at(n, j) = static_cast<T>(y / row.sum);
        }
      }
    }
}

template <class T>
void window_attention_backward(const WindowAttentionBackwardArgs<T>& args) {
  for (int64_t b = 0; b < args.shape.batch; ++b)
    for (int64_t h = 0; h < args.shape.heads; ++h) backward_head(args, b, h);
}

template void window_attention(const WindowAttentionArgs<float>&);
template void window_attention(const WindowAttentionArgs<double>&);
template void window_attention_backward(const WindowAttentionBackwardArgs<float>&);
template void window_attention_backward(const WindowAttentionBackwardArgs<double>&);

}  // namespace shiftadd::reference
