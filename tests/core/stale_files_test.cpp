// Leftovers of killed writers: removed when their process is gone, and never before.
#include "core/io/stale_files.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "core/io/files.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

namespace fs = std::filesystem;

// The number of a process that has ended.
pid_t dead_process() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return child;
}

// A process that does nothing for the scope's time.
class Sleeper {
 public:
  Sleeper() : process_(fork()) {
    while (process_ == 0) pause();
  }
  ~Sleeper() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  pid_t process() const { return process_; }

 private:
  pid_t process_;
};

void make_old(const std::string& path) {
  fs::last_write_time(path, fs::last_write_time(path) - std::chrono::hours(24 * 365));
}

}  // namespace

TEST_CASE("temporaries of processes that are gone are removed, and nothing else") {
  const test::TemporaryFolder folder;
  const pid_t gone = dead_process();
  const Sleeper sleeper;
  const auto made = [&](const std::string& name) {
    test::write_text(folder / name, "half");
    return folder / name;
  };
  const std::vector<std::string> stale = {made(concat("last.safetensors.tmp-", gone)),
                                          made(concat("a b.tmp-", gone)),
                                          made(concat("x.tmp-1.tmp-", gone))};
  const std::string dotted = made(concat(".csv.tmp-", gone));
  const std::vector<std::string> kept = {made("last.safetensors"),
                                         made(concat("best.tmp-", getpid())),
                                         made(concat("live.tmp-", sleeper.process())),
                                         made(concat("x.tmp-", gone, "~")),
                                         made("x.tmp-"),
                                         made("x.tmp-12a"),
                                         made("x.tmp--7"),
                                         made(concat(".tmp-", gone)),
                                         made(concat("x.tmp-", gone, "999999999999"))};
  fs::create_directory(folder / concat("folder.tmp-", gone));
  fs::create_symlink("last.safetensors", folder / concat("link.tmp-", gone));
  REQUIRE(mkfifo((folder / concat("pipe.tmp-", gone)).c_str(), 0600) == 0);
  remove_stale_temporaries(folder.path());
  for (const std::string& path : stale) CHECK_FALSE_MESSAGE(fs::exists(path), path);
  CHECK_FALSE(fs::exists(dotted));
  for (const std::string& path : kept) CHECK_MESSAGE(fs::exists(path), path);
  CHECK(fs::exists(folder / concat("folder.tmp-", gone)));
  CHECK(fs::is_symlink(folder / concat("link.tmp-", gone)));
  CHECK(fs::exists(folder / concat("pipe.tmp-", gone)));
  remove_stale_temporaries(folder / "none");
}

TEST_CASE("a number that was given anew does not keep a temporary, a lock does") {
  const test::TemporaryFolder folder;
  const Sleeper sleeper;
  // Written long before the process of this number, and of our own, began.
  const std::vector<std::string> paths = {folder / concat("a.tmp-", sleeper.process()),
                                          folder / concat("b.tmp-", getpid())};
  for (const std::string& path : paths) {
    test::write_text(path, "half");
    make_old(path);
  }
  const std::string locked = folder / concat("c.tmp-", dead_process());
  test::write_text(locked, "of a process that another machine knows");
  const int file = ::open(locked.c_str(), O_RDONLY);
  REQUIRE(flock(file, LOCK_EX) == 0);
  remove_stale_temporaries(folder.path());
  for (const std::string& path : paths) CHECK_FALSE(fs::exists(path));
  CHECK(fs::exists(locked));
  close(file);
  remove_stale_temporaries(folder.path());
  CHECK_FALSE(fs::exists(locked));
}

TEST_CASE("a file that is written anew removes what was left of it, and only of it") {
  const test::TemporaryFolder folder;
  const pid_t gone = dead_process();
  for (const char* name : {"a.csv", "b.csv", "a.csv.gz"})
    test::write_text(folder / concat(name, ".tmp-", gone), "half");
  write_file(folder / "a.csv", "whole");
  CHECK_FALSE(fs::exists(folder / concat("a.csv.tmp-", gone)));
  CHECK(fs::exists(folder / concat("b.csv.tmp-", gone)));
  CHECK(fs::exists(folder / concat("a.csv.gz.tmp-", gone)));
  AtomicFile open_file(folder / "b.csv");
  open_file.write("half");
  const pid_t other = fork();
  if (other == 0) {  // another program's view
    remove_stale_temporaries(folder.path());
    _exit(0);
  }
  waitpid(other, nullptr, 0);
  open_file.commit();
  CHECK(read_text(folder / "b.csv") == "half");
}
