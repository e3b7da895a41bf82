// Readers of the configuration files that publishers write, one for each kind, and what they share.
#pragma once

#include <array>
#include <optional>
#include <string>

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
/// A side in pixels: a number, or a list of two that are equal. Two that differ are a note and
/// nothing else. Throws Error (user) for anything else.
std::optional<int64_t> side(const ForeignObject& object, const char* key, FileHints& hints);
/// Three numbers, a channel each, or one for all; those of `otherwise` where the key is absent.
/// Throws Error (user) for anything else, and for a number that is not above `least` in float32.
using Channels = std::array<double, 3>;
Channels channels(const ForeignObject& object, const char* key, double least,
                  const Channels& otherwise);
/// A list of names.
void set_classes(const ForeignObject& object, const char* key, FileHints& hints);
/// Sets the network's activation from any publisher's name for it; another one is unsupported.
void set_activation(const ForeignObject& object, const char* key, FileHints& hints);
/// "bicubic" or "bilinear", bicubic where it is absent; nothing, and a note, for any other.
std::optional<Interpolation> interpolation(const ForeignObject& object, const char* key,
                                           FileHints& hints);
/// Images are resized to a square whose sides are `size`, whatever their shape.
void set_squash(const ForeignObject& object, const char* key, int64_t size, Preprocess& preprocess,
                FileHints& hints);
/// What stands at `key` cannot be followed: what the whole file says of images is not used.
void note_images(const ForeignObject& object, const char* key, const std::string& why,
                 FileHints& hints);

}  // namespace shiftadd::hints
