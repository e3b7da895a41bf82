// Loads a model file into an engine, and keeps what the file says of its images and classes.
#include "infer/session.h"

#include <utility>
#include <variant>

#include "cuda/engine.h"

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
    if (choice.kind == DeviceChoice::Kind::kCuda)
      return cuda::CudaEngine(network, *model.pack, std::move(model.weights), *device);
    try {
      return cuda::CudaEngine(network, *model.pack, model.weights, *device);
    } catch (const Error&) {  // a network that the device cannot compute, the CPU can
    }
  }
  return CpuEngine(network, *model.pack, std::move(model.weights));
}

}  // namespace

struct Session::Impl {
  std::shared_ptr<const About> about;
  Engine engine;

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
