// The resolved configuration of a training run: every option with its default, read from JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/pattern.h"
#include "core/preprocess.h"
#include "data/augment.h"
#include "data/loader.h"
#include "data/synthetic.h"
#include "layers/model.h"
#include "model/model_spec.h"
#include "train/transfer.h"

namespace shiftadd::train {

/// Where the weights start.
struct InitConfig {
  /// Which rows the head keeps. kAuto: those of classes that are called as one of the start's; all
  /// are new where none is.
  enum class Head : uint8_t { kAuto, kKeep, kNew, kByName };
  std::string checkpoint;   // a model file or training checkpoint; "": from scratch
  bool adapt = false;       // allow another number of classes or image size (layers::adapt_weights)
  Head head = Head::kAuto;  // any but kAuto allows another number of classes, too
};

/// What the starting network becomes before training.
struct SurgeryConfig {
  std::vector<std::string> recipe;  // lines of parse_recipe_line; empty: nothing changes
  ShiftAddSpec options;             // of the network it becomes; its blocks are not used
  bool rescale = true;              // layers::rescale_attention on training images
  bool smooth_codes = false;        // whole codes learn through autograd::smooth_codes
  /// Of transfer_attention, whose seed is the run's; 0 steps: none.
  TransferOptions transfer = {.steps = 0};
};

/// How routers of mixtures learn.
struct RouterConfig {
  enum class Balance : uint8_t { kNone, kUniform, kLatency };
  Balance balance = Balance::kLatency;
  double weight = 0.01;                  // of the balance loss, summed over routers
  std::vector<double> latency = {6, 4};  // Mult, Shift; only the ratio matters
  std::string latency_file;              // measured instead, by shiftadd-bench latency; "": none
  double noise = 0.5;                    // standard deviation on the logits at the start
  double noise_until = 0.5;              // share of the training after which there is none
  double calibrate = 0;  // share of tokens on Shift that calibrate_shares sets at the end; 0: off
};

/// A set that is drawn before training; train and val are then FOLDER/train and FOLDER/val.
struct SyntheticConfig {
  std::string folder;
  data::SyntheticOptions options;
};

struct DataConfig {
  std::string train, val;     // folders or tars; val "": val_fraction of train
  double val_fraction = 0.1;  // used where val is empty
  std::optional<SyntheticConfig>
      synthetic;          // when set, train and val above are already FOLDER/train, FOLDER/val
  Preprocess preprocess;  // crop is always the model's image_size, mean and std are of its channels
  data::AugmentOptions augment;
  data::MixOptions mix;
  double label_smoothing = 0;
  std::vector<double> class_weights;    // one per class in sorted order; empty: none
  bool balanced_class_weights = false;  // "balanced": images / (classes * images of the class)
  int64_t repeated_augmentation = 1;
  int workers = 1;
  int64_t prefetch = 4;   // batches
  int64_t cache_mib = 0;  // decoded images kept in memory
  data::DecodeLimits limits;
  data::BrokenPolicy broken = data::BrokenPolicy::kFail;
};

struct OptimizerConfig {
  enum class Kind : uint8_t { kAdamW, kSgd };
  Kind kind = Kind::kAdamW;
  double lr = 5e-4, weight_decay = 0.05;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // kAdamW
  double momentum = 0.9;                          // kSgd
  bool nesterov = false;                          // kSgd
  double layer_decay = 1;  // lr of a block is multiplied by this once per block above it; 1: off
};

struct ScheduleConfig {
  enum class Kind : uint8_t { kCosine, kStep, kConstant };
  Kind kind = Kind::kCosine;
  double warmup_epochs = 0, warmup_lr = 1e-6, min_lr = 1e-6;
  double step_epochs = 30, step_factor = 0.1;  // kStep
};

struct TeacherConfig {
  enum class Kind : uint8_t { kSoft, kHard, kNone };
  std::string checkpoint;  // "": no teacher; in stages: the network that the first one starts from
  Kind kind = Kind::kSoft;
  double alpha = 0.9;   // loss = (1 - alpha) cross entropy + alpha distillation
  double tau = 1;       // kSoft
  double features = 0;  // weight of the blocks' mean relative_error (losses.h) from the teacher's
};

struct EarlyStopConfig {
  int64_t patience = 0;  // epochs without a better top-1; 0: off
  double min_delta = 0;  // percentage points of top-1 that count as better
};

/// What the products of a training step multiply. kBf16: factors rounded to bf16, all else float32.
enum class Precision : uint8_t { kFloat32, kBf16 };

struct LoopConfig {
  int64_t epochs = 10, batch = 128;
  int64_t accumulate =
      1;                  // gradient accumulation: an optimizer step sees accumulate * batch images
  int64_t max_steps = 0;  // optimizer steps; 0: no limit
  Precision precision = Precision::kFloat32;
  double clip_norm = 0;             // global L2 norm; 0: off
  double ema_decay = 0;             // 0: off
  std::vector<std::string> freeze;  // parameter names with '*' (core/pattern.h)
  int64_t eval_every = 1;           // epochs; the last epoch is always evaluated
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  TeacherConfig teacher;
  EarlyStopConfig early_stop;
};

struct CheckpointConfig {
  int64_t every = 0;  // epochs; 0: only last and best
  int64_t keep = 0;   // how many of the numbered ones stay; 0: all
};

struct LogConfig {
  int64_t every = 50;   // steps
  double seconds = 30;  // longest silence without a terminal; 0: any
  bool tensorboard = true;
};

struct TrainConfig {
  std::string name = "run";
  std::string out;  // resolved to "runs/NAME" where the config gives none
  uint64_t seed = 0;
  int threads = 0;  // 0: all cores
  InitConfig init;
  SurgeryConfig surgery;
  RouterConfig router;
  ModelSpec model;         // classes == 0: as many as the data has (the trainer fills it in)
  std::string model_base;  // model.base as it was given; `model` holds what it brought
  layers::ModelOptions regularisation;  // model.drop_path, model.dropout, model.checkpoint_blocks
  DataConfig data;
  LoopConfig train;
  CheckpointConfig checkpoint;
  LogConfig log;
  /// Runs one after the other, each with everything resolved: what its object in "stages" says,
  /// over the rest of the configuration. Stage i writes OUT/NAME (default "stage1", ...), starts
  /// from the stage before, and is taught by the network that the first one starts from, unless its
  /// object says otherwise. Empty: one run.
  std::vector<TrainConfig> stages;
  /// What a user may not expect of the options given (stage_keys.h), a line each. Not printed.
  std::vector<std::string> notices;
  /// Keys that the configuration leaves to the network it starts from (init.checkpoint); with_start
  /// (start.h) fills them in and empties the list. Not printed until then.
  std::vector<std::string> inherits;
};

/// Sets what follows from model.image_size: the crop, and a resize of -1. Throws Error (user) with
/// the key where the resize, or mean or std, do not go with the model, or its channels are none of
/// an image.
void settle_preprocess(TrainConfig& config);

/// Reads PATH with its "extends" chain, then applies overrides "train.epochs=3" in order (the value
/// as JSON, else as a string). Paths in "extends" are relative to the file that holds them, all
/// others to the working directory. Throws Error (user) "FILE:LINE: key.path: what is wrong, what
/// was expected"; also for an option of which nothing would come, because the stages set it
/// themselves (stage_keys.h).
TrainConfig load_train_config(const std::string& path,
                              const std::vector<std::string>& overrides = {});
/// The same from text; `name` stands for the file in errors, and "extends" is relative to its
/// folder.
TrainConfig parse_train_config(std::string_view text, const std::string& name,
                               const std::vector<std::string>& overrides = {});
/// Every option resolved, as JSON that reads back to the same configuration; stable key order.
std::string to_text(const TrainConfig& config);
/// JSON Schema (draft 2020-12) of a config file: what configs/train.schema.json holds.
std::string train_schema();
/// One line per option: key, type, default, range, description.
std::string train_config_help();

}  // namespace shiftadd::train
