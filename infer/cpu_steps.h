// The steps of a plan on the CPU: one function an operation.
#pragma once

#include "infer/cpu_layout.h"
#include "infer/mixture.h"
#include "infer/mlp.h"
#include "infer/weights.h"

namespace shiftadd::infer {

/// Runs the steps of one layout for a few images. A missing operation does not compile.
class CpuSteps {
 public:
  /// arena: layout.floats; images: `count` <= layout.images of them.
  CpuSteps(const CpuLayout& layout, const Weights& weights, float* arena, int64_t count,
           const float* images, float* logits)
      : layout_(layout),
        weights_(weights),
        arena_(arena),
        count_(count),
        images_(images),
        logits_(logits) {}

  /// Of an image `image_stride` choices; `to` may be null.
  void write_choices(uint8_t* to, int64_t image_stride) {
    choices_ = to;
    choice_stride_ = image_stride;
  }
  void force_shift_share(double share) { shift_share_ = share; }

  void run(std::size_t step) {
    scratch_ = &layout_.scratch[step];
    std::visit(*this, layout_.plan.steps[step].operation);
  }

  void operator()(const Gather& op);
  void operator()(const Take& op);
  void operator()(const Normalise& op);
  void operator()(const Product& op);
  void operator()(const Mlp& op);
  void operator()(const Depthwise& op);
  void operator()(const Activate& op);
  void operator()(const Tanh& op);
  void operator()(const Scale& op);
  void operator()(const Attend& op);
  void operator()(const Route& op);
  void operator()(const Experts& op);
  void operator()(const Mean& op);

 private:
  const Linear& matrix(MatrixId id) const {
    return weights_.matrices[static_cast<std::size_t>(id)];
  }
  const Buffer& buffer(const Rows& rows) const {
    return layout_.plan.buffers[static_cast<std::size_t>(rows.buffer)];
  }
  float* begin(BufferId id) const;
  float* at(const Rows& rows, int64_t image = 0) const;
  int64_t image_stride(const Rows& rows) const;  // in floats; 0 for tables
  bool follows_on(const Rows& rows) const;       // the rows of all images lie one after the other
  LinearScratch linear_scratch() const;
  MlpScratch mlp_scratch(const LinearScratch& input) const;
  QuantizedRows quantized(int64_t values, int64_t scales) const;
  LinearAngularArgs<float> linear_angular(const Attend& op, const AttentionShape& shape) const;
  MlpLayers mlp(const Experts& op, int expert) const;
  void run_mlps_by_index(const Experts& op, const Routed& routed);
  void run_gathered(const Experts& op, const Routed& routed);

  const CpuLayout& layout_;
  const Weights& weights_;
  float* const arena_;
  const int64_t count_;
  const float* const images_;
  float* const logits_;
  uint8_t* choices_ = nullptr;
  int64_t choice_stride_ = 0;
  double shift_share_ = kAsRouted;
  const Scratch* scratch_ = nullptr;  // of the step that runs
  int64_t first_ = 0;                 // rows of the first expert, as the last Route found
};

}  // namespace shiftadd::infer
