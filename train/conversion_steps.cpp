// Prepares the images for transfer and for calibration, runs them, and reports their results.
#include "train/conversion_steps.h"

#include <cstdio>

#include "core/error.h"
#include "train/calibrate.h"
#include "train/network.h"
#include "train/training_step.h"
#include "train/transfer.h"

namespace shiftadd::train {
namespace {

constexpr int64_t kCalibrationImages = 1024;

}  // namespace

bool run_transfer(const TrainConfig& config, const RunData& data, layers::Model& model,
                  Reporter& reporter, const std::atomic<bool>& stop) {
  reporter.begin("transfer of attention");
  const auto dense = make_start(config, model.spec(), data.train.classes());
  data::Loader loader(data.train, training_options(config, config.out, {}));
  const auto report = [&](const TransferProgress& at) {
    char error[64];
    std::snprintf(error, sizeof error, "relative error of attention %.4f", at.error);
    const std::string step = concat(at.step, "/", at.steps);
    reporter.at({"transfer step", at.step, at.steps, {step, error}},
                "transfer step " + step + ": " + error,
                at.step == at.steps || at.step % config.log.every == 0);
  };
  const autograd::Bf16Guard precision(multiplies_bf16(config.train));
  TransferOptions options = config.surgery.transfer;
  options.seed = config.seed;
  options.smooth_codes = config.surgery.smooth_codes;
  const auto transferred =
      transfer_attention(model, *dense, endless_images(loader), options, stop, report);
  if (!transferred) return false;
  if (transferred->empty()) reporter.line("surgery.transfer: no attention is replaced");
  for (const BlockTransfer& block : *transferred) reporter.line("transfer: " + to_text(block));
  return true;
}

void run_calibration(const TrainConfig& config, const RunData& data, layers::Model& model,
                     Reporter& reporter) {
  reporter.begin("calibration of the routers");
  const data::ImageFolder images = spread_subset(data.train, kCalibrationImages);
  data::LoaderOptions options = evaluation_options(config, config.out, {});
  options.cache_bytes = 0;
  data::Loader loader(images, options);
  for (const CalibratedShare& share :
       calibrate_shares(model, endless_images(loader), loader.batches(), config.router.calibrate))
    reporter.line("calibrated: " + to_text(share));
}

}  // namespace shiftadd::train
