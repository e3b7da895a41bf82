// Softmax attention and its backward against the reference.
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

// A fused qkv tensor (B, N, 3, H, d) when queries == keys; separate q and kv tensors otherwise.
AttentionShape shape_of(int64_t batch, int64_t heads, int64_t queries, int64_t keys, int64_t d) {
  AttentionShape s{};
  s.batch = batch;
  s.heads = heads;
  s.queries = queries;
  s.keys = keys;
  s.code_dim = s.head_dim = d;
  const int64_t width = heads * d, q_parts = queries == keys ? 3 : 1,
                k_parts = queries == keys ? 3 : 2;
  s.q_row = q_parts * width;
  s.k_row = s.v_row = k_parts * width;
  s.o_row = width;
  s.q_batch = queries * s.q_row;
  s.k_batch = s.v_batch = keys * s.k_row;
  s.o_batch = queries * width;
  s.q_head = s.k_head = s.v_head = s.o_head = d;
  return s;
}

struct Tensors {
  explicit Tensors(const AttentionShape& s)
      : fused(s.queries == s.keys),
        width(s.heads * s.head_dim),
        q(normals(s.batch * s.q_batch, 1)),
        kv(normals(s.batch * s.k_batch, 2)) {}
  bool fused;
  int64_t width;
  Numbers q, kv;
  static float* k_of(Numbers& q, Numbers& kv, bool fused, int64_t width) {
    return fused ? q.data() + width : kv.data();
  }
};

void check_attention(const AttentionShape& s) {
  Tensors t(s);
  float* k = Tensors::k_of(t.q, t.kv, t.fused, t.width);
  const double scale = 1 / std::sqrt(static_cast<double>(s.head_dim));
  const std::string name =
      concat("attention ", s.batch, ' ', s.heads, ' ', s.queries, 'x', s.keys, 'x', s.head_dim);
  Numbers out(s.batch * s.o_batch), lse(s.batch * s.heads * s.queries);
  reference_kernels<float>().attention(
      {s, scale, t.q.data(), k, k + t.width, out.data(), lse.data()});
  check_kernel(name, 1e-5, [&](const KernelTable<float>& kernels) {
    Numbers o(out.size()), l(lse.size());
    kernels.attention({s, scale, t.q.data(), k, k + t.width, o.data(), l.data()});
    Numbers bare(out.size());
    kernels.attention({s, scale, t.q.data(), k, k + t.width, bare.data(), nullptr});
    CHECK(same_bits(bare, o));
    return join({o, l});
  });
  const Numbers dout = normals(out.size(), 3);
  check_kernel(name + " backward", 2e-5, [&](const KernelTable<float>& kernels) {
    // What lies beside dq, dk and dv must stay: everything is returned.
    Numbers dq = normals(t.q.size(), 4), dkv = normals(t.kv.size(), 5);
    float* dk = Tensors::k_of(dq, dkv, t.fused, t.width);
    kernels.attention_backward({s, scale, t.q.data(), k, k + t.width, out.data(), lse.data(),
                                dout.data(), dq.data(), dk, dk + t.width});
    return join({dq, dkv});
  });
}

TEST_CASE("kernels: attention at odd sizes") {
  for (int64_t queries : {1, 3, 17, 65})
    for (int64_t keys : {1, 17, 65})
      for (int64_t d : {1, 17, 64}) check_attention(shape_of(2, 3, queries, keys, d));
  check_attention(shape_of(1, 3, 197, 197, 64));
  check_attention(shape_of(1, 1, 197, 49, 32));
  check_attention(shape_of(6, 3, 65, 65, 64));  // enough heads: queries stay whole
}

TEST_CASE("kernels: attention of an image does not depend on the batch") {
  const AttentionShape many = shape_of(6, 3, 70, 70, 32), one = shape_of(1, 3, 70, 70, 32);
  const Numbers qkv = normals(6 * many.q_batch, 1);
  for (Isa isa : isas()) {
    if (isa == Isa::kGeneric) continue;  // the reference, image by image by definition
    Numbers all(6 * many.o_batch), single(one.o_batch);
    cpu_kernels(isa).attention(
        {many, 0.2, qkv.data(), qkv.data() + 96, qkv.data() + 192, all.data(), nullptr});
    for (int64_t b : {0, 5}) {
      const float* q = qkv.data() + b * one.q_batch;
      cpu_kernels(isa).attention({one, 0.2, q, q + 96, q + 192, single.data(), nullptr});
      CHECK(same_bits(single,
                      Numbers(all.begin() + b * one.o_batch, all.begin() + (b + 1) * one.o_batch)));
    }
  }
}

}  // namespace
}  // namespace shiftadd::test
