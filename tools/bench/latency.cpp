// shiftadd-bench latency: Mult against Shift for each router, into latency.json.
#include <iomanip>
#include <iostream>
#include <string>

#include "core/error.h"
#include "core/parallel.h"
#include "infer/latency_probe.h"
#include "tools/archs.h"
#include "tools/bench/commands.h"
#include "tools/bench/network.h"
#include "tools/outputs.h"

namespace shiftadd::tools {
namespace {

struct LatencyOptions {
  std::string model, out = "latency.json";
  std::string multiply;  // what layers that multiply compute in; a packed file's own
  infer::LatencyOptions probe;
  int threads = available_cores();
  bool json = false;
};

void print_latency(const LatencyReport& report) {
  std::cout << report.model << ", " << report.tokens << " tokens (batch " << report.batch << "), "
            << report.threads << " threads, " << report.isa << " on " << report.cpu << "\n"
            << "  Mult is " << report.mult << ", Shift " << report.shift << "; medians of at least "
            << report.repeats << " runs\n"
            << std::fixed << std::setprecision(4);
  for (const RouterLatency& router : report.routers)
    std::cout << "  " << std::left << std::setw(22) << router.name << std::right << "Mult "
              << router.mult_ms << " ms, Shift " << router.shift_ms << " ms, Mult / Shift "
              << std::setprecision(2) << router.mult_ms / router.shift_ms << std::setprecision(4)
              << "\n";
  const auto [mult, shift] = report.alpha();
  std::cout << std::setprecision(3) << "  alpha: Mult " << mult << ", Shift " << shift << "\n";
}

int run_latency(const LatencyOptions& options) {
  Outputs outputs("shiftadd-bench");
  if (!is_known_arch(options.model)) outputs.input("model", options.model);
  if (options.out.empty()) throw user_error("--out is empty: expected the name of a file");
  outputs.file("--out", options.out);
  outputs.check();
  set_num_threads(options.threads);
  infer::LatencyOptions probe = options.probe;
  const ModelFile model = open_or_make(options.model);
  if (!options.multiply.empty()) {
    if (model.pack)
      throw user_error(options.model, ": is packed in ", name_of(model.pack->multiply),
                       " already: leave --multiply out");
    probe.pack = pack_in(options.multiply);
  }
  const LatencyReport report = infer::measure_latency(model, probe);
  if (options.json)
    std::cout << to_text(report);
  else
    print_latency(report);
  std::cout.flush();
  outputs.write(options.out, [&] {
    write_latency(options.out, report);
    std::cerr << "shiftadd-bench: wrote " << options.out << "\n";
  });
  return outputs.status();
}

}  // namespace

void add_latency(Commands& commands) {
  auto [command, options] =
      commands.add("latency",
                   "Both experts of each router, as deployed on this machine: what router.latency "
                   "of a training configuration can be given",
                   run_latency);
  command.network(options.model, "The JSON of a network with routers, or a model file",
                  "SPEC.json|MODEL");
  command.batch(options.probe.batch, "Images whose tokens go through [1]");
  command.threads(options.threads);
  command.choice("--multiply", options.multiply,
                 "What layers that multiply compute in [float32, or as a packed file says]",
                 {"float32", "bf16", "int8"});
  command.seconds(options.probe.seconds,
                  "How long to sample each pair of experts of other widths [1]");
  command.text("--out", options.out, "The file to write [latency.json]", "FILE");
  command.json(options.json, "Print the file's JSON, too");
  command.list_archs();
}

}  // namespace shiftadd::tools
