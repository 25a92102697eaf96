#include "actor/circuit_breaker.h"

#include <glog/logging.h>

#include "absl/strings/str_cat.h"

namespace troupe {

absl::Status CircuitBreakerOptions::Validate() const {
  if (failures_to_open < 1) return absl::InvalidArgumentError("failures_to_open must be at least 1");
  if (open.initial <= absl::ZeroDuration()) return absl::InvalidArgumentError("open.initial must be over zero");
  if (open.max < open.initial) return absl::InvalidArgumentError("open.max must not be under open.initial");
  if (probe_timeout <= absl::ZeroDuration()) return absl::InvalidArgumentError("probe_timeout must be over zero");
  return absl::OkStatus();
}

CircuitBreaker::CircuitBreaker(CircuitBreakerOptions options, Random random) : options_(options), random_(random) {
  CHECK(options_.Validate().ok()) << options_.Validate();
}

absl::StatusOr<CircuitBreaker::Permit> CircuitBreaker::Admit(Instant now) {
  if (state_ == State::kHalfOpen && now >= until_) Open(now);
  if (state_ == State::kOpen && now >= until_) {
    state_ = State::kHalfOpen;
    until_ = now + options_.probe_timeout;
    return Permit(round_);
  }
  if (state_ == State::kClosed) return Permit(round_);
  ++refused_;
  return absl::UnavailableError(state_ == State::kOpen ? absl::StrCat("the peer keeps failing; the next probe is in ",
                                                                      absl::FormatDuration(until_ - now))
                                                       : "the peer kept failing; a probe is on its way");
}

void CircuitBreaker::Record(Permit permit, const absl::Status& outcome, Instant now) {
  if (permit.round_ != round_ || state_ == State::kOpen) return;
  if (IsPeerFailure(outcome)) {
    if (state_ == State::kHalfOpen || ++failures_in_a_row_ >= options_.failures_to_open) Open(now);
    return;
  }
  failures_in_a_row_ = 0;
  if (state_ == State::kHalfOpen) {
    state_ = State::kClosed;
    openings_in_a_row_ = 0;
  }
}

void CircuitBreaker::Open(Instant now) {
  state_ = State::kOpen;
  failures_in_a_row_ = 0;
  ++round_;
  ++times_opened_;
  until_ = now + BackoffAfter(options_.open, ++openings_in_a_row_, random_);
}

bool IsPeerFailure(const absl::Status& outcome) {
  switch (outcome.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

}  // namespace troupe
