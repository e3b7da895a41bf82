// The subcommands of shiftadd-bench: each is one file, NAME.cpp, that declares its options and
// runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/grid.h"

namespace CLI {  // its header is slow to compile: only commands.cpp includes it
class App;
}

namespace shiftadd::tools {

/// Declares the options of one subcommand in the order in which its help lists them. A value is
/// filled in when the command line is parsed and must live until then; what it holds before is the
/// default. `shown` stands for the value in the help.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}

  /// A word, or several words, without which the subcommand does not run.
  void argument(const char* name, std::string& value, const char* help, const char* shown);
  void argument(const char* name, std::vector<std::string>& values, const char* help,
                const char* shown);
  void text(const char* name, std::string& value, const char* help, const char* shown);
  void required_text(const char* name, std::string& value, const char* help, const char* shown);
  /// From 1 to `most`.
  void integer(const char* name, int64_t& value, const char* help, int64_t most);
  /// One or several, with commas.
  void integers(const char* name, std::vector<int64_t>& values, const char* help, int64_t most);
  /// A side of a square, or HEIGHTxWIDTH, each from 1 to `most`.
  void size(const char* name, Grid& value, const char* help, int64_t most);
  /// One of `choices`, or any number of them by repetition.
  void choice(const char* name, std::string& value, const char* help,
              const std::vector<std::string>& choices);
  void choices(const char* name, std::vector<std::string>& values, const char* help,
               const std::vector<std::string>& choices);
  /// A flag that alone stands for the first of `choices`, and for another one as --FLAG=CHOICE.
  void flag_or_choice(const char* name, std::string& value, const char* help,
                      const std::vector<std::string>& choices);
  void flag(const char* name, bool& value, const char* help);

  // What several subcommands have.
  void network(std::string& value, const char* help, const char* shown);
  void batch(int64_t& value, const char* help);
  void batches(std::vector<int64_t>& values, const char* help);
  void threads(int& value, const char* help = "Threads [all cores]");
  void shift_share(double& value, const char* help);
  void seconds(double& value, const char* help);
  void json(bool& value, const char* help = "Print one JSON object");
  void list_archs();

 private:
  CLI::App* app_;
};

/// All subcommands of a program.
class Commands {
 public:
  Commands(const char* program, const char* help);
  ~Commands();

  /// Adds a subcommand with its options, which the caller declares. `run` returns the exit status;
  /// it is called with the options when the command line names this subcommand.
  template <class Options>
  std::pair<Command, Options&> add(const char* name, const char* help, int (*run)(const Options&)) {
    const auto options = std::make_shared<Options>();
    return {add(name, help, [=] { return run(*options); }), *options};
  }
  /// Reads the command line. Returns the status to exit with when the program is to end at once, as
  /// parse_arguments does.
  std::optional<int> parse(int argc, char** argv);
  /// Runs the subcommand that the parsed command line names.
  int run() const;

 private:
  Command add(const char* name, const char* help, std::function<int()> run);

  struct Entry {
    CLI::App* app;
    std::function<int()> run;
  };
  std::unique_ptr<CLI::App> app_;
  std::vector<Entry> entries_;
};

// A subcommand a line.
void add_compare(Commands& commands);
void add_count(Commands& commands);
void add_data(Commands& commands);
void add_gemm(Commands& commands);
void add_gpu(Commands& commands);
void add_latency(Commands& commands);
void add_model(Commands& commands);
void add_ops(Commands& commands);
void add_roofline(Commands& commands);

}  // namespace shiftadd::tools
