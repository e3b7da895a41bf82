// Mixtures of two primitives: tokens are sorted by the expert their router names, each expert runs
// on its own alone (You et al. 2023, arXiv 2306.06446, section 4.3).
#pragma once

#include <cstdint>
#include <utility>

#include "infer/layer_times.h"
#include "infer/linear.h"
#include "model/shift_add_spec.h"

namespace shiftadd::infer {

/// What a router reports, in place of an expert, of a token whose output nothing reads.
inline constexpr uint8_t kNotRouted = 255;

/// A layer, or a router and the two experts it chooses from.
template <class Layer>
struct Mixture {
  Layer experts[2];  // multiplies, shifts; without a router the first is the layer
  Linear router;     // (2, width); empty for a fixed split
  bool routed = false;
};

/// Room for `rows` tokens of a mixture.
struct MixtureRoom {
  float* logits = nullptr;    // (rows, 2)
  int32_t* order = nullptr;   // (rows)
  float* gathered = nullptr;  // (rows, width)
  float* outputs = nullptr;   // (rows, outputs); may be `gathered` where an expert allows it
};

/// Below 0: as the routers choose. Else the share of tokens that every router sends to Shift,
/// spread evenly, whatever its logits say (which are computed all the same): for measurements.
inline constexpr double kAsRouted = -1;

/// Where to write the expert of each token: image i, token t at to[i * image_stride + t]; null:
/// nowhere.
struct ChoiceSink {
  uint8_t* to = nullptr;
  int64_t image_stride = 0, tokens = 0;  // tokens of an image that are routed
};

/// Routes x (rows, width): room.logits, and room.order: the rows of the first expert ascending,
/// then those of the second. With gate `probability` logits become probabilities; with
/// `fixed_split` router and logits are unused. Returns how many the first expert gets.
int64_t route(const Linear& router, const float* x, int64_t rows, GateKind gate, double shift_share,
              const MixtureRoom& room, const ChoiceSink& sink);
/// room.gathered[i] = x[room.order[i]].
void gather(const MixtureRoom& room, const float* x, int64_t rows, int64_t width);
/// y[room.order[i]] = gate room.outputs[i] + residual[room.order[i]]; residual may be y, or null.
/// The first `first` rows are the first expert's.
void scatter(const MixtureRoom& room, int64_t rows, int64_t first, int64_t outputs, GateKind gate,
             const float* residual, float* y);
/// Rows [begin, end) of room.order only, on the calling thread.
void scatter_rows(const MixtureRoom& room, int64_t begin, int64_t end, int64_t first,
                  int64_t outputs, GateKind gate, const float* residual, float* y);

/// y (rows, outputs) = layer(x (rows, width)) + residual. run(layer, x, rows, y, residual) runs one
/// expert on contiguous rows; it may overwrite its x. times: of router and experts, or null.
template <class Layer, class Run>
void run_mixture(const Mixture<Layer>& layer, float* x, int64_t rows, int64_t width,
                 int64_t outputs, GateKind gate, double shift_share, const float* residual,
                 float* y, const MixtureRoom& room, const ChoiceSink& sink, const Run& run,
                 PartSeconds* times) {
  if (!layer.routed) return run(layer.experts[0], x, rows, y, residual);
  int64_t first;
  {
    const LayerTimer timer(times, LayerPart::kRouter);
    first = route(layer.router, x, rows, gate, shift_share, room, sink);
    gather(room, x, rows, width);
  }
  for (const auto& [expert, begin, end] :
       {std::tuple{kMultExpert, int64_t{0}, first}, std::tuple{kShiftExpert, first, rows}})
    if (begin < end) {
      const LayerTimer timer(
          times, expert == kMultExpert ? LayerPart::kMultExpert : LayerPart::kShiftExpert);
      run(layer.experts[expert], room.gathered + begin * width, end - begin,
          room.outputs + begin * outputs, nullptr);
    }
  const LayerTimer timer(times, LayerPart::kRouter);
  scatter(room, rows, first, outputs, gate, residual, y);
}

}  // namespace shiftadd::infer
