// Packs a trained model file and compares it with the trained one.
#include "tools/convert/pack.h"

#include <filesystem>
#include <iomanip>
#include <iostream>
#include <vector>

#include "core/error.h"
#include "data/dataset.h"
#include "infer/compare.h"
#include "infer/predictions.h"
#include "model/model_file.h"
#include "tools/run_progress.h"

namespace shiftadd::tools {
namespace {

// --pack and --multiply as a PackSpec, held against what the model is.
PackSpec pack_spec_of(const PackOptions& options, const ModelSpec& spec) {
  const bool converted = options.pack == "shiftadd";
  if (converted && !spec.converted())
    throw user_error("--pack shiftadd: ", options.input,
                     " holds a plain network: expected --pack int8, bf16 or float32");
  if (!converted && spec.converted())
    throw user_error("--pack ", options.pack, ": ", options.input,
                     " holds a converted network: expected --pack shiftadd, with --multiply ",
                     options.pack, " for what still multiplies");
  if (!converted && !options.multiply.empty())
    throw user_error(
        "--multiply is of --pack shiftadd: a plain network's products are what --pack "
        "says");
  if (converted && options.multiply.empty()) return {};
  return pack_in(converted ? options.multiply : options.pack);
}

// What overflows on a plain gray image does so on most: it is not written.
void require_finite_answer(infer::Session& session, const std::string& input) {
  const ModelSpec& spec = session.spec();
  const Tensor image = Tensor::zeros(spec.batch_shape(1));
  std::vector<float> logits(static_cast<std::size_t>(session.outputs()));
  session.run(image.data<float>(), 1, logits.data());
  infer::require_finite(
      logits.data(), session.outputs(),
      concat(input, " packed (products in ", name_of(session.pack().multiply), ")"),
      "an image of the mean colour");
}

void print_comparison(std::ostream& out, const infer::Comparison& result) {
  const int64_t images = result.packed.images();
  out << std::fixed << std::setprecision(2) << images << " images: top-1 " << result.trained.top1()
      << " % as trained, " << result.packed.top1() << " % packed; the same first class on "
      << Evaluation::percent(result.same, images) << " %; logits differ by at most "
      << std::setprecision(5) << result.largest_difference << "\n";
  for (const auto& row : result.routing.rows())
    out << row.router << ": " << std::setprecision(2) << 100 * row.shift_share()
        << " % of tokens on Shift\n";
}

}  // namespace

int pack(const PackOptions& options, Outputs& outputs) {
  const ModelFile trained = load_model(options.input);
  ModelFile packed = pack_model(trained, pack_spec_of(options, trained.spec));
  infer::Session after(packed);  // what cannot be run is not written
  if (options.calibrate.empty()) require_finite_answer(after, options.input);
  if (!options.calibrate.empty()) {
    infer::Session before(trained);
    const infer::LabelledSet set =
        infer::labelled(after, data::ImageFolder::open(options.calibrate), options.calibrate);
    RunProgress progress("calibrating", "on " + options.calibrate, set.images.size(),
                         RunProgress::Lines::kAll);
    progress.update(0);
    const infer::Comparison result =
        infer::compare(before, after, set, [&](int64_t done) { progress.update(done); });
    progress.wipe();
    print_comparison(std::cout, result);
    for (const auto& row : result.routing.rows())
      packed.pack->shift_shares.push_back(row.shift_share());
  }
  std::cout.flush();
  outputs.write(options.out, [&] {
    save_model(options.out, packed);
    std::cerr << "shiftadd-convert: wrote " << options.out;
    std::error_code no_size;  // a device has none
    const auto size = std::filesystem::file_size(options.out, no_size);
    std::cerr << (no_size ? "" : concat(", ", size / 1024, " KiB")) << "\n";
  });
  return outputs.status();
}

}  // namespace shiftadd::tools
