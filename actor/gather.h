// One answer out of several: what an ask that goes to many ends in.
#ifndef TROUPE_ACTOR_GATHER_H_
#define TROUPE_ACTOR_GATHER_H_

#include <cstddef>
#include <mutex>
#include <utility>

#include "actor/future.h"

namespace troupe {

// The first outcome of the kind that decides answers; when none does, the last one.
//   Threads:  any; each asked actor brings its answer on its own.
//   Lifetime: shared by the callbacks that call Add, one for each answer expected.
template <typename R>
class Gather {
 public:
  enum class Decides { kSuccess, kFailure };

  // `answers` must not be 0.
  Gather(size_t answers, Decides decides, Reply<R> reply)
      : decides_(decides), left_(answers), reply_(std::move(reply)) {}

  void Add(Outcome<R> outcome) {
    Reply<R> reply;
    {
      std::lock_guard lock(mutex_);
      if (--left_ > 0 && outcome.ok() != (decides_ == Decides::kSuccess)) return;
      reply = std::exchange(reply_, Reply<R>());
    }
    reply(std::move(outcome));
  }

 private:
  const Decides decides_;
  std::mutex mutex_;
  // Guarded by mutex_.
  size_t left_;
  Reply<R> reply_;  // empty once answered
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_GATHER_H_
