// See run_until.h.
#include "tests/e2e/run_until.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace shiftadd::test {
namespace {

[[noreturn]] void become(const std::vector<std::string>& command, const std::string& folder,
                         const Interruption& interruption, int watched) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_DFL);
  if (interruption.ignored) signal(interruption.signal, SIG_IGN);
  dup2(watched, interruption.of_stdout ? 1 : 2);
  dup2(open("/dev/null", O_WRONLY), interruption.of_stdout ? 2 : 1);
  const std::string& input = interruption.input;
  dup2(open(input.empty() ? "/dev/null" : input.c_str(), O_RDONLY), 0);
  if (chdir(folder.c_str()) != 0) _exit(127);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

}  // namespace

ProcessResult run_until(const std::vector<std::string>& command, const std::string& folder,
                        const Interruption& interruption) {
  int ends[2];
  REQUIRE(pipe2(ends, O_DIRECT | O_CLOEXEC) == 0);  // O_DIRECT: each write takes a page of its own
  REQUIRE(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);  // one page
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) become(command, folder, interruption, ends[1]);
  close(ends[1]);
  ProcessResult result;
  std::string& text = interruption.of_stdout ? result.out : result.err;
  std::string line;
  int count = 0;
  char buffer[4096];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
    for (const char letter : std::string_view(buffer, static_cast<std::size_t>(got))) {
      text += letter;
      line += letter;
      if (letter != '\n') continue;
      if (contains(line, interruption.text) && ++count == interruption.count) {
        if (interruption.action)
          interruption.action();
        else
          kill(child, interruption.signal);
      }
      line.clear();
    }
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace shiftadd::test
