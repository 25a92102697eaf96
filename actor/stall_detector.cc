#include "actor/stall_detector.h"

#include <utility>

namespace troupe::internal {

constinit thread_local TurnMark turn_mark;

std::vector<StalledTurn> StallDetector::Look(Instant now, const std::vector<const TurnMark*>& marks) {
  const bool stood_still = now - last_look_ > limit_;
  last_look_ = now;
  watched_.resize(marks.size());
  std::vector<StalledTurn> stalls;
  for (size_t i = 0; i < marks.size(); ++i) {
    Watched& watched = watched_[i];
    const uint64_t actor = marks[i] == nullptr ? 0 : marks[i]->actor.load(std::memory_order_relaxed);
    const uint64_t handler = marks[i] == nullptr ? 0 : marks[i]->handler.load(std::memory_order_relaxed);
    const bool same = actor != 0 && handler == watched.handler;
    StalledTurn& told = watched.told;
    if (told.actor != 0) {
      told.lasted = now - watched.since;
      told.over = !same;
      if (told.over) stalls.push_back(std::exchange(told, {}));
      if (same) continue;
    }
    if (!same || stood_still) {
      watched = {.handler = handler, .since = now, .told = {}};
    } else if (now - watched.since >= limit_) {
      told = {actor, marks[i]->message.load(std::memory_order_relaxed), now - watched.since, /*over=*/false};
      stalls.push_back(told);
    }
  }
  return stalls;
}

}  // namespace troupe::internal
