// shiftadd-bench: measures a network, the experts of its routers, the input pipeline, the matrix
// kernels, or the machine; counts operations.
#include <iostream>
#include <string_view>

#include "core/progress.h"
#include "tools/bench/commands.h"
#include "tools/program.h"
#include "tools/stop_signals.h"
#include "train/reporter.h"

namespace shiftadd::tools {
namespace {

// In the order of --help.
constexpr void (*kCommands[])(Commands&) = {add_model, add_data,     add_gemm,
                                            add_ops,   add_roofline, add_compare,
                                            add_count, add_latency,  add_gpu};

int run(int argc, char** argv) {
  Commands commands(
      "shiftadd-bench",
      "Measures speed and memory: warmed up, many repetitions, median, 90th and 99th percentile.");
  for (const auto add : kCommands) add(commands);
  if (const auto status = commands.parse(argc, argv)) return *status;
  return run_program("shiftadd-bench", [&] {
    stop_at_once("shiftadd-bench");
    constexpr double kSilence = 30;  // seconds, after which a log is told that the work goes on
    train::Reporter reporter([](std::string_view text) { std::cerr << text << std::flush; },
                             stderr_is_terminal(), kSilence);
    if (!stderr_is_terminal()) reporter.begin("measuring");
    return commands.run();
  });
}

}  // namespace
}  // namespace shiftadd::tools

int main(int argc, char** argv) { return shiftadd::tools::run(argc, argv); }
