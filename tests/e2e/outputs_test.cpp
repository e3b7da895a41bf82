// No output of any program overwrites an input or another output, whichever way the two are named.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "core/io/files.h"
#include "tests/e2e/infer_support.h"
#include "tests/infer/shift_add_models.h"

using namespace shiftadd;
namespace fs = std::filesystem;
using test::contains;
using test::ProcessResult;

namespace {

// Every file below a folder with its bytes, every link with where it leads.
std::map<std::string, std::string> contents_of(const std::string& folder) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().string();
    contents[path] = entry.is_symlink()        ? "-> " + fs::read_symlink(path).string()
                     : entry.is_regular_file() ? read_text(path)
                                               : "";
  }
  return contents;
}

struct Named {
  std::string option, path;  // option: "" for a positional argument, which errors call `shown`
  std::string shown = option;
};

// One way of calling a program: fixed words, then what it reads, then what it can write. Every
// input has the extension of a picture, because one program asks for it in an output.
struct Call {
  std::string name;
  std::vector<std::string> words;
  std::vector<Named> inputs;
  std::vector<std::string> outputs;
};

class Programs {
 public:
  Programs() {
    ModelFile converted = test::golden_shift_add(true);
    save_model(at("routed.png"), converted);
    save_model(at("model.png"), test::random_model(named_spec("vit_micro"), 1));
    folder_.image("photo.png", 64, 64, 1);
    folder_.labelled("set", test::micro_classes(), 1);
    for (const std::string& name : test::micro_classes())
      fs::rename(at("set/" + name + "/0.bmp"), at("set/" + name + "/0.png"));
    test::write_text(at("spec.png"), to_json(named_spec("vit_micro")).dump());
    test::write_text(at("routed_spec.json"), to_json(converted.spec).dump());
    test::write_text(at("mapping.png"), R"({"rules": []})");
    test::write_text(at("classes.png"), "a\nb\nc\nd\ne\nf\ng\n");
    test::write_text(at("preprocess.png"), "{}");
    test::write_text(at("peers.png"), "peer,50,1\n");
    test::write_text(at("list.png"), at("photo.png") + "\n");
  }
  std::string at(const std::string& name) const { return folder_ / name; }
  const std::string& path() const { return folder_.path(); }

  std::vector<Call> calls() const {
    const std::string infer = test::program("shiftadd-infer"),
                      convert = test::program("shiftadd-convert"),
                      bench = test::program("shiftadd-bench");
    const Named image_of_set = {"--eval", at("set/cat/0.png")};
    return {{"convert",
             {convert},
             {{"", at("model.png"), "IN"},
              {"--arch", at("spec.png")},
              {"--mapping", at("mapping.png")},
              {"--classes", at("classes.png")},
              {"--preprocess", at("preprocess.png")}},
             {"--out", "--report"}},
            {"pack",
             {convert, "--pack", "int8"},
             {{"", at("model.png"), "IN"}, {"--calibrate", at("set/elk/0.png")}},
             {"--out"}},
            {"classify",
             {infer},
             {{"", at("routed.png"), "MODEL"}, {"", at("photo.png"), "image"}},
             {"--dump", "--routing"}},
            {"classify a list",
             {infer, at("routed.png"), "-"},
             {{"", at("photo.png"), "image"}},
             {"--dump", "--routing"}},
            {"evaluate",
             {infer},
             {{"", at("model.png"), "MODEL"}, image_of_set},
             {"--confusion", "--dump"}},
            {"compare",
             {bench, "compare", "--seconds", "0"},
             {{"", at("model.png"), "model"}, image_of_set, {"--peers", at("peers.png")}},
             {"--out"}},
            {"latency",
             {bench, "latency", "--seconds", "0"},
             {{"", at("routed.png"), "model"}},
             {"--out"}}};
  }

  // An input inside the set stands for the set.
  std::vector<std::string> command(const Call& call) const {
    std::vector<std::string> words = call.words;
    for (const Named& input : call.inputs) {
      if (call.name == "classify a list") continue;
      if (!input.option.empty()) words.push_back(input.option);
      words.push_back(contains(input.path, "/set/") ? at("set") : input.path);
    }
    return words;
  }

  ProcessResult run(const Call& call, const std::vector<Named>& outputs) const {
    std::vector<std::string> words = command(call);
    for (const Named& output : outputs) words.insert(words.end(), {output.option, output.path});
    return test::run(words, at("photo.png") + "\n", {}, path());
  }

 private:
  test::InferFolder folder_;
};

// Other names of one path, and what has to be made for them.
std::vector<std::string> other_names(const std::string& path, const std::string& folder,
                                     bool exists) {
  const fs::path file(path);
  const std::string name = file.filename().string(), parent = file.parent_path().string();
  fs::create_directories(folder + "/names/x");
  fs::create_directory_symlink(parent, folder + "/names/linked");
  fs::create_symlink(path, folder + "/names/link.png");
  fs::create_symlink("link.png", folder + "/names/link_of_link.png");
  std::vector<std::string> names = {
      path,
      fs::relative(path, folder).string(),
      parent + "/./" + name,
      folder + "/names/x/../../" + fs::relative(path, folder).string(),
      folder + "/names/linked/" + name,
      folder + "/names/link.png",
      folder + "/names/x/../link_of_link.png"};
  if (exists) {
    fs::create_hard_link(path, folder + "/names/hard.png");
    names.push_back(folder + "/names/hard.png");
  }
  return names;
}

void check_refused(const ProcessResult& result, const std::string& a, const std::string& b) {
  CHECK(result.status == 2);
  CHECK_MESSAGE(contains(result.err, a), result.err);
  CHECK_MESSAGE(contains(result.err, b), result.err);
  CHECK(result.out.empty());
}

}  // namespace

TEST_CASE("an output that is an input is refused, for every pair of every program") {
  const Programs programs;
  for (const Call& call : programs.calls())
    for (const Named& input : call.inputs) {
      const std::vector<std::string> names = other_names(input.path, programs.path(), true);
      const auto before = contents_of(programs.path());
      for (const std::string& output : call.outputs) {
        for (const std::string& name : names) {
          CAPTURE(call.name);
          CAPTURE(output);
          CAPTURE(name);
          std::vector<Named> outputs = {{output, name}};
          if (output != call.outputs.front() && call.outputs.front() == "--out")
            outputs.push_back({"--out", programs.at("new.safetensors")});
          check_refused(programs.run(call, outputs), output + " " + name, input.shown);
        }
      }
      CHECK(contents_of(programs.path()) == before);
      fs::remove_all(programs.at("names"));
    }
}

TEST_CASE("two outputs that are one file are refused, whether it is there already or not") {
  const Programs programs;
  for (const Call& call : programs.calls()) {
    if (call.outputs.size() < 2) continue;
    for (const bool exists : {false, true}) {
      fs::create_directories(programs.at("new"));
      const std::string file = programs.at("new/output.png");
      if (exists) test::write_text(file, "old");
      const std::vector<std::string> names = other_names(file, programs.path(), exists);
      const auto before = contents_of(programs.path());
      for (const std::string& name : names) {
        CAPTURE(call.name);
        CAPTURE(name);
        check_refused(programs.run(call, {{call.outputs[0], file}, {call.outputs[1], name}}),
                      call.outputs[0] + " " + file, call.outputs[1] + " " + name);
      }
      CHECK(contents_of(programs.path()) == before);
      fs::remove_all(programs.at("names"));
      fs::remove_all(programs.at("new"));
    }
  }
}

TEST_CASE("what the shell reads and writes counts, too") {
  const Programs programs;
  const std::string model = programs.at("routed.png"), list = programs.at("list.png"),
                    log = programs.at("log.png"),
                    infer = test::program("shiftadd-infer") + " " + model + " - <" + list;
  const auto shell = [&](const std::string& line) {
    return test::run({"sh", "-c", line}, "", {}, programs.path());
  };
  const ProcessResult read = shell(infer + " --dump " + list);
  CHECK(read.status == 2);
  CHECK(contains(read.err, "standard input"));
  CHECK(read_text(list) == programs.at("photo.png") + "\n");
  const ProcessResult printed = shell(infer + " --routing " + log + " >" + log);
  CHECK(printed.status == 2);
  CHECK(contains(printed.err, "standard output"));
  CHECK(shell(infer + " --dump /dev/stdout >" + log).status == 2);
  CHECK(shell(infer + " --dump " + log + " 2>" + log).status == 2);
  CHECK(contains(read_text(log), "standard error"));
  const std::string before = read_text(model);
  CHECK(shell(infer + " >>" + model).status == 2);
  CHECK(read_text(model) == before);
  CHECK(shell(infer + " >" + log + " --routing " + programs.at("drawn.png")).status == 0);
}

TEST_CASE("the index of a tar counts as read, whether it is there already or not") {
  const Programs programs;
  const std::string tar = programs.at("set.tar"), index = tar + ".index";
  REQUIRE(test::run({"tar", "-cf", tar, "-C", programs.at("set"), "."}).status == 0);
  for (const std::string existing : {"", "an index"}) {
    if (!existing.empty()) test::write_text(index, existing);
    for (const std::string& name : {index, programs.at("set/../set.tar.index")}) {
      const ProcessResult result =
          test::run({test::program("shiftadd-infer"), programs.at("model.png"), "--eval", tar,
                     "--dump", name});
      check_refused(result, "--dump " + name, "the index of --eval");
      CHECK(fs::exists(index) == !existing.empty());
    }
  }
  CHECK(read_text(index) == "an index");
}

TEST_CASE("an image that a linked folder of the set leads to is not overwritten") {
  const Programs programs;
  fs::rename(programs.at("set/dog"), programs.at("dogs"));
  fs::create_directory_symlink(programs.at("dogs"), programs.at("set/dog"));
  const std::string image = programs.at("dogs/0.png"), before = read_text(image);
  for (const Call& call : programs.calls()) {
    if (call.name != "evaluate" && call.name != "compare" && call.name != "pack") continue;
    CAPTURE(call.name);
    CHECK(programs.run(call, {{call.outputs.front(), image}}).status == 2);
    CHECK(read_text(image) == before);
  }
}

TEST_CASE("files of other names beside an input, and devices, are fine") {
  const Programs programs;
  for (const Call& call : programs.calls()) {
    CAPTURE(call.name);
    std::vector<Named> outputs;
    for (const std::string& output : call.outputs)
      outputs.push_back({output, programs.at("set/result" + output + ".png")});
    const ProcessResult result = programs.run(call, outputs);
    CHECK_MESSAGE(result.status == 0, result.err);
    for (Named& output : outputs) {
      CHECK(fs::exists(output.path));
      fs::remove(output.path);
      output.path = "/dev/null";
    }
    if (call.outputs.back() == "--routing") continue;  // wants a name with .png
    CHECK(programs.run(call, outputs).status == 0);
    CHECK(fs::is_character_file("/dev/null"));
  }
}
