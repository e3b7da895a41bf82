// shiftadd-convert: a foreign checkpoint into a model file, a model file into plain timm names, or
// a trained model file into the one that is deployed.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/class_names.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/not_weights.h"
#include "model/convert.h"
#include "model/model_file.h"
#include "tools/archs.h"
#include "tools/convert/pack.h"
#include "tools/outputs.h"
#include "tools/program.h"
#include "tools/stop_signals.h"

namespace shiftadd::tools {
namespace {

constexpr const char* kName = "shiftadd-convert";
constexpr std::size_t kMostProblemsShown = 20;  // the report has them all

constexpr const char* kInputs = R"(
IN is recognised by its content: safetensors (our own model files included), or a PyTorch checkpoint
(zip, or the stream older than 1.6). PyTorch files are read without running any code. timm and DeiT
names are known; a prefix under which most of the network lies, such as "module.", is stripped.
Where the network lies under two, it is the one that is no moving average (ema, swa ...), or none;
else --prefix chooses. A tensor that is left over is an error, unless it is a known counter,
constant or training state: --ignore drops it. The report goes to stdout.

Mapping file (--mapping), for other names:
  {"rules": [{"from": "transformer.{N}.attn.in_proj_weight", "to": "blocks.{N}.attn.qkv.weight"},
             {"from": "transformer.{N}.mlp.0.{part}", "to": "blocks.{N}.mlp.fc1.{part}"},
             {"from": "aux_head.{rest}", "ignore": true}]}
  A rule holds for a whole name: {N} (capitals) stands for digits, {part} for one or more
  characters; the first rule that fits counts. Examples: configs/mappings.

)";

constexpr const char* kExamples = R"(
Examples:
  shiftadd-convert deit_tiny.pth --arch deit_tiny_patch16_224 --classes imagenet.tsv \
      --out deit_tiny.safetensors
  shiftadd-convert vit.pth --arch configs/models/vit_cifar_visiontriad.json \
      --mapping configs/mappings/visiontriad.json \
      --preprocess configs/preprocess/visiontriad.json --out vit.safetensors
  shiftadd-convert vit.safetensors --to timm --out vit_timm.safetensors
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

struct Options {
  std::string input, arch, mapping, classes, preprocess, state_dict, out, to = "ours", report;
  std::optional<std::string> prefix;
  std::vector<std::string> ignore;
  std::string pack, multiply, calibrate;
  bool no_crc = false;
};

bool is_inline_json(const std::string& text) { return text.starts_with('{'); }

// `option` is inline JSON or a path.
Preprocess merged_preprocess(const Preprocess& base, const std::string& option) {
  if (is_inline_json(option)) return parse_preprocess(option, "--preprocess", base);
  const std::string text = read_text(option);
  require_no_placeholder(text, option);
  return parse_preprocess(text, option, base);
}

// Tensors may fit both ways, as those of any number of heads and of softmax_add do: the answers
// would be wrong without a word.
void require_same_network(const Options& options, const ModelSpec& from, const ModelSpec& to) {
  const std::string difference = spec_difference(to, from);
  if (difference.empty()) return;
  throw user_error("--arch ", options.arch, " is another network than ", options.input,
                   " holds: ", difference,
                   ". Leave --arch out to keep it as it is; shiftadd-train turns a network into "
                   "another (surgery.recipe, init.adapt)");
}

ModelSpec plain_of(ModelSpec spec) {
  spec.shift_add = {};
  return spec;
}

// A file that does not say what network it holds may be a plain one, and every tensor of one that
// only shifts, or only has codes, fits a plain one's: unless tensors of its own tell it, it is not
// taken for a converted one.
void require_told(const Options& options, const ModelSpec& spec) {
  const ModelSpec plain = plain_of(spec);
  if (parameters_of(spec).size() != parameters_of(plain).size()) return;
  throw user_error(
      options.input, " does not say that it was trained as a converted network, and would fit a ",
      "plain one as well as --arch ", options.arch, " (", spec_difference(spec, plain),
      "): give the plain architecture; shiftadd-train turns it into the other (surgery.recipe)");
}

// Everything of the model but its weights: what the options say, else what the input holds, else
// defaults.
ModelFile describe(const Options& options, const WeightsFile& weights) {
  ModelFile model;
  const bool is_ours = weights.metadata.contains("shiftadd.model");
  if (is_ours) {
    model = load_model(options.input);
    model.weights.clear();
  } else {
    model.classes = weights.classes;
  }
  if (!options.arch.empty()) {
    const ModelSpec spec = load_spec(options.arch);
    if (is_ours) require_same_network(options, model.spec, spec);
    if (!is_ours && spec.converted()) require_told(options, spec);
    if (!is_ours) model.preprocess = default_preprocess(spec);
    model.spec = spec;
  } else if (!is_ours) {
    throw user_error(
        "--arch is required: ", options.input,
        " does not say its architecture. Known: ", CLI::detail::join(spec_names(), ", "),
        " (--list-archs says more); or a JSON file");
  }
  if (!options.preprocess.empty())
    model.preprocess = merged_preprocess(model.preprocess, options.preprocess);
  if (model.preprocess.crop != model.spec.image_size)
    throw user_error("--preprocess: crop is ", model.preprocess.crop, ", the architecture '",
                     model.spec.name, "' takes images of ", model.spec.image_size,
                     " pixels (height x width)");
  const int64_t channels = model.spec.in_channels;
  if (channels == 1 || channels == 3)  // no image becomes the input of any other network
    require_channels(model.preprocess, channels, "--preprocess");
  if (!options.classes.empty()) {
    ClassNames given = read_class_names(options.classes);
    model.classes = std::move(given.names);
    model.class_ids = std::move(given.ids);
  }
  const int64_t named = static_cast<int64_t>(model.classes.size());
  if (named && named != model.spec.classes)
    throw user_error(options.classes.empty() ? options.input : options.classes, ": ", named,
                     " class names, the architecture '", model.spec.name, "' has ",
                     model.spec.classes, " classes");
  return model;
}

std::string report_json_text(const Options& options, const WeightsFile& weights,
                             const ModelFile& model, const Conversion& conversion) {
  nlohmann::ordered_json json = {{"input", options.input},
                                 {"format", weights.format},
                                 {"state_dict", weights.wrapper},
                                 {"placeholders", weights.placeholders},
                                 {"architecture", to_json(model.spec)},
                                 {"preprocess", to_json(model.preprocess)},
                                 {"classes", model.classes},
                                 {"output", options.out},
                                 {"to", options.to}};
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
  std::string text;
  for (std::size_t i = 0; i < conversion.problems.size() && i < kMostProblemsShown; ++i)
    text += "\n  " + conversion.problems[i];
  if (conversion.problems.size() > kMostProblemsShown)
    text += concat("\n  and ", conversion.problems.size() - kMostProblemsShown,
                   " more (see the report)");
  throw user_error(
      options.input, " does not fit the architecture '", model.spec.name, "' (width ",
      model.spec.width, ", depth ", model.spec.depth, ", patch ", model.spec.patch_size, ", ",
      model.spec.classes, " classes):", text,
      "\nChoose another --arch, rename tensors with --mapping, or drop those that are not "
      "needed with --ignore (see --help)");
}

int convert(const Options& options, Outputs& outputs) {
  const WeightsFile weights = read_weights(options.input, options.state_dict, !options.no_crc);
  ModelFile model = describe(options, weights);
  require_deployable(model.spec);
  if (options.to != "ours" && model.spec.converted())
    throw user_error("--to ", options.to, ": ", options.input, " holds a converted network, ",
                     spec_difference(model.spec, plain_of(model.spec)),
                     ", which plain tensors cannot describe: expected --to ours");
  const NameMap map = options.mapping.empty() ? NameMap() : NameMap::load(options.mapping);
  const Conversion conversion =
      convert_weights(weights, model.spec, map, {options.prefix, options.ignore});
  if (!weights.wrapper.empty())
    std::cerr << kName << ": reading the entry '" << weights.wrapper << "'\n";
  for (const std::string& global : weights.placeholders)
    std::cerr << kName << ": " << global << " is not data and was left out\n";
  std::cout << report_text(conversion) << std::flush;
  if (!options.report.empty())
    outputs.write(options.report, [&] {
      write_file(options.report, report_json_text(options, weights, model, conversion));
    });
  check(options, model, conversion);
  model.weights = conversion.weights;
  outputs.write(options.out, [&] {
    if (options.to == "ours")
      save_model(options.out, model);
    else
      write_safetensors(options.out, {model.weights, {{"format", "pt"}}});
    std::cerr << kName << ": wrote " << options.out << "\n";
  });
  return outputs.status();
}

Outputs outputs_of(const Options& options) {
  Outputs outputs(kName);
  outputs.input("IN", options.input);
  if (!is_known_arch(options.arch)) outputs.input("--arch", options.arch);
  outputs.input("--mapping", options.mapping);
  outputs.input("--classes", options.classes);
  if (!is_inline_json(options.preprocess)) outputs.input("--preprocess", options.preprocess);
  outputs.input("--calibrate", options.calibrate);
  if (options.out.empty()) throw user_error("--out is empty: expected the name of a file");
  outputs.file("--out", options.out);
  outputs.file("--report", options.report);
  return outputs;
}

}  // namespace
}  // namespace shiftadd::tools

int main(int argc, char** argv) {
  using namespace shiftadd::tools;
  Options options;
  CLI::App app("Converts checkpoints: PyTorch or safetensors in, a model file or timm names out.",
               kName);
  app.footer(footer);
  app.add_option("IN", options.input, "checkpoint (.pth, .pt, .safetensors)")->required();
  app.add_option("--arch", options.arch,
                 "architecture: a known name or a JSON file; our own model files know theirs");
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
  app.add_option("--prefix", options.prefix,
                 "prefix of the network's tensors, where it is there twice, e.g. student.");
  app.add_option("--ignore", options.ignore,
                 "tensors to leave out, e.g. 'decoder.*'; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--out", options.out, "file to write (.safetensors)")->required();
  app.add_option("--to", options.to,
                 "what to write: ours, timm or deit (plain tensors under timm's names)")
      ->check(CLI::IsMember({"ours", "timm", "deit"}))
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
  return run_program(kName, [&] {
    stop_at_once(kName);
    if (options.pack.empty()) {
      Outputs outputs = outputs_of(options);
      outputs.check();
      return convert(options, outputs);
    }
    for (const char* other : {"--arch", "--mapping", "--classes", "--preprocess", "--state-dict",
                              "--no-crc", "--prefix", "--ignore", "--to", "--report"})
      if (app.count(other))
        throw shiftadd::user_error("--pack takes a model file as it is: convert first, then pack; ",
                                   other, " is of no use here");
    Outputs outputs = outputs_of(options);
    outputs.check();
    return pack({options.input, options.out, options.pack, options.multiply, options.calibrate},
                outputs);
  });
}
