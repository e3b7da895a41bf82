// Loads a model file into an engine, and keeps what the file says of its images and classes.
#include "infer/session.h"

#include <utility>
#include <variant>

#include "core/memory_limit.h"
#include "core/parallel.h"
#include "cuda/engine.h"
#include "data/preprocess.h"

namespace shiftadd::infer {
namespace {

// What sessions share of a file, in which nothing changes.
struct About {
  ModelSpec spec;
  PackSpec pack;
  Preprocess preprocess;
  std::vector<std::string> classes, class_ids;
};

// What runs the plan, an engine a kind of device: each has the functions of CpuEngine.
using Engine = std::variant<CpuEngine, cuda::CudaEngine>;

Engine load(ModelFile model, const DeviceChoice& choice) {
  validate(model.spec);
  require_deployable(model.spec);
  const Network network = network_of(model.spec);
  if (const auto device = open_device(choice)) {
    const std::vector<float> levels = data::pixel_levels(model.preprocess);
    if (choice.kind == DeviceChoice::Kind::kCuda)
      return cuda::CudaEngine(network, *model.pack, std::move(model.weights), *device, levels);
    try {
      return cuda::CudaEngine(network, *model.pack, model.weights, *device, levels);
    } catch (const Error&) {  // a network that the device cannot compute, the CPU can
    }
  }
  return CpuEngine(network, *model.pack, std::move(model.weights));
}

}  // namespace

struct Session::Impl {
  std::shared_ptr<const About> about;
  Engine engine;
  std::vector<float> planes = {};  // of run_pixels on the CPU

  void run_pixels(cuda::CudaEngine& gpu, const uint8_t* pixels, int64_t batch, float* logits,
                  uint8_t* choices) {
    gpu.run_pixels(pixels, batch, logits, choices);
  }
  void run_pixels(CpuEngine& cpu, const uint8_t* pixels, int64_t batch, float* logits,
                  uint8_t* choices) {
    const int64_t values = about->preprocess.values();
    const auto count = static_cast<std::size_t>(batch * values);
    if (planes.size() < count) {
      require_memory(concat("normalising batches of ", batch, " images"),
                     {{"their pixels", static_cast<double>(count * sizeof(float)),
                       "--batch, or the network's image_size"}});
      planes.resize(count);
    }
    parallel_for(batch, [&](int64_t i) {
      data::normalise(pixels + i * values, about->preprocess, planes.data() + i * values);
    });
    cpu.run(planes.data(), batch, logits, choices);
  }

  // visit([](auto& engine) { ... })
  template <class Body>
  decltype(auto) visit(Body body) {
    return std::visit(body, engine);
  }
};

Session::Session(ModelFile model, const DeviceChoice& device) {
  if (!model.pack) model = pack_model(model, {});
  auto about =
      std::make_shared<const About>(About{model.spec, *model.pack, model.preprocess,
                                          std::move(model.classes), std::move(model.class_ids)});
  impl_ = std::make_unique<Impl>(Impl{std::move(about), load(std::move(model), device)});
}
Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session Session::share() const {
  return Session(std::make_unique<Impl>(
      Impl{impl_->about, impl_->visit([](auto& engine) -> Engine { return engine.share(); })}));
}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

const ModelSpec& Session::spec() const { return impl_->about->spec; }
const PackSpec& Session::pack() const { return impl_->about->pack; }
const Preprocess& Session::preprocess() const { return impl_->about->preprocess; }
const std::vector<std::string>& Session::classes() const { return impl_->about->classes; }
const std::vector<std::string>& Session::class_ids() const { return impl_->about->class_ids; }
const std::vector<Router>& Session::routers() const {
  return impl_->visit([](auto& engine) -> const std::vector<Router>& { return engine.routers(); });
}
int64_t Session::outputs() const {
  return impl_->visit([](auto& engine) { return engine.outputs(); });
}
void Session::run(const float* images, int64_t batch, float* logits, uint8_t* choices) {
  impl_->visit([&](auto& engine) { engine.run(images, batch, logits, choices); });
}
void Session::run_pixels(const uint8_t* pixels, int64_t batch, float* logits, uint8_t* choices) {
  impl_->visit([&](auto& engine) { impl_->run_pixels(engine, pixels, batch, logits, choices); });
}
void Session::force_shift_share(double share) {
  impl_->visit([&](auto& engine) { engine.force_shift_share(share); });
}
const Plan& Session::plan() const {
  return impl_->visit([](auto& engine) -> const Plan& { return engine.plan(); });
}
void Session::time_steps(std::vector<double>* seconds) {
  impl_->visit([&](auto& engine) { engine.time_steps(seconds); });
}
int64_t Session::weight_floats() const { return count_parameters(spec()); }
int64_t Session::arena_floats() const {
  return impl_->visit([](auto& engine) { return engine.arena_floats(); });
}

void require_images(const Session& session, const std::string& name) {
  const ModelSpec& spec = session.spec();
  const Preprocess& preprocess = session.preprocess();
  if (spec.in_channels != 1 && spec.in_channels != 3)
    throw user_error(name, ": the model takes ", spec.in_channels,
                     " channels: images have 3, or, turned to gray, 1");
  if (preprocess.channels() != spec.in_channels)
    throw user_error(name, ": preprocessing has a mean for ", preprocess.channels(),
                     " channels, but the model takes ", spec.in_channels);
  if (preprocess.crop != spec.image_size)
    throw user_error(name, ": preprocessing crops to ", preprocess.crop, ", but the model takes ",
                     spec.image_size, " pixels");
}

int64_t Session::macs_per_image() const {
  int64_t macs = 0;
  const std::vector<double> shares(routers().size(), 0.0);  // both experts of a router do the same
  for (const Step& step : plan().steps) macs += work_of(plan(), step, shares).terms();
  return macs;
}

}  // namespace shiftadd::infer
