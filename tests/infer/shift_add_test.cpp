// The runtime on converted networks: golden logits, and the bits of the training graph's
// evaluation.
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "autograd/variable.h"
#include "core/io/json_text.h"
#include "core/memory.h"
#include "infer/mixture.h"
#include "infer/session.h"
#include "layers/model.h"
#include "tests/infer/shift_add_models.h"

using namespace shiftadd;
using namespace shiftadd::infer;

namespace {

constexpr int kVariants = 48;  // all options, and each kind of block in each place

struct Answer {
  Tensor logits;
  std::vector<uint8_t> choices;  // (batch, routers, tokens)
};

Answer run(Session& session, const Tensor& images) {
  const int64_t batch = images.dim(0);
  Answer answer;
  answer.logits = Tensor({batch, session.spec().classes});
  answer.choices.resize(batch * routed_tokens(session.routers()));
  session.run(images.data<float>(), batch, answer.logits.data<float>(), answer.choices.data());
  return answer;
}

// What layers::Model answers, its routers' choices in Session's order.
Answer train_answer(const ModelFile& model, const Tensor& images) {
  layers::Model vit(model.spec, {}, 1);
  vit.load_state_dict(model.weights);
  std::vector<autograd::Routing> routings;
  layers::Context context;
  context.routings = &routings;
  const autograd::NoGradGuard no_grad;
  Answer answer;
  answer.logits = vit.forward(autograd::Variable(images), context).value();
  const int64_t batch = images.dim(0), tokens = model.spec.tokens();
  const auto routers = static_cast<int64_t>(routings.size());
  answer.choices.assign(batch * routers * tokens, kNotRouted);
  for (int64_t r = 0; r < routers; ++r) {
    const std::vector<int64_t>& choice = routings[r].choice;
    const int64_t routed = static_cast<int64_t>(choice.size()) / batch;
    for (int64_t i = 0; i < batch * routed; ++i)
      answer.choices[(i / routed * routers + r) * tokens + i % routed] =
          static_cast<uint8_t>(choice[i]);
  }
  return answer;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

}  // namespace

TEST_CASE("golden logits of the ShiftAdd networks") {
  for (const bool full : {false, true}) {
    CAPTURE(full);
    const TensorFile golden =
        test::golden_model(full ? "vit_micro_shiftadd_full" : "vit_micro_shiftadd");
    const ModelFile model = test::golden_shift_add(full);
    Session session(model);
    const Tensor images = golden.at("golden.in.image").to(DType::kF32);
    const Answer ours = run(session, images), trained = train_answer(model, images);
    test::check_close(ours.logits, golden.at("golden.out.logits"), 1e-5, "logits");
    CHECK(same_bits(ours.logits, trained.logits));
    REQUIRE(session.routers().size() == 2);
    CHECK(session.routers()[0].name == "blocks.0.mlp");
    CHECK(session.routers()[1].name == "blocks.1.mlp");
    CHECK(ours.choices == trained.choices);
  }
}

TEST_CASE("any converted network has the bits of the training graph's evaluation") {
  std::set<int> kinds;
  for (int variant = 0; variant < kVariants; ++variant) {
    const ModelSpec spec = test::random_shift_add_spec(variant);
    CAPTURE(json_text(to_json(spec)));
    for (int64_t i = 0; i < spec.depth; ++i) {
      const BlockKinds block = spec.block(i);
      const int at = 100 * (i + 1 == spec.depth);
      kinds.insert(at + static_cast<int>(block.attention));
      kinds.insert(at + 10 + static_cast<int>(block.qkv));
      kinds.insert(at + 20 + static_cast<int>(block.proj));
      kinds.insert(at + 30 + static_cast<int>(block.mlp));
    }
    const ModelFile model = test::random_model(spec, 5);
    Session session(model);
    for (const int64_t batch : {1, 3, 17}) {
      const Tensor images = test::random_images(spec, batch, 6);
      const Answer ours = run(session, images), trained = train_answer(model, images);
      CHECK(same_bits(ours.logits, trained.logits));
      CHECK(ours.choices == trained.choices);
      // Nobody asks for the choices: the last block leaves out what nothing reads.
      const Tensor alone({batch, spec.classes});
      session.run(images.data<float>(), batch, alone.data<float>());
      CHECK(same_bits(alone, trained.logits));
      if (!same_bits(ours.logits, trained.logits))
        test::check_close(ours.logits, trained.logits, 1e-5, "logits");
    }
  }
  CHECK(kinds.size() == 2 * (4 + 3 * 3));  // all of them, also in the last block
}

TEST_CASE("an image's answer depends on neither its neighbours nor the threads") {
  for (const int variant : {0, 3, 7, 10}) {
    const ModelSpec spec = test::random_shift_add_spec(variant);
    CAPTURE(spec.name);
    Session session(test::random_model(spec, 1));
    const Tensor images = test::random_images(spec, 37, 2);
    const Answer all = run(session, images);
    for (const int threads : {1, 2, 3}) {
      const test::Threads pool(threads);
      CHECK(same_bits(run(session, images).logits, all.logits));
      CHECK(run(session, images).choices == all.choices);
      for (int64_t i = 0; i < 37; i += 9)
        CHECK(same_bits(run(session, images.slice(i, i + 1)).logits, all.logits.slice(i, i + 1)));
    }
  }
}

TEST_CASE("a converted network takes no memory after the first call") {
  for (int variant = 0; variant < 12; ++variant) {
    const test::Threads pool(1);
    const ModelSpec spec = test::random_shift_add_spec(variant);
    Session session(test::random_model(spec, 3));
    const Tensor images = test::random_images(spec, 20, 4);
    Tensor logits({20, spec.classes});
    session.run(images.data<float>(), 20, logits.data<float>());
    const auto before = memory_stats().allocations;
    for (const int64_t batch : {20, 1, 7})
      session.run(images.data<float>(), batch, logits.data<float>());
    CHECK(memory_stats().allocations == before);
  }
}

TEST_CASE("a router that names one expert alone") {
  for (const bool shift : {false, true}) {
    ModelFile model = test::golden_shift_add(true);
    for (auto& [name, tensor] : model.weights)
      if (name.ends_with("router.bias")) {
        tensor = Tensor::zeros({2});
        tensor.data<float>()[shift] = 1000;
      }
    Session session(model);
    const Tensor images = test::random_images(model.spec, 3, 1);
    const Answer ours = run(session, images), trained = train_answer(model, images);
    CHECK(same_bits(ours.logits, trained.logits));
    for (const uint8_t choice : ours.choices) CHECK(choice == (shift ? kShiftExpert : kMultExpert));
  }
}

TEST_CASE("codes that look at the neighbours are refused with the reason") {
  ModelFile model = test::golden_shift_add(false);
  model.spec.shift_add.codes = Codes::kUnitBatch;
  CHECK_THROWS_WITH_AS(Session{model}, doctest::Contains("depend on its neighbours"), Error);
  for (BlockKinds& block : model.spec.shift_add.blocks) block.attention = AttentionKind::kLinear;
  const Session unused(model);  // no block has codes
}

TEST_CASE("a converted network's work: linear attention is linear in the tokens") {
  ModelFile model = test::golden_shift_add(false);
  const ModelSpec& spec = model.spec;
  const int64_t n = spec.tokens(), c = spec.width;
  const auto block = [&](int64_t answers) {  // rows that leave it
    return (3 * n + answers) * c * c + (n + answers) * spec.head_dim() * c + (answers - 1) * 9 * c +
           answers * 2 * c * spec.mlp_hidden + answers * 2 * c;
  };
  CHECK(Session(model).macs_per_image() == (n - 1) * 3 * spec.patch_size * spec.patch_size * c +
                                               block(n) + block(1) + c * spec.classes);
}
