// Codes of queries and keys, and values in int8: what the vectorised attention kernels on codes
// share, for training and evaluation alike.
#pragma once

#include "core/cpu/scratch.h"
#include "core/cpu/simd/row_ops.h"
#include "core/kernels/attention.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

constexpr float kUnitEps = 1e-12f;  // inside the root of a norm

// 1 / |x|
SHIFTADD_INLINE float unit_factor(const float* x, int64_t d) {
  const float squares = sum_terms(
      d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        const Vec a = load(x + j, lanes);
        return a * a;
      });
  return 1 / __builtin_sqrtf(squares + kUnitEps);
}

// The mean of x / |x| over all rows and channels.
float unit_mean(const float* x, int64_t ldx, int64_t rows, int64_t d) {
  double sum = 0;
  for (int64_t n = 0; n < rows; ++n, x += ldx)
    sum += static_cast<double>(unit_factor(x, d)) *
           sum_terms(
               d, [&](int64_t j, auto lanes)
                      __attribute__((always_inline)) { return load(x + j, lanes); });
  return static_cast<float>(sum / static_cast<double>(rows * d));
}

// One mean for all heads of the batch in place of one each, summed in order.
void share_threshold(int64_t count, float* thresholds) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += thresholds[i];
  const float mean = static_cast<float>(sum / static_cast<double>(count));
  for (int64_t i = 0; i < count; ++i) thresholds[i] = mean;
}

// -3, -1, 1 or 3.
SHIFTADD_INLINE Vec level_of(Vec x) {
  const Vec below = select_less(x, set1(-kBipolarStep), set1(-3), set1(-1));
  const Vec above = select_less(x, set1(kBipolarStep), set1(1), set1(3));
  return select_less(x, zero(), below, above);
}

// Codes of one row; whole codes are times `magnitude`. y may equal x.
SHIFTADD_INLINE void encode_row(Codes codes, const float* x, int64_t d, float magnitude,
                                float threshold, float* y) {
  if (codes == Codes::kSign) {
    for_vectors(
        0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          store(y + j, select_less(load(x + j, lanes), zero(), set1(-magnitude), set1(magnitude)),
                lanes);
        });
    return;
  }
  if (codes == Codes::kBipolar2) {
    for_vectors(
        0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          store(y + j, level_of(load(x + j, lanes)) * set1(magnitude), lanes);
        });
    return;
  }
  const Vec factor = set1(unit_factor(x, d));
  for_vectors(
      0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        Vec unit = load(x + j, lanes) * factor;
        if (codes != Codes::kNone) unit = select_less(set1(threshold), unit, set1(1), zero());
        store(y + j, unit, lanes);
      });
}

void encode_rows(Codes codes, const float* x, int64_t ldx, int64_t rows, int64_t d, float threshold,
                 float* y, int64_t ldy) {
  for (int64_t n = 0; n < rows; ++n) encode_row(codes, x + n * ldx, d, 1, threshold, y + n * ldy);
}

// x in [low, high] ? g : 0
SHIFTADD_INLINE Vec pass_within(Vec x, float low, float high, Vec g) {
  return select_less(set1(high), x, zero(), select_less(x, set1(low), zero(), g));
}

// dx = factor * (gradient g of a row's codes, through the estimator and the normalisation). dx may
// equal g.
SHIFTADD_INLINE void encode_row_backward(Codes codes, const float* x, int64_t d, float factor,
                                         const float* g, float* dx) {
  if (is_whole(codes)) {
    const bool sign = codes == Codes::kSign;
    const float edge = sign ? 1 : kBipolarEdge, slope = sign ? factor : factor * (2 / kBipolarStep);
    for_vectors(
        0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          const Vec gradient = load(g + j, lanes) * set1(slope);
          store(dx + j, pass_within(load(x + j, lanes), -edge, edge, gradient), lanes);
        });
    return;
  }
  const float length = unit_factor(x, d);
  const auto passed = [&](int64_t j, auto lanes) __attribute__((always_inline)) {
    const Vec gradient = load(g + j, lanes);
    return codes == Codes::kNone ? gradient
                                 : pass_within(load(x + j, lanes) * set1(length), 0, 1, gradient);
  };
  const float along = length * sum_terms(
                                   d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
                                     return passed(j, lanes) * load(x + j, lanes);
                                   });
  const Vec scale = set1(factor * length), back = set1(along * length);
  for_vectors(
      0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        store(dx + j, scale * fnma(load(x + j, lanes), back, passed(j, lanes)), lanes);
      });
}

// v of one head in its format, to y: whole numbers when kInt8, v itself otherwise. Returns the
// factor that makes them values again. THE quantisation of values: every kernel calls it, so that
// no rounding falls differently in evaluation. No clamp: the largest becomes 127 times 1 + 2^-23 at
// most.
float take_values(ValueFormat format, const float* v, int64_t ldv, int64_t rows, int64_t d,
                  float* y, int64_t ldy) {
  if (format == ValueFormat::kFloat) {
    for (int64_t n = 0; n < rows; ++n)
      for_vectors(
          0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            store(y + n * ldy + j, load(v + n * ldv + j, lanes), lanes);
          });
    return 1;
  }
  Vec top = set1(1e-12f);
  for (int64_t n = 0; n < rows; ++n)
    for_vectors(
        0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          top = max(top, abs(load(v + n * ldv + j, lanes)));
        });
  const float largest = max_lanes(top);
  const Vec inverse = set1(127 / largest);
  for (int64_t n = 0; n < rows; ++n)
    for_vectors(
        0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          store(y + n * ldy + j, round(load(v + n * ldv + j, lanes) * inverse), lanes);
        });
  return largest / 127;
}

SHIFTADD_INLINE void scale_rows(float* x, int64_t ldx, int64_t rows, int64_t d, float factor) {
  for (int64_t n = 0; n < rows; ++n) scale_row(x + n * ldx, d, factor);
}

// --- the kernels of codes on their own

// What whole codes of d channels are multiplied by, so that a row of them has the length 1 or, of
// levels, nearly so.
SHIFTADD_INLINE float code_magnitude(Codes codes, int64_t d) {
  const int64_t square = codes == Codes::kBipolar2 ? kBipolarSquare * d : d;
  return 1 / __builtin_sqrtf(static_cast<float>(square));
}

inline void attention_codes_kernel(const CodesArgs<float>& args) {
  const int64_t d = args.head_dim, row = args.heads * d, heads = args.batch * args.heads;
  const auto offset = [&](int64_t head) {
    return (head / args.heads * args.tokens * args.heads + head % args.heads) * d;
  };
  if (is_unit(args.codes))
    parallel_for(heads, [&](int64_t head) {
      args.thresholds[head] = unit_mean(args.x + offset(head), row, args.tokens, d);
    });
  if (args.codes == Codes::kUnitBatch) share_threshold(heads, args.thresholds);
  parallel_for(heads, [&](int64_t head) {
    const float threshold = is_unit(args.codes) ? args.thresholds[head] : 0;
    const int64_t at = offset(head);
    for (int64_t n = 0; n < args.tokens; ++n)
      encode_row(args.codes, args.x + at + n * row, d, code_magnitude(args.codes, d), threshold,
                 args.y + at + n * row);
  });
}

inline void attention_codes_backward_kernel(const CodesBackwardArgs<float>& args) {
  const int64_t d = args.head_dim;
  const float factor = is_whole(args.codes) ? code_magnitude(args.codes, d) : 1;
  const int64_t grain = row_grain(d);
  parallel_chunks(args.batch * args.tokens * args.heads, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      encode_row_backward(args.codes, args.x + i * d, d, factor, args.dy + i * d, args.dx + i * d);
  });
}

}  // namespace
}  // namespace shiftadd
