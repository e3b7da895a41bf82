// Launches of the host executor: their limits, its device memory, its counters.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "tests/cuda/simt_faults.h"
#include "tests/cuda/simt_kernels.h"
#include "tests/cuda/simt_test.h"

namespace shiftadd::test {
namespace {

using namespace cuda;

std::string only_report() {
  const auto reports = simt::take_reports();
  REQUIRE(reports.size() == 1);
  return reports[0];
}

std::string report_of(const simt::Shape& shape) {
  const EmulatedArray<unsigned> out(12);
  const PositionArgs args = {out.data()};
  simt::run(positions_kernel(), shape, &args);
  return only_report();
}

TEST_CASE("launches beyond CUDA's limits are reported and do not run") {
  CHECK(report_of({.block_x = 33}) ==
        "[positions] has blocks of 33 x 1 x 1 threads; expected a multiple of 32, at most 1024, "
        "at most 64 in z");
  CHECK(report_of({.block_x = 1024, .block_y = 2}) ==
        "[positions] has blocks of 1024 x 2 x 1 threads; expected a multiple of 32, at most 1024, "
        "at most 64 in z");
  CHECK(report_of({.grid_y = 65536, .block_x = 32}) ==
        "[positions] has a grid of 1 x 65536 x 1 blocks; expected at least 1, at most 2147483647 "
        "in x and 65535 in y and z");
  CHECK(report_of({.grid_x = 0, .block_x = 32}) ==
        "[positions] has a grid of 0 x 1 x 1 blocks; expected at least 1, at most 2147483647 in x "
        "and 65535 in y and z");
  CHECK(report_of({.block_x = 32, .shared_bytes = (227 << 10) + 1}) ==
        "[positions] asks for 232449 bytes of shared memory; at most 232448 are there");
}

TEST_CASE("blocks may be as large as CUDA's, and have all of the shared memory") {
  const EmulatedArray<unsigned> out(1024 * 12);
  const PositionArgs args = {out.data()};
  simt::run(positions_kernel(), {.block_x = 32, .block_y = 32, .shared_bytes = 227 << 10}, &args);
  check_no_reports();
  CHECK(out.values()[1023 * 12] == 31);
}

TEST_CASE("launches are counted") {
  const uint64_t before = simt::launches();
  const std::vector<int> in(32);
  const EmulatedArray<int> from(in), to(32);
  const SharedArgs args = {from.data(), to.data()};
  for (int i = 0; i < 3; ++i) simt::run(add_one_kernel(), {.block_x = 32}, &args);
  check_no_reports();
  CHECK(simt::launches() == before + 3);
}

TEST_CASE("any thread may launch, one at a time") {
  const EmulatedArray<int> from(std::vector<int>(32, 1)), to(32);
  const SharedArgs args = {from.data(), to.data()};
  for (int i = 0; i < 2; ++i)
    std::thread([&] { simt::run(add_one_kernel(), {.block_x = 32}, &args); }).join();
  check_no_reports();
  CHECK(to.values() == std::vector<int>(32, 2));
}

// A kernel that launches another: what a second thread would be to the executor.
void launch_inside(const void* args) { simt::run(add_one_kernel(), {.block_x = 32}, args); }

TEST_CASE("two launches at once are reported") {
  const simt::Kernel nested = {"nested", nullptr, launch_inside, sizeof(SharedArgs)};
  const SharedArgs args = {};
  simt::run(nested, {.block_x = 32}, &args);
  const auto reports = simt::take_reports();
  REQUIRE(reports.size() == 32);
  CHECK(reports[0] ==
        "[add_one] was launched while another kernel runs: the host executor runs one at a time");
}

TEST_CASE("reports are kept up to a hundred") {
  for (int i = 0; i < 120; ++i) simt::run(add_one_kernel(), {.block_x = 1}, nullptr);
  CHECK(simt::take_reports().size() == 100);
  CHECK(simt::take_reports().empty());
}

// ---- Device memory ----

TEST_CASE("device memory is aligned, fresh and counted") {
  const std::size_t before = simt::device_bytes_in_use();
  auto* first = static_cast<unsigned char*>(simt::device_allocate(1));
  auto* second = static_cast<unsigned char*>(simt::device_allocate(1000));
  CHECK(reinterpret_cast<uintptr_t>(first) % 256 == 0);
  CHECK(reinterpret_cast<uintptr_t>(second) % 256 == 0);
  CHECK(second >= first + 256);
  CHECK(simt::device_bytes_in_use() == before + 1001);
  std::vector<unsigned char> found(1000);
  simt::copy_from_device(found.data(), second, 1000);
  CHECK(found == std::vector<unsigned char>(1000, 0xff));
  simt::device_release(second);
  simt::device_release(first);
  simt::device_release(nullptr);
  CHECK(simt::device_bytes_in_use() == before);
  CHECK(simt::take_reports().empty());
  CHECK(simt::device_allocate(std::size_t{17} << 30) == nullptr);
}

TEST_CASE("copies and fills stay within an allocation") {
  const EmulatedArray<unsigned char> array(std::vector<unsigned char>(100, 7)), other(200);
  unsigned char host[200] = {};
  simt::copy_to_device(array.data() + 50, host, 51);
  CHECK(only_report() ==
        "copy_to_device of 51 bytes goes beyond device memory: it begins at byte 50 of an "
        "allocation of 100");
  simt::copy_from_device(host, array.data(), 101);
  CHECK(only_report() ==
        "copy_from_device of 101 bytes goes beyond device memory: it begins at byte 0 of an "
        "allocation of 100");
  simt::fill_device(array.data() + 120, 0, 1);
  CHECK(only_report() ==
        "fill_device of 1 bytes goes beyond device memory: it begins at 20 bytes beyond an "
        "allocation of 100");
  simt::copy_on_device(host, array.data(), 10);
  CHECK(only_report() ==
        "copy_on_device of 10 bytes goes beyond device memory: it begins at an address of the "
        "host");
  CHECK(array.values() == std::vector<unsigned char>(100, 7));
  simt::copy_on_device(other.data() + 100, array.data(), 100);
  simt::fill_device(other.data(), 3, 100);
  check_no_reports();
  CHECK(other.values()[99] == 3);
  CHECK(other.values()[100] == 7);
}

TEST_CASE("releasing an address twice is reported") {
  void* p = simt::device_allocate(8);
  simt::device_release(p);
  simt::device_release(p);
  CHECK(only_report() == "device_release of an address that device_allocate did not return");
}

TEST_CASE("the host cannot dereference a device pointer while the heap is protected") {
  const EmulatedArray<int> from(std::vector<int>(32, 1)), to(32);
  simt::protect_device_heap(true);
  const EmulatedArray<int> later(std::vector<int>(32, 2));
  const SharedArgs args = {later.data(), to.data()};
  simt::run(add_one_kernel(), {.block_x = 32}, &args);  // kernels and copies reach it
  check_no_reports();
  CHECK(to.values() == std::vector<int>(32, 3));
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    const volatile int* pointer = from.data();
    _exit(*pointer == 1 ? 1 : 2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  simt::protect_device_heap(false);
  CHECK(*from.data() == 1);
}

}  // namespace
}  // namespace shiftadd::test
