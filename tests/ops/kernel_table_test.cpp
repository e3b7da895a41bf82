// Every table of kernels is complete, and each of its entries is a kernel of its own: the reference
// one stands only where a list says so.
#include <algorithm>

#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

using Entry = void (*)();
static_assert(sizeof(KernelTable<float>) % sizeof(Entry) == 0);
static_assert(std::is_trivially_copyable_v<KernelTable<float>>);

// All entries, in the order in which core/kernels.h names the sub-tables.
std::vector<Entry> entries(const KernelTable<float>& table) {
  std::vector<Entry> out(sizeof table / sizeof(Entry));
  std::memcpy(out.data(), &table, sizeof table);
  return out;
}

// What no instruction set makes faster: places in entries().
std::vector<std::size_t> reference_only() {
  const KernelTable<float>& table = reference_kernels<float>();
  const auto place = [&](const auto& entry) {
    const auto at = reinterpret_cast<const char*>(&entry) - reinterpret_cast<const char*>(&table);
    return static_cast<std::size_t>(at) / sizeof(Entry);
  };
  return {place(table.cross_entropy), place(table.distill), place(table.balance)};
}

TEST_CASE("kernel tables: no entry is missing, and none is the reference one but those listed") {
  const std::vector<Entry> reference = entries(reference_kernels<float>());
  const std::vector<std::size_t> listed = reference_only();
  for (Isa isa : isas()) {
    const std::vector<Entry> fast = entries(cpu_kernels(isa));
    REQUIRE(fast.size() == reference.size());
    for (std::size_t i = 0; i < fast.size(); ++i) {
      INFO(name_of(isa), ": entry ", i, " of ", fast.size());
      CHECK(bool(fast[i] != nullptr));
      CHECK(bool(reference[i] != nullptr));
      const bool expected = std::find(listed.begin(), listed.end(), i) != listed.end();
      CHECK(bool(fast[i] == reference[i]) == expected);
    }
  }
}

}  // namespace
}  // namespace shiftadd::test
