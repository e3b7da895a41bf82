// Calls the kernels of each operation on its buffers; mixtures are in cpu_experts.cpp.
#include "infer/cpu_steps.h"

#include <algorithm>

#include "core/parallel.h"

namespace shiftadd::infer {

float* CpuSteps::begin(BufferId id) const {
  const auto index = static_cast<std::size_t>(id);
  const Buffer& buffer = layout_.plan.buffers[index];
  switch (buffer.storage) {
    case Storage::kImages:
      return const_cast<float*>(images_);  // steps only read it
    case Storage::kLogits:
      return logits_;
    case Storage::kTable:
      return weights_.tables[static_cast<std::size_t>(buffer.table)].data<float>();
    case Storage::kValues:
      break;
  }
  return arena_ + layout_.offsets[index];
}

int64_t CpuSteps::image_stride(const Rows& rows) const {
  const Buffer& buffer = this->buffer(rows);
  return buffer.storage == Storage::kTable ? 0 : buffer.rows * buffer.columns;
}

float* CpuSteps::at(const Rows& rows, int64_t image) const {
  return begin(rows.buffer) + image * image_stride(rows) + rows.first * buffer(rows).columns +
         rows.column;
}

bool CpuSteps::follows_on(const Rows& rows) const {
  const Buffer& buffer = this->buffer(rows);
  return count_ == 1 || (rows.rows == buffer.rows && buffer.storage != Storage::kTable);
}

QuantizedRows CpuSteps::quantized(int64_t values, int64_t scales) const {
  return {reinterpret_cast<int8_t*>(arena_ + values), arena_ + scales};
}

LinearScratch CpuSteps::linear_scratch() const {
  return {quantized(scratch_->integers, scratch_->scales), arena_ + scratch_->rounded};
}

MlpScratch CpuSteps::mlp_scratch(const LinearScratch& input) const {
  return {arena_ + scratch_->hidden, arena_ + scratch_->gated, input};
}

// Rows of an image, or tokens, under each place of the kernel; what lies outside is 0.
void CpuSteps::operator()(const Gather& op) {
  const int64_t channels = op.conv.in, kernel = op.conv.kernel, stride = op.conv.stride,
                padding = op.conv.padding;
  const Grid input = op.input, places = op.conv.grid_of(input);
  const int64_t values = op.conv.inputs();
  const bool planes = buffer(op.in).storage == Storage::kImages;
  // The number at (y, x) of a channel is channel_step and pixel_step apart from its neighbours.
  const int64_t pixel_step = planes ? 1 : channels, channel_step = planes ? input.count() : 1;
  parallel_for(count_ * places.height, [&](int64_t band) {
    const float* image = at(op.in, band / places.height);
    const int64_t top = band % places.height * stride - padding;
    float* out = at(op.out, band / places.height) + band % places.height * places.width * values;
    for (int64_t channel = 0; channel < channels; ++channel)
      for (int64_t ky = 0; ky < kernel; ++ky) {
        const int64_t y = top + ky;
        const bool inside = y >= 0 && y < input.height;
        const float* in = image + channel * channel_step + y * input.width * pixel_step;
        float* to = out + (channel * kernel + ky) * kernel;
        for (int64_t place = 0; place < places.width; ++place, to += values) {
          const int64_t left = place * stride - padding;
          if (inside && planes && left >= 0 && left + kernel <= input.width) {
            std::copy_n(in + left, kernel, to);
            continue;
          }
          for (int64_t kx = 0; kx < kernel; ++kx) {
            const int64_t x = left + kx;
            to[kx] = inside && x >= 0 && x < input.width ? in[x * pixel_step] : 0;
          }
        }
      }
  });
}

void CpuSteps::operator()(const Take& op) {
  for (int64_t image = 0; image < count_; ++image)
    std::copy_n(at(op.in, image), op.in.values(), at(op.out, image));
}

void CpuSteps::operator()(const Normalise& op) {
  const Norm& norm = weights_.norms[static_cast<std::size_t>(op.norm)];
  const bool together = follows_on(op.in) && follows_on(op.out);
  for (int64_t image = 0; image < (together ? 1 : count_); ++image)
    kernels<float>().layer_norm({.rows = op.in.rows * (together ? count_ : 1),
                                 .columns = op.in.columns,
                                 .eps = norm.eps,
                                 .x = at(op.in, image),
                                 .gamma = norm.gamma.data<float>(),
                                 .beta = norm.beta.data<float>(),
                                 .y = at(op.out, image),
                                 .mean = nullptr,
                                 .rstd = nullptr});
}

void CpuSteps::operator()(const Product& op) {
  const bool adds = op.residual.defined();
  const bool together =
      follows_on(op.in) && follows_on(op.out) && (!adds || follows_on(op.residual));
  for (int64_t image = 0; image < (together ? 1 : count_); ++image)
    apply(matrix(op.matrix), at(op.in, image), op.in.rows * (together ? count_ : 1),
          at(op.out, image), linear_scratch(),
          {.activation = op.activation, .residual = adds ? at(op.residual, image) : nullptr});
}

void CpuSteps::operator()(const Mlp& op) {
  run_mlp({matrix(op.fc1), matrix(op.fc2), op.activation}, at(op.in), count_ * op.in.rows,
          at(op.out), op.residual.defined() ? at(op.residual) : nullptr,
          mlp_scratch(linear_scratch()));
}

void CpuSteps::operator()(const Depthwise& op) {
  const int64_t channels = op.spec.width, places = op.grid.count(), padding = op.spec.kernel / 2;
  float* planes = arena_ + scratch_->planes;
  for (int64_t image = 0; image < count_; ++image) {
    const float* in = at(op.in, image);
    for (int64_t place = 0; place < places; ++place)
      for (int64_t c = 0; c < channels; ++c) planes[c * places + place] = in[place * channels + c];
    float* out = at(op.out, image);
    kernels<float>().depthwise_conv2d({.shape = {.batch = 1,
                                                 .in_channels = channels,
                                                 .height = op.grid.height,
                                                 .width = op.grid.width,
                                                 .out_channels = channels,
                                                 .kernel_h = op.spec.kernel,
                                                 .kernel_w = op.spec.kernel,
                                                 .stride = 1,
                                                 .padding = padding,
                                                 .tokens = true},
                                       .x = planes,
                                       .weight = begin(op.weight),
                                       .bias = begin(op.bias),
                                       .y = out});
  }
}

void CpuSteps::operator()(const Activate& op) {
  kernels<float>().activation(
      {op.kind, count_ * op.in.rows, op.out.columns, at(op.in), at(op.out)});
}

void CpuSteps::operator()(const Tanh& op) {
  kernels<float>().tanh({count_ * op.values.values(), at(op.values), at(op.values)});
}

void CpuSteps::operator()(const Scale& op) {
  kernels<float>().scale_channels({count_ * op.in.rows, op.in.columns, at(op.in), begin(op.factors),
                                   at(op.residual), at(op.out)});
}

void CpuSteps::operator()(const Mean& op) {
  for (int64_t image = 0; image < count_; ++image) {
    const float* in = at(op.in, image);
    float* out = at(op.out, image);
    std::fill_n(out, op.out.columns, 0.0F);
    for (int64_t row = 0; row < op.in.rows; ++row)
      for (int64_t j = 0; j < op.out.columns; ++j) out[j] += in[row * op.in.columns + j];
    for (int64_t j = 0; j < op.out.columns; ++j) out[j] /= static_cast<float>(op.in.rows);
  }
}

LinearAngularArgs<float> CpuSteps::linear_angular(const Attend& op,
                                                  const AttentionShape& shape) const {
  return {.shape = shape,
          .codes = op.codes.kind,
          .value = op.values,
          .local = op.local,
          .q = at(op.q),
          .k = at(op.k),
          .v = at(op.v),
          .local_weight = begin(op.filter),
          .thresholds = op.needs_thresholds() ? arena_ + scratch_->thresholds : nullptr,
          .out = at(op.out)};
}

// Evaluation's kernels: those whose products with codes only add.
void CpuSteps::operator()(const Attend& op) {
  const auto stride = [this](const Rows& rows) { return buffer(rows).columns; };
  const AttentionShape shape = {.batch = count_,
                                .heads = op.heads,
                                .queries = op.out.rows,
                                .keys = op.k.rows,
                                .code_dim = op.codes.width,
                                .head_dim = op.head_dim,
                                .q_batch = image_stride(op.q),
                                .q_row = stride(op.q),
                                .q_head = op.codes.width,
                                .k_batch = image_stride(op.k),
                                .k_row = stride(op.k),
                                .k_head = op.codes.width,
                                .v_batch = image_stride(op.v),
                                .v_row = stride(op.v),
                                .v_head = op.head_dim,
                                .o_batch = image_stride(op.out),
                                .o_row = stride(op.out),
                                .o_head = op.head_dim};
  const float *q = at(op.q), *k = at(op.k), *v = at(op.v);
  const double scale = score_scale(op.scale, op.codes.width);
  const ScoreArgs<float> scores = {
      .codes = op.codes.kind,
      .scale = scale,
      .temperature = op.temperature == kNone ? nullptr : begin(op.temperature)};
  const auto& kernel = kernels<float>();
  switch (op.kind) {
    case AttentionKind::kSoftmax:
    case AttentionKind::kSoftmaxAdd:
      if (op.integers) return kernel.int8_attention({shape, scores, q, k, v, at(op.out)});
      if (op.kind == AttentionKind::kSoftmaxAdd)
        return kernel.popcount_attention({shape, scores, op.values, q, k, v, at(op.out), nullptr});
      return kernel.attention({shape, scale, q, k, v, at(op.out), nullptr});
    case AttentionKind::kLinear:
    case AttentionKind::kLinearAdd:
      if (op.has_window())
        return (op.integers ? kernel.dot_window_attention : kernel.window_attention)(
            {shape, scores, op.values, op.grid, q, k, v, at(op.out)});
      if (op.codes.kind != Codes::kSign) return kernel.linear_angular(linear_angular(op, shape));
      return (op.integers ? kernel.dot_attention : kernel.add_attention)(linear_angular(op, shape));
  }
}

}  // namespace shiftadd::infer
