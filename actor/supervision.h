// What happens to an actor that fails. Pure: time comes in as a parameter.
//
//   SpawnOptions options{
//       .restart_limit = {.max_restarts = 3, .within = absl::Minutes(1)},
//       .restart_backoff = {.initial = absl::Milliseconds(100)},
//       .decide =
//           [](const Failure& failure) {
//             if (absl::IsDataLoss(failure.status())) return OnFailure::kStop;
//             return failure.Is<ParseError>() ? OnFailure::kResume : OnFailure::kRestart;
//           },
//       .children = Strategy::kRestForOne,  // of those that this actor will spawn
//   };
#ifndef TROUPE_ACTOR_SUPERVISION_H_
#define TROUPE_ACTOR_SUPERVISION_H_

#include <deque>
#include <exception>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "actor/random.h"
#include "actor/time.h"

namespace troupe {

// A failure is an exception that leaves a handler, hook or callback of the actor, or Context::Fail. The message at
// fault is not handled again; its asker gets the error.
enum class OnFailure {
  kRestart,   // a new incarnation takes over address and mailbox; children and timers of the old one end
  kResume,    // go on as if nothing had happened, with the state as the failure left it
  kStop,      // terminate
  kEscalate,  // terminate, and the parent fails in its turn; a top-level actor just terminates
};

// One failure, for who decides what follows.
class Failure {
 public:
  explicit Failure(absl::Status status, std::exception_ptr exception = nullptr)
      : status_(std::move(status)), exception_(std::move(exception)) {}

  // Never OK. Of an exception: kInternal with its type and what().
  const absl::Status& status() const { return status_; }
  // Whether it was an exception of this type or one derived from it. Throws and catches inside, so it costs about 1 us.
  template <typename E>
  bool Is() const {
    if (exception_ == nullptr) return false;
    try {
      std::rethrow_exception(exception_);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  }

 private:
  absl::Status status_;
  std::exception_ptr exception_;
};

// Runs in the turn of the actor that failed, once for each failure. Must not block. When it throws, the actor's
// on_failure decides.
using Decide = std::function<OnFailure(const Failure&)>;

// Which children of an actor restart when one of them does. A child that was stopped, or whose failure stops it or
// escalates, concerns no sibling.
enum class Strategy {
  kOneForOne,   // it alone
  kOneForAll,   // all
  kRestForOne,  // it and those that were spawned after it
};

// How many restarts in how much time are still taken for bad luck (OTP's restart intensity). One more is a failure
// of the supervisor's: it escalates.
struct RestartLimit {
  int max_restarts = 10;
  Duration within = absl::Seconds(10);
  friend bool operator==(const RestartLimit&, const RestartLimit&) = default;
};

// The wait before a restart: `initial` after the first failure, doubled for each further one, at most `max`; it begins
// anew once an incarnation has lasted as long as the limit's time. Each wait is cut short by up to a fifth by chance,
// so that those who failed together do not return together. Zero: restart at once.
struct RestartBackoff {
  Duration initial = absl::ZeroDuration();
  Duration max = absl::Seconds(30);
  friend bool operator==(const RestartBackoff&, const RestartBackoff&) = default;
};

class RestartBudget {
 public:
  explicit RestartBudget(RestartLimit limit) : limit_(limit) {}

  // Counts one restart at `now`. False: that was one too many.
  bool Spend(Instant now);

 private:
  RestartLimit limit_;
  std::deque<Instant> restarts_;
};

Duration BackoffAfter(const RestartBackoff& backoff, int failures_in_a_row, Random& random);

}  // namespace troupe

#endif  // TROUPE_ACTOR_SUPERVISION_H_
