// MatAdd, by definition.
#include <algorithm>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

bool negative(const uint8_t* row, int64_t channel) { return row[channel / 8] >> channel % 8 & 1; }

}  // namespace

void mat_add_keys(const MatAddKeysArgs& args) {
  std::fill_n(args.out, args.products * args.channels * args.columns, 0);
  for (int64_t p = 0; p < args.products; ++p)
    for (int64_t t = 0; t < args.tokens; ++t) {
      const int64_t row = p * args.tokens + t;
      const uint8_t* signs = args.signs + row * sign_bytes(args.channels);
      for (int64_t c = 0; c < args.channels; ++c)
        for (int64_t j = 0; j < args.columns; ++j) {
          const int32_t x = args.v[row * args.columns + j];
          args.out[(p * args.channels + c) * args.columns + j] += negative(signs, c) ? -x : x;
        }
    }
}

void mat_add_queries(const MatAddQueriesArgs& args) {
  std::fill_n(args.out, args.products * args.tokens * args.columns, 0);
  for (int64_t p = 0; p < args.products; ++p)
    for (int64_t t = 0; t < args.tokens; ++t) {
      const int64_t row = p * args.tokens + t;
      const uint8_t* signs = args.signs + row * sign_bytes(args.channels);
      for (int64_t c = 0; c < args.channels; ++c)
        for (int64_t j = 0; j < args.columns; ++j) {
          const int32_t x = args.m[(p * args.channels + c) * args.columns + j];
          args.out[row * args.columns + j] += negative(signs, c) ? -x : x;
        }
    }
}

}  // namespace shiftadd::reference
