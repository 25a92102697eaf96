// A circuit breaker: stops asking a peer that keeps failing, and finds out by single probes when it is well again
// (Nygard: Release It!, 2nd edition, chapter 5). Pure: time comes in as a parameter, chance as a seed.
//
//   closed ---- `failures_to_open` failures in a row ----> open
//   open ------ the wait is over: one call may pass -----> half-open
//   half-open - the probe succeeds ----------------------> closed
//   half-open - the probe fails or never comes back -----> open, for longer
//
// Not thread-safe: one actor owns one breaker for each peer it asks. Times are on one monotonic clock.
#ifndef TROUPE_ACTOR_CIRCUIT_BREAKER_H_
#define TROUPE_ACTOR_CIRCUIT_BREAKER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "actor/random.h"
#include "actor/supervision.h"
#include "actor/time.h"

namespace troupe {

struct CircuitBreakerOptions {
  // Failures without a success between them that open the circuit. Low enough to spare a dead peer, high enough that
  // a lost message or two does not.
  int failures_to_open = 5;
  // How long the circuit stays open: `initial` the first time, doubled after each failed probe up to `max`, and cut
  // short by up to a fifth by chance, so that the callers of one peer do not all probe it at once.
  RestartBackoff open = {.initial = absl::Seconds(5), .max = absl::Minutes(2)};
  // A probe of which nothing is heard for this long has failed. It must be over the timeout of the calls, else a slow
  // success comes too late to count.
  Duration probe_timeout = absl::Seconds(30);

  // kInvalidArgument names the option that makes no sense.
  absl::Status Validate() const;
};

class CircuitBreaker {
 public:
  enum class State { kClosed, kOpen, kHalfOpen };

  // The right to make one call. Its outcome counts only until the circuit opens next: a call that began before that
  // says nothing about the peer's health after it.
  class Permit {
   private:
    friend class CircuitBreaker;
    explicit Permit(uint64_t round) : round_(round) {}
    uint64_t round_;
  };

  // The options must be valid (checked).
  CircuitBreaker(CircuitBreakerOptions options, Random random);

  // kUnavailable: the circuit is open, or its probe is on its way; the call must not be made.
  absl::StatusOr<Permit> Admit(Instant now);

  // What became of a permitted call; at most once for each permit.
  void Record(Permit permit, const absl::Status& outcome, Instant now);

  // kHalfOpen from the moment the probe leaves, not from the moment it may.
  State state() const { return state_; }
  uint64_t times_opened() const { return times_opened_; }
  uint64_t refused() const { return refused_; }

 private:
  void Open(Instant now);

  const CircuitBreakerOptions options_;
  Random random_;
  State state_ = State::kClosed;
  uint64_t round_ = 0;         // raised at each opening
  int failures_in_a_row_ = 0;  // while closed
  int openings_in_a_row_ = 0;  // without a successful probe between them
  Instant until_;              // open: no probe before; half-open: the probe is given up then
  uint64_t times_opened_ = 0;
  uint64_t refused_ = 0;
};

// Whether an outcome speaks against the peer's health. A peer that says no (kNotFound, kInvalidArgument, ...) is well.
bool IsPeerFailure(const absl::Status& outcome);

}  // namespace troupe

#endif  // TROUPE_ACTOR_CIRCUIT_BREAKER_H_
