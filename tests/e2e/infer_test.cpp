// shiftadd-infer as a process: classification, lists, broken input, exit statuses.
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/safetensors.h"
#include "tests/e2e/infer_support.h"
#include "tests/e2e/run_until.h"

using namespace shiftadd;
using nlohmann::json;
using test::contains;
using test::InferFolder;
using test::ProcessResult;

TEST_CASE("an image gives a table of the best classes") {
  const InferFolder folder;
  const std::string image = folder.image("photo.bmp", 90, 70, 3);
  const ProcessResult result = folder.infer({image, "--top-k", "3"});
  CHECK_MESSAGE(result.status == 0, result.err);
  CHECK(result.out.starts_with(image + "\n"));
  CHECK(std::count(result.out.begin(), result.out.end(), '\n') == 4);
  CHECK(contains(result.out, " %\n"));
  const bool named =
      std::any_of(test::micro_classes().begin(), test::micro_classes().end(),
                  [&](const std::string& name) { return contains(result.out, "    1  " + name); });
  CHECK(named);
}

TEST_CASE("--json gives an array with an object an image; probabilities fall and add up") {
  const InferFolder folder;
  const std::string a = folder.image("in/a.bmp", 64, 64, 1),
                    b = folder.image("in/b.bmp", 200, 65, 2);
  const ProcessResult result = folder.infer({folder / "in", "--json", "--top-k", "100"});
  CHECK_MESSAGE(result.status == 0, result.err);
  const json out = parse_json(result.out);
  REQUIRE(out.size() == 2);
  CHECK(out[0]["image"] == a);
  CHECK(out[1]["image"] == b);
  for (const json& each : out) {
    REQUIRE(each["top"].size() == 7);
    double sum = 0, last = 1;
    for (const json& top : each["top"]) {
      CHECK(top["class"] == test::micro_classes()[top["index"].get<int>()]);
      CHECK(top["probability"].get<double>() <= last);
      last = top["probability"];
      sum += last;
    }
    CHECK(sum == doctest::Approx(1));
  }
}

TEST_CASE("a list on standard input may have blank lines") {
  const InferFolder folder;
  const std::string a = folder.image("a.bmp", 64, 64, 1), b = folder.image("b.bmp", 64, 64, 2);
  const ProcessResult result = folder.infer({"-", "--json"}, "\n" + b + "\n\n  \n" + a + "\n");
  CHECK_MESSAGE(result.status == 0, result.err);
  const json out = parse_json(result.out);
  REQUIRE(out.size() == 2);
  CHECK(out[0]["image"] == b);
  CHECK(out[1]["image"] == a);
  CHECK(folder.infer({"-"}, "\n\n").status == 2);
}

TEST_CASE("a broken image is named, the others are classified, the status is 2") {
  const InferFolder folder;
  const std::string good = folder.image("good.bmp", 64, 64, 1),
                    tiny = folder.image("tiny.bmp", 1, 1, 2);
  test::write_text(folder / "text.jpg", "this is no photograph\n");
  test::write_text(folder / "empty.png", "");
  const std::vector<std::string> images = {folder / "text.jpg", good, folder / "none.jpg", tiny,
                                           folder / "empty.png"};
  std::vector<std::string> arguments = images;
  arguments.push_back("--json");
  const ProcessResult result = folder.infer(arguments);
  CHECK(result.status == 2);
  for (const char* name : {"text.jpg", "none.jpg", "empty.png"})
    CHECK_MESSAGE(contains(result.err, name), result.err);
  const json out = parse_json(result.out);
  int classified = 0;
  for (const json& each : out) classified += each.contains("top");
  CHECK(classified == 2);
  CHECK(out.size() == images.size());
}

TEST_CASE("an image of one pixel is classified") {
  const InferFolder folder;
  const ProcessResult result = folder.infer({folder.image("tiny.bmp", 1, 1, 2)});
  CHECK_MESSAGE(result.status == 0, result.err);
}

TEST_CASE(
    "logits have the same bits for any --batch, --threads and --workers; the dump holds input and "
    "logits") {
  const InferFolder folder;
  for (int i = 0; i < 9; ++i) folder.image("in/" + std::to_string(i) + ".bmp", 50 + 5 * i, 80, i);
  std::string first;
  const std::vector<std::vector<std::string>> variants = {{"--batch", "1", "--threads", "1"},
                                                          {"--batch", "4", "--threads", "2"},
                                                          {"--threads", "3", "--workers", "1"}};
  for (const auto& variant : variants) {
    std::vector<std::string> arguments = {folder / "in", "--dump", folder / "dump.safetensors"};
    arguments.insert(arguments.end(), variant.begin(), variant.end());
    const ProcessResult result = folder.infer(arguments);
    CHECK_MESSAGE(result.status == 0, result.err);
    const std::string hash = sha256_of_file(folder / "dump.safetensors");
    if (first.empty()) first = hash;
    CHECK(hash == first);
  }
  const TensorFile dump = read_safetensors(folder / "dump.safetensors");
  CHECK(dump.at("input").shape() == Shape{9, 3, 64, 64});
  CHECK(dump.at("logits").shape() == Shape{9, 7});
}

TEST_CASE("nothing is written beside the images or the model") {
  const InferFolder folder;
  const std::string image = folder.image("in/a.bmp", 64, 64, 1);
  CHECK(folder.infer({image}).status == 0);
  CHECK(folder.infer({folder / "in"}).status == 0);
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path()))
    files += entry.is_regular_file();
  CHECK(files == 2);  // the model and the image
}

TEST_CASE("wrong models are the user's mistake and say what to do") {
  const InferFolder folder;
  const std::string image = folder.image("a.bmp", 64, 64, 1);
  const std::string infer = test::program("shiftadd-infer");
  const ProcessResult missing = test::run({infer, folder / "none.safetensors", image});
  CHECK(missing.status == 2);
  CHECK(contains(missing.err, "none.safetensors"));
  test::write_text(folder / "text.safetensors", "not a model at all, only some text\n");
  const ProcessResult text = test::run({infer, folder / "text.safetensors", image});
  CHECK(text.status == 2);
  CHECK(contains(text.err, "text.safetensors"));
  TensorFile plain;
  for (const auto& [name, tensor] : test::random_model(named_spec("vit_micro"), 1).weights)
    plain.tensors.emplace_back(name, tensor);
  write_safetensors(folder / "timm.safetensors", plain);
  const ProcessResult timm = test::run({infer, folder / "timm.safetensors", image});
  CHECK(timm.status == 2);
  CHECK_MESSAGE(contains(timm.err, "shiftadd-convert"), timm.err);
  for (const ProcessResult* each : {&missing, &text, &timm}) {
    CHECK(each->out.empty());
    CHECK(std::count(each->err.begin(), each->err.end(), '\n') == 1);
  }
}

TEST_CASE("wrong command lines are the user's mistake") {
  const InferFolder folder;
  const std::string image = folder.image("a.bmp", 64, 64, 1);
  std::filesystem::create_directory(folder / "empty");
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {image, "--top-k", "0"},
                                             {image, "--batch", "-1"},
                                             {image, "--threads", "zero"},
                                             {image, "--nonsense"},
                                             {image, "--eval", folder / "empty"},
                                             {image, "--confusion", folder / "c.csv"},
                                             {folder / "empty"},
                                             {image, "--device", "tpu"}}) {
    CAPTURE(arguments.size());
    const ProcessResult result = folder.infer(arguments);
    CHECK(result.status == 2);
    CHECK_FALSE(result.err.empty());
    CHECK(result.out.empty());
  }
}

TEST_CASE("paths that are wrong or in each other's place are named, with what was expected") {
  const InferFolder folder;
  const std::string image = folder.image("a.bmp", 64, 64, 1), model = folder.model_path();
  folder.image("run/a/a.bmp", 64, 64, 1);
  test::write_text(folder / "text.json", "{}");
  std::filesystem::copy_file(model, folder / "run/model.safetensors");
  struct Case {
    std::vector<std::string> arguments;
    std::string path, says;
  };
  for (const Case& each : std::vector<Case>{
           {{image, model}, image, "an image: expected a model file"},
           {{folder / "run", image}, folder / "run", "did you mean " + (folder / "run/model")},
           {{folder / "run/a", image}, folder / "run/a", "a folder"},
           {{folder / "none", image}, folder / "none", "No such file"},
           {{folder / "text.json", image}, folder / "text.json", ""},
           {{"/dev/null", image}, "/dev/null", ""},
           {{model, model}, model, ""},
           {{model, folder / "text.json"}, folder / "text.json", ""},
           {{model, folder / "none.jpg"}, folder / "none.jpg", "No such file"},
           {{model, image, folder / "none"}, folder / "none", "No such file"},
           {{model, "--eval", image}, image, ""},
           {{model, "--eval", model}, model, ""},
           {{model, "--eval", folder / "none.tar"}, folder / "none.tar", "no such file"}}) {
    CAPTURE(each.path);
    std::vector<std::string> command = {test::program("shiftadd-infer")};
    command.insert(command.end(), each.arguments.begin(), each.arguments.end());
    const ProcessResult result = test::run(command);
    CHECK(result.status == 2);
    CHECK_MESSAGE(contains(result.err, each.path), result.err);
    CHECK_MESSAGE(contains(result.err, each.says), result.err);
  }
}

TEST_CASE("--help and --version go to standard output") {
  for (const char* flag : {"--help", "--version"}) {
    const ProcessResult result = test::run({test::program("shiftadd-infer"), flag});
    CHECK(result.status == 0);
    CHECK(contains(result.out, "shiftadd-infer"));
    CHECK(result.err.empty());
  }
}

TEST_CASE("stop signals end a run after the batch at work, unless they are ignored") {
  const InferFolder folder;
  const std::string image = folder.image("big.bmp", 700, 700, 1);
  std::string list, few;
  for (int i = 0; i < 200'000; ++i) list += image + "\n";
  for (int i = 0; i < 100; ++i) few += image + "\n";
  test::write_text(folder / "list.txt", list);
  test::write_text(folder / "few.txt", few);
  const std::vector<std::string> command = {test::program("shiftadd-infer"), folder.model_path(),
                                            "-"};
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    test::Interruption stop = {.text = "big.bmp", .signal = signal, .of_stdout = true};
    stop.input = folder / "list.txt";
    CHECK(test::run_until(command, folder.path(), stop).status == 128 + signal);
    stop.input = folder / "few.txt";
    stop.ignored = true;
    CHECK(test::run_until(command, folder.path(), stop).status == 0);
  }
}
