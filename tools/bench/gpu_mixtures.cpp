// Grouped experts: the MLP of a DeiT-T block whose tokens go to Mult, to Shift, or half to each, in
// one kernel, beside the MLP without a choice.
#include "core/error.h"
#include "cuda/product.h"
#include "tools/bench/gpu_operands.h"
#include "tools/bench/gpu_parts.h"
#include "tools/bench/gpu_peers.h"

namespace shiftadd::tools {
namespace {

using namespace cuda;

constexpr int64_t kTokens = 197, kWidth = 192, kHidden = 768;
constexpr int kTileRows = 32;

struct Form {
  const char* name;
  bool mixes;
  int of_two;  // how many of two neighbours go to Shift
};
constexpr Form kForms[] = {{"one int8 MLP, no experts", false, 0},
                           {"mixture, all to Mult (int8)", true, 0},
                           {"mixture, half to Shift (powers of two)", true, 1},
                           {"mixture, all to Shift", true, 2}};

// Which rows the experts have, as routers write it.
ExpertRows experts(GpuOperands& operands, int64_t rows, int of_two) {
  std::vector<int32_t> order(static_cast<std::size_t>(rows));
  int32_t front = 0, back = 0;
  for (int32_t row = 0; row < rows; ++row) {
    const bool shifts = row % 2 < of_two;
    const auto place = shifts ? static_cast<int32_t>(rows) - 1 - back++ : front++;
    order[static_cast<std::size_t>(place)] = row;
  }
  return {operands.integers(order), operands.integers({front, back}), static_cast<int32_t>(rows)};
}

// With residual and the next norm, as in a network.
GpuLaunch launch_of(Device& device, GpuOperands& operands, int64_t rows, const Form& form) {
  MlpArgs args;
  args.in = as_input(operands.int8_rows(rows, kWidth));
  args.fc1[0] = operands.weight(WeightKind::kInt8, kHidden, kWidth);
  args.fc2[0] = operands.weight(WeightKind::kInt8, kWidth, kHidden);
  args.experts.rows = static_cast<int32_t>(rows);
  if (form.mixes) {
    args.fc1[1] = operands.weight(WeightKind::kNibbles, kHidden, kWidth);
    args.fc2[1] = operands.weight(WeightKind::kNibbles, kWidth, kHidden);
    args.experts = experts(operands, rows, form.of_two);
  }
  args.finish.residual = as_input(operands.float_rows(rows, kWidth));
  args.finish.out = operands.float_rows(rows, kWidth);
  args.finish.gamma = operands.floats(kWidth);
  args.finish.beta = operands.floats(kWidth);
  args.finish.eps = 1e-6;
  args.finish.quantized = operands.int8_rows(rows, kWidth);
  const simt::Shape shape = mlp_shape(kTileRows, rows, form.mixes, kWidth, kHidden, kWidth);
  return [&device, shape, args] { device.launch(kernels::mlp_int8_32, shape, args); };
}

}  // namespace

void time_mixtures(Device& device, int64_t images, uint32_t times, PartTimes& found) {
  const int64_t rows = kTokens * images;
  const std::string shape = concat(rows, " x ", kWidth, " x ", kHidden, " and back");
  for (const Form& form : kForms)
    found.list.push_back({"MLP", images, shape, form.name,
                          static_cast<double>(2 * rows * kWidth * kHidden),
                          seconds_of(device, times, [&](GpuOperands& operands) {
                            return launch_of(device, operands, rows, form);
                          })});
  time_peers(device, {"MLP", images, shape}, "fc1, fc2",
             {{1, rows, kHidden, kWidth}, {1, rows, kWidth, kHidden}}, times, found);
}

}  // namespace shiftadd::tools
