// See gpu_peers.h.
#include "tools/bench/gpu_peers.h"

#include "core/error.h"
#include "tools/bench/gpu_operands.h"

namespace shiftadd::tools {
namespace {

using namespace cuda;

struct PeerKernel {
  const char* name;
  shiftadd_dense_kind kind;
};
constexpr PeerKernel kPeerKernels[] = {{"cuBLASLt int8 to int32", SHIFTADD_DENSE_INT8},
                                       {"cuBLASLt bf16 to float32", SHIFTADD_DENSE_BF16},
                                       {"cuBLASLt tf32", SHIFTADD_DENSE_TF32}};

struct PeerOperands {
  const void *a, *b;
  void* c;
};

const void* numbers(GpuOperands& operands, uint32_t kind, int64_t count) {
  if (kind == SHIFTADD_DENSE_INT8) return operands.bytes(count);
  if (kind == SHIFTADD_DENSE_BF16) return operands.bf16(count);
  return operands.floats(count);
}

PeerOperands operands_of(GpuOperands& operands, const shiftadd_dense_shape& of) {
  return {numbers(operands, of.kind, of.products * of.rows * of.inputs),
          numbers(operands, of.kind, of.products * of.outputs * of.inputs),
          operands.unset(of.products * of.rows * of.outputs * static_cast<int64_t>(sizeof(float)))};
}

GpuLaunch launch_of(Device& device, GpuOperands& operands,
                    const std::vector<shiftadd_dense_shape>& products) {
  std::vector<PeerOperands> each;
  for (const auto& product : products) each.push_back(operands_of(operands, product));
  return [&device, products, each] {
    for (std::size_t i = 0; i < products.size(); ++i) {
      const std::string missing =
          device.dense_product(products[i], each[i].a, each[i].b, each[i].c);
      if (!missing.empty()) throw failure(missing);
    }
  };
}

// Why the device lacks one of the products; empty: it has all.
std::string missing_of(Device& device, const std::vector<shiftadd_dense_shape>& products) {
  for (const auto& product : products) {
    GpuOperands operands(device);
    const PeerOperands of = operands_of(operands, product);
    const std::string missing = device.dense_product(product, of.a, of.b, of.c);
    device.synchronise();
    if (!missing.empty()) return missing;
  }
  return "";
}

double terms_of(const std::vector<shiftadd_dense_shape>& products) {
  double terms = 0;
  for (const auto& of : products)
    terms +=
        static_cast<double>(of.products * of.rows) * static_cast<double>(of.outputs * of.inputs);
  return terms;
}

}  // namespace

void time_peers(Device& device, const PartTime& part, const std::string& what,
                const std::vector<PeerProducts>& launches, uint32_t times, PartTimes& found) {
  for (const PeerKernel& peer : kPeerKernels) {
    std::vector<shiftadd_dense_shape> products;
    for (const PeerProducts& each : launches)
      products.push_back({peer.kind, each.count, each.rows, each.outputs, each.inputs});
    const std::string missing = missing_of(device, products);
    if (!missing.empty()) {
      found.no_library = missing;
      continue;
    }
    PartTime row = part;
    row.kernel = what.empty() ? peer.name : concat(peer.name, ": ", what);
    row.terms = terms_of(products);
    row.seconds = seconds_of(device, times, [&](GpuOperands& operands) {
      return launch_of(device, operands, products);
    });
    found.list.push_back(row);
  }
}

}  // namespace shiftadd::tools
