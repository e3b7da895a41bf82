// See support.h.
#include "tests/support/support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

namespace fs = std::filesystem;

namespace shiftadd::test {

std::string source_folder() { return SHIFTADD_SOURCE_DIR; }
// By where this program lies: a build may have been moved to another machine.
std::string build_folder() {
  return fs::read_symlink("/proc/self/exe").parent_path().parent_path().string();
}
std::string program(const std::string& name) { return build_folder() + "/bin/" + name; }

namespace {
std::string shared_folder() { return source_folder() + "/../shared"; }
}  // namespace

std::string golden_folder() {
  if (const char* chosen = std::getenv("SHIFTADD_GOLDEN")) return chosen;
  if (fs::exists(shared_folder() + "/golden")) return shared_folder() + "/golden";
  return source_folder() + "/tests/golden";
}

std::vector<std::string> golden_cases(const std::string& prefix) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(golden_folder() + "/operators")) {
    const std::string name = entry.path().stem().string();
    if (name.rfind(prefix, 0) == 0) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  REQUIRE_MESSAGE(!names.empty(),
                  "no golden case starts with " << prefix << " in " << golden_folder());
  return names;
}

TensorFile golden_operator(const std::string& name) {
  return read_safetensors(golden_folder() + "/operators/" + name + ".safetensors");
}

TensorFile golden_model(const std::string& name) {
  return read_safetensors(golden_folder() + "/models/" + name + ".safetensors");
}

std::string attributes(const TensorFile& file) { return file.metadata.at("attributes"); }

std::string shared_path(const std::string& relative) {
  if (fs::exists(shared_folder())) return shared_folder() + "/" + relative;
  const char* ci = std::getenv("CI");
  if (ci && std::string(ci) == "true")
    FAIL("../shared is absent and CI=true: this test needs " << relative);
  static std::set<std::string> said;
  if (said.insert(relative).second)
    std::cout << "SKIPPED: ../shared is absent, needed for " << relative << std::endl;
  return "";
}

void check_close(const Tensor& actual, const Tensor& expected, double relative,
                 const std::string& what, double floor) {
  INFO(what);
  REQUIRE(actual.shape() == expected.shape());
  const Tensor a = actual.to(DType::kF64), b = expected.to(DType::kF64);
  double largest = 0, worst = 0;
  int64_t at = 0;
  bool finite = true;
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double x = a.data<double>()[i], y = b.data<double>()[i];
    finite = finite && std::isfinite(x);
    largest = std::max(largest, std::abs(y));
    if (std::abs(x - y) > worst) worst = std::abs(x - y), at = i;
  }
  CHECK_MESSAGE(finite, what << " is not finite");
  CHECK_MESSAGE(worst <= std::max(relative * largest, floor),
                what << ": |difference| " << worst << " at element " << at << ", allowed "
                     << std::max(relative * largest, floor));
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "shiftadd-test-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

ProcessResult run(const std::vector<std::string>& command, const std::string& input,
                  const std::map<std::string, std::string>& environment,
                  const std::string& folder) {
  signal(SIGPIPE, SIG_IGN);
  int in[2], out[2], err[2];
  REQUIRE(pipe(in) == 0);
  REQUIRE(pipe(out) == 0);
  REQUIRE(pipe(err) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(in[0], 0), dup2(out[1], 1), dup2(err[1], 2);
    for (int fd : {in[0], in[1], out[0], out[1], err[0], err[1]}) close(fd);
    if (!folder.empty() && chdir(folder.c_str()) != 0) _exit(127);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  close(in[0]), close(out[1]), close(err[1]);
  ProcessResult result;
  std::size_t sent = 0;
  pollfd fds[3] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}, {in[1], POLLOUT, 0}};
  if (input.empty()) close(in[1]), fds[2].fd = -1;
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    poll(fds, 3, -1);
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || !fds[i].revents) continue;
      char buffer[65536];
      const ssize_t got = read(fds[i].fd, buffer, sizeof buffer);
      if (got > 0)
        (i ? result.err : result.out).append(buffer, got);
      else
        close(fds[i].fd), fds[i].fd = -1;
    }
    if (fds[2].fd >= 0 && fds[2].revents) {
      const ssize_t put = write(in[1], input.data() + sent, input.size() - sent);
      if (put > 0) sent += put;
      if (put <= 0 || sent == input.size()) close(in[1]), fds[2].fd = -1;
    }
  }
  if (fds[2].fd >= 0) close(in[1]);
  int status = 0;
  waitpid(child, &status, 0);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

void write_text(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace shiftadd::test
