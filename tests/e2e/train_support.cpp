// See train_support.h.
#include "tests/e2e/train_support.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io/files.h"

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
  "log": {"every": 1}
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
                                       const std::string& text, int count, int signal) const {
  const std::vector<std::string> words = command(out, arguments);
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(pipe_ends[1], 2);
    close(pipe_ends[0]), close(pipe_ends[1]);
    if (chdir(path().c_str()) != 0) _exit(127);
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(pipe_ends[1]);
  ProcessResult result;
  std::string line;
  char letter;
  while (read(pipe_ends[0], &letter, 1) == 1) {
    result.err += letter;
    line += letter;
    if (letter != '\n') continue;
    if (line.find(text) != std::string::npos && --count == 0) kill(child, signal);
    line.clear();
  }
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string TrainFolder::model_hash(const std::string& out) const {
  return sha256_of_file(folder_ / out + "/model.safetensors");
}

}  // namespace shiftadd::test
