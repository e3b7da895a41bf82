// Which kernels run a plan on a device, and how they are launched: a pure function of the plan and
// what the device may hold, without one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cuda/attention.h"
#include "cuda/elementwise.h"
#include "cuda/kernel_list.h"
#include "cuda/product.h"
#include "model/plan.h"

namespace shiftadd::cuda {

/// What a device may hold.
struct Limits {
  int64_t shared_bytes = 0;  // of a block, at most
  int32_t processors = 1;
};

/// What follows a product, or rows as they are: FinishRows before it is bound to memory.
struct Finish {
  Rows residual = {}, out = {};  // undefined: none
  NormId norm = kNone;
  Rows normed = {};  // what the norm makes, or, without a norm, the row itself
  bool keeps_floats = false, quantizes = false;  // of `normed`
  std::optional<Route> route = {};               // of `normed`
};

/// Rows of one expert, or of both: as an Experts step says.
struct ExpertUse {
  BufferId order = kNone, gates = kNone;  // gates: kNone where outputs are not multiplied
  int64_t router = 0;                     // of routers_of
  int expert = 0;
  bool gathers = false, scatters = false;
};

struct MultiplyLaunch {
  KernelNumber kernel;
  int tile_rows = 0;
  MatrixId matrix = kNone;
  Rows in;
  bool reads_int8 = false;
  std::optional<Gather> patches = {};  // instead of `in`
  bool starts = false;                 // the first product: StartOfForward
  Activation activation = Activation::kNone;
  Finish finish = {};
  std::optional<ExpertUse> experts = {};
  std::vector<Take> prefix = {};  // tables that become the first rows of each image
};
struct MlpLaunch {
  KernelNumber kernel;
  int tile_rows = 0;
  std::array<MatrixId, 2> fc1 = {kNone, kNone}, fc2 = {kNone, kNone};
  Rows in;  // int8
  Finish finish = {};
  std::optional<ExpertUse> experts = {};
};
struct FinishLaunch {
  Rows in;
  Finish finish = {};
};
struct AttendLaunch {
  Attend attend;
};
struct MapLaunch {
  Function function;
  Rows in, out;
};
struct ScaleLaunch {
  Scale scale;
};
struct MeanLaunch {
  Mean mean;
};
struct GatherLaunch {
  Gather gather;
};
using LaunchKind = std::variant<MultiplyLaunch, MlpLaunch, FinishLaunch, AttendLaunch, MapLaunch,
                                ScaleLaunch, MeanLaunch, GatherLaunch>;

struct Launch {
  std::string name;  // of the first step of the plan that it does
  LayerId layer;     // and that step's
  LaunchKind kind;
};

/// The launches of a forward pass, on the plan's buffers and some more. Rows that are read as int8
/// numbers lie beside the buffer of that number (Use::int8).
struct Launches {
  std::vector<Buffer> buffers;  // the plan's, then those that only these launches have
  std::vector<Launch> list;
};

/// Throws Error (failure) for a plan with a step that no kernel does, naming it.
Launches launches_of(const Plan& plan, const Limits& limits);

/// A buffer that a launch reads or writes, as floats or as int8 numbers with a scale a row.
struct Use {
  BufferId buffer;
  bool int8;
  bool writes;
  int64_t rows = 0, columns = 0;  // of each image; 0: all of the buffer's
};
std::vector<Use> uses_of(const Launch& launch);

/// Which kernel a launch is for so many images, and its grid.
struct LaunchShape {
  KernelNumber kernel;
  simt::Shape shape;
};
LaunchShape shape_of(const Plan& plan, const Launches& launches, const Launch& launch,
                     int64_t images, const Limits& limits);

/// What a kernel of attention gets but for pointers, for so many images.
AttendArgs attend_args(const std::vector<Buffer>& buffers, const Attend& op, int64_t images);
AttentionKernel kernel_of(const Attend& op);

}  // namespace shiftadd::cuda
