// From configuration to image sets and loader options.
#include "train/run_data.h"

#include "data/synthetic.h"

namespace shiftadd::train {

RunData open_data(const TrainConfig& config) {
  const DataConfig& options = config.data;
  if (options.synthetic)
    data::write_synthetic(options.synthetic->folder, options.synthetic->options);
  data::ImageFolder train = data::ImageFolder::open(options.train);
  const auto parts = options.val.empty() ? data::split(train, options.val_fraction, config.seed)
                                         : std::pair(train, data::ImageFolder::open(options.val));
  data::require_same_classes(parts.first, parts.second);
  const auto classes = static_cast<int64_t>(train.classes().size());
  if (config.model.classes != 0 && config.model.classes != classes)
    throw user_error("model.classes is ", config.model.classes, ", but ", options.train, " has ",
                     classes, " classes: leave model.classes out, or set it to ", classes);
  return {parts.first, parts.second, parts.first.digest() + " " + parts.second.digest()};
}

ModelSpec model_of(const TrainConfig& config, const RunData& data) {
  ModelSpec spec = config.model;
  spec.classes = static_cast<int64_t>(data.train.classes().size());
  validate(spec);
  return spec;
}

data::LoaderOptions training_options(const TrainConfig& config, const std::string& folder,
                                     std::function<void(const std::string&)> warn) {
  data::LoaderOptions options = evaluation_options(config, folder, std::move(warn));
  options.training = true;
  options.repeated_augmentation = config.data.repeated_augmentation;
  options.label_smoothing = config.data.label_smoothing;
  options.augment = config.data.augment;
  options.mix = config.data.mix;
  return options;
}

data::LoaderOptions evaluation_options(const TrainConfig& config, const std::string& folder,
                                       std::function<void(const std::string&)> warn) {
  data::LoaderOptions options;
  options.batch = config.train.batch;
  options.training = false;
  options.workers = config.data.workers;
  options.prefetch = config.data.prefetch;
  options.seed = config.seed;
  options.preprocess = config.data.preprocess;
  options.broken = config.data.broken;
  options.quarantine_file = folder + "/quarantine.txt";
  options.cache_bytes = config.data.cache_mib << 20;
  options.warn = std::move(warn);
  return options;
}

}  // namespace shiftadd::train
