// What a launch reads and writes, and how many blocks of which kernel it takes.
#include <cstring>

#include "core/error.h"
#include "cuda/launches.h"

namespace shiftadd::cuda {
namespace {

struct UsesOf {
  std::vector<Use> list;

  void read(const Rows& rows, bool int8 = false) {
    if (rows.defined()) list.push_back({rows.buffer, int8, false, rows.rows, rows.columns});
  }
  void read(BufferId buffer) {
    if (buffer != kNone) list.push_back({buffer, false, false});
  }
  void write(const Rows& rows, bool int8 = false) {
    if (rows.defined()) list.push_back({rows.buffer, int8, true, rows.rows, rows.columns});
  }
  void finish(const Finish& finish) {
    read(finish.residual);
    write(finish.out);
    if (finish.keeps_floats) write(finish.normed);
    if (finish.quantizes) write(finish.normed, true);
    if (!finish.route) return;
    list.push_back({finish.route->order, false, true});
    if (finish.route->gates != kNone && finish.route->gate == GateKind::kProbability)
      list.push_back({finish.route->gates, false, true});
  }
  void experts(const std::optional<ExpertUse>& use) {
    if (!use) return;
    read(use->order);
    read(use->gates);
  }

  void operator()(const MultiplyLaunch& launch) {
    if (launch.patches)
      read(launch.patches->in);
    else
      read(launch.in, launch.reads_int8);
    experts(launch.experts);
    finish(launch.finish);
    for (const Take& take : launch.prefix) read(take.in);
  }
  void operator()(const MlpLaunch& launch) {
    read(launch.in, true);
    experts(launch.experts);
    finish(launch.finish);
  }
  void operator()(const FinishLaunch& launch) {
    read(launch.in);
    finish(launch.finish);
  }
  void operator()(const AttendLaunch& launch) {
    const Attend& op = launch.attend;
    for (const Rows& rows : {op.q, op.k, op.v}) read(rows);
    read(op.filter);
    read(op.temperature);
    write(op.out);
  }
  void operator()(const MapLaunch& launch) {
    read(launch.in);
    write(launch.out);
  }
  void operator()(const ScaleLaunch& launch) {
    read(launch.scale.in);
    read(launch.scale.residual);
    read(launch.scale.factors);
    write(launch.scale.out);
  }
  void operator()(const MeanLaunch& launch) {
    read(launch.mean.in);
    write(launch.mean.out);
  }
  void operator()(const GatherLaunch& launch) {
    read(launch.gather.in);
    write(launch.gather.out);
  }
};

// Halves of a tile's rows, where whole ones would leave processors without a block.
KernelNumber lower(KernelNumber kernel) {
  switch (kernel) {
    case KernelNumber::product_int8_64:
      return KernelNumber::product_int8_32;
    case KernelNumber::product_bf16_64:
      return KernelNumber::product_bf16_32;
    case KernelNumber::project_int8_64:
      return KernelNumber::project_int8_32;
    default:
      return kernel;
  }
}

KernelNumber number_of(const char* name) {
  for (uint32_t number = 0; number < kKernels; ++number)
    if (std::strcmp(kKernelNames[number], name) == 0) return static_cast<KernelNumber>(number);
  throw failure("[cuda] no kernel has the name '", name, "'");
}

struct ShapeOf {
  const Plan& plan;
  const Launches& launches;
  int64_t images;
  const Limits& limits;

  const Matrix& matrix(MatrixId id) const { return plan.matrices[static_cast<std::size_t>(id)]; }

  LaunchShape operator()(const MultiplyLaunch& launch) const {
    const Matrix& weight = matrix(launch.matrix);
    const int64_t rows = images * launch.in.rows;
    KernelNumber kernel = launch.kernel;
    int tile_rows = launch.tile_rows;
    if (kernel == KernelNumber::product_float32)
      return {kernel, float_product_shape(rows, weight.out)};
    const bool projects =
        kernel == KernelNumber::project_int8_64 || kernel == KernelNumber::project_int8_32;
    const unsigned across = projects ? 1 : blocks_of(weight.out, kProductOutputs);
    // A block with whole rows has threads enough to fill a processor by itself.
    const int64_t enough = static_cast<int64_t>(projects ? 1 : 2) * limits.processors;
    if (static_cast<int64_t>(across) * blocks_of(rows, tile_rows) < enough) {
      kernel = lower(kernel);
      tile_rows = 32;
    }
    const bool bf16 =
        kernel == KernelNumber::product_bf16_64 || kernel == KernelNumber::product_bf16_32;
    const int64_t row_bytes = steps_of(weight.in, bf16 ? 2 : 1) * kStepBytes;
    if (projects) return {kernel, project_shape(tile_rows, rows, weight.out, row_bytes)};
    return {kernel, product_shape(tile_rows, rows, weight.out, row_bytes)};
  }
  LaunchShape operator()(const MlpLaunch& launch) const {
    const Matrix &fc1 = matrix(launch.fc1[0]), &fc2 = matrix(launch.fc2[0]);
    return {launch.kernel, mlp_shape(launch.tile_rows, images * launch.in.rows,
                                     launch.experts.has_value(), fc1.in, fc1.out, fc2.out)};
  }
  LaunchShape operator()(const FinishLaunch& launch) const {
    return {KernelNumber::finish,
            finish_shape(images * launch.in.rows, launch.in.columns, limits.shared_bytes)};
  }
  LaunchShape operator()(const AttendLaunch& launch) const {
    const AttentionPlan made = plan_attention(
        kernel_of(launch.attend), attend_args(launches.buffers, launch.attend, images),
        {static_cast<std::size_t>(limits.shared_bytes), limits.processors});
    return {number_of(made.kernel), made.shape};
  }
  LaunchShape numbers(KernelNumber kernel, int64_t count) const {
    return {kernel, {.grid_x = blocks_of(count, kElementThreads), .block_x = kElementThreads}};
  }
  LaunchShape operator()(const MapLaunch& launch) const {
    return numbers(KernelNumber::map, images * launch.out.values());
  }
  LaunchShape operator()(const ScaleLaunch& launch) const {
    return numbers(KernelNumber::scale_rows, images * launch.scale.out.values());
  }
  LaunchShape operator()(const MeanLaunch& launch) const {
    LaunchShape made = numbers(KernelNumber::mean_rows, launch.mean.out.columns);
    made.shape.grid_y = static_cast<unsigned>(images);
    return made;
  }
  LaunchShape operator()(const GatherLaunch& launch) const {
    return numbers(KernelNumber::gather, images * launch.gather.out.values());
  }
};

}  // namespace

std::vector<Use> uses_of(const Launch& launch) {
  UsesOf uses;
  std::visit(uses, launch.kind);
  return uses.list;
}

LaunchShape shape_of(const Plan& plan, const Launches& launches, const Launch& launch,
                     int64_t images, const Limits& limits) {
  LaunchShape made = std::visit(ShapeOf{plan, launches, images, limits}, launch.kind);
  made.shape.overlaps = &launch != launches.list.data();
  return made;
}

AttentionKernel kernel_of(const Attend& op) {
  switch (op.kind) {
    case AttentionKind::kSoftmax:
      if (op.bf16 && !op.integers) return AttentionKernel::kBf16;
      [[fallthrough]];
    case AttentionKind::kSoftmaxAdd:
      return op.integers ? AttentionKernel::kInt8 : AttentionKernel::kSoftmax;
    case AttentionKind::kLinear:
    case AttentionKind::kLinearAdd:
      break;
  }
  if (op.has_window()) return AttentionKernel::kWindow;
  return op.integers ? AttentionKernel::kLinear : AttentionKernel::kAngular;
}

AttendArgs attend_args(const std::vector<Buffer>& buffers, const Attend& op, int64_t images) {
  static const float kSome = 1;  // stands for a pointer that the caller puts in its place
  const auto row = [&](const Rows& rows) {
    return buffers[static_cast<std::size_t>(rows.buffer)].columns;
  };
  const auto image = [&](const Rows& rows) {
    return buffers[static_cast<std::size_t>(rows.buffer)].rows * row(rows);
  };
  AttendArgs args;
  args.shape = {.batch = images,
                .heads = op.heads,
                .queries = op.out.rows,
                .keys = op.k.rows,
                .code_dim = op.codes.width,
                .head_dim = op.head_dim,
                .q_batch = image(op.q),
                .q_row = row(op.q),
                .q_head = op.codes.width,
                .k_batch = image(op.k),
                .k_row = row(op.k),
                .k_head = op.codes.width,
                .v_batch = image(op.v),
                .v_row = row(op.v),
                .v_head = op.head_dim,
                .o_batch = image(op.out),
                .o_row = row(op.out),
                .o_head = op.head_dim};
  args.codes = op.codes.kind;
  args.value = op.values;
  const AttentionKernel kernel = kernel_of(op);
  args.factor = kernel == AttentionKernel::kLinear || kernel == AttentionKernel::kAngular
                    ? angular_factor(args.codes, op.codes.width)
                    : score_factor(args.codes, score_scale(op.scale, op.codes.width));
  if (op.temperature != kNone) args.temperature = &kSome;
  args.local = op.local;
  if (op.filter != kNone) args.local_weight = &kSome;
  args.grid = op.grid;
  return args;
}

}  // namespace shiftadd::cuda
