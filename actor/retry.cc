#include "actor/retry.h"

#include <glog/logging.h>

#include <algorithm>

namespace troupe {

absl::Status RetryOptions::Validate() const {
  if (max_attempts < 1) return absl::InvalidArgumentError("max_attempts must be at least 1");
  if (initial_wait < absl::ZeroDuration()) return absl::InvalidArgumentError("initial_wait must not be negative");
  if (max_wait < initial_wait) return absl::InvalidArgumentError("max_wait must not be under initial_wait");
  if (attempt_timeout <= absl::ZeroDuration()) return absl::InvalidArgumentError("attempt_timeout must be over zero");
  if (total_timeout <= absl::ZeroDuration()) return absl::InvalidArgumentError("total_timeout must be over zero");
  return absl::OkStatus();
}

bool IsRetryable(const absl::Status& failure, RetryOn on) {
  switch (failure.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
      return true;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnknown:
      return on == RetryOn::kUnknownOutcome;
    default:
      return false;
  }
}

void RetryBudget::CountCall() { hundredths_ = std::min(limit_, hundredths_ + percent_); }

bool RetryBudget::Spend() {
  if (hundredths_ < 100) return false;
  hundredths_ -= 100;
  return true;
}

Retry::Retry(RetryOptions options, Instant start) : options_(options), deadline_(start + options.total_timeout) {
  CHECK(options_.Validate().ok()) << options_.Validate();
}

Duration Retry::AttemptTimeout(Instant now) const { return std::min(options_.attempt_timeout, deadline_ - now); }

std::optional<Duration> Retry::WaitAfter(const absl::Status& failure, Instant now, RetryBudget& budget,
                                         Random& random) {
  if (!IsRetryable(failure, options_.on) || attempts_ >= options_.max_attempts) return std::nullopt;
  Duration wait = options_.initial_wait;
  for (int i = 1; i < attempts_ && wait < options_.max_wait; ++i) wait *= 2;
  wait = std::min(wait, options_.max_wait);
  wait -= wait * static_cast<double>(random.Below(1000)) / 2000;
  // The budget comes last, so that no token is lost to a retry that does not happen.
  if (wait >= deadline_ - now || !budget.Spend()) return std::nullopt;
  ++attempts_;
  return wait;
}

}  // namespace troupe
