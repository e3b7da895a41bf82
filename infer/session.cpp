// Divides a batch into groups of images, and runs the groups on threads that each have an arena.
#include "infer/session.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/memory_limit.h"
#include "core/parallel.h"
#include "infer/forward.h"

namespace shiftadd::infer {
namespace {

// Images are computed in groups of about this many token rows: enough rows to fill the matrix
// kernels, few enough that a group's activations stay in a core's second-level cache.
constexpr int64_t kRowsPerGroup = 256;

int64_t group_size(const ModelSpec& spec) {
  return std::max<int64_t>(1, (kRowsPerGroup + spec.tokens() / 2) / spec.tokens());
}

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Returns the packed model, or throws where its arenas, one a thread, do not fit into memory.
ModelFile checked(ModelFile model) {
  const VitPlan plan = plan_vit(model.spec, *model.pack, group_size(model.spec));
  const int threads = num_threads();
  require_memory(concat("the network '", model.spec.name, "'"),
                 {{concat("values on the way in ", threads, threads == 1 ? " thread" : " threads"),
                   sizeof(float) * static_cast<double>(plan.floats) * threads,
                   "--threads, or the network's image_size (or raise its patch_size)"}});
  return model;
}

// Sessions share one Loaded, in which nothing changes.
struct Loaded {
  // `model` must be packed.
  explicit Loaded(ModelFile model)
      : spec(model.spec),
        pack(*model.pack),
        preprocess(model.preprocess),
        classes(std::move(model.classes)),
        class_ids(std::move(model.class_ids)),
        routers(routers_of(spec)),
        weights(std::move(model)),
        group(group_size(spec)),
        plan(plan_vit(spec, pack, group)) {}

  ModelSpec spec;
  PackSpec pack;
  Preprocess preprocess;
  std::vector<std::string> classes, class_ids;
  std::vector<Router> routers;
  VitWeights weights;
  int64_t group;
  VitPlan plan;
};

}  // namespace

struct Session::Impl {
  explicit Impl(std::shared_ptr<const Loaded> of) : loaded(std::move(of)) {}

  void reserve(int threads) {
    while (static_cast<int>(arenas.size()) < threads)
      arenas.emplace_back(Shape{loaded->plan.floats});
  }

  Network network() const {
    return {
        loaded->spec, loaded->pack, loaded->weights, loaded->plan, routed_tokens(loaded->routers),
        shift_share};
  }

  // Whole groups go to the threads, one each, so that nobody waits at a barrier inside a layer;
  // groups left over at the end are computed one after the other by all threads together.
  void run(const float* images, int64_t batch, float* logits, uint8_t* choices) {
    const int64_t threads = num_threads();
    reserve(static_cast<int>(threads));
    const ModelSpec& spec = loaded->spec;
    const Network network = this->network();
    const int64_t size = std::min(loaded->group, divide_up(batch, threads));
    const int64_t groups = size ? divide_up(batch, size) : 0;
    const int64_t shared = groups % threads, alone = groups - shared;
    const int64_t image_values = spec.in_channels * spec.image_size * spec.image_size;
    const auto run_group = [&](int64_t index, const Tensor& arena) {
      const int64_t begin = index * size, count = std::min(size, batch - begin);
      forward(network, images + begin * image_values, count, logits + begin * spec.classes,
              choices ? choices + begin * network.choices : nullptr, arena.data<float>(), times);
    };
    std::atomic<int64_t> next{0};
    parallel_for(std::min(threads, alone), [&](int64_t slot) {
      for (int64_t index; (index = next.fetch_add(1)) < alone;) run_group(index, arenas[slot]);
    });
    for (int64_t index = alone; index < groups; ++index) run_group(index, arenas[0]);
  }

  std::shared_ptr<const Loaded> loaded;
  std::vector<Tensor> arenas;  // one per thread
  LayerTimes* times = nullptr;
  double shift_share = kAsRouted;
};

Session::Session(ModelFile model)
    : impl_(std::make_unique<Impl>(std::make_shared<const Loaded>(
          checked(model.pack ? std::move(model) : pack_model(model, {}))))) {}
Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session Session::share() const { return Session(std::make_unique<Impl>(impl_->loaded)); }
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

const ModelSpec& Session::spec() const { return impl_->loaded->spec; }
const PackSpec& Session::pack() const { return impl_->loaded->pack; }
const Preprocess& Session::preprocess() const { return impl_->loaded->preprocess; }
const std::vector<std::string>& Session::classes() const { return impl_->loaded->classes; }
const std::vector<std::string>& Session::class_ids() const { return impl_->loaded->class_ids; }
const std::vector<Router>& Session::routers() const { return impl_->loaded->routers; }
void Session::run(const float* images, int64_t batch, float* logits, uint8_t* choices) {
  impl_->run(images, batch, logits, choices);
}
void Session::force_shift_share(double share) { impl_->shift_share = share; }
void Session::set_layer_times(LayerTimes* times) {
  impl_->times = times;
  if (times) times->assign(static_cast<std::size_t>(spec().depth) + 1, {});
}
std::vector<LayerWork> Session::layer_work(const std::vector<double>& shift_shares) const {
  return infer::layer_work(impl_->network(), shift_shares);
}
int64_t Session::weight_floats() const { return impl_->loaded->weights.floats; }
int64_t Session::arena_floats() const { return impl_->loaded->plan.floats; }

void require_images(const Session& session, const std::string& name) {
  const ModelSpec& spec = session.spec();
  if (spec.in_channels != 3)
    throw user_error(name, ": the model takes ", spec.in_channels, " channels: images have 3");
  if (session.preprocess().crop != spec.image_size)
    throw user_error(name, ": preprocessing crops to ", session.preprocess().crop,
                     ", but the model takes ", spec.image_size, " pixels");
}

int64_t Session::macs_per_image() const {
  int64_t macs = 0;  // both experts of a router have the same
  for (const LayerWork& layer : layer_work(std::vector<double>(routers().size(), 0.0)))
    macs += layer.terms();
  return macs;
}

}  // namespace shiftadd::infer
