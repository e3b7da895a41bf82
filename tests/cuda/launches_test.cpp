// How many launches a plan takes, and what they leave in memory: no device is asked.
#include "cuda/launches.h"

#include <map>

#include "cuda/bind.h"
#include "model/pack.h"
#include "tests/support/routed_spec.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::cuda;

namespace {

constexpr int64_t kKiB = 1024;
constexpr Limits kA100 = {163 * kKiB, 108}, kAda = {99 * kKiB, 128};

Launches launches_for(const ModelSpec& spec, const char* format, const Limits& limits) {
  return launches_of(plan_of(network_of(spec), pack_in(format), false), limits);
}
ModelSpec shipped_deit(AttentionKind attention) {
  ModelSpec spec = test::converted_deit();
  spec.shift_add.codes = Codes::kBipolar2;
  spec.shift_add.values = ValueFormat::kInt8;
  for (BlockKinds& block : spec.shift_add.blocks) block.attention = attention;
  return spec;
}

}  // namespace

TEST_CASE("at most four launches a block and four besides") {
  for (const Limits& limits : {kA100, kAda}) {
    const std::size_t most = 4 * 12 + 4;
    for (const AttentionKind attention :
         {AttentionKind::kSoftmaxAdd, AttentionKind::kLinearAdd, AttentionKind::kSoftmax})
      CHECK(launches_for(shipped_deit(attention), "int8", limits).list.size() <= most);
    CHECK(launches_for(named_spec("deit_tiny_patch16_224"), "int8", limits).list.size() <= most);
    CHECK(launches_for(named_spec("deit_small_patch16_224"), "int8", limits).list.size() <= most);
  }
}

TEST_CASE("a block in integers is qkv, attention, proj with what follows, and the MLP") {
  const Launches launches = launches_for(shipped_deit(AttentionKind::kSoftmaxAdd), "int8", kA100);
  std::vector<std::string> names;
  for (const Launch& launch : launches.list)
    if (launch.layer.block == 1) names.push_back(launch.name);
  CHECK(names == std::vector<std::string>{"qkv", "attention", "proj", "mlp.experts"});
  // Norms are kept as int8 numbers alone.
  for (const Launch& launch : launches.list)
    if (const auto* mlp = std::get_if<MlpLaunch>(&launch.kind); mlp && launch.layer.block == 1) {
      CHECK(mlp->finish.quantizes);
      CHECK_FALSE(mlp->finish.keeps_floats);
    }
}

TEST_CASE("buffers that are used at the same time do not share memory") {
  for (const char* format : {"int8", "bf16", "float32"})
    for (const int64_t images : {1, 3}) {
      const Launches launches =
          launches_for(shipped_deit(AttentionKind::kSoftmaxAdd), format, kA100);
      const ArenaLayout layout(launches, images);
      struct Life {
        int64_t begin, end;
        std::size_t first, last;
      };
      std::map<std::pair<BufferId, bool>, Life> lives;
      for (std::size_t i = 0; i < launches.list.size(); ++i)
        for (const Use& use : uses_of(launches.list[i])) {
          const auto id = static_cast<std::size_t>(use.buffer);
          const Buffer& buffer = launches.buffers[id];
          if (buffer.storage != Storage::kValues) continue;
          const int64_t begin = use.int8 ? layout.int8[id] : layout.floats[id];
          const int64_t floats =
              use.int8 ? (buffer.rows * buffer.columns + 3) / 4 : buffer.rows * buffer.columns;
          auto [life, made] =
              lives.try_emplace({use.buffer, use.int8}, Life{begin, begin + floats * images, i, i});
          life->second.last = i;
        }
      for (auto a = lives.begin(); a != lives.end(); ++a)
        for (auto b = std::next(a); b != lives.end(); ++b) {
          const Life &x = a->second, &y = b->second;
          const bool together = x.first <= y.last && y.first <= x.last;
          if (together) CHECK((x.end <= y.begin || y.end <= x.begin));
        }
      for (const auto& [use, life] : lives) CHECK(life.end <= layout.size);
    }
}

TEST_CASE("a step without a kernel is refused, and named") {
  ModelSpec spec = shipped_deit(AttentionKind::kLinearAdd);
  spec.shift_add.codes = Codes::kUnitHead;
  CHECK_THROWS_WITH(launches_for(spec, "int8", kA100),
                    doctest::Contains("--device cuda: the step 'attention' of this network has no "
                                      "kernel: "));
}
