// Divides a batch into parts, and runs each by a recorded graph on one of two streams.
#include "cuda/engine.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "core/error.h"
#include "cuda/bind.h"

namespace shiftadd::cuda {
namespace {

// As infer/mixture.h has them.
constexpr uint8_t kNotRouted = 255;
constexpr double kAsRouted = -1;

// The images of a graph for `count` of them: so few sizes are recorded, surplus ones are computed
// in vain.
int64_t bucket_of(int64_t count) {
  int64_t size = 1;
  while (size < count) size *= 2;
  return std::min(size, CudaEngine::kMostImages);
}

Limits limits_of(const Device& device) {
  const shiftadd_device_description& is = device.description();
  return {is.shared_bytes_per_block, is.multiprocessors};
}

std::vector<TableId> prefix_tables(const Launches& launches) {
  std::vector<TableId> tables;
  for (const Launch& launch : launches.list)
    if (const auto* multiply = std::get_if<MultiplyLaunch>(&launch.kind))
      for (const Take& take : multiply->prefix)
        tables.push_back(launches.buffers[static_cast<std::size_t>(take.in.buffer)].table);
  return tables;
}

// Images of a batch: planes of floats, or bytes.
struct ImagesAt {
  const void* data;
  bool pixels;

  std::size_t number_bytes() const { return pixels ? 1 : sizeof(float); }
  ImagesAt from(std::size_t number) const {
    return {static_cast<const char*>(data) + number * number_bytes(), pixels};
  }
};

// What is recorded once.
struct Recording {
  int64_t images;
  bool pixels, chooses;

  auto operator<=>(const Recording&) const = default;
};

template <class T>
Device::Memory upload(Device& device, const std::vector<T>& values) {
  if (values.empty()) return {};
  Device::Memory memory = device.allocate(values.size() * sizeof(T));
  device.copy_in(memory.get(), values.data(), values.size() * sizeof(T));
  device.synchronise();
  return memory;
}

// Engines share one Loaded, in which nothing changes.
struct Loaded {
  Loaded(const Network& network, const PackSpec& pack, NamedTensors tensors, Device& device,
         const std::vector<float>& of_bytes)
      : limits(limits_of(device)),
        plain(plan_of(network, pack, false), limits),
        routers(routers_of(network)),
        choices(routed_tokens(routers)),
        image_values(network.image_values()),
        outputs(network.outputs()),
        weights(device, network, pack, plain.plan, std::move(tensors),
                prefix_tables(plain.launches)),
        levels(upload(device, of_bytes)),
        of_planes(upload(device, patch_numbers(plain.launches, false))),
        of_pixels(upload(device, patch_numbers(plain.launches, true))) {
    const int64_t last = network.depth() - 1;
    if (rows_answered(network, last, false) != rows_answered(network, last, true))
      choosing.emplace(plan_of(network, pack, true), limits);
  }
  const Program& program(bool chooses) const { return chooses && choosing ? *choosing : plain; }

  Limits limits;
  Program plain;
  std::optional<Program> choosing;
  std::vector<Router> routers;
  int64_t choices, image_values, outputs;  // of one image
  DeviceWeights weights;
  Device::Memory levels;                // of bytes of images
  Device::Memory of_planes, of_pixels;  // patch_numbers
};

// A stream with the memory of one part of a batch and what was recorded on it.
class Lane {
 public:
  Lane(std::shared_ptr<const Loaded> loaded, Device device)
      : loaded_(std::move(loaded)), device_(std::move(device)) {}

  Device& device() { return device_; }
  void forget_graphs() { graphs_.clear(); }

  // Begins to compute `count` images; finish() ends it.
  void begin(const ImagesAt& images, int64_t count, float* logits, uint8_t* choices, double share) {
    const int64_t bucket = bucket_of(count);
    reserve(bucket);
    std::memcpy(host_images_.get(), images.data,
                static_cast<std::size_t>(count * loaded_->image_values) * images.number_bytes());
    device_.launch(graph({bucket, images.pixels, choices != nullptr}, share));
    count_ = count;
    logits_ = logits;
    choices_ = choices;
  }
  double time_forward(int64_t images, uint32_t times, double share) {
    finish();
    const int64_t bucket = bucket_of(images);
    reserve(bucket);
    device_.copy_in(device_images_.get(), host_images_.get(),
                    bytes(bucket * loaded_->image_values));
    const Device::Graph graph = device_.capture([&] {
      record_launches({bucket, false, false}, share);
    });
    device_.time(graph, 2);  // once to warm up
    return device_.time(graph, times);
  }
  // Waits for what was begun, if anything was; its answers are for nobody.
  void abandon() noexcept {
    if (std::exchange(count_, 0) == 0) return;
    try {
      device_.synchronise();
    } catch (const Error&) {  // another error is on its way already
    }
  }
  // Waits for what was begun, if anything was, and hands out the answers.
  void finish() {
    if (!count_) return;
    device_.synchronise();
    std::memcpy(logits_, host_logits_.get(),
                static_cast<std::size_t>(count_ * loaded_->outputs) * sizeof(float));
    if (choices_)
      std::memcpy(choices_, host_choices_.get(),
                  static_cast<std::size_t>(count_ * loaded_->choices));
    count_ = 0;
  }

 private:
  static std::size_t bytes(int64_t floats) {
    return static_cast<std::size_t>(floats) * sizeof(float);
  }
  // Memory for so many images. What was recorded on smaller memory is forgotten.
  void reserve(int64_t images) {
    if (images <= images_) return;
    graphs_.clear();
    images_ = 0;  // until all is there
    layouts_.clear();
    int64_t floats = 1;
    for (int64_t size = 1; size <= images; size *= 2)
      for (const bool choosing : {false, true}) {
        const auto made =
            layouts_.try_emplace({size, choosing}, loaded_->program(choosing).launches, size);
        floats = std::max(floats, made.first->second.size);
      }
    arena_ = {};
    arena_ = device_.allocate(bytes(floats));
    device_images_ = device_.allocate(bytes(images * loaded_->image_values));
    host_images_ = device_.allocate_pinned(bytes(images * loaded_->image_values));
    device_logits_ = device_.allocate(bytes(images * loaded_->outputs));
    host_logits_ = device_.allocate_pinned(bytes(images * loaded_->outputs));
    counts_ = device_.allocate((2 * loaded_->routers.size() + 1) * sizeof(int32_t));
    const auto choices = static_cast<std::size_t>(images * loaded_->choices + 1);
    device_choices_ = device_.allocate(choices);
    host_choices_ = device_.allocate_pinned(choices);
    // Surplus images of a first batch are computed, too.
    std::memset(host_images_.get(), 0, host_images_.bytes());
    images_ = images;
  }

  const Device::Graph& graph(const Recording& what, double share) {
    Device::Graph& graph = graphs_[what];
    if (!graph) graph = device_.capture([&] { record(what, share); });
    return graph;
  }
  void record(const Recording& what, double share) {
    const auto& [images, pixels, chooses] = what;
    const auto of_images = static_cast<std::size_t>(images * loaded_->image_values);
    const auto of_choices = static_cast<std::size_t>(images * loaded_->choices);
    device_.copy_in(device_images_.get(), host_images_.get(),
                    of_images * (pixels ? 1 : sizeof(float)));
    if (chooses) device_.fill(device_choices_.get(), kNotRouted, of_choices);
    record_launches(what, share);
    device_.copy_out(host_logits_.get(), device_logits_.get(), bytes(images * loaded_->outputs));
    if (chooses) device_.copy_out(host_choices_.get(), device_choices_.get(), of_choices);
  }
  void record_launches(const Recording& what, double share) {
    const auto& [images, pixels, chooses] = what;
    const Device::Memory& numbers = pixels ? loaded_->of_pixels : loaded_->of_planes;
    const Memory memory = {.arena = arena_.as<float>(),
                           .images = pixels ? nullptr : device_images_.as<float>(),
                           .pixels = pixels ? device_images_.as<uint8_t>() : nullptr,
                           .levels = loaded_->levels.as<float>(),
                           .patch_numbers = numbers.as<PatchNumber>(),
                           .logits = device_logits_.as<float>(),
                           .counts = counts_.as<int32_t>(),
                           .choices = chooses ? device_choices_.as<uint8_t>() : nullptr};
    const Settings settings = {images, static_cast<int64_t>(loaded_->routers.size()),
                               loaded_->choices, share};
    launch_all(device_, loaded_->program(chooses), loaded_->limits, layouts_.at({images, chooses}),
               loaded_->weights, memory, settings);
  }

  std::shared_ptr<const Loaded> loaded_;
  Device device_;
  int64_t images_ = 0;  // there is memory for
  std::map<std::pair<int64_t, bool>, ArenaLayout> layouts_;
  Device::Memory arena_, device_images_, host_images_, device_logits_, host_logits_, counts_,
      device_choices_, host_choices_;
  std::map<Recording, Device::Graph> graphs_;  // released before the memory
  int64_t count_ = 0;                          // images under way
  float* logits_ = nullptr;
  uint8_t* choices_ = nullptr;
};

}  // namespace

struct CudaEngine::Impl {
  Impl(std::shared_ptr<const Loaded> of, Device first) : loaded(std::move(of)) {
    lanes[0].emplace(loaded, std::move(first));
  }

  Lane& lane(std::size_t number) {
    if (!lanes[number]) lanes[number].emplace(loaded, lanes[0]->device().share());
    return *lanes[number];
  }
  void run(const ImagesAt& images, int64_t batch, float* logits, uint8_t* choices) {
    try {
      run_parts(images, batch, logits, choices);
    } catch (...) {  // the caller's memory is not to be written later
      for (auto& each : lanes)
        if (each) each->abandon();
      throw;
    }
  }
  void run_parts(const ImagesAt& images, int64_t batch, float* logits, uint8_t* choices) {
    std::size_t turn = 0;
    for (int64_t first = 0; first < batch; first += kMostImages, turn = 1 - turn) {
      Lane& here = lane(turn);
      here.finish();
      here.begin(images.from(static_cast<std::size_t>(first * loaded->image_values)),
                 std::min(kMostImages, batch - first), logits + first * loaded->outputs,
                 choices ? choices + first * loaded->choices : nullptr, shift_share);
    }
    for (auto& each : lanes)
      if (each) each->finish();
  }

  std::shared_ptr<const Loaded> loaded;
  std::array<std::optional<Lane>, 2> lanes;
  double shift_share = kAsRouted;
};

CudaEngine::CudaEngine(const Network& network, const PackSpec& pack, NamedTensors weights,
                       Device device, const std::vector<float>& levels) {
  auto loaded = std::make_shared<const Loaded>(network, pack, std::move(weights), device, levels);
  impl_ = std::make_unique<Impl>(std::move(loaded), std::move(device));
}
CudaEngine::CudaEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CudaEngine CudaEngine::share() const {
  return CudaEngine(std::make_unique<Impl>(impl_->loaded, impl_->lanes[0]->device().share()));
}
CudaEngine::~CudaEngine() = default;
CudaEngine::CudaEngine(CudaEngine&&) noexcept = default;
CudaEngine& CudaEngine::operator=(CudaEngine&&) noexcept = default;

const std::vector<Router>& CudaEngine::routers() const { return impl_->loaded->routers; }
int64_t CudaEngine::outputs() const { return impl_->loaded->outputs; }
void CudaEngine::run(const float* images, int64_t batch, float* logits, uint8_t* choices) {
  impl_->run({images, false}, batch, logits, choices);
}
void CudaEngine::run_pixels(const uint8_t* pixels, int64_t batch, float* logits, uint8_t* choices) {
  impl_->run({pixels, true}, batch, logits, choices);
}
void CudaEngine::force_shift_share(double share) {
  if (share == impl_->shift_share) return;
  impl_->shift_share = share;
  for (auto& lane : impl_->lanes)
    if (lane) lane->forget_graphs();
}
double CudaEngine::time_forward(int64_t images, uint32_t times) {
  return impl_->lanes[0]->time_forward(images, times, impl_->shift_share);
}
const Plan& CudaEngine::plan() const { return impl_->loaded->plain.plan; }
const Launches& CudaEngine::launches() const { return impl_->loaded->plain.launches; }
void CudaEngine::time_steps(std::vector<double>* seconds) {
  if (seconds) throw failure("[cuda] steps of a plan have times on the CPU alone");
}
int64_t CudaEngine::arena_floats() const {
  return ArenaLayout(impl_->loaded->plain.launches, kMostImages).size;
}
shiftadd_device_counters CudaEngine::counters() const {
  shiftadd_device_counters sum = {};
  for (auto& lane : impl_->lanes) {
    if (!lane) continue;
    const shiftadd_device_counters of = lane->device().counters();
    sum.launches += of.launches;
    sum.graph_launches += of.graph_launches;
    sum.allocations += of.allocations;
    sum.copies += of.copies;
    sum.synchronisations += of.synchronisations;
  }
  return sum;
}

}  // namespace shiftadd::cuda
