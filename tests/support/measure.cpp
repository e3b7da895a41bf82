// measure COMMAND...: runs it; the last line of stderr says what it cost: "cpu S s, peak N MiB".
// Its exit status is the command's. A program of its own, because Linux counts to a child what its
// parent had in memory.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

int main(int count, char** words) {
  if (count < 2) return 2;
  const pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    execvp(words[1], words + 1);
    _exit(127);
  }
  int status = 0;
  rusage used{};
  if (wait4(child, &status, 0, &used) != child) return 1;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  std::fprintf(stderr, "cpu %.2f s, peak %ld MiB\n",
               seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss / 1024);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
