// cmake/build_commit.cmake: the commit of the sources, in every form in which people have them.
#include <filesystem>

#include "core/io/files.h"
#include "tests/support/support.h"

using namespace shiftadd;
using test::ProcessResult;
namespace fs = std::filesystem;

namespace {

class Sources {
 public:
  std::string operator/(const std::string& name) const { return folder_ / name; }

  std::string git(const std::string& where, std::vector<std::string> arguments) const {
    std::vector<std::string> command = {"git",         "-C", folder_ / where,   "-c",
                                        "user.name=a", "-c", "user.email=a@b.c"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const ProcessResult result = test::run(command);
    REQUIRE_MESSAGE(result.status == 0, result.err);
    return result.out.substr(0, result.out.find('\n'));
  }
  /// A repository with one commit, whose short name it returns.
  std::string repository(const std::string& where) const {
    test::write_text(folder_ / where + "/a.txt", "a");
    git(where, {"init", "-q"});
    git(where, {"add", "."});
    git(where, {"commit", "-q", "-m", "first"});
    return git(where, {"rev-parse", "--short=12", "HEAD"});
  }
  /// What a build of the sources there would name.
  std::string named(const std::string& where, const std::string& program = "git") const {
    const ProcessResult result =
        test::run({"cmake", "-DGIT=" + program, "-DSOURCE=" + (folder_ / where), "-DOUT=" + out(),
                   "-P", test::source_folder() + "/cmake/build_commit.cmake"});
    REQUIRE_MESSAGE(result.status == 0, result.err);
    const std::string text = read_text(out());
    const std::size_t begin = text.find("return \"") + 8;
    return text.substr(begin, text.find('"', begin) - begin);
  }
  std::string out() const { return folder_ / "commit.cpp"; }

 private:
  test::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("a build names the commit of its sources") {
  if (test::run({"git", "--version"}).status != 0) {
    MESSAGE("SKIPPED: no git");
    return;
  }
  const Sources sources;
  const std::string commit = sources.repository("plain");
  CHECK(sources.named("plain") == commit);
  const auto written = fs::last_write_time(sources.out());
  CHECK(sources.named("plain") == commit);
  CHECK(fs::last_write_time(sources.out()) == written);  // nothing is compiled again

  SUBCASE("changed since") {
    test::write_text(sources / "plain/a.txt", "b");
    CHECK(sources.named("plain") == commit + "-dirty");
  }
  SUBCASE("a worktree, whose .git is a file") {
    sources.git("plain", {"worktree", "add", "-q", sources / "second"});
    CHECK(fs::is_regular_file(sources / "second/.git"));
    CHECK(sources.named("second") == commit);
  }
  SUBCASE("a tarball's tree") {
    test::write_text(sources / "tarball/a.txt", "a");
    CHECK(sources.named("tarball") == "unknown");
  }
  SUBCASE("a tarball's tree inside another repository") {
    test::write_text(sources / "plain/shiftadd/a.txt", "a");
    CHECK(sources.named("plain/shiftadd") == "unknown");
  }
  SUBCASE("a tag") {
    sources.git("plain", {"tag", "-a", "v1.2", "-m", "one"});
    CHECK(sources.named("plain") == "v1.2");
  }
  SUBCASE("a repository without a commit") {
    fs::create_directories(sources / "empty");
    sources.git("empty", {"init", "-q"});
    CHECK(sources.named("empty") == "unknown");
  }
  SUBCASE("no git") {
    CHECK(sources.named("plain", "") == "unknown");
    CHECK(sources.named("plain", "GIT_EXECUTABLE-NOTFOUND") == "unknown");
    CHECK(sources.named("plain", "/nonexistent/git") == "unknown");
  }
}
