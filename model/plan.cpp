// Writes the steps of a network's forward pass: which rows are read, what is split, what is fused.
#include <utility>

#include "model/plan_writer.h"

namespace shiftadd {
namespace {

LocalShape local_shape(const FilterSpec& filter, const Grid& grid, int64_t prefix) {
  if (filter.kind == LocalKind::kTokenConv) return {1, kTokenTaps, 1, grid.count(), prefix};
  return {kPatchTaps, kPatchTaps, grid.height, grid.width, prefix};
}

// Of softmax attention pack decides, of linear attention its codes.
bool attends_in_integers(const AttentionSpec& attention, const PackSpec& pack, int64_t keys) {
  if (attention.is_linear())
    return (attention.codes.kind == Codes::kSign || attention.has_window()) &&
           attention.values == ValueFormat::kInt8;
  return pack.int8_attention && keys <= kMostInt8Keys;
}

class Planner : PlanWriter {
 public:
  Planner(const Network& network, const PackSpec& pack, bool with_choices)
      : PlanWriter(network.options, pack),
        network_(network),
        with_choices_(with_choices),
        has_routers_(!routers_of(network).empty()) {}

  Plan run() {
    x_ = all(buffer("images", network_.channels, network_.image.count(), Storage::kImages));
    for (const LevelSpec& level : network_.levels) {
      embed(level);
      for (const BlockSpec& each : level.blocks) block(each);
      if (level.norm) x_ = normalise(*level.norm, outside(Layer::kLevelNorm), "norm", x_);
      ++level_;
    }
    head();
    return take_plan();
  }

 private:
  // --- whose work a step is
  LayerId outside(Layer layer) const { return {.layer = layer, .level = level_}; }
  LayerId inside(Layer layer) const { return {.layer = layer, .block = block_}; }

  // --- parts of the network

  // Makes x of the image, or of the tokens of the level before.
  void embed(const LevelSpec& level) {
    const LayerId layer = outside(Layer::kPatches);
    const Grid input =
        level_ ? network_.levels[static_cast<std::size_t>(level_) - 1].grid : network_.image;
    const int64_t width = level.width(), prefix = level.prefix(), tokens = level.tokens();
    const Rows under = gather(level.patches, layer, "gather", input, x_);
    Rows positions;
    if (!level.positions.empty())
      positions = rows(all(table(level.positions, level.position_rows(), width)),
                       level.positioned_prefix(), level.grid.count());
    Rows x = values("x", tokens, width);
    const Rows patches = rows(x, prefix, tokens - prefix);
    const MatrixId weight = matrix(level.patches.name, width, level.patches.inputs(), false);
    step(layer, "patches", Product{weight, Activation::kNone, under, patches, positions});
    if (level.patch_norm) {
      const Rows normed =
          normalise(*level.patch_norm, outside(Layer::kPatchNorm), "patch_norm", patches);
      x = prefix ? x : normed;
      if (prefix) step(outside(Layer::kPatchNorm), "patch_norm.take", Take{normed, patches});
    }
    tokens_before_patches(level, x);
    x_ = x;
    if (level.token_norm)
      x_ = normalise(*level.token_norm, outside(Layer::kEmbeddingNorm), "token_norm", x_);
  }
  void tokens_before_patches(const LevelSpec& level, const Rows& x) {
    int64_t at = 0;
    const auto put = [&](const std::string& name, int64_t count, Layer layer, const char* label) {
      if (name.empty()) return;
      const bool positioned = !level.positions.empty() && at < level.positioned_prefix();
      step(outside(layer), label,
           Take{all(table(name, count, level.width(), positioned ? level.positions : "", at)),
                rows(x, at, count)});
      at += count;
    };
    put(level.class_token, 1, Layer::kClassToken, "class_token");
    put(level.distillation_token, 1, Layer::kDistillationToken, "distillation_token");
    put(level.registers, level.register_count, Layer::kRegisters, "registers");
  }
  void block(const BlockSpec& block) {
    const int64_t answers = rows_answered(network_, block_, with_choices_);
    const auto norm1 = [&](const Rows& in) {
      return normalise(block.norm1, inside(Layer::kNorm1), "norm1", in);
    };
    const auto norm2 = [&](const Rows& in) {
      return normalise(block.norm2, inside(Layer::kNorm2), "norm2", in);
    };
    const Rows attended = attention(block, block.post_norm ? x_ : norm1(x_), answers);
    if (answers < block.tokens())
      x_ = take(inside(Layer::kProj), "rows_read", rows(x_, 0, answers));
    add_scaled(block, block.scale1, Layer::kScale1, [&](const Rows& out, const Rows& residual) {
      linear(block.attention.proj, {Layer::kProj, "proj"}, attended, out, residual);
    });
    if (block.post_norm) x_ = norm1(x_);
    const Rows in = block.post_norm ? x_ : norm2(x_);
    add_scaled(block, block.scale2, Layer::kScale2,
               [&](const Rows& out, const Rows& residual) { mlp(block, in, out, residual); });
    if (block.post_norm) x_ = norm2(x_);
    ++block_;
  }
  // Adds what a layer makes to x, times the factors behind it that are no part of its weights.
  template <class Body>
  void add_scaled(const BlockSpec& block, const std::string& scale, Layer layer, Body body) {
    if (scale.empty() || folds_scale(block, layer)) return body(x_, x_);
    const Rows branch = values("branch", x_.rows, x_.columns);
    body(branch, Rows{});
    step(inside(layer), layer == Layer::kScale1 ? "scale1" : "scale2",
         Scale{table(scale, 1, block.width), branch, x_, x_});
  }

  // Returns what `answers` rows of an image attend to.
  Rows attention(const BlockSpec& block, const Rows& normed, int64_t answers) {
    const AttentionSpec& attention = block.attention;
    const int64_t width = attention.heads * attention.head_dim, keys = block.key_tokens();
    Rows q, k;
    if (const auto* apart = std::get_if<SeparateKv>(&attention.projection)) {
      q = linear(apart->q, {Layer::kQ, "q"}, normed);
      k = linear(apart->kv, {Layer::kKv, "kv"}, reduced(*apart, block.grid, normed));
    } else {
      const LinearSpec& qkv = std::get<FusedQkv>(attention.projection).qkv;
      if (splits_query(block)) {
        const int64_t read = rows_answered(network_, block_, true);
        const Rows row = take(inside(Layer::kQkv), "qkv.row", rows(normed, 0, read));
        const bool shifts = qkv.kind == LayerKind::kShift;
        q = values("q", read, width);
        step(inside(Layer::kQkv), "qkv.q",
             Product{matrix(qkv.name, width, qkv.in, shifts), Activation::kNone, row, q, {}});
        k = values("kv", keys, 2 * width);
        step(inside(Layer::kQkv), "qkv.kv",
             Product{matrix(qkv.name, 2 * width, qkv.in, shifts, width),
                     Activation::kNone,
                     normed,
                     k,
                     {}});
      } else {
        q = linear(qkv, {Layer::kQkv, "qkv"}, normed);
        k = columns(q, width, 2 * width);
        q = columns(q, 0, width);
      }
    }
    const FilterSpec* local = attention.local ? &*attention.local : nullptr;
    const Rows out = values("attended", answers, width);
    step(inside(Layer::kAttention), "attention",
         Attend{.kind = attention.kind,
                .scale = attention.scale,
                .codes = attention.codes,
                .values = attention.values,
                .integers = attends_in_integers(attention, pack_, keys),
                .bf16 = pack_.multiply == MultiplyFormat::kBf16 && !has_routers_,
                .heads = attention.heads,
                .head_dim = attention.head_dim,
                .local = local ? local_shape(*local, block.grid, block.prefix) : LocalShape{},
                .filter = local ? table(local->name + ".weight", local->heads,
                                        element_count(local->shape()) / local->heads)
                                : kNone,
                .temperature = attention.temperature.empty()
                                   ? kNone
                                   : table(attention.temperature, 1, attention.heads),
                .grid = {block.grid.height, block.grid.width, block.prefix},
                .q = q,
                .k = columns(k, 0, width),
                .v = columns(k, width, width),
                .out = out});
    return out;
  }

  // The queries of the rows that are read can be made apart from everyone's keys and values, unless
  // codes need the mean of all queries or a router sends whole tokens.
  bool splits_query(const BlockSpec& block) const {
    const Codes codes = block.attention.codes.kind;
    const bool all_queries = is_unit(codes);
    return rows_answered(network_, block_, true) < block.tokens() && !all_queries &&
           std::get<FusedQkv>(block.attention.projection).qkv.kind != LayerKind::kMixture;
  }

  Rows reduced(const SeparateKv& projection, const Grid& grid, const Rows& normed) {
    if (!projection.reduction) return normed;
    const ConvSpec& conv = *projection.reduction;
    const LayerId layer = inside(Layer::kReduction);
    const Rows under = gather(conv, layer, "reduction.gather", grid, normed);
    const Rows out = values("reduction", under.rows, conv.out);
    step(layer, "reduction",
         Product{
             matrix(conv.name, conv.out, conv.inputs(), false), Activation::kNone, under, out, {}});
    if (!projection.reduction_norm) return out;
    return normalise(*projection.reduction_norm, inside(Layer::kReductionNorm), "reduction_norm",
                     out);
  }

  struct Part {
    Layer layer;
    std::string name;
  };
  Rows linear(const LinearSpec& spec, const Part& part, const Rows& in) {
    const Rows out = values(part.name.c_str(), in.rows, spec.out);
    linear(spec, part, in, out, {});
    return out;
  }
  void linear(const LinearSpec& spec, const Part& part, const Rows& in, const Rows& out,
              const Rows& residual, Activation activation = Activation::kNone) {
    if (spec.kind != LayerKind::kMixture) {
      const bool shifts = spec.kind == LayerKind::kShift;
      return step(
          inside(part.layer), part.name,
          Product{matrix(spec.name, spec.out, spec.in, shifts), activation, in, out, residual});
    }
    Experts experts = route(spec.name, part, in);
    for (const int i : {kMultExpert, kShiftExpert})
      experts.fc1[i] = matrix(name_of_expert(spec.name, i), spec.out, spec.in, i == kShiftExpert);
    add_experts(std::move(experts), part, out, residual);
  }
  Experts route(const std::string& mixture, const Part& part, const Rows& in) {
    const bool fixed = options_.gate == GateKind::kFixedSplit;
    const Route route = {
        .router = fixed ? kNone : float_matrix(name_of_router(mixture), 2, in.columns),
        .gate = options_.gate,
        .index = router_,
        .first_choice = choice_,
        .in = in,
        .order = buffer("order", in.rows, 1),
        .gates = fixed ? kNone : buffer("gates", in.rows, 2)};
    step(inside(part.layer), part.name + ".router", route);
    const BlockSpec& block = block_at(network_, block_);
    choice_ += part.layer == Layer::kKv ? block.key_tokens() : block.tokens();
    return {.gate = options_.gate,
            .index = router_++,
            .in = in,
            .out = {},
            .residual = {},
            .order = route.order,
            .gates = route.gates};
  }
  void add_experts(Experts experts, const Part& part, const Rows& out, const Rows& residual) {
    experts.out = out;
    experts.residual = residual;
    step(inside(part.layer), part.name + ".experts", std::move(experts));
  }

  // out = mlp(in) + residual.
  void mlp(const BlockSpec& block, const Rows& in, const Rows& out, const Rows& residual) {
    const MlpSpec& spec = block.mlp;
    if (spec.routed) return routed_mlp(spec, in, out, residual);
    const LinearSpec fc1 = spec.named(spec.fc1), fc2 = spec.named(spec.fc2);
    const auto plain = [](const LinearSpec& layer) { return layer.kind != LayerKind::kMixture; };
    const bool fused = spec.activation == HiddenActivation::kGelu && plain(fc1) && !spec.depthwise;
    if (plain(fc1) && plain(fc2) && !spec.depthwise) {
      const MatrixId first = matrix(fc1.name, fc1.out, fc1.in, fc1.kind == LayerKind::kShift),
                     second = matrix(fc2.name, fc2.out, fc2.in, fc2.kind == LayerKind::kShift);
      if (in_integers(first) && in_integers(second))
        return step(inside(Layer::kMlp), "mlp",
                    Mlp{first, second, spec.activation, in, out, residual});
      Rows hidden = values("hidden", in.rows, fc1.out);
      step(inside(Layer::kFc1), "fc1",
           Product{first, fused ? Activation::kGelu : Activation::kNone, in, hidden, {}});
      if (!fused) hidden = activate(spec, hidden);
      return step(inside(Layer::kFc2), "fc2",
                  Product{second, Activation::kNone, hidden, out, residual});
    }
    Rows hidden = values("hidden", in.rows, fc1.out);
    linear(fc1, {Layer::kFc1, "fc1"}, in, hidden, {},
           fused ? Activation::kGelu : Activation::kNone);
    if (spec.depthwise) hidden = depthwise(spec, block.grid, hidden);
    if (!fused) hidden = activate(spec, hidden);
    linear(fc2, {Layer::kFc2, "fc2"}, hidden, out, residual);
  }
  Rows activate(const MlpSpec& spec, const Rows& hidden) {
    const bool halves = spec.activation == HiddenActivation::kSwiGlu;
    const Rows out = halves ? values("gated", hidden.rows, spec.fc2.in) : hidden;
    step(inside(Layer::kFc1), name_of(spec.activation), Activate{spec.activation, hidden, out});
    return out;
  }
  void routed_mlp(const MlpSpec& spec, const Rows& in, const Rows& out, const Rows& residual) {
    const Part part = {Layer::kMlp, "mlp"};
    Experts experts = route(spec.name, part, in);
    experts.activation = spec.activation;
    for (const int i : {kMultExpert, kShiftExpert}) {
      const std::string name = name_of_expert(spec.name, i);
      const bool shifts = i == kShiftExpert;
      experts.fc1[i] = matrix(name + "." + spec.fc1.name, spec.fc1.out, spec.fc1.in, shifts);
      experts.fc2[i] = matrix(name + "." + spec.fc2.name, spec.fc2.out, spec.fc2.in, shifts);
    }
    add_experts(std::move(experts), part, out, residual);
  }
  Rows depthwise(const MlpSpec& mlp, const Grid& grid, const Rows& hidden) {
    const DepthwiseSpec spec = mlp.named(*mlp.depthwise);
    const Rows out = values("filtered", hidden.rows, hidden.columns);
    step(inside(Layer::kDepthwise), "depthwise",
         Depthwise{spec, table(spec.name + ".weight", spec.width, spec.kernel * spec.kernel),
                   table(spec.name + ".bias", 1, spec.width), grid, hidden, out});
    return out;
  }

  // Ends in the answer: the logits, or without a head what one would read.
  void head() {
    x_ = pooled();
    if (network_.fc_norm)
      x_ = normalise(*network_.fc_norm, {.layer = Layer::kFcNorm}, "fc_norm", x_);
    const BufferId answer = buffer("logits", 1, network_.outputs(), Storage::kLogits);
    if (network_.distilled_head) return both_heads(all(answer));
    const auto layer = [&](const std::optional<LinearSpec>& spec, Layer which, const char* name) {
      if (!spec) return;
      const Rows out = is_last(which) ? all(answer) : values(name, 1, spec->out);
      step({.layer = which}, name,
           Product{float_matrix(spec->name, spec->out, spec->in), Activation::kNone, x_, out, {}});
      x_ = out;
    };
    layer(network_.pre_logits, Layer::kPreLogits, "pre_logits");
    if (network_.pre_logits) step({.layer = Layer::kPreLogits}, "pre_logits.tanh", Tanh{x_});
    layer(network_.projection, Layer::kProjection, "projection");
    layer(network_.head, Layer::kHead, "head");
    if (x_.buffer != answer) step({.layer = Layer::kPool}, "answer", Take{x_, all(answer)});
  }
  bool is_last(Layer layer) const {
    return layer == (network_.head         ? Layer::kHead
                     : network_.projection ? Layer::kProjection
                                           : Layer::kPreLogits);
  }
  // One row an image, or of a distilled network both tokens'.
  Rows pooled() {
    const LayerId pool = {.layer = Layer::kPool};
    const int64_t prefix = network_.levels.back().prefix();
    const bool reads_class = network_.pooling == Pooling::kClassToken;
    const int64_t read = network_.distilled_head ? 2 : 1;
    if (reads_class && x_.rows > read) x_ = take(pool, "rows_read", rows(x_, 0, read));
    if (network_.norm) x_ = normalise(*network_.norm, {.layer = Layer::kNorm}, "norm", x_);
    if (reads_class) return x_;
    const int64_t width = x_.columns;
    const Rows out = values("pooled", 1, network_.pooled());
    if (network_.pooling == Pooling::kClassTokenAndMean)
      step(pool, "class_row", Take{rows(x_, 0, 1), columns(out, 0, width)});
    step(pool, "mean",
         Mean{rows(x_, prefix, x_.rows - prefix), columns(out, out.columns - width, width)});
    return out;
  }
  void both_heads(const Rows& answer) {
    const Rows both = values("heads", 2, answer.columns);
    const auto head = [&](const LinearSpec& spec, Layer layer, const char* name, int64_t row) {
      step({.layer = layer}, name,
           Product{float_matrix(spec.name, spec.out, spec.in),
                   Activation::kNone,
                   rows(x_, row, 1),
                   rows(both, row, 1),
                   {}});
    };
    head(*network_.head, Layer::kHead, "head", 0);
    head(*network_.distilled_head, Layer::kDistilledHead, "distilled_head", 1);
    step({.layer = Layer::kHead}, "mean_of_heads", Mean{both, answer});
  }

  const Network& network_;
  const bool with_choices_;
  const bool has_routers_;  // whose choices a rounding more would turn
  Rows x_;                  // the residual stream
  int64_t level_ = 0, block_ = 0, router_ = 0, choice_ = 0;
};

}  // namespace

Plan plan_of(const Network& network, const PackSpec& pack, bool with_choices) {
  validate(network);
  return Planner(network, pack, with_choices).run();
}

}  // namespace shiftadd
