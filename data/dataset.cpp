// Finds labelled images in folders and tars.
#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <tuple>

#include "core/class_names.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/unicode.h"
#include "data/formats.h"
#include "data/read_image.h"
#include "data/sampler.h"
#include "data/set_parts.h"
#include "data/tree.h"

namespace shiftadd::data {
namespace {

namespace fs = std::filesystem;

bool is_image(const TreeEntry& entry) {
  return entry.kind != TreeEntry::Kind::kFolder && is_image_name(entry.name);
}

/// "train/" when everything lies in a folder "train" that holds folders and no images directly,
/// else "".
std::string common_top(const std::vector<TreeEntry>& entries) {
  std::string top;
  bool holds_folders = false;
  for (const TreeEntry& entry : entries) {
    const std::size_t slash = entry.name.find('/');
    const std::string first = entry.name.substr(0, slash) + "/";
    const bool folder = entry.kind == TreeEntry::Kind::kFolder;
    if (!folder && !is_image(entry)) continue;
    if (top.empty()) top = first;
    if (first != top) return "";
    if (slash == std::string::npos) {
      if (!folder) return "";
      continue;
    }
    const bool deeper = entry.name.find('/', slash + 1) != std::string::npos;
    if (!folder && !deeper) return "";
    holds_folders = true;
  }
  return holds_folders ? top : "";
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text;
}

/// For the end of an error: images may be inside archives, as ImageNet's are in one tar a class, or
/// of a format that is not read.
std::string unread_among(const std::vector<std::string>& names) {
  std::string first;
  int64_t count = 0;
  for (const std::string& name : names)
    if (is_archive_name(name) && count++ == 0) first = name;
  if (count == 0) {
    const std::string formats = unread_formats(names);
    return formats.empty() ? "" : "; not read: " + formats;
  }
  return concat("; it holds archives ('", first, "'",
                count > 1 ? concat(" and ", count - 1, " more") : "",
                "), and nothing is read inside those: extract each into a folder named as its "
                "class, e.g. for t in *.tar; do mkdir \"${t%.tar}\" && tar -C \"${t%.tar}\" -xf "
                "\"$t\"; done");
}

/// "FIRST (and 2 more)"; not empty.
std::string first_of(const std::vector<std::string>& problems) {
  const std::size_t more = problems.size() - 1;
  return more == 0 ? problems[0] : concat(problems[0], " (and ", more, " more)");
}

/// Takes out what cannot be read and is no image by its name, but may stand for a whole class: it
/// is never left out without a word. Returns its errors, or throws them unless they are to be
/// listed.
std::vector<std::string> take_odd(std::vector<TreeEntry>& entries, OddFiles odd) {
  std::vector<std::string> refused, hidden;
  std::erase_if(entries, [&](const TreeEntry& entry) {
    const bool image = is_image(entry), special = entry.kind == TreeEntry::Kind::kSpecial;
    if (entry.problem.empty() || (special && !image)) return false;
    if (odd == OddFiles::kRefuse || (odd == OddFiles::kKeep && !image))
      refused.push_back(entry.problem);
    if (!image) hidden.push_back(entry.problem);
    return !image;
  });
  if (!refused.empty()) throw user_error(first_of(refused));
  return hidden;
}

/// For the end of an error, too: what stands in place of classes and was only listed.
std::string hidden_among(const std::vector<std::string>& problems) {
  return problems.empty() ? "" : "; " + first_of(problems);
}

/// What lies in a folder or a tar.
struct Contents {
  std::vector<TreeEntry> entries;
  std::string top;                       // of a tar: the folder that all classes lie in
  std::shared_ptr<const InputFile> tar;  // none: a folder
};

Contents contents_of(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    throw user_error(
        path, ": no such file or folder: expected class folders with images, or a tar of them");
  if (fs::is_directory(status)) return {walk_folder(path), "", nullptr};
  const auto tar = std::make_shared<const InputFile>(path);
  std::vector<TreeEntry> entries = tar_entries(*tar, path);
  std::string top = common_top(entries);
  return {std::move(entries), std::move(top), tar};
}

}  // namespace

ImageFolder ImageFolder::open(const std::string& given, OddFiles odd) {
  ImageFolder set;
  std::string& path = set.path_;
  path = given;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  Contents contents = contents_of(path);
  std::vector<TreeEntry>& entries = contents.entries;
  const std::string& top = contents.top;
  set.tar_ = contents.tar;
  set.hidden_ = std::make_shared<const std::vector<std::string>>(take_odd(entries, odd));

  std::map<std::string, int64_t> images_of;  // by class, in byte order
  std::size_t loose = 0;
  std::vector<std::string> ignored;
  std::vector<TreeEntry*> images;
  std::erase_if(entries, [&](const TreeEntry& entry) {  // the common folder, or beside it
    const bool outside = !entry.name.starts_with(top);
    if (outside && entry.kind != TreeEntry::Kind::kFolder) ignored.push_back(entry.name);
    return outside;
  });
  for (TreeEntry& entry : entries) {
    const bool folder = entry.kind == TreeEntry::Kind::kFolder;
    entry.name.erase(0, top.size());
    const std::size_t slash = entry.name.find('/');
    const bool image = is_image(entry);
    const bool in_class = image && slash != std::string::npos;
    if (!folder && !in_class)
      ignored.push_back(entry.name + (entry.problem.empty() ? "" : " (not a file)"));
    if (image && !in_class) ++loose;
    if (in_class) images.push_back(&entry);
    // A tar need not list its folders: a file in one says that it is there.
    if (folder || slash != std::string::npos) images_of[entry.name.substr(0, slash)] += in_class;
  }
  std::sort(ignored.begin(), ignored.end());
  require_classes_not_parts(path, set.tar_ != nullptr, entries);
  if (images_of.empty())
    throw user_error(
        path,
        loose ? concat(": ", loose, " images but no class folders") : ": empty: no class folders",
        ": expected CLASS/image.jpg below it", unread_among(ignored), hidden_among(*set.hidden_));
  std::vector<std::string> empty;
  for (auto& [name, count] : images_of) {
    if (count == 0) empty.push_back(name);
    count = static_cast<int64_t>(set.classes_.size());  // from here on the label
    set.classes_.push_back(name);
  }
  if (!empty.empty())
    throw user_error(
        path,
        empty.size() == 1 ? ": class folder without images: " : ": class folders without images: ",
        list_of(empty), ": expected ", kReadExtensions, " files; remove the folder or fill it",
        unread_among(ignored), hidden_among(*set.hidden_));
  std::vector<std::string> readable;
  std::copy_if(set.classes_.begin(), set.classes_.end(), std::back_inserter(readable), is_utf8);
  require_sound_names(readable, path);

  std::vector<Sample> samples;
  std::map<std::string, std::string> problems;
  for (TreeEntry* entry : images) {
    if (!entry->problem.empty()) problems[entry->name] = std::move(entry->problem);
    const int64_t label = images_of.at(entry->name.substr(0, entry->name.find('/')));
    samples.push_back({std::move(entry->name), label, entry->offset, entry->size});
  }
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return std::tie(a.label, a.file) < std::tie(b.label, b.file);
  });
  set.samples_ = std::make_shared<const std::vector<Sample>>(std::move(samples));
  set.ignored_ = std::make_shared<const std::vector<std::string>>(std::move(ignored));
  set.odd_ = std::make_shared<const std::map<std::string, std::string>>(std::move(problems));
  return set;
}

std::vector<std::string> ImageFolder::notes() const {
  std::vector<std::string> lines;
  if (const std::string formats = unread_formats(*ignored_); !formats.empty())
    lines.push_back(concat(path_, ": not read: ", formats));
  for (const std::string& name : classes_)
    if (!is_utf8(name))
      lines.push_back(concat(path_, ": the class name ", shown(name),
                             " is not UTF-8, as a model's names must be: rename it, e.g. with "
                             "convmv -f latin1 -t utf8"));
  return lines;
}

std::vector<int64_t> ImageFolder::labels() const {
  std::vector<int64_t> labels;
  labels.reserve(samples_->size());
  for (const Sample& sample : *samples_) labels.push_back(sample.label);
  return labels;
}

std::vector<uint8_t> ImageFolder::read(int64_t sample, const DecodeLimits& limits) const {
  const Sample& which = samples_->at(sample);
  if (const auto odd = odd_->find(which.file); odd != odd_->end()) throw user_error(odd->second);
  const std::string name = full_name(sample);
  if (tar_) return read_image(*tar_, which.offset, which.size, name, limits);
  if (std::error_code error; !fs::exists(name, error))
    throw user_error(name, ": is gone: it was there when the data set was opened");
  std::vector<uint8_t> bytes = read_image(name, limits);
  if (static_cast<int64_t>(bytes.size()) != which.size)
    throw failure(name, ": had ", which.size, " bytes when the data set was opened and has ",
                  bytes.size(), " now: it must not change while it is used");
  return bytes;
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
  ImageFolder part = *this;
  part.samples_ = std::make_shared<const std::vector<Sample>>(std::move(chosen));
  return part;
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
