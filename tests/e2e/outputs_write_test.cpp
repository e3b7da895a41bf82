// What cannot be written is known before the work; what is printed is never lost to a failed write.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "tests/e2e/infer_support.h"
#include "tests/infer/shift_add_models.h"

using namespace shiftadd;
namespace fs = std::filesystem;
using test::contains;
using test::ProcessResult;

namespace {

// Every option of every program that names a file to write: a command without that file, which
// prints `prints`.
struct Writer {
  std::vector<std::string> command;
  std::string option, prints;
};

class Writers {
 public:
  Writers() {
    save_model(at("routed"), test::golden_shift_add(true));
    folder_.image("photo.bmp", 64, 64, 1);
    folder_.labelled("set", test::micro_classes(), 1);
  }
  std::string at(const std::string& name) const { return folder_ / name; }
  std::vector<Writer> all() const {
    const std::string infer = test::program("shiftadd-infer"),
                      convert = test::program("shiftadd-convert"),
                      bench = test::program("shiftadd-bench"), model = folder_.model_path(),
                      set = at("set");
    return {{{convert, model}, "--out", "0 missing"},
            {{convert, model, "--out", at("other")}, "--report", "0 missing"},
            {{convert, model, "--pack", "int8", "--calibrate", set}, "--out", "7 images"},
            {{infer, at("routed"), at("photo.bmp")}, "--dump", "photo.bmp"},
            {{infer, at("routed"), at("photo.bmp"), "--json"}, "--routing", "}\n]\n"},
            {{infer, model, "--eval", set}, "--confusion", "top-1"},
            {{infer, model, "--eval", set, "--json"}, "--dump", "per_class"},
            {{bench, "compare", "--seconds", "0", model, "--eval", set}, "--out", "| 1 |"},
            {{bench, "latency", "--seconds", "0", at("routed")}, "--out", "alpha"}};
  }
  ProcessResult run(const Writer& writer, const std::string& path,
                    const std::map<std::string, std::string>& environment = {}) const {
    std::vector<std::string> words = writer.command;
    words.insert(words.end(), {writer.option, path});
    return test::run(words, "", environment, folder_.path());
  }
  const test::InferFolder& folder() const { return folder_; }

 private:
  test::InferFolder folder_;
};

std::size_t entries_in(const std::string& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("folders of outputs are made, and only when there is something to write") {
  const Writers writers;
  int number = 0;
  for (Writer writer : writers.all()) {
    CAPTURE(writer.option);
    const std::string folder = writers.at("made" + std::to_string(number++)),
                      path = folder + "/of/many/out.png";
    Writer wrong = writer;
    wrong.command.back() = writers.at("absent");  // an input, a value or an output
    if (wrong.command.back() != writer.command.back() && writer.option != "--report" &&
        writer.command.back() != "--json") {
      CHECK(writers.run(wrong, path).status != 0);
      CHECK_FALSE(fs::exists(folder));
    }
    const ProcessResult result = writers.run(writer, path);
    CHECK_MESSAGE(result.status == 0, result.err);
    CHECK(fs::is_regular_file(path));
    CHECK(entries_in(folder + "/of/many") == 1);
  }
}

TEST_CASE("a limit on the size of files is an error of the write, and leaves nothing") {
  const Writers writers;
  fs::create_directory(writers.at("limited"));
  const std::string out = writers.at("limited/out.safetensors");
  const ProcessResult result =
      test::run({"bash", "-c", "ulimit -f 1; exec \"$0\" \"$1\" --out \"$2\"",
                 test::program("shiftadd-convert"), writers.folder().model_path(), out});
  CHECK(result.status == 1);
  CHECK_MESSAGE(contains(result.err, out), result.err);
  CHECK(entries_in(writers.at("limited")) == 0);
}

TEST_CASE("an output that cannot be one is refused before the work, and nothing changes") {
  const Writers writers;
  test::write_text(writers.at("file.png"), "kept");
  fs::create_directory(writers.at("folder.png"));
  fs::create_symlink("nowhere/folder", writers.at("dangling"));
  fs::create_symlink("loop", writers.at("loop"));
  const int socket_number = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  writers.at("socket.png").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(socket_number, reinterpret_cast<struct sockaddr*>(&address), sizeof address) == 0);
  const std::size_t entries = entries_in(writers.folder().path());
  for (const Writer& writer : writers.all())
    for (const std::string& path :
         {writers.at("folder.png"), writers.at("file.png/out.png"), writers.at("dangling/out.png"),
          writers.at("loop/out.png"), writers.at("socket.png"),
          writers.at(std::string(260, 'n') + ".png"), writers.at(std::string(248, 'n') + ".png"),
          std::string("/dev/null/out.png"), writers.at("new/") + "../file.png/x/out.png"}) {
      CAPTURE(writer.option);
      CAPTURE(path);
      const ProcessResult result = writers.run(writer, path);
      CHECK(result.status == 2);
      CHECK_MESSAGE(contains(result.err, writer.option + " " + path), result.err);
      CHECK(result.out.empty());
    }
  close(socket_number);
  CHECK(read_text(writers.at("file.png")) == "kept");
  CHECK(entries_in(writers.folder().path()) == entries);
}

TEST_CASE("a folder or a file that may not be written is known before the work") {
  if (geteuid() == 0) {
    MESSAGE("root may write anything: read-only folders are tested by users only");
    return;
  }
  const Writers writers;
  test::write_text(writers.at("file.png"), "kept");
  fs::permissions(writers.at("file.png"), fs::perms::owner_read);
  fs::create_directories(writers.at("closed"));
  fs::permissions(writers.at("closed"), fs::perms::owner_read | fs::perms::owner_exec);
  for (const Writer& writer : writers.all())
    for (const char* path : {"file.png", "closed/out.png", "closed/deep/er/out.png"}) {
      const ProcessResult result = writers.run(writer, writers.at(path));
      CHECK(result.status == 2);
      CHECK_MESSAGE(contains(result.err, "Permission denied"), result.err);
      CHECK(result.out.empty());
    }
}

TEST_CASE("a disk that takes nothing is known before the work, one that fills up loses no result") {
  const Writers writers;
  for (const Writer& writer : writers.all()) {
    CAPTURE(writer.option);
    const std::string path = writers.at("kept.png");
    test::write_text(path, "kept");
    const ProcessResult full = writers.run(writer, path, {{"SHIFTADD_FAIL_WRITE_AFTER", "0"}});
    CHECK(full.status == 1);
    CHECK_MESSAGE(contains(full.err, "No space left"), full.err);
    CHECK(full.out.empty());
    const ProcessResult fills = writers.run(writer, path, {{"SHIFTADD_FAIL_WRITE_AFTER", "12"}});
    CHECK(fills.status == 1);
    CHECK_MESSAGE(contains(fills.err, "kept.png"), fills.err);
    CHECK_MESSAGE(contains(fills.out, writer.prints), fills.out);
    CHECK(read_text(path) == "kept");
    fs::remove(path);
    if (writer.option == "--routing") continue;
    const ProcessResult device = writers.run(writer, "/dev/full");
    CHECK(device.status == 1);
    CHECK_MESSAGE(contains(device.err, "/dev/full"), device.err);
    CHECK(contains(device.out, writer.prints));
  }
  for (const auto& entry : fs::directory_iterator(writers.folder().path()))
    CHECK_FALSE(contains(entry.path().string(), ".tmp-"));
}

TEST_CASE("one output that fails does not take the others with it") {
  const Writers writers;
  const std::string dump = writers.at("dump.safetensors");
  const ProcessResult result = writers.folder().infer(
      {"--eval", writers.at("set"), "--confusion", "/dev/full", "--dump", dump});
  CHECK(result.status == 1);
  CHECK(fs::exists(dump));
  const ProcessResult converted =
      test::run({test::program("shiftadd-convert"), writers.folder().model_path(), "--report",
                 "/dev/full", "--out", writers.at("out")});
  CHECK(converted.status == 1);
  CHECK(fs::exists(writers.at("out")));
}

TEST_CASE("outputs go into pipes and to standard output") {
  const Writers writers;
  for (const Writer& writer : writers.all()) {
    CAPTURE(writer.option);
    const std::string pipe = writers.at("pipe.png");
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    // A writer of our own: the reader does not wait for ever for a program that fails before it
    // opens the pipe.
    const int writer_end = open(pipe.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(writer_end >= 0);
    std::ifstream file(pipe);
    std::string received;
    std::thread reader([&] { received.assign(std::istreambuf_iterator<char>(file), {}); });
    const ProcessResult result = writers.run(writer, pipe);
    close(writer_end);
    reader.join();
    CHECK_MESSAGE(result.status == 0, result.err);
    CHECK_FALSE(received.empty());
    CHECK(fs::is_fifo(pipe));
    fs::remove(pipe);
    if (writer.option == "--routing") continue;
    const ProcessResult printed = writers.run(writer, "/dev/stdout");
    CHECK_MESSAGE(printed.status == 0, printed.err);
    // Both are there; how long the file is depends on times that were measured.
    CHECK(contains(printed.out, writer.prints));
    CHECK(contains(printed.out, received.substr(0, 8)));
  }
}

TEST_CASE("closed standard streams get no file's number") {
  const Writers writers;
  const std::string out = writers.at("out.safetensors");
  const std::string line =
      test::program("shiftadd-convert") + " " + writers.folder().model_path() + " --out " + out;
  CHECK(test::run({"sh", "-c", line + " 2>&-"}).status == 0);
  const std::string whole = read_text(out);
  CHECK(test::run({"sh", "-c", line + " <&-"}).status == 0);
  const ProcessResult result = test::run({"sh", "-c", line + " >&-"});
  CHECK(result.status == 1);
  CHECK(contains(result.err, "standard output"));
  CHECK(read_text(out) == whole);
}
