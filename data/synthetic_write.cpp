// Writes the synthetic set as folders of image files.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "core/error.h"
#include "core/io/files.h"
#include "core/parallel.h"
#include "data/encode.h"
#include "data/synthetic.h"

namespace shiftadd::data {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStampName = "/synthetic.txt";
constexpr const char* kLockName = "/.lock";
constexpr std::string_view kStampStart = "shiftadd synthetic image set";
constexpr int kDrawing = 2;                        // raised whenever the drawing changes
constexpr int64_t kFirstValIndex = 1'000'000'000;  // beyond every training image
constexpr int kJpegQuality = 92;

void write_image(const std::string& path, const std::vector<uint8_t>& bytes) {
  // Not through AtomicFile: thousands of fsyncs; the stamp says whether the whole set is there.
  errno = 0;
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw failure(path, ": cannot write: ", std::strerror(errno));
}

// Held while the set is looked at and drawn, so that two runs do not draw over one another. The
// kernel drops it when the process dies.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder)
      : descriptor_(open((folder + kLockName).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0 || flock(descriptor_, LOCK_EX) != 0) {
      const int reason = errno;
      if (descriptor_ >= 0) close(descriptor_);
      throw failure(folder, ": cannot be locked: ", std::strerror(reason));
    }
  }
  ~FolderLock() { close(descriptor_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

bool holds_anything(const std::string& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if ("/" + entry.path().filename().string() != kLockName) return true;
  return false;
}

void write_part(const std::string& folder, const SyntheticOptions& options, int64_t per_class,
                int64_t first_index) {
  const std::vector<std::string> classes = synthetic_classes();
  for (const std::string& name : classes) fs::create_directories(folder + "/" + name);
  parallel_for(static_cast<int64_t>(classes.size()) * per_class, [&](int64_t item) {
    const int64_t label = item / per_class, index = item % per_class;
    const Image image = synthetic_image(options.size, label, first_index + index, options.seed);
    char leaf[32];
    std::snprintf(leaf, sizeof leaf, "/%04lld.%s", static_cast<long long>(index),
                  options.jpeg ? "jpg" : "png");
    write_image(folder + "/" + classes[label] + leaf,
                options.jpeg ? encode_jpeg(image, kJpegQuality) : encode_png(image));
  });
}

}  // namespace

void write_synthetic(const std::string& folder, const SyntheticOptions& options) {
  if (options.train_per_class < 1 || options.val_per_class < 1 ||
      options.train_per_class > kFirstValIndex)
    throw user_error("[synthetic] train_per_class is ", options.train_per_class,
                     ", val_per_class is ", options.val_per_class, ": expected 1 or more");
  if (options.size < kMinSyntheticSize || options.size > kMaxSyntheticSize)
    throw user_error("[synthetic] size is ", options.size, ": expected ", kMinSyntheticSize, " to ",
                     kMaxSyntheticSize);
  const std::string complete =
      concat(kStampStart, ", drawing ", kDrawing, "\nsize ", options.size, ", train ",
             options.train_per_class, ", val ", options.val_per_class, " per class, seed ",
             options.seed, ", ", options.jpeg ? "jpeg" : "png", "\n");
  const std::string incomplete = concat(kStampStart, ", incomplete\n");
  const std::string stamp = folder + kStampName, train = folder + "/train", val = folder + "/val";
  const auto is_complete = [&] {
    return fs::exists(stamp) && read_text(stamp) == complete && fs::is_directory(train) &&
           fs::is_directory(val);
  };
  try {
    if (is_complete()) return;  // perhaps on a medium that cannot be written
    if (!fs::exists(stamp) && fs::exists(folder) && holds_anything(folder))
      throw user_error(folder,
                       ": neither empty nor a synthetic set: choose another folder for the images");
    fs::create_directories(folder);
    const FolderLock lock(folder);
    if (is_complete()) return;  // another process has just drawn it
    if (fs::exists(stamp)) {
      const std::string found = read_text(stamp);
      if (!found.starts_with(kStampStart))
        throw user_error(
            stamp, ": not the stamp of a synthetic set: choose another folder for the images");
      if (found != incomplete)
        throw user_error(folder, ": holds another synthetic set than the one asked for (", stamp,
                         "): remove it, or choose another folder");
      fs::remove_all(train);
      fs::remove_all(val);
    }
    write_file(stamp, incomplete);
    write_part(train, options, options.train_per_class, 0);
    write_part(val, options, options.val_per_class, kFirstValIndex);
    write_file(stamp, complete);
  } catch (const fs::filesystem_error& error) {
    throw failure("cannot write the synthetic images: ", error.what());
  }
}

}  // namespace shiftadd::data
