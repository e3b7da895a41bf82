// See gpu_report.h.
#include "tools/bench/gpu_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "tools/report/figure.h"

namespace shiftadd::tools {
namespace {

constexpr double kMicro = 1e6, kTera = 1e12;
constexpr const char* kGoalModel = "deit_tiny_patch16_224";
constexpr double kLeastOfPeer = 2.5, kMostMs = 0.25, kMostOfInt8 = 1.15;
constexpr int64_t kGoalBatch = 256;

// The peer's fastest of a network and batch, or null.
const PeerTime* best_peer(const GpuFigures& figures, const std::string& model, int64_t batch) {
  const PeerTime* best = nullptr;
  for (const PeerTime& each : figures.peers)
    if (each.model == model && each.batch == batch && (!best || each.ms < best->ms)) best = &each;
  return best;
}
// How often as fast as the peer's fastest.
std::optional<double> of_peer(const GpuFigures& figures, const std::string& model,
                              const NetworkTime& time) {
  const PeerTime* best = best_peer(figures, model, time.batch);
  if (!best) return {};
  return best->ms / time.device_ms;
}

const NetworkTime* time_of(const GpuFigures& figures, NetworkForm form, int64_t batch) {
  for (const NetworkFigures& each : figures.networks)
    for (const NetworkTime& time : each.times)
      if (each.model == kGoalModel && each.form == form && time.batch == batch) return &time;
  return nullptr;
}

struct Goal {
  const char* what;
  std::optional<double> is;  // none: not measured
  double bound;
  bool at_least;

  const char* verdict() const {
    if (!is) return "not measured";
    return (at_least ? *is >= bound : *is <= bound) ? "met" : "MISSED";
  }
};

// Times of the host executor say nothing, and no goal is met by them.
std::vector<Goal> goals_of(const GpuFigures& figures) {
  std::optional<double> beside_peer, ms, beside_int8;
  if (!figures.device.emulated) {
    if (const NetworkTime* time = time_of(figures, NetworkForm::kShiftAdd, kGoalBatch))
      beside_peer = of_peer(figures, kGoalModel, *time);
    if (const NetworkTime* time = time_of(figures, NetworkForm::kShiftAdd, 1)) ms = time->device_ms;
    for (const NetworkFigures& each : figures.networks)
      for (const NetworkTime& time : each.times) {
        const NetworkTime* ours = time_of(figures, NetworkForm::kShiftAdd, time.batch);
        if (each.model != kGoalModel || each.form != NetworkForm::kInt8 || !ours) continue;
        beside_int8 = std::max(beside_int8.value_or(0), ours->device_ms / time.device_ms);
      }
  }
  return {{"ShiftAdd DeiT-T, batch 256: images/s of the peer's best, times", beside_peer,
           kLeastOfPeer, true},
          {"ShiftAdd DeiT-T, batch 1: ms on the device", ms, kMostMs, false},
          {"ShiftAdd DeiT-T: time of dense int8 at its worst batch, times", beside_int8,
           kMostOfInt8, false}};
}

// Where the times of cuBLASLt's products come from.
std::string cublaslt_of(const GpuFigures& figures) {
  if (!figures.parts.no_library.empty()) return figures.parts.no_library;
  if (figures.parts.list.empty()) return "not measured";
  return figures.device.emulated ? "the host executor's products in its place" : "used";
}

void write_parts(std::ostream& out, const GpuFigures& figures) {
  out << "Parts of DeiT-T, each kernel by itself; launches take operands in turn that L2 no longer "
         "holds.\n\n"
      << "| part | images | shape | kernel | us | us an image | 1e12 terms/s |\n"
      << "|---|---|---|---|---|---|---|\n";
  for (const PartTime& each : figures.parts.list)
    out << "| " << each.part << " | " << each.images << " | " << each.shape << " | " << each.kernel
        << " | " << figure(kMicro * each.seconds, 2) << " | "
        << figure(kMicro * each.seconds_of_image(), 3) << " | "
        << figure(each.terms_per_second() / kTera, 2) << " |\n";
  out << "\ncuBLASLt: " << cublaslt_of(figures) << ".\n";
}

void write_networks(std::ostream& out, const GpuFigures& figures) {
  out << "\n| network | form | launches | against the CPU engine | batch | ms on the device | "
         "images/s | of the peer's best | ms from host to host | images/s from JPEGs "
         "|\n|---|---|---|---|---|---|---|---|---|---|\n";
  for (const NetworkFigures& each : figures.networks)
    for (const NetworkTime& time : each.times) {
      const std::string parity =
          each.same_bits ? "same bits" : concat("within ", figure(each.distance, 6));
      out << "| " << each.model << " | " << name_of(each.form) << " | " << each.launches << " | "
          << parity << " | " << time.batch << " | " << figure(time.device_ms, 3) << " | "
          << figure(time.images_per_second(), 0) << " | "
          << figure(of_peer(figures, each.model, time), 2, " x") << " | "
          << figure(time.whole_ms, 3) << " | " << figure(time.jpeg_images_per_second, 0) << " |\n";
    }
  out << "\nJPEGs are decoded by " << figures.threads
      << " threads of the CPU: " << figure(figures.decoded_per_second, 0)
      << " images/s where they do nothing else.\n";
}

void write_peers(std::ostream& out, const GpuFigures& figures) {
  if (figures.peers.empty()) return;
  out << "\n| peer's network | mode | batch | ms | images/s |\n|---|---|---|---|---|\n";
  for (const PeerTime& each : figures.peers)
    out << "| " << each.model << " | " << each.mode << " | " << each.batch << " | "
        << figure(each.ms, 3) << " | " << figure(1e3 * static_cast<double>(each.batch) / each.ms, 0)
        << " |\n";
}

}  // namespace

std::vector<PeerTime> read_peer_times(const std::string& file) {
  const nlohmann::json json = parse_json(read_text(file), file);
  const auto wrong = [&] {
    return user_error(file, ": expected a list of objects with model, mode (texts), batch and ms ",
                      "(numbers above 0), as tests/cuda/torch_peer.py writes it");
  };
  if (!json.is_array()) throw wrong();
  std::vector<PeerTime> times;
  for (const auto& each : json) {
    const auto has = [&](const char* key) { return each.is_object() && each.contains(key); };
    if (!has("model") || !each["model"].is_string() || !has("mode") || !each["mode"].is_string() ||
        !has("batch") || !each["batch"].is_number_integer() || !has("ms") ||
        !each["ms"].is_number())
      throw wrong();
    times.push_back({each["model"], each["mode"], each["batch"], each["ms"]});
    if (times.back().batch < 1 || !(times.back().ms > 0)) throw wrong();
  }
  return times;
}

nlohmann::ordered_json to_json(const GpuFigures& figures) {
  const shiftadd_device_description& device = figures.device;
  nlohmann::ordered_json json = {{"device", device.name},
                                 {"emulated", device.emulated != 0},
                                 {"architecture", device.architecture},
                                 {"multiprocessors", device.multiprocessors},
                                 {"decoding_threads", figures.threads},
                                 {"decoded_per_second", figures.decoded_per_second}};
  json["complete"] = figures.complete;
  json["cublaslt"] = cublaslt_of(figures);
  for (const PartTime& each : figures.parts.list)
    json["parts"].push_back({{"part", each.part},
                             {"images", each.images},
                             {"shape", each.shape},
                             {"kernel", each.kernel},
                             {"us", kMicro * each.seconds},
                             {"us_an_image", kMicro * each.seconds_of_image()},
                             {"tera_terms_per_second", each.terms_per_second() / kTera}});
  for (const NetworkFigures& each : figures.networks) {
    nlohmann::ordered_json of = {{"model", each.model},
                                 {"form", name_of(each.form)},
                                 {"launches", each.launches},
                                 {"bits_of_the_cpu", each.same_bits},
                                 {"largest_difference", each.distance}};
    for (const NetworkTime& time : each.times) {
      of["times"].push_back({{"batch", time.batch},
                             {"device_ms", time.device_ms},
                             {"images_per_second", time.images_per_second()},
                             {"whole_ms", time.whole_ms},
                             {"jpeg_images_per_second", time.jpeg_images_per_second}});
      const auto ratio = of_peer(figures, each.model, time);
      if (ratio) of["times"].back()["of_the_peers_best"] = *ratio;
    }
    json["networks"].push_back(of);
  }
  for (const PeerTime& each : figures.peers)
    json["peers"].push_back(
        {{"model", each.model}, {"mode", each.mode}, {"batch", each.batch}, {"ms", each.ms}});
  for (const Goal& goal : goals_of(figures)) {
    json["goals"].push_back({{"what", goal.what},
                             {goal.at_least ? "at_least" : "at_most", goal.bound},
                             {"verdict", goal.verdict()}});
    if (goal.is) json["goals"].back()["is"] = *goal.is;
  }
  return json;
}

std::string to_markdown(const GpuFigures& figures) {
  const shiftadd_device_description& device = figures.device;
  std::ostringstream out;
  out << "## " << device.name << ", compute capability " << device.architecture / 10 << "."
      << device.architecture % 10 << ", " << device.multiprocessors << " multiprocessors\n\n";
  if (device.emulated) out << "**No GPU: emulated on the CPU, and the times say nothing.**\n\n";
  if (!figures.complete) out << "**Cut short: these were measured before.**\n\n";
  out << "| goal | bound | is | |\n|---|---|---|---|\n";
  for (const Goal& goal : goals_of(figures))
    out << "| " << goal.what << " | " << (goal.at_least ? "at least " : "at most ")
        << figure(goal.bound, 2) << " | " << figure(goal.is, 3) << " | " << goal.verdict()
        << " |\n";
  out << "\n";
  write_networks(out, figures);
  write_peers(out, figures);
  out << "\n";
  write_parts(out, figures);
  return out.str();
}

}  // namespace shiftadd::tools
