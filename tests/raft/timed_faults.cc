#include "tests/raft/timed_faults.h"

#include <algorithm>
#include <vector>

namespace troupe::raft {

void Faults::Run(Micros duration) {
  const Micros until = cluster_.now() + duration;
  while (cluster_.now() < until) {
    Next();
    cluster_.RunFor(std::min(until - cluster_.now(), UpTo(2 * cluster_.election_timeout())));
  }
}

void Faults::Heal() {
  cluster_.SetNetwork({});
  cluster_.HealLinks();
  for (int id = 1; id <= cluster_.replicas(); ++id) {
    cluster_.SetSync(id, cluster_.shape().sync);
    cluster_.Restart(id);
  }
}

void Faults::Next() {
  std::vector<void (Faults::*)()> kinds;
  if (mix_.bad_links) kinds.push_back(&Faults::ChangeLinks);
  if (mix_.cuts) kinds.push_back(&Faults::ChangeCuts);
  // Twice: one crash in two is undone by the next.
  if (mix_.crashes) kinds.insert(kinds.end(), 2, &Faults::CrashOrRestart);
  if (mix_.operators) kinds.insert(kinds.end(), 2, &Faults::Operate);
  (this->*kinds[random_.Below(kinds.size())])();
  if (mix_.slow_disks) cluster_.SetSync(AnyReplica(), random_.Below(2) == 0 ? UpTo(200'000) : cluster_.shape().sync);
}

void Faults::ChangeLinks() {
  cluster_.SetNetwork({.loss_per_mille = random_.Below(950),
                       .duplicate_per_mille = random_.Below(200),
                       .jitter = UpTo(cluster_.election_timeout() / 2),
                       .overtaking = random_.Below(2) == 0});
}

void Faults::ChangeCuts() {
  cluster_.HealLinks();
  const int one = AnyReplica();
  const uint64_t kind = random_.Below(5);
  for (int from = 1; from <= cluster_.replicas(); ++from) {
    for (int to = 1; to <= cluster_.replicas(); ++to) {
      const bool cut = kind == 0   ? false
                       : kind == 1 ? from == one  // it is not heard
                       : kind == 2 ? to == one    // it hears nobody
                       : kind == 3 ? from == one || to == one
                                   : random_.Below(3) == 0;
      if (cut && from != to) cluster_.Cut(from, to);
    }
  }
}

void Faults::CrashOrRestart() {
  const int id = AnyReplica();
  if (cluster_.up(id)) {
    cluster_.Crash(id);
  } else {
    cluster_.Restart(id);
  }
}

void Faults::Operate() {
  const int leader = cluster_.Leader();
  if (leader == 0) return;
  if (random_.Below(3) == 0) {
    cluster_.Transfer(leader, AnyReplica());
    return;
  }
  const Change::Kind kinds[] = {Change::Kind::kAddLearner, Change::Kind::kAddVoter, Change::Kind::kRemove};
  cluster_.ProposeChange(leader, {kinds[random_.Below(3)], ReplicaId(static_cast<uint64_t>(AnyReplica()))});
}

}  // namespace troupe::raft
