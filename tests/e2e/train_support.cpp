// See train_support.h.
#include "tests/e2e/train_support.h"

#include "core/io/files.h"
#include "tests/e2e/run_until.h"

namespace shiftadd::test {

TrainFolder::TrainFolder() {
  write_text(folder_ / "config.json", R"({
  "name": "tiny",
  "model": {"image_size": 16, "patch_size": 4, "width": 24, "depth": 2, "heads": 3, "mlp_hidden": 48,
            "drop_path": 0.1, "dropout": 0.1},
  "data": {
    "synthetic": {"folder": "set", "size": 16, "train_per_class": 24, "val_per_class": 3},
    "preprocess": {"resize": 0},
    "augment": {"color_jitter": 0.3, "rand_augment": "rand-m9-mstd0.5-inc1", "random_erasing": 0.25},
    "mix": {"mixup_alpha": 0.8, "cutmix_alpha": 1.0},
    "label_smoothing": 0.1
  },
  "train": {"epochs": 3, "batch": 16, "clip_norm": 1.0, "ema_decay": 0.9,
            "optimizer": {"lr": 0.002, "layer_decay": 0.8}, "schedule": {"warmup_epochs": 1}},
  "log": {"every": 1, "seconds": 0}
}
)");
}

std::vector<std::string> TrainFolder::command(const std::string& out,
                                              const std::vector<std::string>& arguments) const {
  std::vector<std::string> words = {program("shiftadd-train"), "config.json", "--out", out};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

ProcessResult TrainFolder::train(const std::string& out, const std::vector<std::string>& arguments,
                                 const std::map<std::string, std::string>& environment) const {
  return run(command(out, arguments), "", environment, path());
}

ProcessResult TrainFolder::train_until(const std::string& out,
                                       const std::vector<std::string>& arguments,
                                       const std::string& text, int count, int signal,
                                       bool ignored) const {
  return run_until(command(out, arguments), path(),
                   {.text = text, .count = count, .signal = signal, .ignored = ignored});
}

std::string TrainFolder::model_hash(const std::string& out) const {
  return sha256_of_file(folder_ / out + "/model.safetensors");
}

}  // namespace shiftadd::test
