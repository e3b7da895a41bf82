// Softmax attention in integers, by definition.
#include <algorithm>
#include <cmath>

#include "core/cpu/reference/attention_codes.h"
#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// A row of q or k as whole numbers; returns what one of them is worth.
template <class T>
double take_row(const Rows<const T>& x, int64_t n, Codes codes, std::vector<int32_t>& out) {
  const bool whole = is_whole(codes);
  double largest = 1e-12;
  for (int64_t j = 0; j < x.d; ++j) largest = std::max(largest, std::abs(double{x.at(n, j)}));
  const T inverse = T(127) / static_cast<T>(largest);
  for (int64_t j = 0; j < x.d; ++j)
    out[j] = whole ? whole_code(codes, x.at(n, j))
                   : static_cast<int32_t>(std::nearbyint(x.at(n, j) * inverse));
  return whole ? 1 : static_cast<T>(largest) / T(127);
}

}  // namespace

template <class T>
void int8_attention(const Int8AttentionArgs<T>& args) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim;
  std::vector<int32_t> q(c), k(c);
  std::vector<double> p(s.keys);
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h) {
      double v_scale;
      const HeadScores<T> scores(args.scores, h);
      const Matrix v = take_values(ValueFormat::kInt8, v_rows(s, args.v, b, h), &v_scale);
      const Rows<T> out = o_rows(s, args.out, b, h);
      for (int64_t n = 0; n < s.queries; ++n) {
        const double q_scale =
            take_row(q_rows(s, args.q, b, h, s.queries), n, args.scores.codes, q);
        for (int64_t m = 0; m < s.keys; ++m) {
          const double k_scale = take_row(k_rows(s, args.k, b, h), m, args.scores.codes, k);
          int64_t sum = 0;
          for (int64_t j = 0; j < c; ++j) sum += int64_t{q[j]} * k[j];
          p[m] = scores.factor * static_cast<double>(sum) * q_scale * k_scale;
        }
        const double top = *std::max_element(p.begin(), p.end());
        double total = 0;
        for (double& x : p) total += x = std::nearbyint(std::exp(x - top) * 16383);
        for (int64_t j = 0; j < d; ++j) {
          double y = 0;
          for (int64_t m = 0; m < s.keys; ++m) y += p[m] * v[m * d + j];
          out.at(n, j) = static_cast<T>(y * v_scale / total);
        }
      }
    }
}

template void int8_attention(const Int8AttentionArgs<float>&);
template void int8_attention(const Int8AttentionArgs<double>&);

}  // namespace shiftadd::reference
