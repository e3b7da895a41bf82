// The interpreter of PTX: what it does that no kernel of ours shows, and the faults that it finds.
#include "tests/cuda/ptx/ptx_machine.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "core/error.h"
#include "cuda/simt/executor.h"
#include "tests/cuda/simt_test.h"
#include "tests/support/support.h"

namespace shiftadd {
namespace {

using test::EmulatedArray;

constexpr simt::Shape kWarp = {.block_x = 32};
constexpr simt::Shape kTwoWarps = {.block_x = 64};

// A kernel of two arrays: %rd1 is `in` and %rd2 `out`, %rd3 and %rd4 the places of thread %r1 in
// them, of 4 bytes each; %r2 is the address of `numbers`, 512 bytes of shared memory, and %r3 the
// thread's 4 bytes there; %p1 holds in threads below 16.
std::string module_of(const std::string& body) {
  return concat(R"(
.version 9.0
.target sm_90
.address_size 64
.visible .entry snippet(
	.param .align 8 .b8 snippet_param_0[16]
)
.maxntid 64, 1, 1
{
	.reg .pred 	%p<8>;
	.reg .b16 	%rs<4>;
	.reg .f32 	%f<8>;
	.reg .b32 	%r<32>;
	.reg .b64 	%rd<16>;
	.shared .align 16 .b8 numbers[512];
	ld.param.u64 	%rd1, [snippet_param_0];
	ld.param.u64 	%rd2, [snippet_param_0+8];
	mov.u32 	%r1, %tid.x;
	mul.wide.u32 	%rd5, %r1, 4;
	add.s64 	%rd3, %rd1, %rd5;
	add.s64 	%rd4, %rd2, %rd5;
	mov.u32 	%r2, numbers;
	mad.lo.s32 	%r3, %r1, 4, %r2;
	setp.lt.u32 	%p1, %r1, 16;
)",
                body, R"(
	ret;
}
)");
}

struct Ran {
  std::vector<uint32_t> out;
  std::vector<std::string> reports;
};

// in[i] is 1000 + i; `out` is full of 7.
Ran run(const std::string& body, const simt::Shape& shape = kWarp) {
  std::vector<uint32_t> numbers(64);
  std::iota(numbers.begin(), numbers.end(), 1000);
  const EmulatedArray<uint32_t> in(numbers), out(std::vector<uint32_t>(64, 7));
  const uint32_t* args[] = {in.data(), out.data()};
  ptx::Machine machine;
  machine.add(module_of(body), "snippet.ptx");
  {
    const simt::DeviceAccess open;
    machine.run("snippet", shape, args);
  }
  return {out.values(), simt::take_reports()};
}

// The one report has all of this in it.
void check_report(const std::string& body, const std::vector<std::string>& parts,
                  const simt::Shape& shape = kWarp) {
  const Ran ran = run(body, shape);
  CAPTURE(body);
  REQUIRE(ran.reports.size() == 1);
  for (const std::string& part : parts) {
    INFO(ran.reports[0]);
    CHECK(ran.reports[0].find(part) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("ptx: lanes that part meet again") {
  // Thread i goes round i % 5 + 1 times; then each gets what the lane after it counted.
  const Ran ran = run(R"(
	rem.s32 	%r4, %r1, 5;
	mov.u32 	%r5, 0;
$LOOP:
	add.s32 	%r5, %r5, 1;
	setp.le.s32 	%p2, %r5, %r4;
	@%p2 bra 	$LOOP;
	shfl.sync.down.b32 	%r6|%p3, %r5, 1, 31, -1;
	st.global.u32 	[%rd4], %r6;
)");
  CHECK(ran.reports.empty());
  for (uint32_t i = 0; i < 32; ++i) CHECK(ran.out[i] == (i == 31 ? i : i + 1) % 5 + 1);
}

TEST_CASE("ptx: a warp waits at a shuffle for lanes that come by another way") {
  // The code that half of the lanes pass lies behind the place where all meet.
  const Ran ran = run(R"(
	@%p1 bra 	$FAR;
	mov.u32 	%r4, 5;
$MEET:
	shfl.sync.bfly.b32 	%r5|%p3, %r4, 16, 31, -1;
	st.global.u32 	[%rd4], %r5;
	bra.uni 	$END;
$FAR:
	mov.u32 	%r4, 6;
	bra.uni 	$MEET;
$END:
)");
  CHECK(ran.reports.empty());
  for (uint32_t i = 0; i < 32; ++i) CHECK(ran.out[i] == (i < 16 ? 5 : 6));
}

TEST_CASE("ptx: an asynchronous copy is there after the wait, and nothing before it") {
  const Ran ran = run(R"(
	mul.wide.u32 	%rd6, %r1, 16;
	mad.lo.s32 	%r4, %r1, 16, %r2;
	setp.lt.u32 	%p2, %r1, 16;
	@!%p2 bra 	$END;
	add.s64 	%rd7, %rd1, %rd6;
	st.shared.u32 	[%r4], 1;
	cp.async.cg.shared.global [%r4], [%rd7], 16, 4;
	cp.async.commit_group;
	ld.shared.u32 	%r5, [%r4];
	cp.async.wait_group 0;
	ld.shared.v2.u32 	{%r6, %r7}, [%r4];
	add.s64 	%rd8, %rd2, %rd6;
	st.global.v4.u32 	[%rd8], {%r5, %r6, %r7, %r7};
$END:
)");
  CHECK(ran.reports.empty());
  for (uint32_t i = 0; i < 16; ++i) {
    CHECK(ran.out[4 * i] == 0xffffffff);
    CHECK(ran.out[4 * i + 1] == 1000 + 4 * i);
    CHECK(ran.out[4 * i + 2] == 0);
  }
}

TEST_CASE("ptx: accesses out of bounds are reported with thread and line") {
  check_report("ld.global.u32 %r4, [%rd3+132];",
               {"snippet.ptx:25: ld.global.u32 %r4, [%rd3+132]", "thread 31",
                "4 bytes of global memory at 0 bytes beyond an allocation of 256"},
               kWarp);
  check_report("ld.global.u32 %r4, [%rd3+-4];", {"thread 0,", "4 bytes of global memory"});
  check_report("st.global.u32 [%rd5], %r1;", {"at the address 0"});
  check_report("st.shared.u32 [%r3+448], %r1;", {"thread 16", "in no array of shared memory"});
  check_report("ld.param.u64 %rd6, [snippet_param_0+16];", {"8 bytes at 16 of the parameters"});
  check_report("atom.global.add.u32 %r4, [%rd4+256], 1;", {"thread 0", "beyond an allocation"});
}

TEST_CASE("ptx: addresses that are not aligned are reported") {
  check_report("ld.global.v2.u32 {%r4, %r5}, [%rd3];", {"thread 1", "no multiple of 8"});
  check_report("st.shared.v4.f32 [%r3], {%f1, %f2, %f3, %f4};", {"thread 1", "no multiple of 16"});
  check_report("cp.async.cg.shared.global [%r2], [%rd1+8], 16, 16;", {"no multiple of 16"});
  check_report("cp.async.cg.shared.global [%r2+8], [%rd1], 16, 16;", {"no multiple of 16"});
  check_report("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4,%r5,%r6,%r7}, [%r3];",
               {"thread 1", "no multiple of 16"});
}

TEST_CASE("ptx: what a whole warp must execute is reported where a part of it does") {
  for (const std::string each :
       {"mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%r4,%r5,%r6,%r7}, {%r4,%r5,%r6,%r7}, "
        "{%r4,%r5}, {%r4,%r5,%r6,%r7};",
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4,%r5,%r6,%r7}, [%r2];",
        "shfl.sync.bfly.b32 %r4|%p2, %r1, 1, 31, -1;", "vote.sync.ballot.b32 %r4, %p1, -1;",
        "redux.sync.add.s32 %r4, %r1, -1;", "bar.warp.sync -1;", "bar.sync 0;"})
    check_report(concat("@%p1 bra $END; ", each, " $END:"),
                 {each.substr(0, each.size() - 1),
                  "reached by the lanes 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 of the"});
  check_report("shfl.sync.bfly.b32 %r4|%p2, %r1, 1, 31, 65535;", {"a mask of 65535"});
}

TEST_CASE("ptx: a barrier that not all warps come to is reported") {
  check_report("setp.lt.u32 %p2, %r1, 32; @%p2 bra $END; bar.sync 0; $END:",
               {"1 warps wait at a barrier, and the other 1 have ended"}, kTwoWarps);
}

TEST_CASE("ptx: nothing runs of a kernel with an instruction that is not known") {
  const Ran ran = run("st.global.u32 [%rd4], %r1; fns.b32 %r4, %r1, %r1, %r1;");
  REQUIRE(ran.reports.size() == 1);
  CHECK(ran.reports[0].find("the instruction 'fns.b32' is not known") != std::string::npos);
  CHECK(ran.out == std::vector<uint32_t>(64, 7));
  ptx::Machine machine;
  CHECK_THROWS_WITH_AS(machine.add(".func other", "other.ptx"),
                       "other.ptx:1: unknown PTX: '.func' at the level of the module", Error);
}

TEST_CASE("ptx: launches that the kernel does not allow are reported") {
  check_report("", {"has blocks of 96 threads: .maxntid is 64"}, {.block_x = 96});
  check_report("", {"never executes griddepcontrol.wait"}, {.block_x = 32, .overlaps = true});
  CHECK(run("griddepcontrol.wait;", {.block_x = 32, .overlaps = true}).reports.empty());
}

TEST_CASE("ptx: kernels have the host's names") {
  CHECK(ptx::kernel_name("_ZN8shiftadd4cuda14int8_attentionILi128EEEvNS0_10AttendArgsE") ==
        "int8_attention_128");
  CHECK(ptx::kernel_name("_ZN8shiftadd4cuda3mapENS0_7MapArgsE") == "map");
}

}  // namespace shiftadd
