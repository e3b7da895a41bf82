// The thread pool. Work is cut by shape alone and handed out dynamically, so that results never
// depend on the number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace shiftadd {

/// A non-owning reference to a callable: no allocation per call.
template <class Signature>
class FunctionRef;
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>)
      FunctionRef(F&& f)  // NOLINT: implicit on purpose, like a parameter of function type
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(args...);
        }) {}
  R operator()(Args... args) const { return call_(object_, args...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

/// Threads that parallel_for may use, the caller included. Default: the cores this process may run
/// on.
void set_num_threads(int threads);
int num_threads();
int available_cores();

/// Calls body(item) once for each item in [0, count), in any order, on any thread; returns when all
/// are done. An item must not depend on another. The first exception is rethrown. Inside a body, or
/// while another thread uses the pool, it runs on the calling thread alone.
void parallel_for(int64_t count, FunctionRef<void(int64_t)> body);

/// The same over chunks [begin, end) of `grain` elements: chunk boundaries depend on n and grain
/// only.
void parallel_chunks(int64_t n, int64_t grain, FunctionRef<void(int64_t begin, int64_t end)> body);

}  // namespace shiftadd
