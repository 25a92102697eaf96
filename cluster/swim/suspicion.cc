#include "cluster/swim/suspicion.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace troupe::swim {

Duration MinSuspicion(int alpha, size_t members, Duration period) {
  double scale = std::max(1.0, std::log10(static_cast<double>(std::max<size_t>(members, 1))));
  return alpha * scale * period;
}

Duration SuspicionTimeout(Duration min, Duration max, int confirmations, int wanted) {
  if (wanted < 1) return min;
  double done = std::log(confirmations + 1.0) / std::log(wanted + 1.0);
  return std::max(min, max - (max - min) * done);
}

int WantedConfirmations(int alpha, size_t members) {
  int wanted = std::max(0, alpha - 2);
  // The suspect and its first accuser confirm nothing.
  return members < static_cast<size_t>(wanted) + 2 ? 0 : wanted;
}

Duration SyncPeriod(Duration base, size_t members) {
  if (members <= 32) return base;
  return base * (std::bit_width(members - 1) - 4);
}

Suspicion::Suspicion(Instant start, std::string accuser, const Config& config, size_t members)
    : Suspicion(start, std::move(accuser), MinSuspicion(config.suspicion_alpha, members, config.probe_period),
                config.suspicion_beta * MinSuspicion(config.suspicion_alpha, members, config.probe_period),
                WantedConfirmations(config.suspicion_alpha, members)) {}

Suspicion::Suspicion(Instant start, std::string accuser, Duration min, Duration max, int wanted)
    : start_(start), accusers_{std::move(accuser)}, min_(min), max_(max), wanted_(wanted) {}

bool Suspicion::Confirm(const std::string& accuser) {
  if (confirmations() >= wanted_) return false;
  return accusers_.insert(accuser).second;
}

void Suspicion::Postpone(Instant deadline) {
  if (Deadline() < deadline) start_ = start_ + (deadline - Deadline());
}

}  // namespace troupe::swim
