// Finds labelled images in folders and tars.
#include "data/dataset.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

#include "core/error.h"
#include "data/sampler.h"
#include "data/tar.h"

namespace shiftadd::data {
namespace {

namespace fs = std::filesystem;

bool has_image_extension(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string extension(path.substr(dot));
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const char* known : {".jpg", ".jpeg", ".png", ".bmp", ".gif"})
    if (extension == known) return true;
  return false;
}

bool has_hidden_part(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

/// A file or folder below the root, whatever holds it.
struct Entry {
  std::string name;  // relative, '/'-separated
  int64_t offset = 0, size = 0;
  bool folder = false, image = false;
};

/// Walks a folder, following links to folders but not in circles.
class Walker {
 public:
  explicit Walker(std::string root) : root_(std::move(root)) {}
  std::vector<Entry> run() {
    walk("");
    return std::move(entries_);
  }

 private:
  void walk(const std::string& below) {
    const std::string folder = below.empty() ? root_ : root_ + "/" + below;
    struct stat status {};
    if (stat(folder.c_str(), &status) != 0) throw user_error(folder, ": cannot be read");
    const std::pair identity(status.st_dev, status.st_ino);
    if (!open_.insert(identity).second)
      throw user_error(folder, ": a link back to a folder that contains it");
    std::error_code error;
    for (auto it = fs::directory_iterator(folder, error); !error && it != fs::directory_iterator();
         it.increment(error)) {
      const std::string leaf = it->path().filename().string();
      if (leaf.starts_with('.')) continue;
      const std::string name = below.empty() ? leaf : below + "/" + leaf;
      std::error_code ignored;  // a dangling link is neither folder nor file
      if (it->is_directory(ignored)) {
        entries_.push_back({name, 0, 0, true, false});
        walk(name);
      } else if (has_image_extension(leaf)) {
        if (!it->is_regular_file(ignored))
          throw user_error(folder, "/", leaf, ": not a file (a dangling link?)");
        entries_.push_back({name, 0, static_cast<int64_t>(it->file_size(ignored)), false, true});
      } else {
        entries_.push_back({name, 0, 0, false, false});
      }
    }
    if (error) throw user_error(folder, ": cannot be read: ", error.message());
    open_.erase(identity);
  }

  std::string root_;
  std::set<std::pair<dev_t, ino_t>> open_;  // the folders between the root and here
  std::vector<Entry> entries_;
};

std::vector<Entry> tar_entries(const MappedFile& tar, const std::string& path) {
  std::vector<Entry> entries;
  for (TarMember& member : index_tar_cached(tar, path)) {
    if (has_hidden_part(member.name)) continue;
    if (member.kind == TarMember::Kind::kLink && has_image_extension(member.name))
      throw user_error(path, ": '", member.name,
                       "' is a symbolic link: pack the archive with tar --dereference");
    if (member.kind == TarMember::Kind::kLink) continue;
    const bool folder = member.kind == TarMember::Kind::kFolder;
    const bool image = !folder && has_image_extension(member.name);
    entries.push_back({std::move(member.name), member.offset, member.size, folder, image});
  }
  // The later of two members with one name counts, as when unpacked.
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.name < b.name; });
  std::vector<Entry> kept;
  for (Entry& entry : entries) {
    if (!kept.empty() && kept.back().name == entry.name) kept.pop_back();
    kept.push_back(std::move(entry));
  }
  return kept;
}

/// "train/" when everything lies in a folder "train" that holds folders and no images directly,
/// else "".
std::string common_top(const std::vector<Entry>& entries) {
  std::string top;
  bool holds_folders = false;
  for (const Entry& entry : entries) {
    const std::size_t slash = entry.name.find('/');
    const std::string first = entry.name.substr(0, slash) + "/";
    if (!entry.folder && !entry.image) continue;
    if (top.empty()) top = first;
    if (first != top) return "";
    if (slash == std::string::npos) {
      if (!entry.folder) return "";
      continue;
    }
    const bool deeper = entry.name.find('/', slash + 1) != std::string::npos;
    if (!entry.folder && !deeper) return "";
    holds_folders = true;
  }
  return holds_folders ? top : "";
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text;
}

}  // namespace

ImageFolder::ImageFolder(std::string path, std::vector<std::string> classes,
                         std::vector<Sample> samples, std::vector<std::string> ignored,
                         MappedFile tar)
    : path_(std::move(path)),
      classes_(std::move(classes)),
      samples_(std::make_shared<const std::vector<Sample>>(std::move(samples))),
      ignored_(std::make_shared<const std::vector<std::string>>(std::move(ignored))),
      tar_(std::move(tar)) {}

ImageFolder ImageFolder::open(const std::string& given) {
  std::string path = given;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    throw user_error(
        path, ": no such file or folder: expected class folders with images, or a tar of them");
  MappedFile tar;
  std::vector<Entry> entries;
  std::string top;
  if (fs::is_directory(status)) {
    entries = Walker(path).run();
  } else {
    tar = map_file(path);
    entries = tar_entries(tar, path);
    top = common_top(entries);
  }

  std::map<std::string, int64_t> images_of;  // by class, in byte order
  std::size_t loose = 0;
  std::vector<std::string> ignored;
  for (Entry& entry : entries) {
    if (!entry.name.starts_with(top)) {  // the common folder itself, or beside it
      if (!entry.folder) ignored.push_back(entry.name);
      entry.image = false;
      continue;
    }
    entry.name.erase(0, top.size());
    const std::size_t slash = entry.name.find('/');
    const bool in_class = slash != std::string::npos;
    if (!entry.folder && !(entry.image && in_class)) ignored.push_back(entry.name);
    if (entry.image && !in_class) ++loose;
    if (entry.folder || (entry.image && in_class))
      images_of[entry.name.substr(0, slash)] += entry.image;
  }
  std::sort(ignored.begin(), ignored.end());
  if (images_of.empty())
    throw user_error(
        path,
        loose ? concat(": ", loose, " images but no class folders") : ": empty: no class folders",
        ": expected CLASS/image.jpg below it");
  std::vector<std::string> classes, empty;
  for (auto& [name, count] : images_of) {
    if (count == 0) empty.push_back(name);
    count = static_cast<int64_t>(classes.size());  // from here on the label
    classes.push_back(name);
  }
  if (!empty.empty())
    throw user_error(
        path,
        empty.size() == 1 ? ": class folder without images: " : ": class folders without images: ",
        list_of(empty),
        ": expected .jpg, .jpeg, .png, .bmp or .gif files; remove the folder or fill it");

  std::vector<Sample> samples;
  for (Entry& entry : entries) {
    const std::size_t slash = entry.name.find('/');
    if (!entry.image || slash == std::string::npos) continue;
    samples.push_back({std::move(entry.name), 0, entry.offset, entry.size});
    samples.back().label = images_of.at(samples.back().file.substr(0, slash));
  }
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return std::tie(a.label, a.file) < std::tie(b.label, b.file);
  });
  return ImageFolder(path, std::move(classes), std::move(samples), std::move(ignored),
                     std::move(tar));
}

std::vector<int64_t> ImageFolder::labels() const {
  std::vector<int64_t> labels;
  labels.reserve(samples_->size());
  for (const Sample& sample : *samples_) labels.push_back(sample.label);
  return labels;
}

std::vector<uint8_t> ImageFolder::read(int64_t sample) const {
  const Sample& which = samples_->at(sample);
  if (!tar_.owner) return read_file(full_name(sample));
  const uint8_t* start = tar_.data + which.offset;
  return {start, start + which.size};
}

std::string ImageFolder::digest() const {
  Sha256 hash;
  const auto add = [&hash](const std::string& text, int64_t a, int64_t b) {
    const std::string line = concat(text, '\0', a, ' ', b, '\n');
    hash.update(line.data(), line.size());
  };
  for (const std::string& name : classes_) add(name, 0, 0);
  for (const Sample& sample : *samples_) add(sample.file, sample.label, sample.size);
  return hash.hex();
}

ImageFolder ImageFolder::subset(const std::vector<int64_t>& samples) const {
  std::vector<Sample> chosen;
  chosen.reserve(samples.size());
  for (int64_t sample : samples) chosen.push_back(samples_->at(sample));
  return ImageFolder(path_, classes_, std::move(chosen), *ignored_, tar_);
}

std::pair<ImageFolder, ImageFolder> split(const ImageFolder& all, double fraction, uint64_t seed) {
  if (!(fraction > 0 && fraction < 1))
    throw user_error("[split] fraction is ", fraction,
                     ": expected a number between 0 and 1, both exclusive");
  constexpr uint64_t kSplitStream = 0x73706c6974;  // "split"
  std::vector<std::vector<int64_t>> of_class(all.classes().size());
  for (int64_t i = 0; i < all.size(); ++i) of_class[all.label(i)].push_back(i);
  std::vector<int64_t> first, second;
  for (std::size_t label = 0; label < of_class.size(); ++label) {
    const std::vector<int64_t>& members = of_class[label];
    const auto count = static_cast<int64_t>(members.size());
    if (count == 0) continue;
    const int64_t wanted =
        std::min(std::max<int64_t>(std::llround(fraction * count), 1), count - 1);
    const std::vector<int64_t> order =
        shuffled(count, Random(seed, stream_of(label, 0, kSplitStream)));
    for (int64_t i = 0; i < count; ++i) (i < wanted ? second : first).push_back(members[order[i]]);
  }
  if (second.empty())
    throw user_error("[split] ", all.path(), ": no class has two images: none is left to validate");
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  return {all.subset(first), all.subset(second)};
}

void require_same_classes(const ImageFolder& train, const ImageFolder& val) {
  if (train.classes() == val.classes()) return;
  const auto missing = [](const std::vector<std::string>& from,
                          const std::vector<std::string>& in) {
    std::vector<std::string> result;
    std::set_difference(from.begin(), from.end(), in.begin(), in.end(), std::back_inserter(result));
    return result;
  };
  std::string text =
      concat("train (", train.path(), ", ", train.classes().size(), " classes) and val (",
             val.path(), ", ", val.classes().size(), " classes) do not have the same classes");
  if (const auto names = missing(train.classes(), val.classes()); !names.empty())
    text += "; only in train: " + list_of(names);
  if (const auto names = missing(val.classes(), train.classes()); !names.empty())
    text += "; only in val: " + list_of(names);
  throw user_error(text);
}

}  // namespace shiftadd::data
