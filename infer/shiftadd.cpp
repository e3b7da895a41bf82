// Implements the C interface with a Session; an exception becomes a return value and a kept text.
#include "infer/shiftadd.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "data/decode.h"
#include "data/preprocess.h"
#include "data/read_image.h"
#include "infer/predictions.h"
#include "infer/session.h"

using namespace shiftadd;

struct shiftadd_session {
  infer::Session session;
  std::string path;
  std::vector<uint8_t> pixels;
  std::vector<float> logits;
};

namespace {

thread_local std::string error_text;

// Returns what `body` returns, or keeps the error and returns `otherwise`: C gets no exception.
template <class Body, class Result>
Result guarded(Result otherwise, Body body) noexcept {
  try {
    error_text.clear();
    return body();
  } catch (const std::exception& error) {
    error_text = error.what();
  }
  return otherwise;
}

shiftadd_session* made(infer::Session session, const std::string& path) {
  const ModelSpec& spec = session.spec();
  const auto values = static_cast<std::size_t>(spec.image_values());
  const auto outputs = static_cast<std::size_t>(session.outputs());
  return new shiftadd_session{std::move(session), path, std::vector<uint8_t>(values),
                              std::vector<float>(outputs)};
}

// Runs the network on one image; the answer stands in self.logits.
void answer(shiftadd_session& self, std::span<const uint8_t> bytes, const std::string& name) {
  infer::Session& session = self.session;
  const data::Image image = data::decode_image(bytes, name, session.preprocess().exif_orientation);
  data::crop_pixels(image, session.preprocess(), self.pixels.data());
  session.run_pixels(self.pixels.data(), 1, self.logits.data());
  infer::require_finite(self.logits.data(), session.outputs(), self.path, name);
}

int classify(shiftadd_session* self, std::span<const uint8_t> bytes, const std::string& name,
             shiftadd_prediction* best, int most) {
  if (!self || most < 0 || (most > 0 && !best))
    throw user_error("[shiftadd_classify] expected a session, and room for ", most, " predictions");
  const infer::Session& session = self->session;
  if (session.spec().classes == 0)
    throw user_error("[shiftadd_classify] ", self->path, ": the network has no head, and so no ",
                     "classes: take its features (shiftadd_features)");
  answer(*self, bytes, name);
  const auto predictions = infer::top_k(self->logits.data(), session.spec().classes, most);
  int count = 0;
  for (const infer::Prediction& each : predictions) {
    const auto& names = session.classes();
    best[count++] = {static_cast<int>(each.index),
                     names.empty() ? nullptr : names[static_cast<std::size_t>(each.index)].c_str(),
                     static_cast<float>(each.probability)};
  }
  return count;
}

int features(shiftadd_session* self, std::span<const uint8_t> bytes, const std::string& name,
             float* features, int most) {
  if (!self || !features) throw user_error("[shiftadd_features] expected a session, and room");
  const infer::Session& session = self->session;
  if (session.spec().classes > 0)
    throw user_error("[shiftadd_features] ", self->path, ": the network has a head, and answers ",
                     "with classes (shiftadd_classify)");
  if (most < session.outputs())
    throw user_error("[shiftadd_features] expected room for ", session.outputs(), " numbers, got ",
                     most);
  answer(*self, bytes, name);
  std::copy(self->logits.begin(), self->logits.end(), features);
  return static_cast<int>(session.outputs());
}

}  // namespace

shiftadd_session* shiftadd_open(const char* path) { return shiftadd_open_on(path, "cpu"); }

shiftadd_session* shiftadd_open_on(const char* path, const char* device) {
  return guarded<>(static_cast<shiftadd_session*>(nullptr), [&] {
    if (!path) throw user_error("[shiftadd_open] expected a path");
    if (!device) throw user_error("[shiftadd_open_on] expected the name of a device");
    infer::Session session(load_any_model(path), infer::device_choice(device));
    infer::require_images(session, path);
    return made(std::move(session), path);
  });
}

shiftadd_session* shiftadd_share(const shiftadd_session* session) {
  return guarded<>(static_cast<shiftadd_session*>(nullptr), [&] {
    if (!session) throw user_error("[shiftadd_share] expected a session");
    return made(session->session.share(), session->path);
  });
}

int shiftadd_classes(const shiftadd_session* session) {
  return session ? static_cast<int>(session->session.spec().classes) : 0;
}

int shiftadd_outputs(const shiftadd_session* session) {
  return session ? static_cast<int>(session->session.outputs()) : 0;
}

int shiftadd_height(const shiftadd_session* session) {
  return session ? static_cast<int>(session->session.spec().image_size.height) : 0;
}

int shiftadd_width(const shiftadd_session* session) {
  return session ? static_cast<int>(session->session.spec().image_size.width) : 0;
}

int shiftadd_classify(shiftadd_session* session, const char* image, shiftadd_prediction* best,
                      int most) {
  return guarded<>(-1, [&] {
    if (!image) throw user_error("[shiftadd_classify] expected the path of an image");
    return classify(session, data::read_image(image), image, best, most);
  });
}

int shiftadd_classify_bytes(shiftadd_session* session, const void* bytes, size_t size,
                            shiftadd_prediction* best, int most) {
  return guarded<>(-1, [&] {
    return classify(session, {static_cast<const uint8_t*>(bytes), size}, "image", best, most);
  });
}

int shiftadd_features(shiftadd_session* session, const char* image, float* numbers, int most) {
  return guarded<>(-1, [&] {
    if (!image) throw user_error("[shiftadd_features] expected the path of an image");
    return features(session, data::read_image(image), image, numbers, most);
  });
}

int shiftadd_features_bytes(shiftadd_session* session, const void* bytes, size_t size,
                            float* numbers, int most) {
  return guarded<>(-1, [&] {
    return features(session, {static_cast<const uint8_t*>(bytes), size}, "image", numbers, most);
  });
}

void shiftadd_close(shiftadd_session* session) { delete session; }

void shiftadd_set_threads(int threads) {
  guarded<>(0, [&] {
    if (threads < 1) throw user_error("[shiftadd_set_threads] ", threads, ": expected at least 1");
    set_num_threads(threads);
    return 0;
  });
}

const char* shiftadd_error(void) { return error_text.c_str(); }
