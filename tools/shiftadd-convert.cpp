// shiftadd-convert: a foreign checkpoint into a model file, either into plain tensors of any
// publisher's names, or a trained model file into the one that is deployed.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/class_names.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/not_weights.h"
#include "model/convert.h"
#include "model/model_file.h"
#include "model/write_names.h"
#include "tools/archs.h"
#include "tools/convert/pack.h"
#include "tools/describe.h"
#include "tools/outputs.h"
#include "tools/program.h"
#include "tools/stop_signals.h"

namespace shiftadd::tools {
namespace {

constexpr const char* kName = "shiftadd-convert";

constexpr const char* kInputs = R"(
IN is recognised by its content: safetensors (our own model files included), a PyTorch checkpoint
(zip, or the stream older than 1.6), or the index of either in several files (*.index.json). Of a
folder model.safetensors, else its index, else pytorch_model.bin, else its index is read. PyTorch
files are read without running any code.

Names of timm, DeiT, DeiT III, DINOv2, MAE, Hugging Face (ViT, DeiT, DINOv2, CLIP), torchvision and
CLIP (OpenAI, open_clip) are known; docs/conversion.md has the table. A prefix under which most of
the network lies, such as "module.", is stripped. Where the network lies under two, it is the one
that is no moving average (ema, swa ...), or none; else --prefix chooses. With --arch auto, tensors
tell the network, and config.json, preprocessor_config.json or open_clip_config.json beside them
what they do not; the rest is assumed, and printed. A tensor that is left over is an error, unless
it is known to be of no use: --ignore drops it. The report goes to stdout.

Mapping file (--mapping), for other names:
  {"rules": [{"from": "transformer.{N}.attn.in_proj_weight", "to": "blocks.{N}.attn.qkv.weight"},
             {"from": ["{N}.q.{part}", "{N}.k.{part}", "{N}.v.{part}"],
              "to": "blocks.{N}.attn.qkv.{part}"},
             {"from": "aux_head.{rest}", "ignore": true}],
   "spec": ["activation=relu"]}
  A rule holds for a whole name behind the prefix: {N} (capitals) stands for digits, {part} for one
  or more characters; the first rule that fits counts. A list of "from" is stacked, one of "to" cut,
  along the first dimension; {zeros} in "from" stands for zeros, "transpose": true turns a matrix.
  configs/mappings/README.md says it all.

)";

constexpr const char* kExamples = R"(
Examples:
  shiftadd-convert dinov2_vits14_reg4_pretrain.pth --image-size 224 --out dinov2.safetensors
  shiftadd-convert deit_tiny.pth --arch deit_tiny_patch16_224 --classes imagenet.tsv \
      --out deit_tiny.safetensors
  shiftadd-convert vit.pth --arch configs/models/vit_cifar_visiontriad.json \
      --mapping configs/mappings/visiontriad.json \
      --preprocess configs/preprocess/visiontriad.json --out vit.safetensors
  shiftadd-convert vit.safetensors --to origin --out vit_as_published.safetensors
  shiftadd-convert vit.safetensors --pack int8 --calibrate photos/val.tar --out vit_int8.safetensors
  shiftadd-convert shift/model.safetensors --pack shiftadd --multiply int8 \
      --out deployed.safetensors)";

std::string footer() {
  return concat(kInputs,
                "Preprocessing (--preprocess FILE.json or '{\"resize\": 0}'), stored in the model "
                "file; its keys:\n",
                preprocess_help(),
                "\nA network (--arch FILE.json); its keys, of which every size must be given "
                "where there is no base:\n",
                model_spec_help(), kExamples);
}

struct Options : DescribeArguments {
  std::string out, to = "ours", report, pack, multiply, calibrate, heads, activation, positions;
  std::vector<std::string> set_texts;  // of --set

  /// What --set and the options that stand for one key of it say, each under its own name.
  void collect_settings() {
    for (const std::string& each : set_texts) set.push_back(set_option(each));
    const auto add = [&](const char* option, const char* key, const std::string& value) {
      if (!value.empty()) set.push_back({concat(key, "=", value), concat(option, " ", value)});
    };
    add("--heads", "heads", heads);
    add("--activation", "activation", activation);
    add("--positions", "position_resize", positions);
  }
};

ModelSpec plain_of(ModelSpec spec) {
  spec.shift_add = {};
  return spec;
}

std::string report_json_text(const Options& options, const WeightsFile& weights,
                             const ModelFile& model, const Conversion& conversion,
                             const std::vector<std::string>& notes) {
  nlohmann::ordered_json json = {{"input", options.input},
                                 {"format", weights.format},
                                 {"state_dict", weights.wrapper},
                                 {"placeholders", weights.placeholders},
                                 {"architecture", to_json(model.spec)},
                                 {"preprocess", to_json(model.preprocess)},
                                 {"classes", model.classes},
                                 {"output", options.out},
                                 {"to", options.to},
                                 {"notes", notes}};
  json.update(report_json(conversion));
  std::string text = "{";  // one line an entry and a tensor: people read it, too
  for (const auto& [key, value] : json.items()) {
    text += concat(text == "{" ? "\n  " : ",\n  ", json_text(nlohmann::ordered_json(key)), ": ",
                   key == "tensors" ? "[" : json_text(value));
    if (key != "tensors") continue;
    const char* separator = "\n    ";
    for (const auto& row : value) text += separator + json_text(row), separator = ",\n    ";
    text += "\n  ]";
  }
  return text + "\n}\n";
}

void check(const Options& options, const ModelFile& model, const Conversion& conversion) {
  if (conversion.problems.empty()) return;
  throw user_error(
      options.input, " does not fit the architecture '", model.spec.name, "' (width ",
      model.spec.width, ", depth ", model.spec.depth, ", patch ", model.spec.patch_size, ", ",
      model.spec.classes, " classes):", problem_lines(conversion.problems),
      "\nChoose another --arch, rename tensors with --mapping, or drop those that are not "
      "needed with --ignore (see --help)");
}

// Only an evaluation, or the numbers of the original, confirm what no tensor tells.
std::string how_to_check(const std::string& out, const ModelSpec& spec) {
  if (spec.classes > 0)
    return concat(
        "what is assumed is right where this gives the accuracy expected: shiftadd-infer ", out,
        " --eval FOLDER");
  return concat("what is assumed is right where this gives the features expected: shiftadd-infer ",
                out, " --features IMAGE --json");
}

int convert(const Options& options, Outputs& outputs) {
  const WeightsFile weights = read_weights(options.input, options.state_dict, !options.no_crc);
  for (const std::string& file : weights.files) outputs.input("IN", file);
  outputs.check();
  const Description description = describe(options, weights);
  ModelFile model = description.model;
  require_deployable(model.spec);
  if (options.to != "ours" && model.spec.converted())
    throw user_error("--to ", options.to, ": ", options.input, " holds a converted network, ",
                     spec_difference(model.spec, plain_of(model.spec)),
                     ", which plain tensors cannot describe: expected --to ours");
  const Conversion conversion =
      fit_weights(weights, description.translation, network_of(model.spec));
  if (!weights.wrapper.empty())
    std::cerr << kName << ": reading the entry '" << weights.wrapper << "'\n";
  for (const std::string& global : weights.placeholders)
    std::cerr << kName << ": " << global << " is not data and was left out\n";
  for (const std::string& note : description.notes) std::cerr << kName << ": " << note << "\n";
  std::cout << report_text(conversion) << std::flush;
  if (!options.report.empty())
    outputs.write(options.report, [&] {
      write_file(options.report,
                 report_json_text(options, weights, model, conversion, description.notes));
    });
  check(options, model, conversion);
  model.weights = conversion.weights;
  fit_image_size(options, model);
  outputs.write(options.out, [&] {
    if (options.to == "ours")
      save_model(options.out, model);
    else
      write_safetensors(
          options.out,
          {under_names_of(options.to, model.names, model.spec, model.weights), {{"format", "pt"}}});
    std::cerr << kName << ": wrote " << options.out << "\n";
    if (description.assumes && options.to == "ours")
      std::cerr << kName << ": " << how_to_check(options.out, model.spec) << "\n";
  });
  return outputs.status();
}

Outputs outputs_of(const Options& options) {
  Outputs outputs(kName);
  outputs.input("IN", options.input);
  if (options.arch != "auto" && !is_known_arch(options.arch)) outputs.input("--arch", options.arch);
  outputs.input("--mapping", options.mapping);
  outputs.input("--classes", options.classes);
  if (!is_inline_json(options.preprocess)) outputs.input("--preprocess", options.preprocess);
  outputs.input("--calibrate", options.calibrate);
  if (options.out.empty()) throw user_error("--out is empty: expected the name of a file");
  outputs.file("--out", options.out);
  outputs.file("--report", options.report);
  return outputs;
}

// What a foreign checkpoint may leave open.
void add_network_options(CLI::App& app, Options& options) {
  app.add_option("--set", options.set_texts,
                 "KEY=VALUE: what a checkpoint does not tell of its network, e.g. heads=6; keys "
                 "below; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--heads", options.heads, "attention heads; the same as --set heads=");
  app.add_option("--activation", options.activation,
                 "gelu, gelu_tanh, quick_gelu, relu or swiglu; the same as --set activation=");
  app.add_option_function<std::string>(
         "--image-size",
         [&](const std::string& text) {
           options.image_size = parse_grid(text, kLargestSide);
           if (!options.image_size)
             throw CLI::ValidationError(
                 "--image-size", concat("expected a size such as 224 or 224x160 (height x width), "
                                        "each from 1 to ",
                                        kLargestSide, ", got ", text));
         },
         "size of the images that the model is for, pixels: its positions are resized")
      ->option_text("N|HxW");
  app.add_option("--positions", options.positions,
                 "how positions fit other images: plain, antialias or offset; the same as --set "
                 "position_resize=");
}

}  // namespace
}  // namespace shiftadd::tools

int main(int argc, char** argv) {
  using namespace shiftadd;
  using namespace shiftadd::tools;
  Options options;
  CLI::App app(
      "Converts checkpoints: PyTorch or safetensors in, a model file or plain tensors out.", kName);
  app.footer(footer);
  std::vector<std::string> targets = dialect_names();
  targets.insert(targets.begin(), {"ours", "origin"});
  app.add_option("IN", options.input,
                 "checkpoint (.pth, .pt, .safetensors, .index.json), or a folder with one")
      ->required();
  app.add_option("--arch", options.arch,
                 "architecture: a known name, a JSON file, or auto: what the tensors and the files "
                 "beside them tell")
      ->capture_default_str();
  add_network_options(app, options);
  app.add_option("--mapping", options.mapping, "JSON file with rename rules (below)");
  app.add_option("--classes", options.classes,
                 "class names: one a line, or a TSV with a column 'label'");
  app.add_option("--preprocess", options.preprocess,
                 "preprocessing: JSON file, or JSON text (below)");
  app.add_option("--state-dict", options.state_dict,
                 "entry of a PyTorch checkpoint to read, e.g. model_ema");
  app.add_flag(
      "--no-crc", options.no_crc,
      "read a PyTorch zip whose entries have no right CRC-32, as torch can be told to save");
  app.add_option("--prefix", options.options.prefix,
                 "prefix of the network's tensors, where it is there twice, e.g. student.");
  app.add_option("--ignore", options.options.ignore,
                 "tensors to leave out, e.g. 'decoder.*'; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--out", options.out, "file to write (.safetensors)")->required();
  app.add_option("--to", options.to,
                 "what to write: ours, or plain tensors under the names of a publisher or, origin, "
                 "under those that they came with")
      ->check(CLI::IsMember(targets))
      ->capture_default_str();
  app.add_option("--report", options.report, "also write the report as JSON");
  CLI::Option* pack_option =
      app.add_option(
             "--pack", options.pack,
             "write the model to deploy, which can only be run: of a plain network with int8, "
             "bf16 or float32 products; of a converted one, shiftadd")
          ->check(CLI::IsMember({"shiftadd", "int8", "bf16", "float32"}));
  app.add_option("--multiply", options.multiply,
                 "with --pack shiftadd: what still multiplies [float32]")
      ->check(CLI::IsMember({"float32", "bf16", "int8"}))
      ->needs(pack_option);
  app.add_option(
         "--calibrate", options.calibrate,
         "with --pack: labelled images (DIR or TAR) on which the trained and the packed model "
         "are compared, and the routers' shares measured")
      ->needs(pack_option);
  add_list_archs(app);
  if (const auto status = parse_arguments(app, argc, argv)) return *status;
  options.collect_settings();
  return run_program(kName, [&] {
    stop_at_once(kName);
    if (options.pack.empty()) {
      Outputs outputs = outputs_of(options);
      outputs.check();
      return convert(options, outputs);
    }
    for (const char* other : {"--arch", "--mapping", "--classes", "--preprocess", "--state-dict",
                              "--no-crc", "--prefix", "--ignore", "--to", "--report", "--set",
                              "--heads", "--activation", "--image-size", "--positions"})
      if (app.count(other))
        throw shiftadd::user_error("--pack takes a model file as it is: convert first, then pack; ",
                                   other, " is of no use here");
    Outputs outputs = outputs_of(options);
    outputs.check();
    return pack({options.input, options.out, options.pack, options.multiply, options.calibrate},
                outputs);
  });
}
