// Opens the data, plans the network for it, and makes what the run trains it with.
#include "train/run_parts.h"

#include "core/error.h"
#include "train/checkpoint.h"
#include "train/memory_estimate.h"
#include "train/run_header.h"

namespace shiftadd::train {
namespace {

// A checkpoint says itself what network it holds, whatever has become of the start's file. Refused
// here if there is no memory for it, before what takes long begins. What is left out of the data is
// said first: it explains errors about too few images.
ModelSpec planned(const TrainConfig& config, const std::string& resume, const RunData& data,
                  Reporter& reporter) {
  for (const std::string& line : notes_on(data)) reporter.line(line);
  ModelSpec spec = resume.empty()
                       ? planned_spec(config, static_cast<int64_t>(data.train.classes().size()))
                       : load_checkpoint(resume).model.spec;
  require_training_memory(config, spec, data.train.size());
  for (const std::string& line :
       {data_line(config, data), network_line(spec), training_line(config, data.train.size())})
    reporter.line(line);
  reporter.begin("making the network");
  return spec;
}

}  // namespace

RunParts::RunParts(const TrainConfig& config, const std::string& resume, Reporter& reporter)
    : data(open_data(config)),
      model(make_network(
          config, planned(config, resume, data, reporter), data.train.classes(), !resume.empty(),
          [&] { return sample_images(config, data.train); },
          [&](const std::string& text) { reporter.line(text); })),
      teacher(make_teacher(config, model->spec(), data.train.classes())),
      optimizer(config.train.optimizer, model->named_parameters(), parameters_of(model->spec())),
      ema(config.train.ema_decay > 0
              ? std::make_unique<Ema>(model->named_parameters(), config.train.ema_decay)
              : nullptr) {}

int64_t steps_per_epoch(const TrainConfig& config, int64_t batches, int64_t images) {
  const int64_t steps = batches / config.train.accumulate;
  if (steps == 0)
    throw user_error("train.batch ", config.train.batch, " times train.accumulate ",
                     config.train.accumulate, " is more than the ", images,
                     " training images: no step would be made");
  return steps;
}

}  // namespace shiftadd::train
