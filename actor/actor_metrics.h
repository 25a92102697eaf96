// What the actors of a system do, by name: figures for operators, dashboards and tests.
//
//   troupe::SystemMetrics metrics = system.Metrics();
//   for (const troupe::ActorMetrics& actors : metrics.by_name) {
//     if (actors.HandlingTime(99) > absl::Milliseconds(1)) Complain(actors.name, actors.mailbox_high_mark);
//   }
//   std::cout << metrics.ToText();
//
// An actor counts under the name that it is registered by, or else under its C++ type. When a registered actor ends,
// what it has done counts under its type from then on, so that names that come and go take no memory for ever.
//
// No message pays for this: an actor counts its own messages anyway, one in about 64 is timed, and the rest is added up
// when somebody asks. That takes about 0.2 us an actor and holds up nobody for long. Actors that end meanwhile may be
// missing from it.
#ifndef TROUPE_ACTOR_ACTOR_METRICS_H_
#define TROUPE_ACTOR_ACTOR_METRICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "actor/dead_letter.h"
#include "actor/histogram.h"
#include "actor/time.h"

namespace troupe {

// Of all actors of one name. Counts are sums since the system began; those that have ended are in them.
struct ActorMetrics {
  // The registered name, or the C++ type.
  std::string name;
  uint64_t alive = 0;
  // User messages that wait, of all together.
  uint64_t mailbox_depth = 0;
  // The most that a turn of one of them found waiting when it began.
  uint64_t mailbox_high_mark = 0;
  uint64_t handled = 0;
  uint64_t restarts = 0;
  // By DeadLetterReason.
  std::array<uint64_t, kDeadLetterReasons> dead_letters{};
  // Nanoseconds from taking a message out to the end of its handler, of a random sample: each message that is handled
  // has a chance of about one in 64, whoever's it is. Where a handler is a coroutine, until it first waits.
  CoarseHistogram handling_nanos;

  // What `percent` of the messages, 0 to 100, do not exceed, to within 6 %. Zero while none was sampled.
  Duration HandlingTime(double percent) const {
    return absl::Nanoseconds(static_cast<int64_t>(handling_nanos.Percentile(percent)));
  }
  uint64_t AllDeadLetters() const;
  void Add(const ActorMetrics& other);
};

struct SystemMetrics {
  ActorMetrics total;
  // Who has handled most comes first.
  std::vector<ActorMetrics> by_name;

  // A table for people: the total and the first `most` names.
  std::string ToText(size_t most = 30) const;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_ACTOR_METRICS_H_
