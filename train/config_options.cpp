// Every option of a training config: key, default (from train/config.h), range, one line of
// description.
#include "train/config_options.h"

#include <algorithm>

#include "core/config/options.h"

namespace shiftadd::train {
namespace {

using Range = ConfigRange;

constexpr double kMaxCount = 1e9;  // epochs, steps, images: keeps products of two inside int64

Range count(double least) { return Range::between(least, kMaxCount); }
Range probability() { return Range::between(0, 1); }

template <class Enum>
using Words = std::vector<std::pair<Enum, const char*>>;

/// One of the enumerators, each by its word.
template <class Enum>
void choice(ConfigVisitor& v, const char* key, Enum& value,
            const std::type_identity_t<Words<Enum>>& words, const char* about) {
  std::vector<std::string> all;
  std::string word;
  for (const auto& [each, name] : words) {
    all.emplace_back(name);
    if (each == value) word = name;
  }
  v.choice(key, word, all, about);
  for (const auto& [each, name] : words)
    if (word == name) value = each;
}

void list_model(ConfigVisitor& v, TrainConfig& c) {
  v.begin("model", "The network.");
  std::string base;
  list_base(v, base, c.model, load_spec,
            "Start from this network: deit_tiny_patch16_224 and the like, or a spec's JSON file; "
            "keys given beside it win. \"\": from the defaults shown here.");
  if (!base.empty()) {
    c.model_base = base;
    c.model.classes = 0;
  }
  list_options(v, c.model);
  v.number("drop_path", c.regularisation.drop_path, Range::from_below(0, 1),
           "Stochastic depth: rate of the last block, growing linearly from 0.");
  v.number("dropout", c.regularisation.dropout, Range::from_below(0, 1),
           "After positions, attention projection and MLP layers.");
  v.boolean("checkpoint_blocks", c.regularisation.checkpoint_blocks,
            "Recompute blocks in the backward pass: less memory, about a third more time.");
  v.end();
}

void list_surgery(ConfigVisitor& v, SurgeryConfig& s) {
  v.begin("surgery", "What the starting network becomes before training.");
  v.texts(
      "recipe", s.recipe,
      "Lines \"BLOCKS: LAYER=KIND, ...\": BLOCKS all, 3 or 2-5; attention softmax, softmax_add, "
      "linear or linear_add; qkv, proj, mlp multiply, shift or mixture. []: nothing changes.");
  list_conversion(v, s.options);
  v.boolean("rescale", s.rescale,
            "Scale q, k and proj so that replaced softmax attention starts close.");
  v.boolean(
      "smooth_codes", s.smooth_codes,
      "Codes sign and bipolar2 learn through the slope of a smooth step, which steepens during the "
      "training, in place of a window.");
  v.begin("transfer", "Training of the new attention alone, to answer as the one it replaces.");
  v.integer("steps", s.transfer.steps, count(0), "Before the first step proper. 0: none.");
  v.number("lr", s.transfer.lr, Range::above_up_to(0, 100), "Highest learning rate.");
  v.number("own", s.transfer.own, Range::between(0, 1),
           "Share of the steps, at the end, on the converted network's own activations.");
  v.end();
  v.end();
}

void list_router(ConfigVisitor& v, RouterConfig& r) {
  v.begin("router", "How the routers of mixtures learn.");
  using enum RouterConfig::Balance;
  choice(v, "balance", r.balance, {{kNone, "none"}, {kUniform, "uniform"}, {kLatency, "latency"}},
         "Loss that spreads tokens: equally, or inversely to the experts' latencies.");
  v.number("weight", r.weight, Range::between(0, 1000), "Of that loss, summed over routers.");
  v.tuple("latency", r.latency, Range::between(1e-12, 1e12),
          "Of Mult and Shift; only the ratio matters.");
  v.text(
      "latency_file", r.latency_file,
      "latency.json of shiftadd-bench latency: measured ones, for each router. \"\": the above.");
  v.number("noise", r.noise, Range::between(0, 100),
           "Standard deviation of noise on the routers' logits at the start.");
  v.number("noise_until", r.noise_until, Range::above_up_to(0, 1),
           "It falls linearly to 0 over this share of the training.");
  v.number("calibrate", r.calibrate, Range::between(0, 0.999),
           "Share of tokens on Shift that each router's bias is set to at the end. 0: left alone.");
  v.end();
}

void list_synthetic(ConfigVisitor& v, DataConfig& d) {
  bool present = d.synthetic.has_value();
  SyntheticConfig s = d.synthetic.value_or(SyntheticConfig{});
  const bool listed = v.begin_optional(
      "synthetic", present,
      "Draw this image set first and train on it, instead of data.train; null: no.");
  if (listed) {
    v.text(
        "folder", s.folder,
        "Written below: FOLDER/train and FOLDER/val. Relative to the working directory. Required.");
    v.integer("size", s.options.size, Range::between(8, 1024), "Side of an image, pixels.");
    v.integer("train_per_class", s.options.train_per_class, Range::between(1, 1e6),
              "Training images of a class.");
    v.integer("val_per_class", s.options.val_per_class, Range::between(1, 1e6),
              "Validation images of a class.");
    list_integer(v, "seed", s.options.seed, Range::at_least(0), "Of the drawing.");
    v.boolean("jpeg", s.options.jpeg, "Write JPEG files, else PNG.");
    v.end();
  }
  if (present) d.synthetic = std::move(s);
}

void list_augment(ConfigVisitor& v, data::AugmentOptions& a) {
  v.begin("augment", "Random changes of each training image.");
  using enum data::AugmentOptions::Crop;
  choice(v, "crop", a.crop,
         {{kNone, "none"}, {kRandomResized, "random_resized"}, {kPadded, "padded"}},
         "none: as in evaluation; random_resized: a random box, resized; padded: pad all sides, "
         "crop back.");
  v.number("scale_min", a.scale_min, Range::above_up_to(0, 1),
           "random_resized: smallest share of the area.");
  v.number("scale_max", a.scale_max, Range::above_up_to(0, 1),
           "random_resized: largest share of the area.");
  v.number("ratio_min", a.ratio_min, Range::above_up_to(0, 100),
           "random_resized: smallest width / height.");
  v.number("ratio_max", a.ratio_max, Range::above_up_to(0, 100),
           "random_resized: largest width / height.");
  v.integer("padding", a.padding, Range::between(0, 1024), "padded: pixels on each side.");
  v.number("horizontal_flip", a.horizontal_flip, probability(), "Probability of mirroring.");
  v.number("color_jitter", a.color_jitter, probability(),
           "Brightness, contrast and saturation change by up to this factor. 0: off.");
  v.text("rand_augment", a.rand_augment, "timm's grammar: \"rand-m9-mstd0.5-inc1\". \"\": off.");
  v.number("random_erasing", a.random_erasing, probability(),
           "Probability of erasing a box with noise.");
  v.end();
}

void list_data(ConfigVisitor& v, DataConfig& d) {
  v.begin("data", "Images and what is done to them.");
  v.text("train", d.train,
         "Folder with one folder per class, or an uncompressed .tar of it; relative to the working "
         "directory. Required unless synthetic is given.");
  v.text("val", d.val,
         "The same for validation, with the same classes. \"\": val_fraction of train.");
  v.number("val_fraction", d.val_fraction, Range::from_below(0, 1),
           "Share of each class split off by seed where val is \"\".");
  list_synthetic(v, d);
  v.begin("preprocess", "From a photograph to the network's input; stored in the model file.");
  v.integer("resize", d.preprocess.resize, Range::between(-1, 16384),
            "Shorter side after resizing, before the centre crop of image_size. 0: no resize; -1: "
            "8 / 7 of image_size, of its longer side, or, where images are squashed, its shorter.");
  list_colours(v, d.preprocess, Range::between(-10, 10), Range::between(1e-3, 10));
  v.end();
  list_augment(v, d.augment);
  v.begin("mix", "Mixing of the images in a batch.");
  v.number("mixup_alpha", d.mix.mixup_alpha, Range::between(0, 100),
           "Beta distribution of mixup. 0: off.");
  v.number("cutmix_alpha", d.mix.cutmix_alpha, Range::between(0, 100),
           "Beta distribution of cutmix. 0: off.");
  v.number("probability", d.mix.probability, probability(), "Share of batches that are mixed.");
  v.number("switch_probability", d.mix.switch_probability, probability(),
           "Where both are on: probability of cutmix.");
  v.end();
  v.number("label_smoothing", d.label_smoothing, Range::from_below(0, 1),
           "Mass spread evenly over all classes.");
  std::string word = d.balanced_class_weights ? "balanced" : d.class_weights.empty() ? "none" : "";
  v.word_or_numbers("class_weights", word, {"none", "balanced"}, d.class_weights,
                    Range::between(0, 1e6),
                    "Weight of each class in the loss, in sorted order of the class names; "
                    "balanced: inverse to the "
                    "number of its images.");
  d.balanced_class_weights = word == "balanced";
  v.integer("repeated_augmentation", d.repeated_augmentation, Range::between(1, 100),
            "Each image this many times per pass, the pass cut to the data's size. 1: off.");
  list_integer(v, "workers", d.workers, Range::between(0, 256),
               "Decoding threads. 0: decode between the steps.");
  v.integer("prefetch", d.prefetch, Range::between(1, 1024), "Batches held ready.");
  v.integer("cache_mib", d.cache_mib, Range::between(0, 1 << 24),
            "Memory for decoded images, MiB. 0: decode always.");
  v.integer(
      "max_pixels", d.limits.max_pixels, count(1),
      "Of one image, width times height: a larger one is broken. Decoding takes at most 512 MiB "
      "in any case.");
  using enum data::BrokenPolicy;
  choice(v, "broken", d.broken, {{kFail, "fail"}, {kSkip, "skip"}, {kQuarantine, "quarantine"}},
         "A broken image: stop; leave it out and count it; also write its name to quarantine.txt "
         "in the output folder.");
  v.end();
}

void list_train(ConfigVisitor& v, LoopConfig& t) {
  v.begin("train", "The training loop.");
  v.integer("epochs", t.epochs, count(1), "Passes over the training images.");
  v.integer("batch", t.batch, Range::between(1, 65536), "Images of a forward pass.");
  v.integer("accumulate", t.accumulate, Range::between(1, 65536),
            "Batches whose gradients make one step.");
  v.integer("max_steps", t.max_steps, count(0), "Stop after this many steps. 0: no limit.");
  choice(v, "precision", t.precision,
         {{Precision::kFloat32, "float32"}, {Precision::kBf16, "bf16"}},
         "Of the factors of matrix products in training; bf16 is faster where the CPU has it, and "
         "float32 elsewhere.");
  v.number("clip_norm", t.clip_norm, Range::at_least(0),
           "Largest norm of the whole gradient. 0: off.");
  v.number("ema_decay", t.ema_decay, Range::from_below(0, 1),
           "Moving average of the weights, evaluated and deployed in their place. 0: off.");
  v.texts("freeze", t.freeze,
          "Parameters that stay, by name; * is any run of characters: \"blocks.*\".");
  v.integer("eval_every", t.eval_every, count(1),
            "Epochs between evaluations; the last epoch always has one.");

  OptimizerConfig& o = t.optimizer;
  v.begin("optimizer", "How gradients become steps.");
  choice(v, "kind", o.kind,
         {{OptimizerConfig::Kind::kAdamW, "adamw"}, {OptimizerConfig::Kind::kSgd, "sgd"}},
         "AdamW, or SGD with momentum.");
  v.number("lr", o.lr, Range::above(0), "Largest learning rate, after warm-up.");
  v.number("weight_decay", o.weight_decay, Range::between(0, 100),
           "Not on norms, biases, positions, class token.");
  std::vector<double> betas = {o.beta1, o.beta2};
  v.tuple("betas", betas, Range::from_below(0, 1), "adamw: decay of the two moments.");
  o.beta1 = betas[0], o.beta2 = betas[1];
  v.number("eps", o.eps, Range::above_up_to(0, 1),
           "adamw: added to the root of the second moment.");
  v.number("momentum", o.momentum, Range::from_below(0, 1), "sgd.");
  v.boolean("nesterov", o.nesterov, "sgd.");
  v.number("layer_decay", o.layer_decay, Range::above_up_to(0, 1),
           "The learning rate is multiplied by this once per block towards the input. 1: off.");
  v.end();

  ScheduleConfig& s = t.schedule;
  v.begin("schedule", "The learning rate over time.");
  using enum ScheduleConfig::Kind;
  choice(v, "kind", s.kind, {{kCosine, "cosine"}, {kStep, "step"}, {kConstant, "constant"}},
         "After warm-up.");
  v.number("warmup_epochs", s.warmup_epochs, Range::between(0, kMaxCount),
           "Linear rise from warmup_lr.");
  v.number("warmup_lr", s.warmup_lr, Range::between(0, 1000), "Where warm-up starts.");
  v.number("min_lr", s.min_lr, Range::between(0, 1000), "cosine: where it ends.");
  v.number("step_epochs", s.step_epochs, Range::above_up_to(0, kMaxCount),
           "step: epochs between two drops.");
  v.number("step_factor", s.step_factor, Range::above_up_to(0, 1), "step: factor of a drop.");
  v.end();

  TeacherConfig& k = t.teacher;
  v.begin("teacher", "Distillation from a trained model.");
  v.text("checkpoint", k.checkpoint,
         "Its model file, relative to the working directory. \"\": no distillation.");
  using enum TeacherConfig::Kind;
  choice(v, "kind", k.kind, {{kSoft, "soft"}, {kHard, "hard"}, {kNone, "none"}},
         "Learn its distribution, or its first choice; or no teacher at all.");
  v.number("alpha", k.alpha, probability(), "Share of distillation in the loss.");
  v.number("tau", k.tau, Range::above_up_to(0, 1000), "soft: temperature.");
  v.number("features", k.features, Range::between(0, 1000),
           "Added to the loss: this many times the blocks' mean relative squared error against the "
           "teacher's outputs. 0: off.");
  v.end();

  v.begin("early_stop", "Ending when nothing improves.");
  v.integer("patience", t.early_stop.patience, count(0), "Epochs without a better top-1. 0: off.");
  v.number("min_delta", t.early_stop.min_delta, Range::between(0, 100),
           "Percentage points that count as better.");
  v.end();
  v.end();
}

}  // namespace

void list_options(ConfigVisitor& v, TrainConfig& c) {
  v.text("name", c.name, "Of the run.");
  v.text("out", c.out, "Output folder, relative to the working directory. \"\": runs/NAME.");
  list_integer(v, "seed", c.seed, Range::at_least(0),
               "Of weights, order, augmentation and dropout.");
  list_integer(v, "threads", c.threads, Range::between(0, 1024),
               "Threads that compute. 0: one per core.");
  v.begin("init", "Where the weights start.");
  v.text("checkpoint", c.init.checkpoint,
         "A model file or training checkpoint, relative to the working directory; it brings the "
         "sizes of model and data.preprocess, where they are not given. \"\": from scratch.");
  v.boolean("adapt", c.init.adapt,
            "Allow another number of classes (head) or image size (positions interpolated).");
  using enum InitConfig::Head;
  choice(
      v, "head", c.init.head,
      {{kAuto, "auto"}, {kKeep, "keep"}, {kNew, "new"}, {kByName, "by_name"}},
      "Of the classes: keep its rows in their order; new ones; or those of equal names, the rest "
      "new. auto: by name where any are equal, else new.");
  v.end();
  list_model(v, c);
  list_data(v, c.data);
  list_train(v, c.train);
  list_surgery(v, c.surgery);
  list_router(v, c.router);
  v.begin("checkpoint", "What is saved in the output folder, beside last and best.");
  v.integer("every", c.checkpoint.every, count(0), "Epochs between numbered checkpoints. 0: none.");
  v.integer("keep", c.checkpoint.keep, count(0), "How many numbered ones stay. 0: all.");
  v.end();
  v.begin("log", "What is reported.");
  v.integer("every", c.log.every, count(1), "Steps between two lines.");
  v.number(
      "seconds", c.log.seconds, Range::between(0, 1e6),
      "Without a terminal there is a line at least that often, whatever the run is at. 0: only "
      "those of `every`.");
  v.boolean("tensorboard", c.log.tensorboard, "Also write TensorBoard event files.");
  v.end();
}

TrainConfig default_config() {
  TrainConfig config;
  config.model.name = "vit";
  config.model.classes = 0;
  config.data.preprocess.resize = -1;
  return config;
}

}  // namespace shiftadd::train
