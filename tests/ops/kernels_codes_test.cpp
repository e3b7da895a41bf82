// The attention kernels on codes against their twins, and each add kernel against its training
// kernel.
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

struct Case {
  int64_t batch, heads, queries, tokens, d;
  Codes codes;
  ValueFormat value;
  LocalShape local = {};

  std::string name(const std::string& kernel) const {
    return concat(kernel, ' ', batch, ' ', heads, ' ', queries, '/', tokens, 'x', d, " codes ",
                  static_cast<int>(codes), " value ", static_cast<int>(value), " filter ",
                  local.kernel_h, 'x', local.kernel_w);
  }
  int64_t width() const { return heads * d; }
  bool unit() const { return is_unit(codes); }
  // A fused qkv tensor (B, N, 3, H, d).
  AttentionShape shape() const {
    const int64_t row = 3 * width(), image = tokens * row;
    return {batch, heads, queries,           tokens,  d, d, image, row, d, image, row, d, image,
            row,   d,     queries * width(), width(), d};
  }
};

LocalShape along_tokens(int64_t taps, int64_t tokens, int64_t first) {
  return {1, taps, 1, tokens - first, first};
}

struct Inputs {
  explicit Inputs(const Case& c)
      : qkv(normals(c.batch * c.tokens * 3 * c.width(), 1)),
        weight(normals(c.heads * c.local.kernel_h * c.local.kernel_w, 2)),
        dout(normals(c.batch * c.queries * c.width(), 3)),
        thresholds(c.unit() ? 2 * c.batch * c.heads : 0) {}
  Numbers qkv, weight, dout, thresholds;
};

float* or_null(Numbers& x) { return x.empty() ? nullptr : x.data(); }

void check_linear_angular(const Case& c) {
  Inputs in(c);
  const AttentionShape s = c.shape();
  const float *q = in.qkv.data(), *k = q + c.width(), *v = k + c.width();
  reference_kernels<float>().linear_angular({s, c.codes, c.value, c.local, q, k, v,
                                             or_null(in.weight), or_null(in.thresholds),
                                             Numbers(in.dout.size()).data()});
  check_kernel(c.name("linear_angular"), 1e-5, [&](const KernelTable<float>& kernels) {
    Numbers out(in.dout.size()), thresholds(in.thresholds.size());
    kernels.linear_angular({s, c.codes, c.value, c.local, q, k, v, or_null(in.weight),
                            or_null(thresholds), out.data()});
    if (c.unit()) check_near(thresholds, in.thresholds, 1e-5, "thresholds");
    return out;
  });
  check_kernel(c.name("linear_angular backward"), 2e-5, [&](const KernelTable<float>& kernels) {
    Numbers dqkv = normals(in.qkv.size(), 4), dweight = normals(in.weight.size(), 5);
    float* dq = dqkv.data();
    kernels.linear_angular_backward({s, c.codes, c.value, c.local, q, k, v, or_null(in.weight),
                                     or_null(in.thresholds), in.dout.data(), dq, dq + c.width(),
                                     dq + 2 * c.width(), or_null(dweight)});
    return join({dqkv, dweight});
  });
}

// The add kernel against its twin, and against the training kernel of the same table, bit for bit.
void check_add_attention(const Case& c) {
  Inputs in(c);
  const AttentionShape s = c.shape();
  const float *q = in.qkv.data(), *k = q + c.width(), *v = k + c.width();
  check_kernel(c.name("add_attention"), 1e-5, [&](const KernelTable<float>& kernels) {
    Numbers adding(in.dout.size()), training(in.dout.size());
    const auto args = [&](Numbers& out) {
      return LinearAngularArgs<float>{
          s, c.codes, c.value, c.local, q, k, v, or_null(in.weight), nullptr, out.data()};
    };
    kernels.add_attention(args(adding));
    kernels.linear_angular(args(training));
    CHECK(same_bits(adding, training));
    if (c.value == ValueFormat::kInt8) {
      Numbers dots(adding.size());
      kernels.dot_attention(args(dots));
      CHECK(same_bits(dots, training));
    }
    return adding;
  });
}

// A temperature for each head, one of them too small.
Numbers temperatures(const Case& c) {
  Numbers x(c.heads);
  for (int64_t h = 0; h < c.heads; ++h) x[h] = h == 1 ? -0.5f : 0.7f + 0.3f * static_cast<float>(h);
  return x;
}

// Gradients, those of q and k divided by their head's temperature: else they would be lost, where
// that is small, beside the other heads'.
Numbers by_temperature(const Case& c, Numbers dqkv, const Numbers& dtemperature) {
  for (int64_t row = 0; row < c.batch * c.tokens; ++row)
    for (int64_t j = 0; j < 2 * c.width(); ++j) {
      const float temperature = temperatures(c)[j % c.width() / c.d];
      dqkv[row * 3 * c.width() + j] /= std::max(temperature, kLeastTemperature);
    }
  return join({dqkv, dtemperature});
}

void check_softmax_add(const Case& c, bool warm = false) {
  Inputs in(c);
  const Numbers temperature = temperatures(c);
  const AttentionShape s = c.shape();
  const float *q = in.qkv.data(), *k = q + c.width(), *v = k + c.width();
  ScoreArgs<float> scores = {.codes = c.codes,
                             .scale = 1 / std::sqrt(static_cast<double>(s.code_dim))};
  if (warm) scores.temperature = temperature.data();
  Numbers out(in.dout.size()), lse(c.batch * c.heads * c.queries);
  reference_kernels<float>().softmax_add({s, scores, c.value, q, k, v, out.data(), lse.data()});
  const auto name = [&](const char* kernel) {
    return c.name(kernel) + (warm ? " temperature" : "");
  };
  check_kernel(name("softmax_add"), 1e-5, [&](const KernelTable<float>& kernels) {
    Numbers training(out.size()), counted(out.size()), l(lse.size()), counted_l(lse.size());
    kernels.softmax_add({s, scores, c.value, q, k, v, training.data(), l.data()});
    kernels.popcount_attention({s, scores, c.value, q, k, v, counted.data(), counted_l.data()});
    CHECK(same_bits(counted, training));
    CHECK(same_bits(counted_l, l));
    Numbers bare(out.size());
    kernels.popcount_attention({s, scores, c.value, q, k, v, bare.data(), nullptr});
    CHECK(same_bits(bare, counted));
    return join({training, l});
  });
  check_kernel(name("popcount_attention"), 1e-5, [&](const KernelTable<float>& kernels) {
    Numbers counted(out.size()), l(lse.size());
    kernels.popcount_attention({s, scores, c.value, q, k, v, counted.data(), l.data()});
    return join({counted, l});
  });
  check_kernel(name("softmax_add backward"), 2e-5, [&](const KernelTable<float>& kernels) {
    Numbers dqkv(in.qkv.size());  // rows of dq beyond the queries are the op's to clear
    Numbers dtemperature(c.batch * c.heads);
    float* dq = dqkv.data();
    kernels.softmax_add_backward({s, scores, c.value, q, k, v, out.data(), lse.data(),
                                  in.dout.data(), dq, dq + c.width(), dq + 2 * c.width(),
                                  warm ? dtemperature.data() : nullptr});
    return warm ? by_temperature(c, dqkv, dtemperature) : join({dqkv, dtemperature});
  });
}

void check_window_attention(const Case& c, const PatchGrid& grid) {
  Inputs in(c);
  const Numbers temperature = temperatures(c);
  const AttentionShape s = c.shape();
  const float *q = in.qkv.data(), *k = q + c.width(), *v = k + c.width();
  const ScoreArgs<float> scores = {.codes = c.codes,
                                   .scale = 1 / std::sqrt(static_cast<double>(s.code_dim)),
                                   .temperature = temperature.data()};
  Numbers out(in.dout.size());
  reference_kernels<float>().window_attention({s, scores, c.value, grid, q, k, v, out.data()});
  const std::string size = concat(" grid ", grid.grid_h, 'x', grid.grid_w, '+', grid.first);
  check_kernel(c.name("window_attention") + size, 2e-5, [&](const KernelTable<float>& kernels) {
    Numbers training(out.size()), dots(out.size());
    kernels.window_attention({s, scores, c.value, grid, q, k, v, training.data()});
    kernels.dot_window_attention({s, scores, c.value, grid, q, k, v, dots.data()});
    CHECK(same_bits(dots, training));
    return training;
  });
  check_kernel(c.name("window_attention backward") + size, 5e-5,
               [&](const KernelTable<float>& kernels) {
                 Numbers dqkv(in.qkv.size()), dtemperature(c.batch * c.heads);
                 float* dq = dqkv.data();
                 kernels.window_attention_backward({s, scores, c.value, grid, q, k, v, out.data(),
                                                    in.dout.data(), dq, dq + c.width(),
                                                    dq + 2 * c.width(), dtemperature.data()});
                 return by_temperature(c, dqkv, dtemperature);
               });
}

TEST_CASE("kernels: window_attention, and its sums of int8 numbers, at odd sizes") {
  const Codes codes = Codes::kBipolar2;
  for (ValueFormat value : {ValueFormat::kFloat, ValueFormat::kInt8}) {
    for (const PatchGrid& grid :
         {PatchGrid{1, 1, 0}, {1, 2, 1}, {4, 4, 1}, {3, 7, 2}, {8, 8, 1}, {5, 6, 0}})
      for (int64_t d : {1, 17, 32, 50}) {
        const int64_t tokens = grid.tokens();
        check_window_attention({2, 3, tokens, tokens, d, codes, value}, grid);
      }
    check_window_attention({2, 2, 1, 43, 33, codes, value}, {6, 7, 1});
    check_window_attention({1, 2, 197, 197, 64, codes, value}, {14, 14, 1});
    check_window_attention({1, 1, 9, 21, 130, codes, value}, {4, 4, 5});
  }
}

TEST_CASE("kernels: linear_angular at odd sizes") {
  for (int64_t tokens : {1, 3, 17, 65})
    for (int64_t d : {2, 17, 32, 64})
      for (Codes codes : {Codes::kNone, Codes::kSign})
        check_linear_angular(
            {2, 3, tokens, tokens, d, codes, ValueFormat::kFloat, along_tokens(9, tokens, 0)});
  for (Codes codes : {Codes::kNone, Codes::kSign, Codes::kUnitHead, Codes::kUnitBatch})
    for (ValueFormat value : {ValueFormat::kFloat, ValueFormat::kInt8}) {
      check_linear_angular({2, 3, 17, 17, 19, codes, value});
      check_linear_angular({3, 2, 5, 37, 32, codes, value, along_tokens(9, 37, 1)});
      check_linear_angular({2, 2, 1, 43, 33, codes, value, {5, 3, 6, 7, 1}});
    }
  check_linear_angular({1, 2, 197, 197, 64, Codes::kSign, ValueFormat::kInt8, {5, 5, 14, 14, 1}});
}

TEST_CASE("kernels: add_attention writes the training kernel's bits") {
  for (ValueFormat value : {ValueFormat::kFloat, ValueFormat::kInt8}) {
    for (int64_t tokens : {1, 3, 17, 65})
      for (int64_t d : {1, 17, 32, 50})
        check_add_attention(
            {2, 3, tokens, tokens, d, Codes::kSign, value, along_tokens(9, tokens, 0)});
    check_add_attention({2, 3, 5, 33, 40, Codes::kSign, value});
    check_add_attention({1, 2, 197, 197, 64, Codes::kSign, value, {5, 5, 14, 14, 1}});
    check_add_attention({1, 1, 3, 300, 70, Codes::kSign, value});  // k^T v beyond 16 bits
  }
}

TEST_CASE("kernels: softmax_add and counted bits at odd sizes") {
  for (Codes codes : {Codes::kSign, Codes::kBipolar2})
    for (ValueFormat value : {ValueFormat::kFloat, ValueFormat::kInt8})
      for (bool warm : {false, true}) {
        for (int64_t tokens : {1, 3, 17, 65})
          for (int64_t d : {1, 17, 32, 33})
            check_softmax_add({2, 3, tokens, tokens, d, codes, value}, warm);
        check_softmax_add({1, 2, 5, 197, 64, codes, value}, warm);
        check_softmax_add({1, 2, 1, 31, 16, codes, value}, warm);
        check_softmax_add({1, 1, 3, 3, 1025, codes, value},
                          warm);  // more words than bytes count
      }
}

TEST_CASE("kernels: attention_codes at odd sizes") {
  for (Codes codes :
       {Codes::kNone, Codes::kSign, Codes::kUnitHead, Codes::kUnitBatch, Codes::kBipolar2})
    for (int64_t tokens : {1, 17, 197})
      for (int64_t d : {1, 3, 17, 64}) {
        const bool unit = is_unit(codes);
        if (unit && tokens * d == 1) continue;  // one number is its own mean: rounding decides
        const Numbers x = normals(2 * tokens * 3 * d, 1), dy = normals(x.size(), 2);
        const std::string name =
            concat("attention_codes ", static_cast<int>(codes), ' ', tokens, 'x', d);
        check_kernel(name, 1e-5, [&](const KernelTable<float>& kernels) {
          Numbers y(x.size()), thresholds(unit ? 6 : 0);
          kernels.attention_codes(
              {2, tokens, 3, d, codes, x.data(), or_null(thresholds), y.data()});
          return join({y, thresholds});
        });
        if (d == 1 && codes != Codes::kSign) continue;  // the gradient of x / |x| is rounding alone
        check_kernel(name + " backward", 2e-5, [&](const KernelTable<float>& kernels) {
          Numbers dx(x.size()), in_place = dy;
          kernels.attention_codes_backward(
              {2, tokens, 3, d, codes, x.data(), dy.data(), dx.data()});
          kernels.attention_codes_backward(
              {2, tokens, 3, d, codes, x.data(), in_place.data(), in_place.data()});
          CHECK(same_bits(in_place, dx));
          return dx;
        });
      }
}

}  // namespace
}  // namespace shiftadd::test
