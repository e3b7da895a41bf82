// Readers of the configuration files that publishers write, one for each kind, and what they share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/config/foreign.h"
#include "model/file_hints.h"

namespace shiftadd::hints {

/// config.json as Hugging Face's library writes it.
void read_hugging_face(const ForeignObject& config, FileHints& hints);
/// preprocessor_config.json, written by the same.
void read_hugging_face_images(const ForeignObject& config, FileHints& hints);
/// config.json as timm writes it.
bool is_timm(const ForeignObject& config);
void read_timm(const ForeignObject& config, FileHints& hints);
/// open_clip_config.json.
void read_open_clip(const ForeignObject& config, FileHints& hints);

/// A number of pixels from 1 to kLargestSide.
std::optional<int64_t> pixels(const ForeignObject& object, const char* key);
/// A shape in pixels: a number, the side of a square, or a list of height and width. Throws Error
/// (user) for anything else.
std::optional<Grid> shape(const ForeignObject& object, const char* key);
/// The side of square patches; other patches are unsupported.
std::optional<int64_t> patch_side(const ForeignObject& object, const char* key, FileHints& hints);

/// Mean and deviation of each channel, three or one; empty: not said.
struct Colours {
  std::vector<double> mean, std;
};
Colours colours_of(const Preprocess& preprocess);
/// Reads the colours, `otherwise` where a key is absent. Throws Error (user) for a list of another
/// length, and for what float32 cannot hold, or a deviation that is not above 0 there.
Colours colours(const ForeignObject& object, const char* mean, const char* std,
                const Colours& otherwise);
/// Sets them, which are on a scale from 0 to `scale`. Throws Error (user), naming `key`, where
/// float32 cannot hold them on the scale 0 to 1.
void set_colours(const ForeignObject& object, const char* key, const Colours& colours, double scale,
                 Preprocess& preprocess);
/// A list of names.
void set_classes(const ForeignObject& object, const char* key, FileHints& hints);
/// Sets the network's activation from any publisher's name for it; another one is unsupported.
void set_activation(const ForeignObject& object, const char* key, FileHints& hints);
/// "bicubic" or "bilinear", bicubic where it is absent; nothing, and a note, for any other.
std::optional<Interpolation> interpolation(const ForeignObject& object, const char* key,
                                           FileHints& hints);
/// What stands at `key` cannot be followed: what the whole file says of images is not used.
void note_images(const ForeignObject& object, const char* key, const std::string& why,
                 FileHints& hints);

}  // namespace shiftadd::hints
