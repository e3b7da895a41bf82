// Attention transfer: teaches new attention to answer as the attention it replaces, before any
// end-to-end step.
//
// All converted blocks learn at once. First each on the dense network's own activations: block i is
// given what the dense block's norm1 gave, and is to give what the dense attention gave after proj.
// Then, for the last part of the steps, each on the student's own activations, as it will run: it
// is to bring the residual stream to where the dense attention brings the dense one, and so makes
// up for what the blocks before it did not reach. Only qkv, proj, the local convolution of v and
// the temperatures move, these from where train/temperature.h has them start, and no gradient
// crosses a block.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "layers/model.h"
#include "train/image_source.h"

namespace shiftadd::train {

struct TransferOptions {
  int64_t steps = 150;
  double lr = 1e-2;      // AdamW's, without weight decay; cosine to 0
  double warm_up = 0.1;  // the share of the steps over which lr rises from 0
  double own = 0.5;      // the share of the steps, at the end, on the student's own activations
  uint64_t seed = 0;     // of the routers' noise
  bool smooth_codes = false;  // whole codes learn through autograd::smooth_codes
};

struct TransferProgress {
  int64_t step = 0, steps = 0;  // steps done
  double error = 0;             // mean of the blocks' relative errors in this step
};

/// Relative squared error sum (y - t)^2 / sum t^2 of a block's attention output y against what it
/// is to give, t, on the first batch, before the first step and after the last; on the activations
/// of the last steps: the student's, unless TransferOptions::own is 0.
struct BlockTransfer {
  int64_t block = 0;
  double before = 0, after = 0;
};

/// The blocks whose attention is of another kind than in `dense`: those that are trained. Throws
/// Error (user) where the two networks differ in more than their conversion.
std::vector<int64_t> transferred_blocks(const ModelSpec& student, const ModelSpec& dense);
std::vector<int64_t> transferred_blocks(const Network& student, const Network& dense);

/// Trains the attention of transferred_blocks; nothing where there are none. The loss is the sum of
/// the blocks' relative errors, over the tokens that are read: of a last block that answers for the
/// class token alone, that one.
///
/// A mixture in place of qkv or proj is trained, too: its tokens are sent by the router with the
/// noise a stage begins with, so that both experts see all kinds of tokens; the router itself stays
/// as it is. Parameters that require no gradient stay. The same images and seed give the same bits
/// with any number of threads.
///
/// Takes one or two minutes where a stage takes hours, so it keeps no state to resume from: nothing
/// is returned when `stop` became true, `student` is then half trained, and the run does the whole
/// transfer again from the weights that surgery gave. Throws Error (failure) when the error is no
/// longer finite.
std::optional<std::vector<BlockTransfer>> transfer_attention(
    layers::Model& student, const layers::Model& dense, const NextImages& next_images,
    const TransferOptions& options, const std::atomic<bool>& stop,
    const std::function<void(const TransferProgress&)>& report = {});

/// "block 2: relative error of attention 1.234 -> 0.345".
std::string to_text(const BlockTransfer& transfer);

}  // namespace shiftadd::train
