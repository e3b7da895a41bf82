// What the programs compute has the same bits as before: logits on every instruction set, trained
// weights, packed files, counts of operations. The digests stand in digests.h.
#include <cstdlib>
#include <filesystem>

#include "core/cpu/int8.h"
#include "core/cpu/isa.h"
#include "tests/e2e/digests.h"
#include "tests/e2e/infer_support.h"
#include "tests/e2e/train_support.h"
#include "tests/infer/shift_add_models.h"

namespace fs = std::filesystem;
using namespace shiftadd;
using test::ProcessResult;

namespace {

std::string run_program(const std::string& name, std::vector<std::string> arguments,
                        const std::map<std::string, std::string>& environment = {}) {
  arguments.insert(arguments.begin(), test::program(name));
  const ProcessResult result = test::run(arguments, "", environment);
  REQUIRE_MESSAGE(result.status == 0, result.err);
  return result.out;
}

/// The environment of programs that run with one instruction set and one unit of int8 products.
struct Machine {
  Isa isa;
  Int8Unit unit = Int8Unit::kNone;

  std::string name() const { return concat(name_of(isa), ", int8 unit ", name_of(unit)); }
  std::map<std::string, std::string> environment() const {
    return {{"SHIFTADD_ISA", name_of(isa)}, {"SHIFTADD_INT8", name_of(unit)}};
  }
};

/// All that this CPU has. What it lacks is skipped, and the test says so.
std::vector<Machine> machines() {
  std::vector<Machine> found;
  for (const Machine& each :
       {Machine{Isa::kGeneric}, Machine{Isa::kAvx2}, Machine{Isa::kAvx512},
        Machine{Isa::kAvx512, Int8Unit::kVnni}, Machine{Isa::kAvx512, Int8Unit::kAmx}}) {
    if (supported(each.isa) && supported(each.unit))
      found.push_back(each);
    else
      MESSAGE("SKIPPED: this CPU lacks ", each.name());
  }
  return found;
}

/// The golden networks are those of this repository, even where the other tests read a larger
/// golden folder.
class OwnGolden {
 public:
  OwnGolden() {
    if (const char* chosen = std::getenv(kVariable)) before_ = chosen;
    setenv(kVariable, (test::source_folder() + "/tests/golden").c_str(), 1);
  }
  ~OwnGolden() { before_.empty() ? unsetenv(kVariable) : setenv(kVariable, before_.c_str(), 1); }

 private:
  static constexpr const char* kVariable = "SHIFTADD_GOLDEN";
  std::string before_;
};

ModelFile golden_plain() {
  ModelFile model = test::random_model(named_spec("vit_micro"), 1);
  const TensorFile golden = test::golden_model("vit_micro");
  for (auto& [name, tensor] : model.weights) tensor = golden.at(name).to(DType::kF32);
  return model;
}

}  // namespace

TEST_CASE("logits have the bits that they had, on every instruction set") {
  const OwnGolden own;
  const test::TemporaryFolder folder;
  const std::string deit_shiftadd =
      test::source_folder() + "/configs/models/deit_tiny_shiftadd.json";
  struct Network {
    std::string name;
    ModelFile model;
    std::vector<std::string> pack;  // arguments of shiftadd-convert; none: as it is
  };
  const ModelFile deit = test::random_model(named_spec("deit_tiny_patch16_224"), 1);
  const std::vector<Network> networks = {{"vit_micro", golden_plain(), {}},
                                         {"micro_shiftadd_full", test::golden_shift_add(true), {}},
                                         {"deit_tiny float32", deit, {}},
                                         {"deit_tiny int8", deit, {"--pack", "int8"}},
                                         {"deit_tiny_shiftadd int8",
                                          test::random_model(load_spec(deit_shiftadd), 1),
                                          {"--pack", "shiftadd", "--multiply", "int8"}}};
  const std::vector<Machine> all = machines();
  for (const Network& network : networks) {
    std::string path = folder / "model.safetensors";
    save_model(path, network.model);
    if (!network.pack.empty()) {
      const std::string packed = folder / "packed.safetensors";
      std::vector<std::string> arguments = {path, "--out", packed};
      arguments.insert(arguments.end(), network.pack.begin(), network.pack.end());
      run_program("shiftadd-convert", arguments);
      path = packed;
    }
    const Grid size = network.model.spec.image_size;
    test::write_text(folder / "image.bmp",
                     test::bitmap(static_cast<int>(size.width), static_cast<int>(size.height), 3));
    for (const Machine& machine : all) {
      INFO(machine.name());
      const std::string dump = folder / "dump.safetensors";
      run_program("shiftadd-infer", {path, folder / "image.bmp", "--threads", "1", "--dump", dump},
                  machine.environment());
      const TensorFile dumped = read_safetensors(dump);
      const Tensor& logits = dumped.at("logits");
      REQUIRE(logits.dtype() == DType::kF32);
      test::check_digest("logits " + network.name,
                         test::digest_of({static_cast<const char*>(logits.raw()), logits.bytes()}));
    }
  }
}

TEST_CASE("twenty steps of training end at the bits that they had, on every instruction set") {
  const char* const stages = R"(stages=[
    {"name": "add", "surgery": {"recipe": ["all: attention=linear_add", "1: attention=softmax_add"],
                                "transfer": {"steps": 4}}},
    {"name": "shift", "surgery": {"recipe": ["all: qkv=shift, proj=shift, mlp=mixture"]},
     "train": {"epochs": 2}}])";
  for (const Machine& machine : machines()) {
    INFO(machine.name());
    const test::TrainFolder folder;
    const auto train = [&](const std::string& out, std::vector<std::string> arguments) {
      // 80 images in batches of 20 are 4 steps an epoch: 4 of the plain network, 4 that transfer
      // attention, 4 of the first stage and 8 of the second.
      arguments.insert(arguments.end(),
                       {"--set", "data.synthetic.train_per_class=8", "--set", "train.batch=20",
                        "--set", "train.epochs=1", "--set", "train.schedule.warmup_epochs=0.5",
                        "--set", "train.precision=float32", "--threads", "1"});
      const ProcessResult result = folder.train(out, arguments, machine.environment());
      REQUIRE_MESSAGE(result.status == 0, result.err);
    };
    train("dense", {});
    const auto convert = [&](const std::string& out, const std::string& codes) {
      train(out, {"--set", "init.checkpoint=dense/model.safetensors", "--set", stages, "--set",
                  "surgery.value=int8", "--set", "surgery.activations=int8", "--set",
                  "train.teacher.features=3", "--set", "surgery.codes=" + codes});
    };
    convert("stages", "sign");
    convert("two_bits", "bipolar2");
    for (const char* model :
         {"dense", "stages/add", "stages/shift", "two_bits/add", "two_bits/shift"})
      test::check_digest(
          concat("trained ", model),
          test::digest_of_tensors(folder / (std::string(model) + "/model.safetensors")));
  }
}

TEST_CASE("packed files hold the tensors that they held") {
  const OwnGolden own;
  const test::TemporaryFolder folder;
  const std::string plain = folder / "plain.safetensors", full = folder / "full.safetensors";
  save_model(plain, golden_plain());
  save_model(full, test::golden_shift_add(true));
  const std::string out = folder / "packed.safetensors";
  for (const std::string format : {"float32", "bf16", "int8"}) {
    run_program("shiftadd-convert", {plain, "--pack", format, "--out", out});
    test::check_digest("packed vit_micro " + format, test::digest_of_tensors(out));
    run_program("shiftadd-convert",
                {full, "--pack", "shiftadd", "--multiply", format, "--out", out});
    test::check_digest("packed micro_shiftadd_full " + format, test::digest_of_tensors(out));
  }
}

TEST_CASE("shiftadd-bench count prints the figures that it printed") {
  std::map<std::string, std::string> networks;  // short name -> argument
  for (const std::string& name : spec_names()) networks[name] = name;
  for (const auto& entry : fs::directory_iterator(test::source_folder() + "/configs/models"))
    networks[entry.path().filename()] = entry.path();
  for (const auto& [name, argument] : networks) {
    test::check_digest("count " + name,
                       test::digest_of(run_program("shiftadd-bench", {"count", argument})));
    test::check_digest("json " + name, test::digest_of(run_program("shiftadd-bench",
                                                                   {"count", argument, "--json"})));
  }
  for (const auto& [row, hex] : test::known_digests())
    if (row.starts_with("count "))
      CHECK_MESSAGE(networks.contains(row.substr(6)), "kDigests: there is no network for " << row);
}
