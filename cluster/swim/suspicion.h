// How long a suspect has to refute (Lifeguard, section IV-B): long while one member alone suspects it, shorter with
// each other that does, since the one may itself be the slow one.
#ifndef TROUPE_CLUSTER_SWIM_SUSPICION_H_
#define TROUPE_CLUSTER_SWIM_SUSPICION_H_

#include <cstddef>
#include <set>
#include <string>

#include "actor/time.h"
#include "cluster/swim/config.h"

namespace troupe::swim {

// alpha * max(1, log10 members) * period.
Duration MinSuspicion(int alpha, size_t members, Duration period);

// After `confirmations` of `wanted`, from the start of the suspicion.
Duration SuspicionTimeout(Duration min, Duration max, int confirmations, int wanted);

// How many others must agree before the shortest timeout holds: none where there are too few to agree.
int WantedConfirmations(int alpha, size_t members);

// Full syncs get rarer above 32 members: base * (ceil(log2 members) - 4).
Duration SyncPeriod(Duration base, size_t members);

class Suspicion {
 public:
  // `members`: alive and suspect ones, this node too.
  Suspicion(Instant start, std::string accuser, const Config& config, size_t members);
  Suspicion(Instant start, std::string accuser, Duration min, Duration max, int wanted);

  // Whether this accuser is new and still counts.
  bool Confirm(const std::string& accuser);
  Instant Deadline() const { return start_ + SuspicionTimeout(min_, max_, confirmations(), wanted_); }
  // Not earlier than this.
  void Postpone(Instant deadline);

  int confirmations() const { return static_cast<int>(accusers_.size()) - 1; }

 private:
  Instant start_;
  std::set<std::string> accusers_;  // at most wanted_ + 1
  Duration min_;
  Duration max_;
  int wanted_;
};

}  // namespace troupe::swim

#endif  // TROUPE_CLUSTER_SWIM_SUSPICION_H_
