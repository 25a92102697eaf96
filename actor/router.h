// Which of several equal actors gets a message. Pure; pool.h is the actor that uses it.
#ifndef TROUPE_ACTOR_ROUTER_H_
#define TROUPE_ACTOR_ROUTER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "actor/random.h"

namespace troupe {

enum class Routing {
  kRoundRobin,      // one after the other
  kLeastBusy,       // the one with the fewest messages under way
  kRandom,          // any, each as likely
  kConsistentHash,  // one key, one member; a change of the size moves as few keys as can be
  kBroadcast,       // all of them
  kScatterGather,   // all of them, and the first success is the answer
};

// Takes turns. A change of the size skips nobody that was there before and after.
class Rotation {
 public:
  // members must not be 0, here and below.
  size_t Next(size_t members) {
    if (next_ >= members) next_ = 0;
    return next_++;
  }

 private:
  size_t next_ = 0;
};

// The index of the smallest load; of several, the first one from `start` on, in a circle, so that equals take turns.
size_t LeastBusy(const std::vector<size_t>& loads, size_t start);

// A number for a key, the same in every process and release.
uint64_t HashOfKey(std::string_view key);

// A member for a hash such that `members` + 1 moves one key in members + 1, and only to the new, last member (Lamping,
// Veach: A Fast, Minimal Memory, Consistent Hash Algorithm, 2014). Takes O(log members).
size_t ConsistentHash(uint64_t hash, size_t members);

}  // namespace troupe

#endif  // TROUPE_ACTOR_ROUTER_H_
