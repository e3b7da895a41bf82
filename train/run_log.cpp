// Writes each record into three files.
#include "train/run_log.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/io/json_text.h"

namespace shiftadd::train {

namespace {

constexpr std::string_view kHeader =
    "epoch,step,lr,train_loss,val_loss,val_top1,val_top5,seconds,images_per_second\n";

std::string number(double value, const char* format) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string new_events_name(double wall_time) {
  return "events.out.tfevents." + std::to_string(static_cast<int64_t>(wall_time)) + ".shiftadd";
}

}  // namespace

RunLog::RunLog(const std::string& folder, const LogPosition& position, bool tensorboard,
               double wall_time)
    : csv_(folder + "/metrics.csv", position.csv),
      jsonl_(folder + "/metrics.jsonl", position.jsonl),
      events_name_(position.events_name) {
  if (csv_.size() == 0) csv_.write(kHeader);
  if (!tensorboard) return;
  if (events_name_.empty()) events_name_ = new_events_name(wall_time);
  events_ = std::make_unique<EventFile>(folder + "/" + events_name_, position.events, wall_time);
}

void RunLog::write(const StepRecord& record, double wall_time) {
  nlohmann::ordered_json line = {{"type", "step"},
                                 {"step", record.step},
                                 {"epoch", record.epoch},
                                 {"loss", record.loss},
                                 {"lr", record.lr},
                                 {"gradient_norm", record.gradient_norm},
                                 {"images_per_second", record.images_per_second}};
  Scalars scalars = {{"train/epoch", static_cast<double>(record.epoch)},
                     {"train/loss", record.loss},
                     {"train/lr", record.lr},
                     {"train/gradient_norm", record.gradient_norm},
                     {"train/images_per_second", record.images_per_second}};
  for (std::size_t i = 0; i < record.routers.size(); ++i) {
    const RouterRecord& router = record.routers[i];
    line["routers"].push_back({{"shift_share", router.shift_share},
                               {"entropy", router.entropy},
                               {"alpha_shift", router.alpha_shift},
                               {"importance_scv", router.importance_scv},
                               {"load_scv", router.load_scv}});
    const std::string tag = "router" + std::to_string(i) + "/";
    scalars.insert(scalars.end(),
                   {{tag + "shift_share", router.shift_share}, {tag + "entropy", router.entropy}});
  }
  jsonl_.write(json_text(line) + "\n");
  if (events_) events_->write(record.step, wall_time, scalars);
}

void RunLog::write(const EpochRecord& record, double wall_time) {
  nlohmann::ordered_json line = {{"type", "epoch"},
                                 {"epoch", record.epoch},
                                 {"step", record.step},
                                 {"lr", record.lr},
                                 {"train_loss", record.train_loss}};
  std::string row = std::to_string(record.epoch) + "," + std::to_string(record.step) + "," +
                    number(record.lr, "%.17g") + "," + number(record.train_loss, "%.6f") + ",";
  Scalars scalars = {{"epoch/epoch", static_cast<double>(record.epoch)},
                     {"epoch/train_loss", record.train_loss},
                     {"epoch/lr", record.lr}};
  if (record.validation) {
    const Evaluation& result = record.validation->answers;
    line["val_loss"] = result.loss();
    line["val_top1"] = result.top1();
    line["val_top5"] = result.top5();
    if (!record.validation->shift_shares.empty())
      line["shift_shares"] = record.validation->shift_shares;
    row += number(result.loss(), "%.6f") + "," + number(result.top1(), "%.4f") + "," +
           number(result.top5(), "%.4f");
    scalars.insert(
        scalars.end(),
        {{"val/loss", result.loss()}, {"val/top1", result.top1()}, {"val/top5", result.top5()}});
  } else {
    row += ",,";
  }
  line["seconds"] = record.seconds;
  line["images_per_second"] = record.images_per_second;
  row +=
      "," + number(record.seconds, "%.2f") + "," + number(record.images_per_second, "%.1f") + "\n";
  csv_.write(row);
  jsonl_.write(json_text(line) + "\n");
  if (events_) events_->write(record.step, wall_time, scalars);
}

LogPosition RunLog::position() const {
  return {.csv = csv_.size(),
          .jsonl = jsonl_.size(),
          .events = events_ ? events_->size() : 0,
          .events_name = events_name_};
}

}  // namespace shiftadd::train
