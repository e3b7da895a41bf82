// One way to test every kernel: against the reference table, on each instruction set of this
// machine, bit for bit the same on all of them and with 1 and 2 threads.
#pragma once

#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "core/cpu/kernels.h"
#include "core/error.h"
#include "core/kernels.h"
#include "core/parallel.h"
#include "core/random.h"
#include "tests/support/support.h"

namespace shiftadd::test {

using Numbers = std::vector<float>;

/// Standard normal numbers; each stream has its own.
inline Numbers normals(int64_t n, uint64_t stream) {
  Numbers out(n);
  const RandomStream random(20, stream);
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(random.normal(i));
  return out;
}

/// Bit equality, so that -0 and NaN count.
inline bool same_bits(const Numbers& a, const Numbers& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

/// max |a - b| <= tolerance max |b|.
inline void check_near(const Numbers& actual, const Numbers& expected, double tolerance,
                       const std::string& what) {
  REQUIRE(actual.size() == expected.size());
  double largest = 1e-30, worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    const double error = std::abs(static_cast<double>(actual[i]) - expected[i]);
    if (error <= worst) continue;
    worst = worse(worst, error);
    at = i;
  }
  INFO(what, ": element ", at, " is ", actual.empty() ? 0.f : actual[at], ", expected ",
       expected.empty() ? 0.f : expected[at]);
  CHECK(worst <= tolerance * largest);
}

inline std::vector<Isa> isas() {
  std::vector<Isa> out;
  for (Isa isa : {Isa::kGeneric, Isa::kAvx2, Isa::kAvx512})
    if (supported(isa)) out.push_back(isa);
  return out;
}

/// `run` calls one kernel of the table it is given and returns all that the kernel wrote; table_of
/// gives the table of an instruction set. The units that multiply bf16 sum in orders of their own:
/// bits are not compared across instruction sets.
template <class Kernels, class Run>
void check_kernel(const Kernels& reference, std::type_identity_t<const Kernels& (*)(Isa)> table_of,
                  const std::string& what, double tolerance, const Run& run, bool bf16 = false) {
  const Numbers expected = run(reference);
  std::vector<Numbers> one;
  for (int threads : {1, 2}) {
    Threads set(threads);
    for (std::size_t i = 0; i < isas().size(); ++i) {
      const Isa isa = isas()[i];
      const std::string name = concat(what, " on ", name_of(isa));
      Numbers actual = run(table_of(isa));
      if (threads == 1) {
        check_near(actual, expected, tolerance, name);
        one.push_back(std::move(actual));
        INFO(name, " and on ", std::string(name_of(isas()[0])));
        if (!bf16) CHECK(same_bits(one[i], one[0]));
      } else {
        INFO(name, ": 1 and 2 threads");
        CHECK(same_bits(actual, one[i]));
      }
    }
  }
}

/// The same for a kernel of KernelTable.
template <class Run>
void check_kernel(const std::string& what, double tolerance, const Run& run, bool bf16 = false) {
  check_kernel(reference_kernels<float>(), cpu_kernels, what, tolerance, run, bf16);
}

/// One vector after the other, so that a test can return several outputs.
inline Numbers join(std::initializer_list<Numbers> parts) {
  Numbers out;
  for (const Numbers& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

}  // namespace shiftadd::test
