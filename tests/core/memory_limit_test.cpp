// Limits as each kind of machine states them, in folders that stand for /proc and /sys; refusals.
#include "core/memory_limit.h"

#include <sys/resource.h>

#include <cmath>
#include <filesystem>

#include "core/error.h"
#include "tests/support/support.h"

using namespace shiftadd;
using test::contains;

namespace {

constexpr double kGiB = 1 << 30;

/// A machine of 16 GiB, 8 of them and 1 of swap free, and files beside that.
class Machine {
 public:
  explicit Machine(const std::map<std::string, std::string>& files) {
    write(
        "proc/meminfo",
        "MemTotal:       16777216 kB\nMemFree:          524288 kB\n"
        "MemAvailable:    8388608 kB\nSwapTotal:       1048576 kB\nSwapFree:        1048576 kB\n");
    for (const auto& [name, text] : files) write(name, text);
  }
  MemoryLimit limit() const { return memory_limit(folder_.path()); }

 private:
  void write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    test::write_text(path, text);
  }
  test::TemporaryFolder folder_;
};

void check_limit(const std::map<std::string, std::string>& files, double bytes,
                 const std::string& what) {
  const MemoryLimit limit = Machine(files).limit();
  CHECK(limit.bytes == doctest::Approx(bytes));
  CHECK_MESSAGE(contains(limit.what, what), limit.what);
}

std::string refusal(const std::vector<MemoryUse>& uses, double limit) {
  try {
    require_memory("[test] the work", uses, {limit, "memory available on this machine"});
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the least of what machine and control groups leave is the limit") {
  const std::string two = "sys/fs/cgroup/", one = "sys/fs/cgroup/memory/";
  SUBCASE("no group") { check_limit({}, 9 * kGiB, "this machine"); }
  SUBCASE("version 2, its cache counts as free") {
    check_limit({{"proc/self/cgroup", "0::/a\n"},
                 {two + "a/memory.max", "4294967296\n"},
                 {two + "a/memory.current", "2147483648\n"},
                 {two + "a/memory.stat", "anon 5\ninactive_file 1073741824\nactive_file 0\n"}},
                3 * kGiB, "control group");
  }
  SUBCASE("version 2, the limit is above, at the root of a container") {
    check_limit({{"proc/self/cgroup", "0::/\n"},
                 {two + "memory.max", "1073741824\n"},
                 {two + "memory.current", "0\n"}},
                kGiB, "control group");
  }
  SUBCASE("version 2, two levels up") {
    check_limit({{"proc/self/cgroup", "0::/user/session/run\n"},
                 {two + "user/memory.max", "2147483648\n"},
                 {two + "user/memory.current", "1073741824\n"},
                 {two + "user/session/run/memory.max", "max\n"},
                 {two + "user/session/run/memory.current", "1073741824\n"}},
                kGiB, "control group");
  }
  SUBCASE("version 1 beside version 2") {
    check_limit({{"proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/box\n0::/x\n"},
                 {one + "box/memory.limit_in_bytes", "1073741824\n"},
                 {one + "box/memory.usage_in_bytes", "536870912\n"},
                 {one + "memory.limit_in_bytes", "9223372036854771712\n"},
                 {one + "memory.usage_in_bytes", "536870912\n"}},
                kGiB / 2, "control group");
  }
  SUBCASE("more used than allowed") {
    check_limit({{"proc/self/cgroup", "0::/a\n"},
                 {two + "a/memory.max", "1000\n"},
                 {two + "a/memory.current", "2147483648\n"}},
                0, "control group");
  }
  SUBCASE("files that say nothing") {
    check_limit({{"proc/self/cgroup", "nonsense\n0::/a\n"}, {two + "a/memory.max", "\n"}}, 9 * kGiB,
                "this machine");
  }
}

TEST_CASE("where nothing is known nothing is limited") {
  const test::TemporaryFolder empty;
  CHECK(std::isinf(memory_limit(empty.path()).bytes));
  CHECK_NOTHROW(require_memory("[test]", {{"all", 1e300, "it"}}, memory_limit(empty.path())));
}

TEST_CASE("limits on address space and data count") {
  // Sizes above the 20 TiB of addresses that a sanitizer takes: below them it could map no more.
  constexpr double kTiB = 1024 * kGiB;
  const Machine machine({{"proc/meminfo", concat("MemAvailable: ", int64_t{200} << 30, " kB\n")}});
  for (const auto resource : {RLIMIT_AS, RLIMIT_DATA}) {
    rlimit before{};
    getrlimit(resource, &before);
    rlimit lowered = before;
    lowered.rlim_cur = rlim_t{100} << 40;
    REQUIRE(setrlimit(resource, &lowered) == 0);
    const MemoryLimit limit = machine.limit();
    setrlimit(resource, &before);
    CHECK(limit.bytes == doctest::Approx(100 * kTiB));
    CHECK_MESSAGE(contains(limit.what, "ulimit"), limit.what);
  }
}

TEST_CASE("this machine has memory for something, and not for everything") {
  CHECK(memory_limit().bytes > 1 << 20);
  CHECK_NOTHROW(require_memory("[test]", {{"a page", 4096, "it"}}));
  CHECK_THROWS_AS(require_memory("[test]", {{"all", 1e30, "it"}}), Error);
}

TEST_CASE("a refusal says what is needed, what there is, and what to lower") {
  CHECK(refusal({{"weights", 2 * kGiB, "width"}, {"images", kGiB, "batch"}}, 3 * kGiB).empty());
  const std::string text = refusal(
      {{"weights", 20 * kGiB, "width"}, {"images", kGiB, "batch"}, {"labels", 9, "classes"}},
      0.5 * kGiB);
  CHECK(text ==
        "[test] the work needs about 21.0 GiB of memory (weights 20.0 GiB, images 1.0 GiB), but "
        "512.0 MiB is memory available on this machine: lower width");
  CHECK(contains(refusal({{"a", 1e25, "x"}, {"b", 1e25, "y"}}, 1), "lower x; y"));
  CHECK(contains(refusal({{"a", 1e25, "x"}, {"b", 1e25, "x"}}, 1), ": lower x"));
}
