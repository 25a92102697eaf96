// For callbacks of users that run in no actor's turn, so that no actor can fail for them.
#ifndef TROUPE_ACTOR_CALLBACK_GUARD_H_
#define TROUPE_ACTOR_CALLBACK_GUARD_H_

#include <atomic>
#include <cstdint>

namespace troupe::internal {

// Keeps an exception from whoever calls back, and logs it: the first, the second, the fourth, the eighth and so on,
// with its number, so that a million failures are twenty lines. Any thread may call anything.
class CallbackGuard {
 public:
  // What the lines call the callback.
  explicit constexpr CallbackGuard(const char* what) : what_(what) {}

  template <typename F>
  void Run(F&& callback) {
    try {
      callback();
    } catch (...) {
      LogFailure();
    }
  }

 private:
  // Of the exception that is being handled.
  void LogFailure();

  const char* const what_;
  std::atomic<uint64_t> failures_{0};
};

}  // namespace troupe::internal

#endif  // TROUPE_ACTOR_CALLBACK_GUARD_H_
