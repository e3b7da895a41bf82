// Turns the options of shiftadd-bench's subcommands into those of CLI11.
#include "tools/bench/commands.h"

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "tools/program.h"

namespace shiftadd::tools {
namespace {

constexpr int64_t kMostImages = 65'536;

}  // namespace

void Command::argument(const char* name, std::string& value, const char* help, const char* shown) {
  required_text(name, value, help, shown);
}

void Command::argument(const char* name, std::vector<std::string>& values, const char* help,
                       const char* shown) {
  app_->add_option(name, values, help)->required()->option_text(shown);
}

void Command::text(const char* name, std::string& value, const char* help, const char* shown) {
  app_->add_option(name, value, help)->option_text(shown);
}

void Command::required_text(const char* name, std::string& value, const char* help,
                            const char* shown) {
  app_->add_option(name, value, help)->required()->option_text(shown);
}

void Command::integer(const char* name, int64_t& value, const char* help, int64_t most) {
  app_->add_option(name, value, help)->check(CLI::Range(int64_t{1}, most))->option_text("N");
}

void Command::integers(const char* name, std::vector<int64_t>& values, const char* help,
                       int64_t most) {
  app_->add_option(name, values, help)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(int64_t{1}, most))
      ->option_text("N[,N...]");
}

void Command::size(const char* name, Grid& value, const char* help, int64_t most) {
  const auto read = [&value, name, most](const std::string& text) {
    const std::optional<Grid> size = parse_grid(text, most);
    if (!size)
      throw CLI::ValidationError(
          name,
          concat("expected a size such as 224 or 224x160, each from 1 to ", most, ", got ", text));
    value = *size;
  };
  app_->add_option_function<std::string>(name, read, help)->option_text("N|HxW");
}

void Command::choice(const char* name, std::string& value, const char* help,
                     const std::vector<std::string>& choices) {
  app_->add_option(name, value, help)
      ->check(CLI::IsMember(choices))
      ->option_text(CLI::detail::join(choices, "|"));
}

void Command::choices(const char* name, std::vector<std::string>& values, const char* help,
                      const std::vector<std::string>& choices) {
  app_->add_option(name, values, help)
      ->check(CLI::IsMember(choices))
      ->allow_extra_args(false)
      ->option_text(CLI::detail::join(choices, "|"));
}

void Command::flag_or_choice(const char* name, std::string& value, const char* help,
                             const std::vector<std::string>& choices) {
  const std::vector<std::string> others(choices.begin() + 1, choices.end());
  app_->add_flag(concat(name, "{", choices[0], "}"), value, help)
      ->check(CLI::IsMember(choices))
      ->option_text(concat("[=", CLI::detail::join(others, "|"), "]"));
}

void Command::flag(const char* name, bool& value, const char* help) {
  app_->add_flag(name, value, help);
}

void Command::network(std::string& value, const char* help, const char* shown) {
  argument("model", value, help, shown);
}

void Command::batch(int64_t& value, const char* help) {
  integer("--batch", value, help, kMostImages);
}

void Command::batches(std::vector<int64_t>& values, const char* help) {
  integers("--batch", values, help, kMostImages);
}

void Command::threads(int& value, const char* help) {
  app_->add_option("--threads", value, help)->check(CLI::Range(1, 1024))->option_text("N");
}

void Command::shift_share(double& value, const char* help) {
  app_->add_option("--shift-share", value, help)->check(CLI::Range(0.0, 1.0))->option_text("S");
}

void Command::seconds(double& value, const char* help) {
  app_->add_option("--seconds", value, help)->check(CLI::Range(0.0, 3600.0))->option_text("S");
}

void Command::json(bool& value, const char* help) { flag("--json", value, help); }

void Command::list_archs() { add_list_archs(*app_); }

Commands::Commands(const char* program, const char* help)
    : app_(std::make_unique<CLI::App>(help, program)) {
  app_->require_subcommand(1);
}

Commands::~Commands() = default;

Command Commands::add(const char* name, const char* help, std::function<int()> run) {
  CLI::App* const app = app_->add_subcommand(name, help);
  entries_.push_back({app, std::move(run)});
  return Command(*app);
}

std::optional<int> Commands::parse(int argc, char** argv) {
  add_list_archs(*app_);
  return parse_arguments(*app_, argc, argv);
}

int Commands::run() const {
  for (const Entry& entry : entries_)
    if (entry.app->parsed()) return entry.run();
  throw failure("the command line names no subcommand");  // the parser has refused it before
}

}  // namespace shiftadd::tools
