// See child.h.
#include "tests/e2e/child.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "tests/support/support.h"

namespace shiftadd::test {
namespace {

struct winsize size_of(Child::Terminal terminal) {
  struct winsize size = {};
  size.ws_row = static_cast<unsigned short>(terminal.rows);
  size.ws_col = static_cast<unsigned short>(terminal.columns);
  return size;
}

}  // namespace

void Child::start(const std::vector<std::string>& command, const std::string& folder) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  if (chdir(folder.c_str()) == 0) execv(words[0], words.data());
  _exit(127);
}

Child::Child(const std::vector<std::string>& command, const std::string& folder) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  pid_ = fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(ends[1], STDOUT_FILENO), dup2(ends[1], STDERR_FILENO);
    close(ends[0]), close(ends[1]);
    start(command, folder);
  }
  close(ends[1]);
  from_ = ends[0];
}

Child::Child(const std::vector<std::string>& command, const std::string& folder,
             Terminal terminal) {
  struct winsize size = size_of(terminal);
  pid_ = forkpty(&from_, nullptr, nullptr, &size);
  REQUIRE(pid_ >= 0);
  if (pid_ != 0) return;
  setenv("TERM", "xterm", 1);
  unsetenv("COLUMNS");
  start(command, folder);
}

Child::~Child() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    wait();
  }
  close(from_);
}

bool Child::read_more() {
  char bytes[4096];
  ssize_t got;
  do {
    got = read(from_, bytes, sizeof bytes);
  } while (got < 0 && errno == EINTR);
  if (got > 0) output_.append(bytes, static_cast<std::size_t>(got));
  return got > 0;  // a terminal whose program is gone gives an error
}

bool Child::read_until(const std::string& text) {
  while (!contains(output_, text))
    if (!read_more()) return false;
  return true;
}

void Child::send(int signal) const { kill(pid_, signal); }

void Child::type(const std::string& keys) const {
  REQUIRE(write(from_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
}

void Child::resize(Terminal terminal) {
  send(SIGSTOP);
  int status = 0;
  REQUIRE(waitpid(pid_, &status, WUNTRACED) == pid_);
  REQUIRE(WIFSTOPPED(status));
  constexpr int kQuiet = 100;  // milliseconds in which a terminal hands over what it holds
  struct pollfd ready = {from_, POLLIN, 0};
  while (poll(&ready, 1, kQuiet) == 1 && read_more()) {
  }
  struct winsize size = size_of(terminal);
  REQUIRE(ioctl(from_, TIOCSWINSZ, &size) == 0);
  send(SIGCONT);
}

int Child::wait() {
  while (read_more()) {
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace shiftadd::test
