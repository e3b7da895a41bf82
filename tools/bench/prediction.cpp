// Writes what is predicted of a network on GPUs.
#include "tools/bench/prediction.h"

#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "model/plan.h"
#include "tools/report/figure.h"

namespace shiftadd::tools {
namespace {

using cuda::LaunchesOfKind;
using cuda::LaunchTimes;
using cuda::Prediction;

constexpr const char* kLabel = "prediction, never measured";
constexpr double kMillion = 1e6, kBillion = 1e9;
constexpr double kMiB = 1 << 20;
// A term is a multiplication and an addition.
constexpr double kOperations = 2;

const char* kernel_of(const LaunchesOfKind& kind) {
  return cuda::kKernelNames[static_cast<std::size_t>(kind.kernel)];
}
double images_per_second(const Prediction& of, double seconds) {
  return static_cast<double>(of.batch) / seconds;
}

void write_header(std::ostream& out) {
  out << std::left << std::setw(15) << "launch" << std::setw(21) << "kernel" << std::right
      << std::setw(5) << "n" << std::setw(9) << "weights" << std::setw(9) << "rows" << std::setw(9)
      << "tensor" << std::setw(9) << "tiles" << std::setw(8) << "float" << std::setw(8) << "integer"
      << std::setw(10) << "in L2"
      << "  " << std::left << std::setw(9) << "bound" << std::right << std::setw(11)
      << "from memory"
      << "  bound\n"
      << std::setw(50) << "MB" << std::setw(9) << "MB" << std::setw(9) << "GOP" << std::setw(9)
      << "GOP" << std::setw(8) << "G" << std::setw(8) << "G" << std::setw(10) << "us"
      << std::setw(22) << "us\n";
}
void write_row(std::ostream& out, const LaunchesOfKind& kind, const char* kernel) {
  const cuda::LaunchWork& work = kind.work;
  out << std::left << std::setw(15) << kind.name << std::setw(21) << kernel << std::right
      << std::setw(5) << kind.launches << std::setw(9) << figure(work.weight_bytes / kMillion, 2)
      << std::setw(9) << figure(work.activation_bytes() / kMillion, 2) << std::setw(9)
      << figure(kOperations * (work.int8_terms + work.bf16_terms) / kBillion, 3) << std::setw(9)
      << figure(kOperations * (work.int8_tiles + work.bf16_tiles) / kBillion, 3) << std::setw(8)
      << figure(work.float_ops / kBillion, 3) << std::setw(8)
      << figure(work.integer_ops / kBillion, 3) << std::setw(10)
      << figure(kMillion * kind.in_l2.total, 1) << "  " << std::left << std::setw(9)
      << name_of(kind.in_l2.bound()) << std::right << std::setw(11)
      << figure(kMillion * kind.from_memory.total, 1) << "  " << name_of(kind.from_memory.bound())
      << "\n";
}
void write_sum(std::ostream& out, const Prediction& of, const char* what, const LaunchTimes& times,
               bool applies) {
  out << what << figure(1e3 * times.total, 3) << " ms, "
      << figure(images_per_second(of, times.total), 0) << " images/s"
      << (applies ? " <- by the size of L2" : "") << "\n";
}
void write(std::ostream& out, const cuda::DeviceModel& device, const Prediction& of) {
  out << "batch " << of.batch << ", in " << of.parts << (of.parts == 1 ? " part\n" : " parts\n");
  write_header(out);
  for (const LaunchesOfKind& kind : of.kinds) write_row(out, kind, kernel_of(kind));
  LaunchesOfKind all = of.all;
  all.name = "all";
  write_row(out, all, "");
  write_sum(out, of, "weights read once, all else in L2: ", of.all.in_l2, of.fits_l2);
  write_sum(out, of, "nothing stays in L2:               ", of.all.from_memory, !of.fits_l2);
  out << "arena and weights are " << figure((of.arena_bytes + of.weight_bytes) / kMiB, 1)
      << " MiB, L2 " << figure(static_cast<double>(device.l2_bytes) / kMiB, 0) << " MiB\n";
}

nlohmann::ordered_json to_json(const LaunchTimes& times) {
  nlohmann::ordered_json json = {{"us", kMillion * times.total}, {"bound", name_of(times.bound())}};
  for (std::size_t i = 0; i < times.of.size(); ++i)
    json["us_of"][name_of(static_cast<cuda::Resource>(i))] = kMillion * times.of[i];
  return json;
}
nlohmann::ordered_json to_json(const LaunchesOfKind& kind) {
  const cuda::LaunchWork& work = kind.work;
  return {{"launches", kind.launches},
          {"weight_bytes", work.weight_bytes},
          {"image_and_logit_bytes", work.outer_bytes},
          {"read_bytes", work.read_bytes},
          {"written_bytes", work.written_bytes},
          {"int8_terms", work.int8_terms},
          {"int8_tiles", work.int8_tiles},
          {"bf16_terms", work.bf16_terms},
          {"bf16_tiles", work.bf16_tiles},
          {"float_terms", work.float_terms},
          {"float_ops", work.float_ops},
          {"integer_ops", work.integer_ops},
          {"in_l2", to_json(kind.in_l2)},
          {"from_memory", to_json(kind.from_memory)}};
}
nlohmann::ordered_json to_json(const Prediction& of) {
  nlohmann::ordered_json json = {{"what", kLabel},
                                 {"batch", of.batch},
                                 {"parts", of.parts},
                                 {"arena_bytes", of.arena_bytes},
                                 {"fits_l2", of.fits_l2},
                                 {"ms", 1e3 * of.seconds()},
                                 {"images_per_second", images_per_second(of, of.seconds())},
                                 {"all", to_json(of.all)}};
  for (const LaunchesOfKind& kind : of.kinds) {
    nlohmann::ordered_json row = {{"name", kind.name}, {"kernel", kernel_of(kind)}};
    row.update(to_json(kind));
    json["kinds"].push_back(row);
  }
  return json;
}

}  // namespace

std::vector<DevicePredictions> predictions_of(const Network& network, const PackSpec& pack,
                                              double shift_share,
                                              const std::vector<std::string>& devices,
                                              const std::vector<int64_t>& batches) {
  std::vector<double> shares = pack.shift_shares;
  if (shift_share >= 0 || shares.empty())
    shares.assign(routers_of(network).size(), shift_share >= 0 ? shift_share : 0.5);
  const Plan plan = plan_of(network, pack, false);
  std::vector<DevicePredictions> made;
  for (const std::string& name : devices) {
    DevicePredictions& of = made.emplace_back();
    of.device = &cuda::device_model(name);
    for (const int64_t batch : batches)
      of.batches.push_back(cuda::predict(plan, *of.device, batch, shares));
  }
  return made;
}

std::string to_text(const DevicePredictions& predictions, const std::string& network) {
  std::ostringstream table;
  table << network << " on " << predictions.device->title << "\n";
  for (const Prediction& of : predictions.batches) {
    table << "\n";
    write(table, *predictions.device, of);
  }
  std::istringstream lines(table.str());
  std::string text;
  for (std::string line; std::getline(lines, line);) text += concat(kLabel, " | ", line, "\n");
  return text;
}

nlohmann::ordered_json to_json(const DevicePredictions& predictions) {
  nlohmann::ordered_json json = {
      {"what", kLabel}, {"device", predictions.device->name}, {"title", predictions.device->title}};
  for (const Prediction& of : predictions.batches) json["batches"].push_back(to_json(of));
  return json;
}

}  // namespace shiftadd::tools
