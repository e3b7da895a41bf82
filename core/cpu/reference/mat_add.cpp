// MatAdd, by definition.
#include <algorithm>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// add(p, t, c, negative) for each code of each token of each product.
template <class Args, class Add>
void for_codes(const Args& args, Add add) {
  for (int64_t p = 0; p < args.products; ++p)
    for (int64_t t = 0; t < args.tokens; ++t) {
      const uint8_t* row = args.signs + (p * args.tokens + t) * sign_bytes(args.channels);
      for (int64_t c = 0; c < args.channels; ++c) add(p, t, c, row[c / 8] >> c % 8 & 1);
    }
}

// out += x, or -= x: n numbers.
template <class X>
void add_row(int64_t n, const X* x, bool negative, int32_t* out) {
  for (int64_t j = 0; j < n; ++j) out[j] += negative ? -x[j] : x[j];
}

}  // namespace

void mat_add_keys(const MatAddKeysArgs& args) {
  std::fill_n(args.out, args.products * args.channels * args.columns, 0);
  for_codes(args, [&](int64_t p, int64_t t, int64_t c, bool negative) {
    add_row(args.columns, args.v + (p * args.tokens + t) * args.columns, negative,
            args.out + (p * args.channels + c) * args.columns);
  });
}

void mat_add_queries(const MatAddQueriesArgs& args) {
  std::fill_n(args.out, args.products * args.tokens * args.columns, 0);
  for_codes(args, [&](int64_t p, int64_t t, int64_t c, bool negative) {
    add_row(args.columns, args.m + (p * args.channels + c) * args.columns, negative,
            args.out + (p * args.tokens + t) * args.columns);
  });
}

}  // namespace shiftadd::reference
