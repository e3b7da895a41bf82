/* ShiftAdd's C interface: open a model file, classify images or take their features, close. Link
 * with the library shiftadd. */
#ifndef SHIFTADD_H
#define SHIFTADD_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHIFTADD_API __attribute__((visibility("default")))

/* One caller's view of a model: its weights, shared with every other view of it, and room for one
   call at a time. */
typedef struct shiftadd_session shiftadd_session;

typedef struct {
  int index;         /* 0 .. shiftadd_classes() - 1 */
  const char* name;  /* lives as long as the session; NULL where the model names no classes */
  float probability; /* of all classes: they sum to 1 */
} shiftadd_prediction;

/* A model file of shiftadd-train or shiftadd-convert, trained or packed. NULL on an error. Nothing
   is written anywhere. */
SHIFTADD_API shiftadd_session* shiftadd_open(const char* path);

/* The same on a device: "cpu", "cuda" or "cuda:0" (the first CUDA device), "cuda:1" (the second),
   or "auto" (the first CUDA device, or the CPU where there is none). */
SHIFTADD_API shiftadd_session* shiftadd_open_on(const char* path, const char* device);

/* Another session on the same weights, for another thread. NULL on an error. */
SHIFTADD_API shiftadd_session* shiftadd_share(const shiftadd_session* session);

/* 0 for a network without a head, which shiftadd_features is for. */
SHIFTADD_API int shiftadd_classes(const shiftadd_session* session);

/* Numbers of the network's answer to an image: a logit for each class or, without a head, features.
 */
SHIFTADD_API int shiftadd_outputs(const shiftadd_session* session);

/* What the network sees of an image, in pixels: any image is resized and cut to this size, and
   turned to gray where the network takes one channel. 0 for NULL, as the number of classes. */
SHIFTADD_API int shiftadd_height(const shiftadd_session* session);
SHIFTADD_API int shiftadd_width(const shiftadd_session* session);

/* The `most` most probable classes of an image file (JPEG, PNG, BMP, GIF), or of one in memory,
   best first. Returns how many were written (at most shiftadd_classes()), or -1 on an error: a
   network without a head, too. */
SHIFTADD_API int shiftadd_classify(shiftadd_session* session, const char* image,
                                   shiftadd_prediction* best, int most);
SHIFTADD_API int shiftadd_classify_bytes(shiftadd_session* session, const void* bytes, size_t size,
                                         shiftadd_prediction* best, int most);

/* What a network without a head answers to an image file, or to one in memory: shiftadd_outputs()
   numbers, for which `most` must be room enough. Returns how many were written, or -1 on an error:
   a network with a head, too. */
SHIFTADD_API int shiftadd_features(shiftadd_session* session, const char* image, float* features,
                                   int most);
SHIFTADD_API int shiftadd_features_bytes(shiftadd_session* session, const void* bytes, size_t size,
                                         float* features, int most);

/* NULL is ignored. */
SHIFTADD_API void shiftadd_close(shiftadd_session* session);

/* Threads that one call may use, those of the whole process; all cores unless set. Calls that
   overlap share them: the first uses them all, the others their own thread. */
SHIFTADD_API void shiftadd_set_threads(int threads);

/* Why this thread's last call failed, as one line; "" where none did. */
SHIFTADD_API const char* shiftadd_error(void);

#ifdef __cplusplus
}
#endif
#endif
