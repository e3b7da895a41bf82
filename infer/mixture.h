// Mixtures of two primitives: tokens are sorted by the expert their router names, each expert runs
// on its own alone (You et al. 2023, arXiv 2306.06446, section 4.3).
#pragma once

#include <cstdint>

#include "infer/linear.h"
#include "model/shift_add_spec.h"

namespace shiftadd::infer {

/// What a router reports, in place of an expert, of a token whose output nothing reads.
inline constexpr uint8_t kNotRouted = 255;

/// Below 0: as the routers choose. Else the share of tokens that every router sends to Shift,
/// spread evenly, whatever its logits say (which are computed all the same): for measurements.
inline constexpr double kAsRouted = -1;

/// Where to write the expert of each token: image i, token t at to[i * image_stride + t]; null:
/// nowhere.
struct ChoiceSink {
  uint8_t* to = nullptr;
  int64_t image_stride = 0, tokens = 0;  // tokens of an image that are routed
};

/// What a router decided of `rows` tokens.
struct Routed {
  const int32_t* order = nullptr;  // (rows): rows of the first expert ascending, then the second's
  const float* gates = nullptr;    // (rows, 2), with gate `probability`
  int64_t rows = 0, first = 0;     // how many the first expert gets
};

/// Routes x (rows, width): order (rows), and gates (rows, 2): the router's logits or, with gate
/// `probability`, its probabilities. With `fixed_split`, router (null) and gates are unused.
/// Returns how many rows the first expert gets.
int64_t route(const Linear* router, const float* x, int64_t rows, GateKind gate, double shift_share,
              int32_t* order, float* gates, const ChoiceSink& sink);

/// gathered[i] = x[order[i]], rows of `width` numbers.
void gather(const Routed& routed, const float* x, int64_t width, float* gathered);
/// y[order[i]] = gate outputs[i] + residual[order[i]] for rows [begin, end) of the order, of
/// `width` numbers each; residual may be y, or null; outputs are overwritten. On the calling
/// thread.
void scatter_rows(const Routed& routed, int64_t begin, int64_t end, int64_t width, GateKind gate,
                  float* outputs, const float* residual, float* y);
/// All rows, on all threads.
void scatter(const Routed& routed, int64_t width, GateKind gate, float* outputs,
             const float* residual, float* y);

}  // namespace shiftadd::infer
