// See session.h.
#include "infer/session.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>

#include "core/cpu/packed_gemm.h"
#include "core/kernels.h"
#include "core/parallel.h"
#include "infer/patches.h"
#include "infer/plan.h"
#include "infer/weights.h"

namespace shiftadd::infer {
namespace {

// Images are computed in groups of about this many token rows: enough rows to fill the matrix
// kernels, few enough that a group's activations stay in a core's second-level cache.
constexpr int64_t kRowsPerGroup = 256;

int64_t group_size(const ModelSpec& spec) {
  return std::max<int64_t>(1, (kRowsPerGroup + spec.tokens() / 2) / spec.tokens());
}

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Processor time of the calling thread: what others run on the machine does not count.
double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Adds the time of its scope to one stage; free when nobody asked.
class StageTimer {
 public:
  StageTimer(StageTimes* times, int stage)
      : times_(times), stage_(stage), start_(times ? thread_seconds() : 0) {}
  ~StageTimer() {
    if (times_) times_->seconds[stage_] += thread_seconds() - start_;
  }

 private:
  StageTimes* times_;
  int stage_;
  double start_;
};

// What follows a product besides its bias.
struct Epilogue {
  Activation activation = Activation::kNone;
  const float* residual = nullptr;
  int64_t ldr = 0;
};

void apply(const Linear& linear, const float* a, int64_t lda, int64_t rows, float* c, int64_t ldc,
           const Epilogue& epilogue = {}) {
  gemm_packed(a, lda, rows, linear.weight, c, ldc, linear.bias.data<float>(), epilogue.activation,
              epilogue.residual, epilogue.ldr);
}

// Run as a plain network, one that adds and shifts would give wrong answers.
const ModelSpec& require_plain(const ModelSpec& spec) {
  for (const BlockSpec& block : spec.shift_add.blocks)
    if (!(block == BlockSpec{}))
      throw user_error("[infer] '", spec.name,
                       "' has blocks that add or shift (shift_add): this runtime runs plain "
                       "networks");
  return spec;
}

}  // namespace

const char* StageTimes::name_of(int stage) {
  static constexpr const char* kNames[kStages] = {"patches", "norms", "qkv", "attention",
                                                  "proj",    "fc1",   "fc2", "head"};
  return kNames[stage];
}

struct Session::Impl {
  explicit Impl(ModelFile model)
      : spec(require_plain(model.spec)),
        preprocess(model.preprocess),
        classes(std::move(model.classes)),
        class_ids(std::move(model.class_ids)),
        weights(spec, std::move(model.weights)),
        group(group_size(spec)),
        plan(plan_vit(spec, group)) {}

  void reserve(int threads) {
    while (static_cast<int>(arenas.size()) < threads) arenas.emplace_back(Shape{plan.floats});
  }

  void norm(const Norm& norm, const float* x, int64_t rows, float* y) const {
    const StageTimer timer(times, StageTimes::kNorm);
    kernels<float>().layer_norm({.rows = rows,
                                 .columns = spec.width,
                                 .eps = spec.norm_eps,
                                 .x = x,
                                 .gamma = norm.gamma.data<float>(),
                                 .beta = norm.beta.data<float>(),
                                 .y = y,
                                 .mean = nullptr,
                                 .rstd = nullptr});
  }

  // Patches, positions and the class token: x (images, N, D).
  void embed(const float* images, int64_t count, float* arena) const {
    const StageTimer timer(times, StageTimes::kPatches);
    const int64_t width = spec.width, tokens = spec.tokens(), patch_count = tokens - 1;
    const int64_t patch_values = spec.in_channels * spec.patch_size * spec.patch_size;
    float* patches = arena + plan.patches;
    gather_patches(spec, images, count, patches);
    for (int64_t image = 0; image < count; ++image) {
      float* x = arena + plan.x + image * tokens * width;
      std::copy_n(weights.class_row.data<float>(), width, x);
      apply(weights.patch_embed, patches + image * patch_count * patch_values, patch_values,
            patch_count, x + width, width,
            {.residual = weights.positions.data<float>() + width, .ldr = width});
    }
  }

  void attend(const AttentionShape& shape, const float* q, const float* k, const float* v,
              float* out) const {
    const StageTimer timer(times, StageTimes::kAttention);
    kernels<float>().attention({.shape = shape,
                                .scale = 1 / std::sqrt(static_cast<double>(spec.head_dim())),
                                .q = q,
                                .k = k,
                                .v = v,
                                .out = out,
                                .log_sum_exp = nullptr});
  }

  void block(const Block& block, int64_t count, float* arena) const {
    const int64_t width = spec.width, tokens = spec.tokens(), rows = count * tokens;
    const int64_t head_dim = spec.head_dim();
    float *x = arena + plan.x, *normed = arena + plan.normed1, *qkv = arena + plan.qkv;
    float* attended = arena + plan.attended;
    norm(block.norm1, x, rows, normed);
    {
      const StageTimer timer(times, StageTimes::kQkv);
      apply(block.qkv, normed, width, rows, qkv, 3 * width);
    }
    attend({.batch = count,
            .heads = spec.heads,
            .queries = tokens,
            .keys = tokens,
            .head_dim = head_dim,
            .q_batch = tokens * 3 * width,
            .q_row = 3 * width,
            .q_head = head_dim,
            .k_batch = tokens * 3 * width,
            .k_row = 3 * width,
            .k_head = head_dim,
            .o_batch = tokens * width,
            .o_row = width,
            .o_head = head_dim},
           qkv, qkv + width, qkv + 2 * width, attended);
    {
      const StageTimer timer(times, StageTimes::kProj);
      apply(block.proj, attended, width, rows, x, width, {.residual = x, .ldr = width});
    }
    mlp(block, x, rows, x, arena);
  }

  // Only the class token's row leaves the last block, so only its query, projection and MLP are
  // computed; the keys and values still come from all tokens. Exactly the full block's numbers for
  // that row.
  void last_block(const Block& block, int64_t count, float* arena) const {
    const int64_t width = spec.width, tokens = spec.tokens(), head_dim = spec.head_dim();
    float *x = arena + plan.x, *normed = arena + plan.normed1, *kv = arena + plan.qkv;
    float *q = arena + plan.class_q, *attended = arena + plan.attended;
    float* class_x = arena + plan.class_x;
    norm(block.norm1, x, count * tokens, normed);
    {
      const StageTimer timer(times, StageTimes::kQkv);
      apply(block.qkv, normed, width, count * tokens, kv, 2 * width);
      apply(weights.last_query, normed, tokens * width, count, q, width);
    }
    attend({.batch = count,
            .heads = spec.heads,
            .queries = 1,
            .keys = tokens,
            .head_dim = head_dim,
            .q_batch = width,
            .q_row = width,
            .q_head = head_dim,
            .k_batch = tokens * 2 * width,
            .k_row = 2 * width,
            .k_head = head_dim,
            .o_batch = width,
            .o_row = width,
            .o_head = head_dim},
           q, kv, kv + width, attended);
    {
      const StageTimer timer(times, StageTimes::kProj);
      apply(block.proj, attended, width, count, class_x, width,
            {.residual = x, .ldr = tokens * width});
    }
    mlp(block, class_x, count, class_x, arena);
  }

  void mlp(const Block& block, const float* x, int64_t rows, float* out, float* arena) const {
    const int64_t width = spec.width;
    float *normed = arena + plan.normed2, *hidden = arena + plan.hidden;
    norm(block.norm2, x, rows, normed);
    {
      const StageTimer timer(times, StageTimes::kFc1);
      apply(block.fc1, normed, width, rows, hidden, spec.mlp_hidden,
            {.activation = Activation::kGelu});
    }
    const StageTimer timer(times, StageTimes::kFc2);
    apply(block.fc2, hidden, spec.mlp_hidden, rows, out, width, {.residual = x, .ldr = width});
  }

  void forward(const float* images, int64_t count, float* logits, float* arena) const {
    embed(images, count, arena);
    for (std::size_t i = 0; i + 1 < weights.blocks.size(); ++i)
      block(weights.blocks[i], count, arena);
    last_block(weights.blocks.back(), count, arena);
    float* normed = arena + plan.class_normed;
    norm(weights.norm, arena + plan.class_x, count, normed);
    const StageTimer timer(times, StageTimes::kHead);
    apply(weights.head, normed, spec.width, count, logits, spec.classes);
  }

  // Whole groups go to the threads, one each, so that nobody waits at a barrier inside a layer;
  // groups left over at the end are computed one after the other by all threads together.
  void run(const float* images, int64_t batch, float* logits) {
    const int64_t threads = num_threads();
    reserve(static_cast<int>(threads));
    const int64_t size = std::min(group, divide_up(batch, threads));
    const int64_t groups = size ? divide_up(batch, size) : 0;
    const int64_t shared = groups % threads, alone = groups - shared;
    const int64_t image_values = spec.in_channels * spec.image_size * spec.image_size;
    const auto run_group = [&](int64_t index, float* arena) {
      const int64_t begin = index * size, count = std::min(size, batch - begin);
      forward(images + begin * image_values, count, logits + begin * spec.classes, arena);
    };
    std::atomic<int64_t> next{0};
    parallel_for(std::min(threads, alone), [&](int64_t slot) {
      for (int64_t index; (index = next.fetch_add(1)) < alone;)
        run_group(index, arenas[slot].data<float>());
    });
    for (int64_t index = alone; index < groups; ++index) run_group(index, arenas[0].data<float>());
  }

  ModelSpec spec;
  Preprocess preprocess;
  std::vector<std::string> classes, class_ids;
  VitWeights weights;
  int64_t group;
  VitPlan plan;
  std::vector<Tensor> arenas;  // one per thread
  StageTimes* times = nullptr;
};

Session::Session(ModelFile model) : impl_(std::make_unique<Impl>(std::move(model))) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

const ModelSpec& Session::spec() const { return impl_->spec; }
const Preprocess& Session::preprocess() const { return impl_->preprocess; }
const std::vector<std::string>& Session::classes() const { return impl_->classes; }
const std::vector<std::string>& Session::class_ids() const { return impl_->class_ids; }
void Session::run(const float* images, int64_t batch, float* logits) {
  impl_->run(images, batch, logits);
}
void Session::set_stage_times(StageTimes* times) { impl_->times = times; }
int64_t Session::weight_floats() const { return impl_->weights.floats; }
int64_t Session::arena_floats() const { return impl_->plan.floats; }

int64_t Session::macs_per_image() const {
  const ModelSpec& spec = impl_->spec;
  const int64_t unread = spec.tokens() - 1, width = spec.width;
  const int64_t linear = unread * width * (2 * width + 2 * spec.mlp_hidden);  // q, proj, fc1, fc2
  return count_macs(spec).total() - linear - 2 * unread * spec.tokens() * width;
}

}  // namespace shiftadd::infer
