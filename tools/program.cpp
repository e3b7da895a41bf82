// Reads command lines, wraps help and reports output that could not be written.
#include "tools/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <sstream>

#include "tools/archs.h"

namespace shiftadd::tools {
namespace {

constexpr std::size_t kColumns = 100;

// Where the continuation of a line of help stands: under its second column, else under its start.
std::size_t hanging_indent(const std::string& line) {
  const std::size_t start = line.find_first_not_of(' ');
  const std::size_t gap = line.find("  ", start);
  const std::size_t column = line.find_first_not_of(' ', gap);
  return gap == std::string::npos || column == std::string::npos || column > kColumns / 2
             ? start + (start > 0 && start < kColumns / 4 ? 2 : 0)
             : column;
}

}  // namespace

std::string wrapped(const std::string& text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    while (line.size() > kColumns) {
      const std::size_t indent = hanging_indent(line);
      const std::size_t space = line.rfind(' ', kColumns);
      if (space == std::string::npos || space <= indent) break;  // one long word
      result += line.substr(0, space) + "\n";
      line = std::string(indent, ' ') + line.substr(line.find_first_not_of(' ', space));
    }
    result += line + "\n";
  }
  return result;
}

void keep_standard_streams() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(number, F_GETFD) < 0)  // the lowest free number is the one that is missing
      (void)open("/dev/null", number == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

std::optional<int> parse_arguments(CLI::App& app, int argc, char** argv) {
  keep_standard_streams();
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit is then an error of the write, as a full disk
  app.set_version_flag("--version", app.get_name() + " " + SHIFTADD_VERSION);
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    std::cout << wrapped(app.help());
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) {
      std::cerr << app.get_name() << ": error: " << error.what() << " (see --help)\n";
      return 2;
    }
    app.exit(error, std::cout, std::cerr);
  }
  return std::cout.flush() ? 0 : report_unwritten(app.get_name());
}

void add_list_archs(CLI::App& app) {
  app.add_flag_callback(
      "--list-archs",
      [] {
        print_archs(std::cout);
        throw CLI::Success();
      },
      "List the known networks with their parameters and image size");
}

int report_unwritten(const std::string& name) {
  std::cerr << name << ": error: standard output could not be written" << std::endl;
  return 1;
}

}  // namespace shiftadd::tools
