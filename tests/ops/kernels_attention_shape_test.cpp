// Every attention kernel against its twin where q, k and v are tensors of their own: v's strides
// are not k's, and a row of q and k may be shorter or longer than one of v.
#include <functional>

#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

struct Widths {
  int64_t codes, values;
};
constexpr Widths kWidths[] = {{19, 19}, {16, 32}, {70, 17}, {7, 65}};

// Rows of each tensor are a few numbers longer than its heads.
struct Inputs {
  explicit Inputs(const Widths& widths) {
    s.batch = 2, s.heads = 3, s.queries = 21, s.keys = 37;
    s.code_dim = widths.codes, s.head_dim = widths.values;
    s.q_head = s.k_head = s.code_dim;
    s.v_head = s.o_head = s.head_dim;
    s.q_row = s.heads * s.q_head + 1;
    s.k_row = s.heads * s.k_head + 2;
    s.v_row = s.heads * s.v_head + 5;
    s.o_row = s.heads * s.o_head + 3;
    s.q_batch = s.keys * s.q_row;  // linear attention has as many queries as keys
    s.k_batch = s.keys * s.k_row;
    s.v_batch = s.keys * s.v_row;
    s.o_batch = s.queries * s.o_row;
    q = normals(s.batch * s.q_batch, 1);
    k = normals(s.batch * s.k_batch, 2);
    v = normals(s.batch * s.v_batch, 3);
    dout = normals(s.batch * s.o_batch, 4);
    weight = normals(s.heads * 15, 5);
  }
  std::string name(const std::string& kernel) const {
    return concat(kernel, " of separate q, k and v, ", s.code_dim, " and ", s.head_dim, " wide");
  }
  AttentionShape s = {};
  LocalShape local = {5, 3, 6, 6, 1};
  Numbers q, k, v, dout, weight;
};

// Gradients, and whatever lies between the heads' rows, which must stay.
struct Gradients {
  explicit Gradients(const Inputs& in)
      : dq(normals(in.q.size(), 6)), dk(normals(in.k.size(), 7)), dv(normals(in.v.size(), 8)) {}
  Numbers dq, dk, dv;
};

TEST_CASE("kernels: attention of separate q, k and v") {
  for (const Widths& widths : kWidths) {
    const Inputs in(widths);
    Numbers out(in.dout.size()), sums(in.s.batch * in.s.heads * in.s.queries);
    reference_kernels<float>().attention(
        {in.s, 0.2, in.q.data(), in.k.data(), in.v.data(), out.data(), sums.data()});
    check_kernel(in.name("attention"), 1e-5, [&](const KernelTable<float>& kernels) {
      Numbers y(out.size()), l(sums.size());
      kernels.attention({in.s, 0.2, in.q.data(), in.k.data(), in.v.data(), y.data(), l.data()});
      return join({y, l});
    });
    check_kernel(in.name("attention backward"), 2e-5, [&](const KernelTable<float>& kernels) {
      Gradients g(in);
      kernels.attention_backward({in.s, 0.2, in.q.data(), in.k.data(), in.v.data(), out.data(),
                                  sums.data(), in.dout.data(), g.dq.data(), g.dk.data(),
                                  g.dv.data()});
      return join({g.dq, g.dk, g.dv});
    });
  }
}

void for_values(const std::function<void(const Inputs&, ValueFormat)>& check) {
  for (const Widths& widths : kWidths)
    for (ValueFormat value : {ValueFormat::kFloat, ValueFormat::kInt8})
      check(Inputs(widths), value);
}

TEST_CASE("kernels: softmax_add of separate q, k and v") {
  for (const Codes codes : {Codes::kSign, Codes::kBipolar2})
    for_values([&](const Inputs& in, ValueFormat value) {
      Numbers out(in.dout.size()), sums(in.s.batch * in.s.heads * in.s.queries);
      const ScoreArgs<float> scores = {.codes = codes, .scale = 0.2};
      const SoftmaxAddArgs<float> args = {in.s,        scores,      value,      in.q.data(),
                                          in.k.data(), in.v.data(), out.data(), sums.data()};
      reference_kernels<float>().softmax_add(args);
      check_kernel(in.name("softmax_add"), 1e-5, [&](const KernelTable<float>& kernels) {
        Numbers y(out.size()), counted(out.size());
        SoftmaxAddArgs<float> each = args;
        each.out = y.data();
        each.log_sum_exp = nullptr;
        kernels.softmax_add(each);
        each.out = counted.data();
        kernels.popcount_attention(each);
        return join({y, counted});
      });
      check_kernel(in.name("softmax_add backward"), 2e-5, [&](const KernelTable<float>& kernels) {
        Gradients g(in);
        kernels.softmax_add_backward({in.s, scores, value, in.q.data(), in.k.data(), in.v.data(),
                                      out.data(), sums.data(), in.dout.data(), g.dq.data(),
                                      g.dk.data(), g.dv.data()});
        return join({g.dq, g.dk, g.dv});
      });
    });
}

TEST_CASE("kernels: attention with a window of separate q, k and v") {
  const PatchGrid grid = {6, 6, 1};
  const ScoreArgs<float> scores = {.codes = Codes::kBipolar2, .scale = 0.2};
  for_values([&](const Inputs& in, ValueFormat value) {
    const float *q = in.q.data(), *k = in.k.data(), *v = in.v.data();
    Numbers out(in.dout.size());
    reference_kernels<float>().window_attention({in.s, scores, value, grid, q, k, v, out.data()});
    check_kernel(in.name("window_attention"), 2e-5, [&](const KernelTable<float>& kernels) {
      Numbers y(out.size()), dots(out.size());
      kernels.window_attention({in.s, scores, value, grid, q, k, v, y.data()});
      kernels.dot_window_attention({in.s, scores, value, grid, q, k, v, dots.data()});
      CHECK(same_bits(dots, y));
      return join({y, dots});
    });
    const auto backward = [&](const KernelTable<float>& kernels) {
      Gradients g(in);
      kernels.window_attention_backward({in.s, scores, value, grid, q, k, v, out.data(),
                                         in.dout.data(), g.dq.data(), g.dk.data(), g.dv.data()});
      return join({g.dq, g.dk, g.dv});
    };
    check_kernel(in.name("window_attention backward"), 5e-5, backward);
  });
}

TEST_CASE("kernels: linear_angular of separate q, k and v") {
  for (const Widths& widths : kWidths)
    for (Codes codes : {Codes::kNone, Codes::kSign, Codes::kUnitHead, Codes::kUnitBatch})
      for (ValueFormat value : {ValueFormat::kFloat, ValueFormat::kInt8}) {
        const Inputs in(widths);
        Numbers out(in.dout.size()), thresholds(2 * in.s.batch * in.s.heads);
        const LinearAngularArgs<float> args = {.shape = in.s,
                                               .codes = codes,
                                               .value = value,
                                               .local = in.local,
                                               .q = in.q.data(),
                                               .k = in.k.data(),
                                               .v = in.v.data(),
                                               .local_weight = in.weight.data(),
                                               .thresholds = thresholds.data(),
                                               .out = out.data()};
        const bool adds = codes == Codes::kSign;
        reference_kernels<float>().linear_angular(args);
        check_kernel(in.name("linear_angular"), 1e-5, [&](const KernelTable<float>& kernels) {
          Numbers y(out.size()), added(out.size()), dots(out.size()), means(thresholds.size());
          LinearAngularArgs<float> each = args;
          each.thresholds = means.data();
          each.out = y.data();
          kernels.linear_angular(each);
          each.out = added.data();
          if (adds) kernels.add_attention(each);
          each.out = dots.data();
          if (adds && value == ValueFormat::kInt8) kernels.dot_attention(each);
          return join({y, added, dots});
        });
        const auto backward = [&](const KernelTable<float>& kernels) {
          Gradients g(in);
          Numbers dweight(in.weight.size());
          kernels.linear_angular_backward({in.s, codes, value, in.local, in.q.data(), in.k.data(),
                                           in.v.data(), in.weight.data(), thresholds.data(),
                                           in.dout.data(), g.dq.data(), g.dk.data(), g.dv.data(),
                                           dweight.data()});
          return join({g.dq, g.dk, g.dv, dweight});
        };
        check_kernel(in.name("linear_angular backward"), 2e-5, backward);
      }
}

TEST_CASE("kernels: int8_attention of separate q, k and v") {
  for (const Widths& widths : kWidths)
    for (Codes codes : {Codes::kNone, Codes::kSign, Codes::kBipolar2}) {
      const Inputs in(widths);
      check_kernel(in.name("int8_attention"), 3e-4, [&](const KernelTable<float>& kernels) {
        Numbers y(in.dout.size());
        kernels.int8_attention({in.s,
                                {.codes = codes, .scale = 0.2},
                                in.q.data(),
                                in.k.data(),
                                in.v.data(),
                                y.data()});
        return y;
      });
    }
}

}  // namespace
}  // namespace shiftadd::test
