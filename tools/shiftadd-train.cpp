// shiftadd-train: trains an image classifier from one JSON configuration.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/io/files.h"
#include "core/parallel.h"
#include "tools/program.h"
#include "tools/run_progress.h"
#include "tools/stop_signals.h"
#include "tools/train/outputs.h"
#include "train/config.h"
#include "train/dry_run.h"
#include "train/manifest.h"
#include "train/run_comparison.h"
#include "train/run_folder.h"
#include "train/stages.h"
#include "train/start.h"
#include "train/trainer.h"

namespace {

using namespace shiftadd;

constexpr int kInterrupted = 130;

std::atomic<bool> stop_requested{false};

/// The first signal asks the run to end after the step at work, or what else `work` names; the
/// second one kills, as by default.
void handle_signals(const char* work = "step") {
  tools::name_stopped("shiftadd-train", work);
  tools::watch_stop_signals(
      [](int) {
        stop_requested = true;
        tools::say_stopping();
      },
      static_cast<int>(SA_RESETHAND | SA_RESTART));
}

struct Arguments {
  std::string config, out, resume, eval;
  std::vector<std::string> set, compare;
  int threads = -1;
  std::string seed;
  bool dry_run = false, print_config = false, check_data = false, print_schema = false,
       anomaly = false;
};

void declare(CLI::App& app, Arguments& arguments) {
  app.add_option("CONFIG", arguments.config, "JSON configuration (see --print-schema)");
  app.add_option("--out", arguments.out,
                 "Folder of the run (default: the configuration's, or runs/NAME)");
  app.add_option("--set", arguments.set,
                 "KEY=VALUE overrides an option, e.g. train.epochs=3; may be repeated. "
                 "stages.NAME.KEY=VALUE is of that stage alone, and wins where a stage sets the "
                 "option itself")
      ->allow_extra_args(false);
  app.add_option("--resume", arguments.resume,
                 "auto: go on where the run in the output folder was left, or begin it; or the "
                 "folder of a run, "
                 "or one of its checkpoint files");
  CLI::Option* threads =
      app.add_option("--threads", arguments.threads,
                     "Threads (default: all cores); the result does not depend on it")
          ->check(CLI::Range(1, 1024));
  app.add_option("--seed", arguments.seed, "Seed of all random numbers")->option_text("N");
  app.add_flag("--dry-run", arguments.dry_run,
               "Show the network, its cost and the first batch, time a few steps, train nothing");
  app.add_flag("--print-config", arguments.print_config,
               "Print the configuration with every default resolved");
  app.add_flag("--check-data", arguments.check_data,
               "Read every image once and list the broken and odd ones");
  app.add_flag("--print-schema", arguments.print_schema, "Print the JSON Schema of configurations");
  app.add_flag("--anomaly", arguments.anomaly,
               "Check every operation for NaN and infinity and name the first one (slow)");
  CLI::Option* compare =
      app.add_option(
             "--compare", arguments.compare,
             "Folders of finished runs, evaluated on the same images: print a table of them "
             "(Markdown); the first is what the others are compared with. Runs of several "
             "seeds, separated by commas, make one row of their means, each paired with the "
             "first row's of its seed. The interval of a difference is over images: what a seed "
             "does "
             "to all images alike is not in it, and is told of below the table")
          ->option_text("FOLDER[,FOLDER...] ...");
  for (CLI::Option* option : app.get_options())
    if (option != compare && option != threads) compare->excludes(option);
  app.add_option("--eval", arguments.eval,
                 "With --compare: evaluate the runs' models on these labelled images, in place of "
                 "what they were validated on")
      ->option_text("DIR|TAR");
  tools::add_list_archs(app);
  app.footer([] { return "Options of a configuration:\n" + train::train_config_help(); });
}

/// The configuration with the command line's overrides on top; --set comes before the options
/// proper.
train::TrainConfig load(const Arguments& arguments) {
  if (arguments.config.empty())
    throw user_error("no configuration given: shiftadd-train CONFIG.json (see --help)");
  std::vector<std::string> overrides = arguments.set;
  if (!arguments.out.empty()) {
    try {
      overrides.push_back("out=" + nlohmann::json(arguments.out).dump());
    } catch (const nlohmann::json::exception&) {
      throw user_error("--out ", arguments.out, ": not UTF-8, which configurations are written in");
    }
  }
  if (arguments.threads >= 0) overrides.push_back("threads=" + std::to_string(arguments.threads));
  if (!arguments.seed.empty()) overrides.push_back("seed=" + arguments.seed);
  return train::load_train_config(arguments.config, overrides);
}

bool same_folder(const std::string& a, const std::string& b) {
  return std::filesystem::weakly_canonical(a) == std::filesystem::weakly_canonical(b);
}

train::TrainOptions training_options(const Arguments& arguments, const std::string& checkpoint) {
  return {.version = tools::kVersion, .resume = checkpoint, .anomaly = arguments.anomaly};
}

/// work(reporter); the bar is gone when it ends. `silence` as in Reporter.
template <class Work>
auto with_reporter(double silence, Work&& work) {
  train::Reporter reporter([](std::string_view text) { std::cerr << text << std::flush; },
                           stderr_is_terminal(), silence);
  return work(reporter);
}

int run_training(train::TrainConfig& config, const Arguments& arguments) {
  const train::ResumePoint resume = train::find_resume_point(arguments.resume, config.out);
  if (!arguments.out.empty() && !same_folder(arguments.out, resume.folder))
    throw user_error("--out ", arguments.out, " and --resume ", arguments.resume,
                     " name two folders: a run is resumed where it was written");
  config.out = resume.folder;
  tools::check_outputs(config, arguments.config);
  handle_signals();
  const train::TrainResult result =
      with_reporter(config.log.seconds, [&](train::Reporter& reporter) {
        return train::train(config, training_options(arguments, resume.checkpoint), reporter,
                            stop_requested);
      });
  if (result.stopped) {
    if (result.last.empty())
      std::cerr << tools::message_start()
                << "stopped before the first step; nothing was saved: the run begins anew\n";
    else
      std::cerr << tools::message_start() << "stopped after step " << result.state.step
                << "; saved " << result.last << ". Go on with --resume auto\n";
    return kInterrupted;
  }
  char line[160];
  std::snprintf(line, sizeof line,
                "top-1 %.2f %%, top-5 %.2f %%, loss %.4f on %lld validation images\n",
                result.state.last_top1, result.state.last_top5, result.state.last_loss,
                static_cast<long long>(result.validation_images));
  std::cout << line;
  std::snprintf(line, sizeof line, "best top-1 %.2f %% after epoch %lld: ", result.state.best_top1,
                static_cast<long long>(result.state.best_epoch));
  std::cout << line << result.best << "\nmodel: " << result.model << "\n";
  return 0;
}

int run_stages(const train::TrainConfig& config, const Arguments& arguments) {
  if (!arguments.resume.empty() && arguments.resume != "auto")
    throw user_error("--resume ", arguments.resume,
                     ": a configuration with stages goes on with --resume auto");
  tools::check_outputs(config, arguments.config);
  handle_signals();
  const train::StagesResult result =
      with_reporter(config.log.seconds, [&](train::Reporter& reporter) {
        return train::train_stages(config, training_options(arguments, ""), reporter,
                                   arguments.resume == "auto", stop_requested);
      });
  if (result.stopped) {
    std::cerr << tools::message_start() << "stopped";
    if (!result.unsaved.empty())
      std::cerr << " before the first step of stage " << result.unsaved
                << "; nothing of it was saved: it begins anew, its attention transfer, too";
    std::cerr << ". Go on with --resume auto\n";
    return kInterrupted;
  }
  std::cout << result.report << "model: " << result.model << "\n" << std::flush;
  write_file(config.out + "/report.md", result.report);
  return 0;
}

// A run of stages has a result in the folder of each, none of its own.
void require_run_without_stages(const std::string& folder) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(folder) || fs::exists(folder + "/result.json")) return;
  std::vector<std::string> stages;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (fs::exists(entry.path() / "result.json")) stages.push_back(entry.path().string());
  std::sort(stages.begin(), stages.end());
  std::string text;
  for (const std::string& stage : stages) text += (text.empty() ? "" : " or ") + stage;
  if (!text.empty())
    throw user_error("--compare ", folder, ": holds a run of stages: expected one of them, ", text);
}

// A row of the comparison from its folders, separated by commas; each run is named by its folder.
train::RunGroup read_group(const std::string& text) {
  train::RunGroup group;
  std::istringstream folders(text + ',');
  for (std::string folder; std::getline(folders, folder, ',');) {
    if (folder.empty())
      throw user_error("--compare '", text, "': expected folders, separated by commas");
    for (const train::RunResult& other : group.seeds)
      if (same_folder(other.name, folder))
        throw user_error("--compare '", text, "': ", folder,
                         " stands twice: expected a run for each seed");
    require_run_without_stages(folder);
    group.seeds.push_back(train::read_result(folder));
    group.seeds.back().name = folder;
    group.seeds.back().seed = train::seed_of_run(folder);
  }
  group.name = train::group_name(group.seeds);
  return group;
}

int compare_runs(const Arguments& arguments) {
  std::vector<train::RunGroup> groups;
  for (const std::string& text : arguments.compare) groups.push_back(read_group(text));
  train::require_equal_seeds(groups);
  if (!arguments.eval.empty()) {
    const data::ImageFolder images = data::ImageFolder::open(arguments.eval);
    handle_signals("batch");
    if (arguments.threads > 0) set_num_threads(arguments.threads);
    const bool done = with_reporter(train::LogConfig().seconds, [&](train::Reporter& reporter) {
      for (train::RunGroup& group : groups)
        for (train::RunResult& run : group.seeds) {
          auto result = train::evaluate_run(run.name, run, images, reporter, stop_requested);
          if (!result) return false;
          run = std::move(*result);
        }
      return true;
    });
    if (!done) {
      std::cerr << tools::message_start() << "stopped before the table; --compare saves nothing\n";
      return kInterrupted;
    }
  }
  std::cout << train::compare_results(groups);
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app("Trains an image classifier from one JSON configuration.", "shiftadd-train");
  Arguments arguments;
  declare(app, arguments);
  if (const auto status = tools::parse_arguments(app, argc, argv)) return *status;
  if (arguments.print_schema) {
    std::cout << train::train_schema();
    return 0;
  }
  if (!arguments.compare.empty()) return compare_runs(arguments);
  if (!arguments.eval.empty())
    throw user_error("--eval ", arguments.eval,
                     " goes with --compare; shiftadd-infer MODEL --eval evaluates a single model");
  tools::stop_at_once("shiftadd-train");  // until there is something to save
  train::TrainConfig config = load(arguments);
  for (const std::string& line : config.notices) std::cerr << "note: " << line << "\n";
  if (arguments.print_config) {
    // What the start brings is shown where it is there; a run before this one may yet make it.
    const bool there = std::filesystem::exists(config.init.checkpoint);
    std::cout << train::to_text(there ? train::with_start(config) : config);
    return 0;
  }
  if (arguments.check_data) {
    std::optional<tools::RunProgress> progress;
    const train::DataCheck check =
        train::check_run_data(config, [&](const std::string& set, int64_t done, int64_t total) {
          if (done == 0) progress.emplace("checking", set, total, tools::RunProgress::Lines::kAll);
          progress->update(done);
        });
    progress.reset();
    std::cout << check.text;
    std::cout.flush();
    if (!check.mismatch.empty()) throw user_error(check.mismatch);
    if (check.broken > 0 && config.data.broken == data::BrokenPolicy::kFail)
      throw user_error(check.broken,
                       " broken images: remove them, or set data.broken to skip or quarantine");
    return 0;
  }
  if (arguments.dry_run) {
    std::cout << train::dry_run(config);
    return 0;
  }
  if (!config.stages.empty()) return run_stages(config, arguments);
  return run_training(config, arguments);
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_program("shiftadd-train", [&] { return run(argc, argv); });
}
