// shiftadd-bench compare: accuracy and latency of several models on the same images, as a table
// and a picture.
#include <chrono>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/cpu/cpu_name.h"
#include "core/cpu/isa.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/parallel.h"
#include "data/dataset.h"
#include "infer/evaluate.h"
#include "infer/session.h"
#include "model/model_file.h"
#include "tools/bench/commands.h"
#include "tools/bench/operands.h"
#include "tools/bench/timer.h"
#include "tools/outputs.h"
#include "tools/report/scatter_plot.h"
#include "tools/run_progress.h"

namespace shiftadd::tools {
namespace {

struct CompareOptions {
  std::vector<std::string> models;  // NAME=FILE
  std::string set, peers, out;
  int threads = 1;
  double seconds = 3;  // a model
  bool json = false;
};

// A network measured here or, a peer, elsewhere.
struct ComparedModel {
  std::string name;
  double top1 = 0, ms = 0;
  bool peer = false, converted = false, integers = false;
  int64_t bytes = 0;  // of the file; 0: unknown
};

// A name that a table's row can hold.
bool is_row_name(const std::string& name) {
  return !name.empty() && name.find_first_of("|\n") == std::string::npos;
}

// Lines of NAME,TOP1,MS. Throws Error (user) with file and line.
std::vector<ComparedModel> read_peers(const std::string& path) {
  std::vector<ComparedModel> peers;
  std::istringstream lines(read_text(path));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    ComparedModel peer;
    peer.peer = true;
    std::istringstream fields(line);
    char comma = 0;
    if (!std::getline(fields, peer.name, ',') || !(fields >> peer.top1 >> comma >> peer.ms) ||
        comma != ',' || peer.top1 < 0 || peer.top1 > 100 || !(peer.ms > 0 && peer.ms < 1e6) ||
        !is_row_name(peer.name) || !(fields >> std::ws).eof())
      throw user_error(path, ":", number,
                       ": expected NAME,TOP1,MS with a percentage and milliseconds, got '", line,
                       "'");
    peers.push_back(std::move(peer));
  }
  return peers;
}

// Median milliseconds of one image for each session. They take turns, so that a busy machine slows
// all of them.
std::vector<double> time_in_turn(std::vector<infer::Session>& sessions, double seconds) {
  constexpr int kCalls = 10;  // a turn; the first is not counted: it fills the caches
  using Clock = std::chrono::steady_clock;
  std::vector<std::vector<double>> samples(sessions.size());
  const auto begin = Clock::now();
  do {
    for (std::size_t s = 0; s < sessions.size(); ++s) {
      const ModelSpec& spec = sessions[s].spec();
      const Tensor image = random_floats(spec.batch_shape(1), 1);
      Tensor logits({sessions[s].outputs()});
      for (int i = 0; i < kCalls; ++i) {
        const auto start = Clock::now();
        sessions[s].run(image.data<float>(), 1, logits.data<float>());
        const std::chrono::duration<double, std::milli> time = Clock::now() - start;
        if (i > 0) samples[s].push_back(time.count());
      }
    }
  } while (std::chrono::duration<double>(Clock::now() - begin).count() <
           seconds * static_cast<double>(sessions.size()));
  std::vector<double> medians;
  for (auto& each : samples) medians.push_back(median_of(std::move(each)));
  return medians;
}

std::string to_svg(const std::vector<ComparedModel>& rows, int threads) {
  ScatterPlot plot = {
      "Accuracy against latency",
      concat("milliseconds an image, batch 1, ", threads, threads == 1 ? " thread" : " threads"),
      "top-1, %",
      {}};
  for (const ComparedModel& row : rows)
    plot.points.push_back({row.name, row.ms, row.top1,
                           row.peer        ? "#777"
                           : row.converted ? "#0a7d33"
                           : row.integers  ? "#b35900"
                                           : "#1f4e9e",
                           row.peer});
  return to_svg(plot);
}

// What follows the name of NAME=FILE; all of FILE.
std::string file_of(const std::string& model) {
  return model.substr(model.find('=') + 1);  // npos + 1 is 0
}

Outputs outputs_of(const CompareOptions& options) {
  Outputs outputs("shiftadd-bench");
  for (const std::string& model : options.models) outputs.input("model", file_of(model));
  outputs.input("--eval", options.set);
  outputs.input("--peers", options.peers);
  outputs.file("--out", options.out);
  return outputs;
}

void print_json(const CompareOptions& options, const std::vector<ComparedModel>& rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ComparedModel& row : rows) {
    nlohmann::ordered_json each = {
        {"name", row.name}, {"top1", row.top1}, {"ms_median", row.ms}, {"peer", row.peer}};
    if (row.bytes) each["bytes"] = row.bytes;
    list.push_back(std::move(each));
  }
  const nlohmann::ordered_json json = {
      {"threads", options.threads}, {"isa", name_of(isa())}, {"cpu", cpu_name()}, {"models", list}};
  std::cout << json_text(json) << "\n";
}

void print_table(const std::vector<ComparedModel>& rows) {
  std::cout << "| | network | top-1 % | ms an image | file |\n|---|---|---|---|---|\n"
            << std::fixed;
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::cout << "| " << i + 1 << " | " << rows[i].name << " | " << std::setprecision(2)
              << rows[i].top1 << " | " << rows[i].ms << " | "
              << (rows[i].bytes ? concat(rows[i].bytes / 1024, " KiB") : std::string("-"))
              << " |\n";
}

// Opens the model NAME=FILE as the last of `sessions`; what is known of it before it runs.
ComparedModel open_compared(const std::string& given, std::vector<infer::Session>& sessions) {
  const std::size_t equals = given.find('=');
  const std::string file = file_of(given);
  infer::Session& session = sessions.emplace_back(load_any_model(file));
  infer::require_images(session, file);
  ComparedModel row;
  row.name = equals == std::string::npos ? std::filesystem::path(file).stem().string()
                                         : given.substr(0, equals);
  if (!is_row_name(row.name))
    throw user_error("'", given, "': expected NAME=MODEL with a name, without '|'");
  row.converted = session.spec().converted();
  row.integers = session.pack().multiply == MultiplyFormat::kInt8;
  row.bytes = static_cast<int64_t>(std::filesystem::file_size(file));
  return row;
}

// Per cent of the images of `set` on which the session's first class is right.
double measure_top1(infer::Session& session, const std::string& model, const std::string& name,
                    const std::string& set) {
  const infer::LabelledSet images = infer::labelled(session, data::ImageFolder::open(set), set);
  RunProgress progress("evaluating", name, images.images.size(), RunProgress::Lines::kAll);
  progress.update(0);
  infer::ImageRun run = {.model = model};
  run.name = [&](int64_t item) { return images.images.full_name(item); };
  run.progress = [&](int64_t done) { progress.update(done); };
  return infer::evaluate(session, images, run).answers.top1();
}

int run_compare(const CompareOptions& options) {
  Outputs outputs = outputs_of(options);
  outputs.check();
  std::vector<ComparedModel> rows;
  std::vector<infer::Session> sessions;
  for (const std::string& given : options.models) rows.push_back(open_compared(given, sessions));
  const std::vector<ComparedModel> peers =
      options.peers.empty() ? std::vector<ComparedModel>{} : read_peers(options.peers);
  set_num_threads(available_cores());
  for (std::size_t i = 0; i < sessions.size(); ++i)
    rows[i].top1 = measure_top1(sessions[i], options.models[i], rows[i].name, options.set);
  set_num_threads(options.threads);
  const std::vector<double> ms = time_in_turn(sessions, options.seconds);
  for (std::size_t i = 0; i < ms.size(); ++i) rows[i].ms = ms[i];
  rows.insert(rows.end(), peers.begin(), peers.end());
  if (options.json)
    print_json(options, rows);
  else
    print_table(rows);
  std::cout.flush();
  if (!options.out.empty())
    outputs.write(options.out, [&] { write_file(options.out, to_svg(rows, options.threads)); });
  return outputs.status();
}

}  // namespace

void add_compare(Commands& commands) {
  auto [command, options] = commands.add(
      "compare",
      "Accuracy on labelled images and latency of one image of several models, as a table and a "
      "picture",
      run_compare);
  command.argument("models", options.models, "Model files, with the names to print",
                   "[NAME=]MODEL...");
  command.required_text("--eval", options.set, "Labelled images: class folders, or a .tar",
                        "DIR|TAR");
  command.text("--peers", options.peers,
               "Other programs' figures to set beside: lines of NAME,TOP1,MS", "FILE");
  command.text("--out", options.out, "The picture to write (SVG)", "FILE");
  command.threads(options.threads, "Threads of the timed runs [1]");
  command.seconds(options.seconds, "How long to time each model [3]");
  command.json(options.json);
}

}  // namespace shiftadd::tools
