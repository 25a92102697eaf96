#include "actor/supervision.h"

#include <algorithm>

namespace troupe {

bool RestartBudget::Spend(Instant now) {
  while (!restarts_.empty() && now - restarts_.front() >= limit_.within) restarts_.pop_front();
  if (static_cast<int>(restarts_.size()) >= limit_.max_restarts) return false;
  restarts_.push_back(now);
  return true;
}

Duration BackoffAfter(const RestartBackoff& backoff, int failures_in_a_row, Random& random) {
  Duration wait = backoff.initial;
  for (int i = 1; i < failures_in_a_row && wait < backoff.max; ++i) wait *= 2;
  wait = std::min(wait, backoff.max);
  return wait - wait * static_cast<double>(random.Below(1000)) / 5000;
}

}  // namespace troupe
