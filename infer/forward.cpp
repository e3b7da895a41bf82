// Runs the layers of a network in order, each on its buffers in the arena, and measures their time.
#include "infer/forward.h"

#include <algorithm>

#include "infer/attention.h"
#include "infer/patches.h"

namespace shiftadd::infer {
namespace {

struct RunLinear {
  QuantizedRoom room;
  void operator()(const Linear& layer, float* x, int64_t rows, float* y,
                  const float* residual) const {
    apply(layer, x, rows, y, room, {.residual = residual});
  }
};

class Pass {
 public:
  Pass(const Network& network, int64_t count, uint8_t* choices, float* arena, LayerTimes* times)
      : network_(network),
        spec_(network.spec),
        plan_(network.plan),
        count_(count),
        width_(spec_.width),
        tokens_(spec_.tokens()),
        choices_(choices),
        arena_(arena),
        times_(times) {}

  void run(const float* images, float* logits) {
    if (choices_) std::fill_n(choices_, count_ * network_.choices, kNotRouted);
    time_part_of(spec_.depth);
    embed(images);
    for (int64_t i = 0; i < spec_.depth; ++i) block(i);
    time_part_of(spec_.depth);
    float *x = arena_ + plan_.class_x, *normed = arena_ + plan_.class_normed;
    if (!answers_class_token(spec_, spec_.depth - 1, choices_ != nullptr))
      copy_class_rows(arena_ + plan_.x, x);
    norm(LayerPart::kNorm, network_.weights.norm, x, count_, normed);
    const LayerTimer timer(now_, LayerPart::kHead);
    apply(network_.weights.head, normed, count_, logits, {});
  }

 private:
  // Adds times from now on to block `index`; spec_.depth stands for what is outside the blocks.
  void time_part_of(int64_t index) {
    if (times_) now_ = &(*times_)[static_cast<std::size_t>(index)];
  }

  // Makes x (count, N, D) of patches, positions and the class token.
  void embed(const float* images) {
    const LayerTimer timer(now_, LayerPart::kPatches);
    const VitWeights& weights = network_.weights;
    const int64_t patches = tokens_ - 1, patch_values = weights.patch_embed.inputs();
    float* gathered = arena_ + plan_.patches;
    gather_patches(spec_, images, count_, gathered);
    for (int64_t image = 0; image < count_; ++image) {
      float* x = arena_ + plan_.x + image * tokens_ * width_;
      std::copy_n(weights.class_row.data<float>(), width_, x);
      apply(weights.patch_embed, gathered + image * patches * patch_values, patches, x + width_,
            quantized(), {.residual = weights.positions.data<float>() + width_});
    }
  }

  void block(int64_t index) {
    const Block& block = network_.weights.blocks[static_cast<std::size_t>(index)];
    time_part_of(index);
    const bool class_only = answers_class_token(spec_, index, choices_ != nullptr);
    const bool split = splits_query(spec_, index);
    const int64_t answers = class_only ? 1 : tokens_;  // rows of an image that leave the block
    float *x = arena_ + plan_.x, *out = x;
    norm(LayerPart::kNorm1, block.norm1, x, count_ * tokens_, arena_ + plan_.normed1);
    project_queries_keys_values(block, split);
    attend_tokens(block, spec_.block(index), split, answers);
    if (class_only) copy_class_rows(x, out = arena_ + plan_.class_x);
    {
      const LayerTimer timer(now_, LayerPart::kProj);
      mix(block.proj, arena_ + plan_.attended, answers, width_, out, out,
          room(plan_.proj_gathered, plan_.proj_outputs), RunLinear{quantized()});
    }
    mlp(block, answers, out);
  }

  void project_queries_keys_values(const Block& block, bool split) {
    const LayerTimer timer(now_, LayerPart::kQkv);
    float *normed = arena_ + plan_.normed1, *qkv = arena_ + plan_.qkv;
    if (split) {
      float* class_rows = arena_ + plan_.class_normed;
      copy_class_rows(normed, class_rows);
      apply(block.query, class_rows, count_, arena_ + plan_.class_q, quantized());
    }
    mix(block.qkv, normed, tokens_, (split ? 2 : 3) * width_, nullptr, qkv,
        room(plan_.qkv_gathered, plan_.qkv_outputs), RunLinear{quantized()});
  }

  void attend_tokens(const Block& block, const BlockKinds& kinds, bool split, int64_t answers) {
    const LayerTimer timer(now_, LayerPart::kAttention);
    const int64_t row = (split ? 2 : 3) * width_, head_dim = spec_.head_dim();
    const float* keys = arena_ + plan_.qkv + (split ? 0 : width_);
    const AttentionShape shape = {.batch = count_,
                                  .heads = spec_.heads,
                                  .queries = answers,
                                  .keys = tokens_,
                                  .code_dim = head_dim,
                                  .head_dim = head_dim,
                                  .q_batch = split ? width_ : tokens_ * row,
                                  .q_row = split ? width_ : row,
                                  .q_head = head_dim,
                                  .k_batch = tokens_ * row,
                                  .k_row = row,
                                  .k_head = head_dim,
                                  .v_batch = tokens_ * row,
                                  .v_row = row,
                                  .v_head = head_dim,
                                  .o_batch = answers * width_,
                                  .o_row = width_,
                                  .o_head = head_dim};
    attend(spec_, network_.pack, kinds,
           {.shape = shape,
            .q = arena_ + (split ? plan_.class_q : plan_.qkv),
            .k = keys,
            .v = keys + width_,
            .local_weight = block.local.defined() ? block.local.data<float>() : nullptr,
            .thresholds = arena_ + plan_.thresholds},
           arena_ + plan_.attended);
  }

  // Computes x += mlp(norm2 x) for `answers` rows of each image.
  void mlp(const Block& block, int64_t answers, float* x) {
    float *normed = arena_ + plan_.normed2, *hidden = arena_ + plan_.hidden;
    norm(LayerPart::kNorm2, block.norm2, x, count_ * answers, normed);
    const MixtureRoom mixture = room(plan_.mlp_gathered, plan_.mlp_gathered);
    const auto& experts = block.mlp.experts;
    if (block.mlp.routed && experts[0].in_integers() && experts[1].in_integers())
      return run_routed_mlp(block.mlp, normed, count_ * answers, spec_.shift_add.gate,
                            network_.shift_share, x, hidden, mixture,
                            room_of(plan_.mlp_codes, plan_.mlp_scales), quantized(),
                            next_sink(true, answers), now_);
    const auto run = [&](const Mlp& layer, float* in, int64_t rows, float* out,
                         const float* residual) {
      run_mlp(layer, in, rows, out, residual, hidden, quantized(),
              block.mlp.routed ? nullptr : now_);  // an expert is timed as a whole
    };
    mix(block.mlp, normed, answers, width_, x, x, mixture, run, now_);
  }

  // Computes y = layer(x) + residual for `tokens` rows of each image, and notes a router's choices.
  // `times` is given where router and experts are timed apart.
  template <class Layer, class Run>
  void mix(const Mixture<Layer>& layer, float* x, int64_t tokens, int64_t outputs,
           const float* residual, float* y, const MixtureRoom& room, const Run& run,
           PartSeconds* times = nullptr) {
    run_mixture(layer, x, count_ * tokens, width_, outputs, spec_.shift_add.gate,
                network_.shift_share, residual, y, room, next_sink(layer.routed, tokens), run,
                times);
  }

  // Returns where the choices of the next router go, if the layer has a router.
  ChoiceSink next_sink(bool routed, int64_t tokens) {
    ChoiceSink sink = {nullptr, network_.choices, tokens};
    if (routed && choices_) sink.to = choices_ + next_choice_;
    if (routed) next_choice_ += tokens_;
    return sink;
  }

  void norm(LayerPart part, const Norm& norm, const float* x, int64_t rows, float* y) const {
    const LayerTimer timer(now_, part);
    kernels<float>().layer_norm({.rows = rows,
                                 .columns = width_,
                                 .eps = spec_.norm_eps,
                                 .x = x,
                                 .gamma = norm.gamma.data<float>(),
                                 .beta = norm.beta.data<float>(),
                                 .y = y,
                                 .mean = nullptr,
                                 .rstd = nullptr});
  }

  // Copies the class token's rows of `from` (count, N, D) to `to` (count, D).
  void copy_class_rows(const float* from, float* to) const {
    for (int64_t image = 0; image < count_; ++image)
      std::copy_n(from + image * tokens_ * width_, width_, to + image * width_);
  }

  // These rooms lie in the arena, which holds floats.
  QuantizedRoom quantized() const { return room_of(plan_.quantized, plan_.scales); }
  QuantizedRoom room_of(int64_t codes, int64_t scales) const {
    return {reinterpret_cast<int8_t*>(arena_ + codes), arena_ + scales};
  }
  MixtureRoom room(int64_t gathered, int64_t outputs) const {
    return {arena_ + plan_.logits, reinterpret_cast<int32_t*>(arena_ + plan_.order),
            arena_ + gathered, arena_ + outputs};
  }

  const Network& network_;
  const ModelSpec& spec_;
  const VitPlan& plan_;
  const int64_t count_, width_, tokens_;
  uint8_t* const choices_;
  float* const arena_;
  LayerTimes* const times_;
  PartSeconds* now_ = nullptr;  // of the block that is being computed, or of what is outside
  int64_t next_choice_ = 0;     // of an image: where the next router's begin
};

}  // namespace

void forward(const Network& network, const float* images, int64_t count, float* logits,
             uint8_t* choices, float* arena, LayerTimes* times) {
  Pass(network, count, choices, arena, times).run(images, logits);
}

}  // namespace shiftadd::infer
