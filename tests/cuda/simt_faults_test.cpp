// Planted faults: each must be reported in every order, by the executor alone or, in the program
// whose kernels are instrumented, by the checker; their right twins must not.
#include "tests/cuda/simt_faults.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cuda/simt/address_sanitizer.h"
#include "tests/cuda/simt_test.h"
#include "tests/cuda/sizes.h"

namespace shiftadd::test {
namespace {

using namespace cuda;

constexpr unsigned kBlocks = 3, kThreads = 64, kWords = kBlocks * kThreads;
const simt::Shape kShape = {.grid_x = kBlocks, .block_x = kThreads, .shared_bytes = kThreads};

#if defined(SIMT_ASAN)
constexpr bool kHasAddressSanitizer = true;
#else
constexpr bool kHasAddressSanitizer = false;
#endif

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const char* const kRace = "a race, thread";
const char* const kNothing = "nothing was written there, or is still on its way";
const char* const kOutOfBounds = ": out of bounds";
const char* const kBetweenBlocks = "a race between blocks";

// Device memory for one launch; `out` is fresh.
struct Memory {
  EmulatedArray<uint32_t> in{std::vector<uint32_t>(kWords, 5)}, out{kWords};
  std::vector<uint32_t> host = std::vector<uint32_t>(kWords);
  FaultArgs args() { return {in.data(), out.data(), host.data()}; }
};

std::vector<std::string> reports_of(const simt::Kernel& kernel) {
  Memory memory;
  const FaultArgs args = memory.args();
  // A counter that atomics of all blocks add to.
  if (contains(kernel.name, "_block")) simt::fill_device(memory.out.data(), 0, kWords * 4);
  simt::run(kernel, kShape, &args);
  return simt::take_reports();
}

// The address sanitizer ends the program at an access out of bounds: true if it does.
bool ends_program(const simt::Kernel& kernel) {
  const pid_t child = fork();
  if (child == 0) {
    std::freopen("/dev/null", "w", stderr);
    reports_of(kernel);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status != 0;
}

struct Planted {
  const simt::Kernel& wrong;
  const simt::Kernel& right;
  const char* plain;  // what the executor alone reports; "": nothing
  const char* checked = plain;
};

#define SIMT_PLANTED(name, ...) \
  Planted { wrong_##name##_kernel(), right_##name##_kernel(), __VA_ARGS__ }

std::vector<Planted> planted_faults() {
  return {
      SIMT_PLANTED(barrier_after_fill, "", kRace),
      SIMT_PLANTED(barrier_before_refill, "", kRace),
      SIMT_PLANTED(warp_barrier, "", kRace),
      SIMT_PLANTED(partial_warp_barrier, "", kRace),
      SIMT_PLANTED(shuffle_as_barrier, "", kRace),
      SIMT_PLANTED(one_barrier, "comes to the __syncthreads of simt_faults.cu:"),
      SIMT_PLANTED(return_before_barrier, "returned before the __syncthreads of simt_faults.cu:"),
      SIMT_PLANTED(shared_read, "", kNothing),
      SIMT_PLANTED(copy_wait, "returned before it waited for its copy of simt_faults.cu:"),
      SIMT_PLANTED(copy_wait_in_time, "", kNothing),
      SIMT_PLANTED(stages, "", "tile + "),
      SIMT_PLANTED(copy_alignment, "an address that is no multiple of 16"),
      SIMT_PLANTED(copy_target, "a destination that is not in shared memory"),
      SIMT_PLANTED(matrix_row, "a row that is no multiple of 16"),
      SIMT_PLANTED(return_before_shuffle, "waits for ever in the __shfl_xor_sync of"),
      SIMT_PLANTED(whole_warp, "which waits in the __syncthreads of simt_faults.cu:"),
      SIMT_PLANTED(one_shuffle, "all lanes of the mask must come to the same"),
      SIMT_PLANTED(own_mask, "which the mask of its __syncwarp of simt_faults.cu:"),
      SIMT_PLANTED(source_in_mask, "from lane 4, which the mask leaves out"),
      SIMT_PLANTED(global_write, "", kOutOfBounds),
      SIMT_PLANTED(wide_read, "", kOutOfBounds),
      SIMT_PLANTED(shared_write, "", "0 bytes beyond the end of tile: out of bounds"),
      SIMT_PLANTED(dynamic_shared_write, "",
                   "0 bytes beyond the end of dynamic shared memory: out of bounds"),
      SIMT_PLANTED(shared_size, "has no room for 49156 bytes of SIMT_SHARED tile"),
      SIMT_PLANTED(cell_of_blocks, "", kBetweenBlocks),
      SIMT_PLANTED(read_of_block, "", kBetweenBlocks),
      SIMT_PLANTED(read_after_atomic, "", "a race, "),
      SIMT_PLANTED(read_beside_atomic_of_block, "", kBetweenBlocks),
      SIMT_PLANTED(device_read, "", kNothing),
      SIMT_PLANTED(host_write, "", "writes 4 bytes of the host's memory"),
      SIMT_PLANTED(own_variables, "", "reads 4 bytes of another thread's own variables"),
  };
}

TEST_CASE("planted faults are reported in each order") {
  for (const Planted& planted : planted_faults()) {
    const std::string name = planted.wrong.name;
    const std::string expected = is_checked() ? planted.checked : planted.plain;
    CAPTURE(name);
    in_all_orders([&] {
      if (kHasAddressSanitizer && contains(planted.checked, kOutOfBounds)) {
        CHECK(ends_program(planted.wrong));
        return;
      }
      const auto reports = reports_of(planted.wrong);
      if (expected.empty()) {
        CHECK(reports.empty());
        return;
      }
      const bool found = std::any_of(reports.begin(), reports.end(), [&](const std::string& text) {
        return contains(text, expected);
      });
      CHECK_MESSAGE(found, (reports.empty() ? "no report" : reports[0]));
      for (const std::string& text : reports) CHECK(contains(text, "[" + name + "] block ("));
    });
  }
}

TEST_CASE("their right twins are not") {
  for (const Planted& planted : planted_faults()) {
    const std::string name = planted.right.name;
    CAPTURE(name);
    in_all_orders([&] {
      for (const std::string& text : reports_of(planted.right)) FAIL_CHECK(text);
    });
  }
}

TEST_CASE("a fault ends the run, and the next one is not affected") {
  for (int i = 0; i < 3; ++i) {
    CHECK(reports_of(wrong_whole_warp_kernel()).size() == 1);
    CHECK(reports_of(right_whole_warp_kernel()).empty());
  }
}

// ---- Launches that overlap ----

const simt::Shape kOverlapping = {.grid_x = kBlocks, .block_x = kThreads, .overlaps = true};

// Runs `first` and then `second`, which overlaps, from in to middle to out.
std::vector<std::string> reports_of_pair(const simt::Kernel& first, const simt::Kernel& second) {
  Memory memory;
  const EmulatedArray<uint32_t> middle(kWords);
  const FaultArgs to_middle = {memory.in.data(), middle.data(), nullptr};
  const FaultArgs from_middle = {middle.data(), memory.out.data(), nullptr};
  simt::run(first, kShape, &to_middle);
  simt::run(second, kOverlapping, &from_middle);
  return simt::take_reports();
}

TEST_CASE("a launch that overlaps waits before it touches what the kernel before does") {
  const auto is_too_early = [](const std::vector<std::string>& reports) {
    return reports.size() == 1 && contains(reports[0], "call wait_for_predecessor() first");
  };
  in_all_orders([&] {
    CHECK(reports_of_pair(waits_first_kernel(), waits_first_kernel()).empty());
    CHECK(is_too_early(reports_of_pair(waits_first_kernel(), reads_before_wait_kernel())) ==
          is_checked());
    // What the kernel before reads must not be overwritten, either.
    Memory memory;
    const EmulatedArray<uint32_t> fresh(kWords);
    const FaultArgs first = {memory.in.data(), memory.out.data(), nullptr};
    const FaultArgs over_in = {nullptr, const_cast<uint32_t*>(first.in), nullptr};
    const FaultArgs elsewhere = {nullptr, fresh.data(), nullptr};
    simt::run(waits_first_kernel(), kShape, &first);
    simt::run(writes_before_wait_kernel(), kOverlapping, &elsewhere);
    CHECK(simt::take_reports().empty());
    simt::run(waits_first_kernel(), kShape, &first);
    simt::run(writes_before_wait_kernel(), kOverlapping, &over_in);
    CHECK(is_too_early(simt::take_reports()) == is_checked());
  });
}

TEST_CASE("a kernel that releases the next one before it waits does not order what was before") {
  for (const bool early : {false, true}) {
    CAPTURE(early);
    Memory memory;
    const EmulatedArray<uint32_t> middle(kWords), other(kWords);
    const FaultArgs first = {memory.in.data(), middle.data(), nullptr};
    const FaultArgs second = {memory.in.data(), other.data(), nullptr};
    const FaultArgs third = {middle.data(), memory.out.data(), nullptr};
    simt::run(waits_first_kernel(), kShape, &first);
    simt::run(early ? releases_before_wait_kernel() : waits_first_kernel(), kOverlapping, &second);
    simt::run(reads_before_wait_kernel(), kOverlapping, &third);  // of what the first one wrote
    CHECK(simt::take_reports().size() == (early && is_checked() ? 1 : 0));
  }
}

TEST_CASE("a launch that overlaps must wait at all") {
  Memory memory;
  const FaultArgs args = memory.args();
  simt::run(never_waits_kernel(), kOverlapping, &args);
  const auto reports = simt::take_reports();
  REQUIRE(reports.size() == 1);
  CHECK(contains(reports[0], "[never_waits] never calls wait_for_predecessor()"));
}

}  // namespace
}  // namespace shiftadd::test
