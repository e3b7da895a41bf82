// Codes of queries and keys and their straight-through estimators, by definition.
#include "core/cpu/reference/attention_codes.h"

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// Calls body(head's number, offset of its first element) for each image and head.
template <class Args, class Body>
void for_heads(const Args& args, Body body) {
  for (int64_t b = 0; b < args.batch; ++b)
    for (int64_t h = 0; h < args.heads; ++h)
      body(b * args.heads + h, (b * args.tokens * args.heads + h) * args.head_dim);
}

template <class Args>
double magnitude(const Args& args) {
  const int64_t square =
      args.codes == Codes::kBipolar2 ? kBipolarSquare * args.head_dim : args.head_dim;
  return is_whole(args.codes) ? 1 / std::sqrt(static_cast<double>(square)) : 1;
}

}  // namespace

template <class T>
void attention_codes(const CodesArgs<T>& args) {
  const int64_t d = args.head_dim, row = args.heads * d;
  if (is_unit(args.codes)) {
    for_heads(args, [&](int64_t head, int64_t at) {
      args.thresholds[head] =
          static_cast<T>(unit_mean(Rows<const T>{args.x + at, row, args.tokens, d}));
    });
    if (args.codes == Codes::kUnitBatch) share_threshold(args.batch * args.heads, args.thresholds);
  }
  for_heads(args, [&](int64_t head, int64_t at) {
    const Matrix y = encode(args.codes, Rows<const T>{args.x + at, row, args.tokens, d},
                            magnitude(args), is_unit(args.codes) ? args.thresholds[head] : 0);
    for (int64_t n = 0; n < args.tokens; ++n)
      for (int64_t j = 0; j < d; ++j) args.y[at + n * row + j] = static_cast<T>(y[n * d + j]);
  });
}

template <class T>
void attention_codes_backward(const CodesBackwardArgs<T>& args) {
  const int64_t d = args.head_dim, row = args.heads * d;
  for_heads(args, [&](int64_t, int64_t at) {
    Matrix g(args.tokens * d);
    for (int64_t n = 0; n < args.tokens; ++n)
      for (int64_t j = 0; j < d; ++j) g[n * d + j] = args.dy[at + n * row + j];
    encode_backward(args.codes, Rows<const T>{args.x + at, row, args.tokens, d}, magnitude(args), g,
                    Rows<T>{args.dx + at, row, args.tokens, d});
  });
}

template void attention_codes(const CodesArgs<float>&);
template void attention_codes(const CodesArgs<double>&);
template void attention_codes_backward(const CodesBackwardArgs<float>&);
template void attention_codes_backward(const CodesBackwardArgs<double>&);

}  // namespace shiftadd::reference
