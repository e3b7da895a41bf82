// Turns the rows that launches name into addresses.
#include "cuda/bind.h"

#include <algorithm>
#include <utility>

#include "core/memory.h"

namespace shiftadd::cuda {
namespace {

int64_t int8_stride(const Buffer& buffer) { return steps_of(buffer.columns, 1) * kStepBytes; }

class Binder {
 public:
  Binder(Device& device, const Program& program, const Limits& limits, const ArenaLayout& layout,
         const DeviceWeights& weights, const Memory& memory, const Settings& settings)
      : device_(device),
        program_(program),
        limits_(limits),
        layout_(layout),
        weights_(weights),
        memory_(memory),
        settings_(settings) {}

  void run(const Launch& launch) {
    made_ = shape_of(program_.plan, program_.launches, launch, settings_.images, limits_);
    std::visit([this](const auto& kind) { bind(kind); }, launch.kind);
  }

  void bind(const MultiplyLaunch& launch) {
    ProductArgs args;
    if (launch.patches)
      args.in.patches = patches(*launch.patches);
    else if (launch.reads_int8)
      args.in.quantized = quantized_in(launch.in);
    else
      args.in.floats = floats_in(launch.in);
    args.weight = weights_.matrix(launch.matrix);
    args.experts.rows = rows(launch.in);
    if (launch.experts) {
      args.experts = experts(*launch.experts, launch.in);
      args.expert = launch.experts->expert;
      args.gathers = launch.experts->gathers;
      args.scatters = launch.experts->scatters;
    }
    args.activation = launch.activation;
    args.finish = finish(launch.finish, launch.experts);
    if (launch.starts) args.start = start(launch);
    device_.launch(KernelOf<ProductArgs>{static_cast<uint32_t>(made_.kernel)}, made_.shape, args);
  }
  void bind(const MlpLaunch& launch) {
    MlpArgs args;
    args.in = quantized_in(launch.in);
    for (std::size_t expert = 0; expert < 2; ++expert) {
      if (launch.fc1[expert] == kNone) continue;
      args.fc1[expert] = weights_.matrix(launch.fc1[expert]);
      args.fc2[expert] = weights_.matrix(launch.fc2[expert]);
    }
    args.experts.rows = rows(launch.in);
    if (launch.experts) args.experts = experts(*launch.experts, launch.in);
    args.finish = finish(launch.finish, launch.experts);
    device_.launch(KernelOf<MlpArgs>{static_cast<uint32_t>(made_.kernel)}, made_.shape, args);
  }
  void bind(const FinishLaunch& launch) {
    FinishArgs args;
    args.in = floats_in(launch.in);
    args.rows = rows(launch.in);
    args.width = static_cast<int32_t>(launch.in.columns);
    args.finish = finish(launch.finish, {});
    device_.launch(kernels::finish, made_.shape, args);
  }
  void bind(const AttendLaunch& launch) {
    const Attend& op = launch.attend;
    AttendArgs args = attend_args(program_.launches.buffers, op, settings_.images);
    args.cut = plan_attention(kernel_of(op), args,
                              {static_cast<std::size_t>(limits_.shared_bytes), limits_.processors})
                   .cut;
    args.q = floats_in(op.q).data + op.q.first * buffer(op.q.buffer).columns;
    args.k = floats_in(op.k).data + op.k.first * buffer(op.k.buffer).columns;
    args.v = floats_in(op.v).data + op.v.first * buffer(op.v.buffer).columns;
    args.out = floats_out(op.out).data + op.out.first * buffer(op.out.buffer).columns;
    if (op.temperature != kNone) args.temperature = begin(op.temperature);
    if (op.filter != kNone) args.local_weight = begin(op.filter);
    device_.launch(KernelOf<AttendArgs>{static_cast<uint32_t>(made_.kernel)}, made_.shape, args);
  }
  void bind(const MapLaunch& launch) {
    device_.launch(kernels::map, made_.shape,
                   MapArgs{floats_in(launch.in), floats_out(launch.out), rows(launch.out),
                           static_cast<int32_t>(launch.out.columns), launch.function});
  }
  void bind(const ScaleLaunch& launch) {
    const Scale& op = launch.scale;
    device_.launch(
        kernels::scale_rows, made_.shape,
        ScaleArgs{floats_in(op.in), floats_in(op.residual), floats_out(op.out), begin(op.factors),
                  rows(op.out), static_cast<int32_t>(op.out.columns)});
  }
  void bind(const MeanLaunch& launch) {
    const Mean& op = launch.mean;
    device_.launch(
        kernels::mean_rows, made_.shape,
        MeanArgs{floats_in(op.in), floats_out(op.out), static_cast<int32_t>(op.in.rows),
                 static_cast<int32_t>(op.out.columns), static_cast<int32_t>(settings_.images)});
  }
  void bind(const GatherLaunch& launch) {
    const Gather& op = launch.gather;
    const Buffer& in = buffer(op.in.buffer);
    const bool images = in.storage == Storage::kImages;
    const Grid places = op.conv.grid_of(op.input);
    GatherArgs args;
    if (images && memory_.pixels) {
      args.pixels = memory_.pixels;
      args.levels = memory_.levels;
    } else {
      args.in = floats_in(op.in).data;
    }
    const bool planes = images && !memory_.pixels;
    args.image_step = in.rows * in.columns;
    args.channel_step = planes ? op.input.count() : 1;
    args.pixel_step = planes ? 1 : op.conv.in;
    args.channels = static_cast<int32_t>(op.conv.in);
    args.height = static_cast<int32_t>(op.input.height);
    args.width = static_cast<int32_t>(op.input.width);
    args.kernel = static_cast<int32_t>(op.conv.kernel);
    args.stride = static_cast<int32_t>(op.conv.stride);
    args.padding = static_cast<int32_t>(op.conv.padding);
    args.places_down = static_cast<int32_t>(places.height);
    args.places_across = static_cast<int32_t>(places.width);
    args.images = static_cast<int32_t>(settings_.images);
    args.out = floats_out(op.out).data;
    device_.launch(kernels::gather, made_.shape, args);
  }

 private:
  const Buffer& buffer(BufferId id) const {
    return program_.launches.buffers[static_cast<std::size_t>(id)];
  }
  int32_t rows(const Rows& of) const { return static_cast<int32_t>(of.rows * settings_.images); }
  float* begin(BufferId id) const {
    const Buffer& of = buffer(id);
    switch (of.storage) {
      case Storage::kImages:
        return const_cast<float*>(memory_.images);  // kernels only read them
      case Storage::kLogits:
        return memory_.logits;
      case Storage::kTable:
        return const_cast<float*>(weights_.table(of.table));
      case Storage::kValues:
        break;
    }
    return memory_.arena + layout_.floats[static_cast<std::size_t>(id)];
  }
  RowIndex index(const Rows& of) const {
    const Buffer& all = buffer(of.buffer);
    return {static_cast<int32_t>(of.rows),
            all.storage == Storage::kTable ? 0 : static_cast<int32_t>(all.rows),
            static_cast<int32_t>(of.first)};
  }
  RowsAt<float> floats_out(const Rows& of) const {
    if (!of.defined()) return {};
    return {begin(of.buffer) + of.column, index(of),
            static_cast<int32_t>(buffer(of.buffer).columns)};
  }
  RowsAt<const float> floats_in(const Rows& of) const {
    const RowsAt<float> at = floats_out(of);
    return {at.data, at.rows, at.stride};
  }
  QuantizedOut quantized_out(const Rows& of) const {
    const auto id = static_cast<std::size_t>(of.buffer);
    return {reinterpret_cast<int8_t*>(memory_.arena + layout_.int8[id]),
            memory_.arena + layout_.scales[id], index(of),
            static_cast<int32_t>(int8_stride(buffer(of.buffer)))};
  }
  QuantizedIn quantized_in(const Rows& of) const {
    const QuantizedOut at = quantized_out(of);
    return {at.values, at.scales, at.rows, at.stride};
  }
  PatchesAt patches(const Gather& op) const {
    return {.planes = memory_.images,
            .pixels = memory_.pixels,
            .levels = memory_.levels,
            .numbers = memory_.patch_numbers,
            .channels = static_cast<int32_t>(op.conv.in),
            .height = static_cast<int32_t>(op.input.height),
            .width = static_cast<int32_t>(op.input.width),
            .kernel = static_cast<int32_t>(op.conv.kernel)};
  }
  int32_t* order(BufferId id) const { return reinterpret_cast<int32_t*>(begin(id)); }
  ExpertRows experts(const ExpertUse& use, const Rows& in) const {
    return {order(use.order), memory_.counts + 2 * use.router, rows(in)};
  }

  StartOfForward start(const MultiplyLaunch& launch) const {
    StartOfForward start;
    start.counts = memory_.counts;
    start.count_of_counts = static_cast<int32_t>(2 * settings_.routers);
    if (launch.prefix.empty()) return start;
    const Buffer& x = buffer(launch.finish.out.buffer);
    start.prefix = weights_.joined();
    for (const Take& take : launch.prefix) start.prefix_rows += static_cast<int32_t>(take.out.rows);
    start.images = static_cast<int32_t>(settings_.images);
    start.out = begin(launch.finish.out.buffer);
    start.image_rows = static_cast<int32_t>(x.rows);
    return start;
  }
  RouteOut route(const Route& op) const {
    RouteOut out;
    out.order = order(op.order);
    out.counts = memory_.counts + 2 * op.index;
    if (op.router != kNone) {
      const WeightAt& weight = weights_.matrix(op.router);
      out.weight = static_cast<const float*>(weight.data);
      out.bias = weight.bias;
    }
    if (op.gate == GateKind::kProbability) out.gates = begin(op.gates);
    if (memory_.choices) out.choices = memory_.choices + op.first_choice;
    out.choice_stride = static_cast<int32_t>(settings_.choices_of_image);
    out.tokens = static_cast<int32_t>(op.in.rows);
    out.rows = rows(op.in);
    out.shift_share = settings_.shift_share;
    return out;
  }
  FinishRows finish(const Finish& of, const std::optional<ExpertUse>& use) {
    FinishRows rows;
    if (use && use->gates != kNone) rows.gates = begin(use->gates);
    rows.residual = floats_in(of.residual);
    rows.out = floats_out(of.out);
    if (of.norm != kNone) {
      const NormAt& norm = weights_.norm(of.norm);
      rows.gamma = norm.gamma;
      rows.beta = norm.beta;
      rows.eps = norm.eps;
    }
    if (of.keeps_floats) rows.normed = floats_out(of.normed);
    if (of.quantizes) rows.quantized = quantized_out(of.normed);
    if (of.route) rows.route = route(*of.route);
    return rows;
  }

  Device& device_;
  const Program& program_;
  const Limits& limits_;
  const ArenaLayout& layout_;
  const DeviceWeights& weights_;
  const Memory& memory_;
  const Settings& settings_;
  LaunchShape made_;
};

}  // namespace

Program::Program(Plan its_plan, const Limits& limits)
    : plan(std::move(its_plan)), launches(launches_of(plan, limits)) {}

// Each buffer lives from the first launch that uses it to the last.
ArenaLayout::ArenaLayout(const Launches& launches, int64_t images) {
  const std::size_t count = launches.buffers.size();
  std::vector<BufferRequest> requests(3 * count, {0, 0, -1});  // floats, int8 numbers, scales
  const auto request = [&](std::size_t at, int64_t size, int launch) {
    if (requests[at].last < 0) requests[at] = {size, launch, launch};
    requests[at].last = launch;
  };
  for (std::size_t i = 0; i < launches.list.size(); ++i)
    for (const Use& use : uses_of(launches.list[i])) {
      const auto id = static_cast<std::size_t>(use.buffer);
      const Buffer& buffer = launches.buffers[id];
      const int64_t rows = buffer.rows * images;
      if (buffer.storage != Storage::kValues) continue;
      const auto launch = static_cast<int>(i);
      if (use.int8) {
        request(count + id, (rows * int8_stride(buffer) + 3) / 4, launch);
        request(2 * count + id, rows, launch);
      } else {
        request(id, rows * buffer.columns, launch);
      }
    }
  const MemoryPlan plan = plan_memory(requests);
  const auto part = [&](std::size_t first) {
    const auto begin = plan.offsets.begin() + static_cast<std::ptrdiff_t>(first);
    return std::vector<int64_t>(begin, begin + static_cast<std::ptrdiff_t>(count));
  };
  floats = part(0);
  int8 = part(count);
  scales = part(2 * count);
  size = plan.floats;
}

std::vector<PatchNumber> patch_numbers(const Launches& launches, bool pixels) {
  std::vector<PatchNumber> numbers;
  for (const Launch& launch : launches.list) {
    const auto* product = std::get_if<MultiplyLaunch>(&launch.kind);
    if (!product || !product->patches) continue;
    const Gather& op = *product->patches;
    for (int64_t channel = 0; channel < op.conv.in; ++channel)
      for (int64_t y = 0; y < op.conv.kernel; ++y)
        for (int64_t x = 0; x < op.conv.kernel; ++x) {
          const int64_t at = pixels ? (y * op.input.width + x) * op.conv.in + channel
                                    : (channel * op.input.height + y) * op.input.width + x;
          numbers.push_back(
              {static_cast<int32_t>(at), static_cast<int32_t>(channel * kByteValues)});
        }
    break;  // images are read once
  }
  return numbers;
}

void launch_all(Device& device, const Program& program, const Limits& limits,
                const ArenaLayout& layout, const DeviceWeights& weights, const Memory& memory,
                const Settings& settings) {
  Binder binder(device, program, limits, layout, weights, memory, settings);
  for (const Launch& launch : program.launches.list) binder.run(launch);
}

}  // namespace shiftadd::cuda
