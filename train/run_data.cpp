// Opens the image sets of a configuration, and makes the options of their loaders.
#include "train/run_data.h"

#include <algorithm>

#include "data/synthetic.h"

namespace shiftadd::train {

RunData open_data(const TrainConfig& config) {
  const DataConfig& options = config.data;
  if (options.synthetic)
    data::write_synthetic(options.synthetic->folder, options.synthetic->options);
  const auto odd =
      options.broken == data::BrokenPolicy::kFail ? data::OddFiles::kRefuse : data::OddFiles::kKeep;
  data::ImageFolder train = data::ImageFolder::open(options.train, odd);
  const auto parts = options.val.empty()
                         ? data::split(train, options.val_fraction, config.seed)
                         : std::pair(train, data::ImageFolder::open(options.val, odd));
  data::require_same_classes(parts.first, parts.second);
  const auto classes = static_cast<int64_t>(train.classes().size());
  if (config.model.classes != 0 && config.model.classes != classes)
    throw user_error("model.classes is ", config.model.classes, ", but ", options.train, " has ",
                     classes, " classes: leave model.classes out, or set it to ", classes);
  return {parts.first, parts.second, parts.first.digest() + " " + parts.second.digest()};
}

std::vector<std::string> notes_on(const RunData& data) {
  std::vector<std::string> lines = data.train.notes();
  if (data.val.path() == data.train.path()) return lines;
  const std::vector<std::string> more = data.val.notes();
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

data::ImageFolder spread_subset(const data::ImageFolder& set, int64_t most) {
  const int64_t count = std::min(most, set.size());
  std::vector<int64_t> samples;
  for (int64_t i = 0; i < count; ++i) samples.push_back(i * set.size() / count);
  return set.subset(samples);
}

Tensor sample_images(const TrainConfig& config, const data::ImageFolder& train) {
  const data::ImageFolder samples = spread_subset(train, 256);
  data::LoaderOptions options = evaluation_options(config, config.out, {});
  options.batch = samples.size();
  options.cache_bytes = 0;
  if (options.broken == data::BrokenPolicy::kQuarantine) options.broken = data::BrokenPolicy::kSkip;
  data::Loader loader(samples, options);
  loader.start(0);
  const std::optional<data::Batch> batch = loader.next();
  if (!batch)
    throw user_error(train.path(), ": none of ", samples.size(), " sampled images could be read");
  return batch->images;
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
  options.limits = config.data.limits;
  options.broken = config.data.broken;
  options.quarantine_file = folder + "/quarantine.txt";
  options.cache_bytes = config.data.cache_mib << 20;
  options.warn = std::move(warn);
  return options;
}

}  // namespace shiftadd::train
