// What the backward kernels of attention on whole codes share: codes and values made again, and the
// estimators.
#pragma once

#include "core/cpu/simd/linear_angular.h"
#include "core/cpu/simd/scores.h"

namespace shiftadd {
namespace {

// Values of one head as floats, quantised or not: (keys, d) with leading dimension ld.
SHIFTADD_INLINE void decode_values(ValueFormat format, const float* v, int64_t ldv, int64_t rows,
                                   int64_t d, float* y, int64_t ld) {
  const float scale = take_values(format, v, ldv, rows, d, y, ld);
  if (format != ValueFormat::kFloat) scale_rows(y, ld, rows, d, scale);
}

// attend(task, scores, head, room): the gradients of one head's codes, values and `along`, with
// `room` for `more` floats and then attention_backward_scratch.
template <class Args, class Attend>
void coded_backward(const Args& args, int64_t more, Attend attend) {
  const AttentionShape& s = args.shape;
  const Codes codes = args.scores.codes;
  const int64_t n = s.queries, m = s.keys, c = s.code_dim, d = s.head_dim;
  const int64_t ldc = line_padded(c), ld = line_padded(d);
  parallel_for(s.batch * s.heads, [&](int64_t task) {
    const HeadAt at(s, task);
    const float *q = args.q + at.q, *k = args.k + at.k;
    float *dq = args.dq + at.q, *dk = args.dk + at.k;
    float* q_codes =
        scratch(Scratch::kAttention, (n + m) * ldc + m * ld + more + attention_backward_scratch(s));
    float* k_codes = q_codes + n * ldc;
    float* values = k_codes + m * ldc;
    encode_rows(codes, q, s.q_row, n, c, 0, q_codes, ldc);
    encode_rows(codes, k, s.k_row, m, c, 0, k_codes, ldc);
    decode_values(args.value, args.v + at.v, s.v_row, m, d, values, ld);
    const HeadScores scores(args.scores, at.head);
    float* dtemperature = args.dtemperature ? args.dtemperature + task : nullptr;
    attend(task, scores,
           AttentionBackwardHead{.queries = n,
                                 .keys = m,
                                 .code_dim = c,
                                 .head_dim = d,
                                 .q = q_codes,
                                 .q_row = ldc,
                                 .k = k_codes,
                                 .k_row = ldc,
                                 .v = values,
                                 .v_row = ld,
                                 .out = args.out + at.o,
                                 .dout = args.dout + at.o,
                                 .o_row = s.o_row,
                                 .dq = dq,
                                 .dq_row = s.q_row,
                                 .dk = dk,
                                 .dk_row = s.k_row,
                                 .dv = args.dv + at.v,
                                 .dv_row = s.v_row,
                                 .along = dtemperature},
           values + m * ld);
    if (dtemperature) *dtemperature /= scores.temperature;
    for (int64_t i = 0; i < n; ++i)
      encode_row_backward(codes, q + i * s.q_row, c, 1, dq + i * s.q_row, dq + i * s.q_row);
    for (int64_t i = 0; i < m; ++i)
      encode_row_backward(codes, k + i * s.k_row, c, 1, dk + i * s.k_row, dk + i * s.k_row);
  });
}

}  // namespace
}  // namespace shiftadd
