// shiftadd-bench: measures a network, the experts of its routers, the input pipeline, the matrix
// kernels, or the machine; counts operations.
#include "tools/archs.h"
#include "tools/bench_compare.h"
#include "tools/bench_count.h"
#include "tools/bench_data.h"
#include "tools/bench_gemm.h"
#include "tools/bench_latency.h"
#include "tools/bench_model.h"
#include "tools/bench_ops.h"
#include "tools/bench_roofline.h"
#include "tools/program.h"
#include "tools/stop_signals.h"
#include "train/reporter.h"

namespace shiftadd::tools {
namespace {

int run(int argc, char** argv) {
  CLI::App app(
      "Measures speed and memory: warmed up, many repetitions, median, 90th and 99th percentile.",
      "shiftadd-bench");
  app.require_subcommand(1);

  ModelBench model;
  CLI::App* model_command =
      app.add_subcommand("model", "The forward pass or the training step of a network");
  model_command
      ->add_option("model", model.model,
                   "An architecture's name, its JSON (random weights), or a model file")
      ->required()
      ->option_text("NAME|SPEC.json|MODEL");
  model_command->add_option("--batch", model.batch, "Images a batch [1]")
      ->check(CLI::Range(int64_t{1}, int64_t{65'536}))
      ->option_text("N");
  model_command->add_option("--threads", model.threads, "Threads [all cores]")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
  model_command->add_flag("--train", model.train,
                          "Time training steps: forward, backward and AdamW");
  model_command
      ->add_option("--precision", model.precision,
                   "Arithmetic: float32, or bf16 products (--train)")
      ->check(CLI::IsMember({"float32", "bf16"}))
      ->option_text("float32|bf16");
  model_command
      ->add_option("--multiply", model.multiply,
                   "Inference: pack the model with these products: float32, bf16 or int8")
      ->check(CLI::IsMember({"float32", "bf16", "int8"}))
      ->option_text("float32|bf16|int8");
  model_command
      ->add_option("--shift-share", model.shift_share,
                   "Inference: every router sends this share of its tokens to Shift [its own]")
      ->check(CLI::Range(0.0, 1.0))
      ->option_text("S");
  model_command
      ->add_flag(
          "--layers{kinds}", model.layers,
          "Inference of one image, with --threads 1: a table of the layers beside those of the "
          "dense network in float32 and in int8: processor time, GOP/s, share of the "
          "roofline, bytes; summed over the blocks, or --layers=all of every block")
      ->check(CLI::IsMember({"kinds", "all"}))
      ->option_text("[=all]");
  model_command->add_option("--seconds", model.seconds, "How long to sample [3]")
      ->check(CLI::Range(0.0, 3600.0))
      ->option_text("S");
  model_command->add_flag("--json", model.json, "Print one JSON object");

  DataBench data;
  CLI::App* data_command =
      app.add_subcommand("data", "Decode, resize, crop and normalise the images of a folder");
  data_command->add_option("folder", data.folder, "A folder of images")
      ->required()
      ->option_text("DIR");
  data_command->add_option("--resize", data.preprocess.resize, "Shorter side [256]")
      ->check(CLI::Range(int64_t{1}, int64_t{10'000}))
      ->option_text("N");
  data_command->add_option("--crop", data.preprocess.crop, "Crop [224]")
      ->check(CLI::Range(int64_t{1}, int64_t{10'000}))
      ->option_text("N");
  data_command
      ->add_option("--seconds", data.seconds, "How long to sample, at least three passes [5]")
      ->check(CLI::Range(0.0, 3600.0))
      ->option_text("S");
  data_command->add_flag("--json", data.json, "Print one JSON object");

  GemmBench gemm;
  CLI::App* gemm_command =
      app.add_subcommand("gemm", "Matrix products at DeiT-T's shapes against Eigen and the peak");
  gemm_command->add_option("--seconds", gemm.seconds, "How long to sample each product [0.5]")
      ->check(CLI::Range(0.0, 3600.0))
      ->option_text("S");
  gemm_command->add_flag("--json", gemm.json, "Print one JSON object");

  OpsBench ops;
  CLI::App* ops_command = app.add_subcommand(
      "ops",
      "The products of Shift layers at DeiT-T's and PVTv2-B0's shapes, in 4-bit codes, int8 "
      "and vector shifts, against the machine's int8 peak");
  ops_command->add_option("--seconds", ops.seconds, "How long to sample each product [0.3]")
      ->check(CLI::Range(0.0, 3600.0))
      ->option_text("S");
  ops_command->add_flag("--json", ops.json, "Print one JSON object");

  RooflineBench roofline;
  CLI::App* roofline_command = app.add_subcommand(
      "roofline",
      "This machine's ceilings, of one core and of --threads: float32, bf16 and int8 arithmetic, "
      "bytes read from each cache and from memory");
  roofline_command->add_option("--threads", roofline.threads, "Threads [all cores]")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
  roofline_command->add_option("--seconds", roofline.seconds, "How long to sample each [0.5]")
      ->check(CLI::Range(0.0, 3600.0))
      ->option_text("S");
  roofline_command->add_flag("--json", roofline.json, "Print one JSON object");

  CompareBench compare;
  CLI::App* compare_command = app.add_subcommand(
      "compare",
      "Accuracy on labelled images and latency of one image of several models, as a table and a "
      "picture");
  compare_command->add_option("models", compare.models, "Model files, with the names to print")
      ->required()
      ->option_text("[NAME=]MODEL...");
  compare_command->add_option("--eval", compare.set, "Labelled images: class folders, or a .tar")
      ->required()
      ->option_text("DIR|TAR");
  compare_command
      ->add_option("--peers", compare.peers,
                   "Other programs' figures to set beside: lines of NAME,TOP1,MS")
      ->option_text("FILE");
  compare_command->add_option("--out", compare.out, "The picture to write (SVG)")
      ->option_text("FILE");
  compare_command->add_option("--threads", compare.threads, "Threads of the timed runs [1]")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
  compare_command->add_option("--seconds", compare.seconds, "How long to time each model [3]")
      ->check(CLI::Range(0.0, 3600.0))
      ->option_text("S");
  compare_command->add_flag("--json", compare.json, "Print one JSON object");

  CountBench count;
  CLI::App* count_command = app.add_subcommand(
      "count",
      "Multiplications, additions, shifts, bytes and energy, layer by layer; runs nothing");
  count_command
      ->add_option("model", count.model, "An architecture's name, its JSON, or a model file")
      ->required()
      ->option_text("NAME|SPEC.json|MODEL");
  count_command
      ->add_option("--shift-share", count.shift_share,
                   "Share of tokens that routers send to Shift [0.6]")
      ->check(CLI::Range(0.0, 1.0))
      ->option_text("S");
  count_command
      ->add_option("--miscount", count.miscounts,
                   "Count as ShiftAddViT's released code does, for comparison with its figures: "
                   "every addition layer charged as the first (adds), softmax attention's products "
                   "free (softmax), elementwise products without latency (elementwise); may be "
                   "repeated")
      ->check(CLI::IsMember(kMiscounts))
      ->allow_extra_args(false)
      ->option_text("adds|softmax|elementwise|all");
  count_command->add_flag("--json", count.json, "Print one JSON object");

  LatencyBench latency;
  CLI::App* latency_command = app.add_subcommand(
      "latency",
      "Both experts of each router, as deployed on this machine: what router.latency "
      "of a training configuration can be given");
  latency_command
      ->add_option("model", latency.model, "The JSON of a network with routers, or a model file")
      ->required()
      ->option_text("SPEC.json|MODEL");
  latency_command->add_option("--batch", latency.probe.batch, "Images whose tokens go through [1]")
      ->check(CLI::Range(int64_t{1}, int64_t{65'536}))
      ->option_text("N");
  latency_command->add_option("--threads", latency.threads, "Threads [all cores]")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
  latency_command
      ->add_option("--seconds", latency.probe.seconds,
                   "How long to sample each pair of experts of other widths [1]")
      ->check(CLI::Range(0.0, 3600.0))
      ->option_text("S");
  latency_command->add_option("--out", latency.out, "The file to write [latency.json]")
      ->option_text("FILE");
  latency_command->add_flag("--json", latency.json, "Print the file's JSON, too");

  for (CLI::App* command : {&app, model_command, count_command, latency_command})
    add_list_archs(*command);
  if (const auto status = parse_arguments(app, argc, argv)) return *status;
  return run_program("shiftadd-bench", [&] {
    stop_at_once("shiftadd-bench");
    constexpr double kSilence = 30;  // seconds, after which a log is told that the work goes on
    train::Reporter reporter([](std::string_view text) { std::cerr << text << std::flush; },
                             stderr_is_terminal(), kSilence);
    if (!stderr_is_terminal()) reporter.begin("measuring");
    if (model_command->parsed()) {
      if (!model.layers.empty() && (model.train || model.threads != 1 || model.batch != 1))
        throw user_error(
            "--layers looks at one image on one thread: give --threads 1, and neither --batch nor "
            "--train");
      return run_model_bench(model);
    }
    if (compare_command->parsed()) return run_compare(compare);
    if (count_command->parsed()) return run_count(count);
    if (latency_command->parsed()) return run_latency(latency);
    if (ops_command->parsed()) return run_ops_bench(ops);
    if (roofline_command->parsed()) return run_roofline_bench(roofline);
    return data_command->parsed() ? run_data_bench(data) : run_gemm_bench(gemm);
  });
}

}  // namespace
}  // namespace shiftadd::tools

int main(int argc, char** argv) { return shiftadd::tools::run(argc, argv); }
