// Divides a batch into groups of images, and runs the steps of each on threads with an arena each.
#include "infer/cpu_engine.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "core/memory_limit.h"
#include "core/parallel.h"
#include "core/thread_seconds.h"
#include "infer/cpu_steps.h"

namespace shiftadd::infer {
namespace {

// Images are computed in groups of about this many token rows: enough rows to fill the matrix
// kernels, few enough that a group's activations stay in a core's second-level cache.
constexpr int64_t kRowsPerGroup = 256;

int64_t group_size(const Network& network) {
  const int64_t tokens = network.levels.front().tokens();
  return std::max<int64_t>(1, (kRowsPerGroup + tokens / 2) / tokens);
}

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The layouts without and with choices; one where both are the same. Throws where the arenas, one a
// thread, do not fit into memory.
struct Layouts {
  Layouts(const Network& network, const PackSpec& pack)
      : plain(plan_of(network, pack, false), group_size(network)) {
    const int64_t last = network.depth() - 1;
    if (rows_answered(network, last, false) != rows_answered(network, last, true))
      choosing.emplace(plan_of(network, pack, true), group_size(network));
    const int threads = num_threads();
    require_memory(
        concat("the network '", network.name, "'"),
        {{concat("values on the way in ", threads, threads == 1 ? " thread" : " threads"),
          sizeof(float) * static_cast<double>(floats()) * threads,
          "--threads, or the network's image_size (or raise its patch_size)"}});
  }
  int64_t floats() const { return std::max(plain.floats, choosing ? choosing->floats : 0); }

  CpuLayout plain;
  std::optional<CpuLayout> choosing;
};

// Engines share one Loaded, in which nothing changes.
struct Loaded {
  Loaded(const Network& network, const PackSpec& pack, NamedTensors tensors)
      : layouts(network, pack),
        weights(network, pack, layouts.plain.plan, std::move(tensors)),
        routers(routers_of(network)),
        choices(routed_tokens(routers)),
        image_values(network.image_values()),
        outputs(network.outputs()) {}

  Layouts layouts;
  Weights weights;
  std::vector<Router> routers;
  int64_t choices, image_values, outputs;  // of one image
};

}  // namespace

struct CpuEngine::Impl {
  explicit Impl(std::shared_ptr<const Loaded> of) : loaded(std::move(of)) {}

  void reserve(int threads) {
    while (static_cast<int>(arenas.size()) < threads)
      arenas.emplace_back(Shape{loaded->layouts.floats()});
  }

  void run_group(const CpuLayout& layout, const float* images, int64_t count, float* logits,
                 uint8_t* choices, float* arena) {
    CpuSteps steps(layout, loaded->weights, arena, count, images, logits);
    steps.force_shift_share(shift_share);
    if (choices) {
      std::fill_n(choices, count * loaded->choices, kNotRouted);
      steps.write_choices(choices, loaded->choices);
    }
    for (std::size_t i = 0; i < layout.plan.steps.size(); ++i) {
      const double start = seconds ? thread_seconds() : 0;
      steps.run(i);
      if (seconds) (*seconds)[i] += thread_seconds() - start;
    }
  }

  // Whole groups go to the threads, one each, so that nobody waits at a barrier inside a layer;
  // groups left over at the end are computed one after the other by all threads together.
  void run(const float* images, int64_t batch, float* logits, uint8_t* choices) {
    const int64_t threads = num_threads();
    reserve(static_cast<int>(threads));
    const Layouts& layouts = loaded->layouts;
    const CpuLayout& layout = choices && layouts.choosing ? *layouts.choosing : layouts.plain;
    const int64_t size = std::min(layout.images, divide_up(batch, threads));
    const int64_t groups = size ? divide_up(batch, size) : 0;
    const int64_t shared = groups % threads, alone = groups - shared;
    const auto run_one = [&](int64_t index, const Tensor& arena) {
      const int64_t begin = index * size;
      run_group(layout, images + begin * loaded->image_values, std::min(size, batch - begin),
                logits + begin * loaded->outputs,
                choices ? choices + begin * loaded->choices : nullptr, arena.data<float>());
    };
    std::atomic<int64_t> next{0};
    parallel_for(std::min(threads, alone), [&](int64_t slot) {
      for (int64_t index; (index = next.fetch_add(1)) < alone;) run_one(index, arenas[slot]);
    });
    for (int64_t index = alone; index < groups; ++index) run_one(index, arenas[0]);
  }

  std::shared_ptr<const Loaded> loaded;
  std::vector<Tensor> arenas;  // one per thread
  std::vector<double>* seconds = nullptr;
  double shift_share = kAsRouted;
};

CpuEngine::CpuEngine(const Network& network, const PackSpec& pack, NamedTensors weights)
    : CpuEngine(std::make_unique<Impl>(
          std::make_shared<const Loaded>(network, pack, std::move(weights)))) {}
CpuEngine::CpuEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CpuEngine CpuEngine::share() const { return CpuEngine(std::make_unique<Impl>(impl_->loaded)); }
CpuEngine::~CpuEngine() = default;
CpuEngine::CpuEngine(CpuEngine&&) noexcept = default;
CpuEngine& CpuEngine::operator=(CpuEngine&&) noexcept = default;

const std::vector<Router>& CpuEngine::routers() const { return impl_->loaded->routers; }
int64_t CpuEngine::outputs() const { return impl_->loaded->outputs; }
void CpuEngine::run(const float* images, int64_t batch, float* logits, uint8_t* choices) {
  impl_->run(images, batch, logits, choices);
}
void CpuEngine::force_shift_share(double share) { impl_->shift_share = share; }
const Plan& CpuEngine::plan() const { return impl_->loaded->layouts.plain.plan; }
void CpuEngine::time_steps(std::vector<double>* seconds) {
  impl_->seconds = seconds;
  if (seconds) seconds->assign(plan().steps.size(), 0);
}
int64_t CpuEngine::arena_floats() const { return impl_->loaded->layouts.floats(); }

}  // namespace shiftadd::infer
