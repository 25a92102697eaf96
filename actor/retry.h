// Whether and when to try again: exponential backoff with jitter, within a time and within a budget. Pure: time and
// chance come in as parameters. retry_ask.h is the same for an actor's asks.
#ifndef TROUPE_ACTOR_RETRY_H_
#define TROUPE_ACTOR_RETRY_H_

#include <optional>

#include "absl/status/status.h"
#include "actor/random.h"
#include "actor/time.h"

namespace troupe {

// Which failures are worth another attempt. Others never are: the same call would fail in the same way.
enum class RetryOn {
  kNothingWasDone,  // kUnavailable, kResourceExhausted
  // kDeadlineExceeded and kUnknown too. Only for calls that may happen twice: the first attempt may have done its work.
  kUnknownOutcome,
};

struct RetryOptions {
  RetryOn on = RetryOn::kNothingWasDone;
  // Including the first.
  int max_attempts = 4;
  // The wait after the first attempt, doubled after each further one up to max_wait. A wait lies between a half and
  // the whole of that, by chance: callers who failed together must not come back together.
  Duration initial_wait = absl::Milliseconds(50);
  Duration max_wait = absl::Seconds(2);
  // One attempt takes this long at most...
  Duration attempt_timeout = absl::Seconds(5);
  // ...and all of them with their waits this long. No wait begins that would not end before.
  Duration total_timeout = absl::Seconds(10);

  // kInvalidArgument names the option that makes no sense.
  absl::Status Validate() const;
};

bool IsRetryable(const absl::Status& failure, RetryOn on);

// Keeps retries a small part of all calls: a peer that is down must not get several times its usual load just when it
// comes up. Each call pays `percent` of a token in, each retry takes a whole one out (the token bucket of gRFC A6,
// and Finagle's RetryBudget). Shared by all calls to one peer; starts full.
class RetryBudget {
 public:
  // percent and max_tokens must not be negative; no tokens, no retries.
  explicit RetryBudget(int percent = 10, int max_tokens = 10)
      : percent_(percent), limit_(100 * max_tokens), hundredths_(limit_) {}

  void CountCall();
  // Takes a token for one retry. False: there is none.
  bool Spend();

 private:
  const int percent_;
  const int limit_;  // in hundredths of a token
  int hundredths_;
};

// The attempts of one call.
class Retry {
 public:
  // The options must be valid (checked). The first attempt begins at `start`.
  Retry(RetryOptions options, Instant start);

  // How long the attempt that begins at `now` may take.
  Duration AttemptTimeout(Instant now) const;
  // The wait before the next attempt, after one that failed at `now`. Nothing: `failure` is the call's outcome.
  std::optional<Duration> WaitAfter(const absl::Status& failure, Instant now, RetryBudget& budget, Random& random);

  int attempts() const { return attempts_; }

 private:
  const RetryOptions options_;
  const Instant deadline_;
  int attempts_ = 1;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_RETRY_H_
