// What every program shares: the version, reading the command line, help, and errors turned into
// exit statuses.
#pragma once

#include <exception>
#include <iostream>
#include <new>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/io/map_guard.h"
#include "core/io/notices.h"

namespace CLI {  // its header is slow to compile: only those who declare options include it
class App;
}

namespace shiftadd::tools {

inline constexpr const char* kVersion = SHIFTADD_VERSION;

/// Reads the command line into `app` (--version is added). Returns the status to exit with when the
/// program is to end at once: 0 after --help or --version, 2 after a wrong command line.
std::optional<int> parse_arguments(CLI::App& app, int argc, char** argv);

/// Gives `app` the option --list-archs, which needs no other and ends the program.
void add_list_archs(CLI::App& app);

/// Lines of at most 100 columns; what is longer goes on below the text it belongs to.
std::string wrapped(const std::string& text);

/// Opens what the caller has closed of standard input, output and error, so that no file of ours
/// gets their number and what is printed; printing to a closed output stays an error.
void keep_standard_streams();

/// Says that standard output could not be written; the status to exit with.
int report_unwritten(const std::string& name);

/// Runs `body`, which returns the exit status. An exception becomes one line on stderr,
/// "NAME: error: ...", and a status: 2 for the user's mistakes, 1 for everything else. Results that
/// could not be written to stdout (disk full) are an error, too.
template <class Body>
int run_program(const std::string& name, Body&& body) {
  guard_maps(name);
  receive_notices(
      [name](const std::string& text) { std::cerr << name << ": note: " << text << std::endl; });
  std::string message;
  int status = 1;
  try {
    status = body();
    return std::cout.flush() ? status : report_unwritten(name);
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
