// What happens to an actor that fails. Pure: time comes in as a parameter.
#ifndef TROUPE_ACTOR_SUPERVISION_H_
#define TROUPE_ACTOR_SUPERVISION_H_

#include <deque>

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
