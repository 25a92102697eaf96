// Facts that are to be told on, and how often each was. A fact rides on several messages and is then forgotten
// (SWIM, section 4.1). The least told go first, and of those the newest.
#ifndef TROUPE_CLUSTER_SWIM_GOSSIP_QUEUE_H_
#define TROUPE_CLUSTER_SWIM_GOSSIP_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cluster/swim/message.h"

namespace troupe::swim {

// lambda * ceil(log10(members + 1)).
int RetransmitLimit(int lambda, size_t members);

// Holds one fact a member, but one a member and accuser of suspicions: each independent accuser shortens the time that
// a suspect has, and none must hide another.
class GossipQueue {
 public:
  // Suspicions, deaths, departures, and refutations. A quarter of each message is theirs, so that a flood of joins does
  // not hide a death.
  enum class Urgency { kUrgent, kOrdinary };

  // Replaces what is queued about that member; a suspicion only if what is queued is no suspicion of the same fact.
  void Put(const Update& update, Urgency urgency);
  // At most `count` facts, each counted as told once; those told `limit` times leave.
  std::vector<Update> Take(size_t count, int limit);
  void Erase(const std::string& name);

  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }

 private:
  using Key = std::pair<std::string, std::string>;  // member; accuser, of a suspicion
  using Rank = std::pair<int, uint64_t>;            // times told; a number that falls with each Put
  struct Item {
    Update update;
    Urgency urgency;
    int told = 0;
    uint64_t age = 0;
  };

  std::map<Rank, Key>& order(Urgency urgency) { return urgency == Urgency::kUrgent ? urgent_ : ordinary_; }

  std::map<Key, Item> items_;
  std::map<Rank, Key> urgent_;
  std::map<Rank, Key> ordinary_;
  uint64_t next_age_ = UINT64_MAX;
};

}  // namespace troupe::swim

#endif  // TROUPE_CLUSTER_SWIM_GOSSIP_QUEUE_H_
