// What every program shares: the version, reading the command line, and errors turned into exit
// statuses.
#pragma once

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <new>
#include <optional>
#include <string>

#include "core/error.h"

namespace shiftadd::tools {

inline constexpr const char* kVersion = SHIFTADD_VERSION;

/// Reads the command line into `app` (--version is added). Returns the status to exit with when the
/// program is to end at once: 0 after --help or --version, 2 after a wrong command line.
inline std::optional<int> parse_arguments(CLI::App& app, int argc, char** argv) {
  app.set_version_flag("--version", app.get_name() + " " + kVersion);
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error, std::cout, std::cerr);
    std::cerr << app.get_name() << ": error: " << error.what() << " (see --help)\n";
    return 2;
  }
}

/// Runs `body`, which returns the exit status. An exception becomes one line on stderr,
/// "NAME: error: ...", and a status: 2 for the user's mistakes, 1 for everything else. Results that
/// could not be written to stdout (disk full) are an error, too.
template <class Body>
int run_program(const std::string& name, Body&& body) {
  std::string message;
  int status = 1;
  try {
    status = body();
    std::cout.flush();
    if (std::cout) return status;
    status = 1;
    message = "standard output could not be written";
  } catch (const Error& error) {
    status = error.exit_code();
    message = error.what();
  } catch (const std::bad_alloc&) {
    message = "out of memory";
  } catch (const std::exception& error) {
    message = error.what();
  }
  std::cerr << name << ": error: " << message << std::endl;
  return status;
}

}  // namespace shiftadd::tools
