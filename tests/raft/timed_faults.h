// What goes wrong in a timed run, drawn from a seed: loss, delay, one-way cuts, crashes, slow disks, and what operators
// do meanwhile.
#ifndef TROUPE_TESTS_RAFT_TIMED_FAULTS_H_
#define TROUPE_TESTS_RAFT_TIMED_FAULTS_H_

#include <cstdint>

#include "actor/random.h"
#include "tests/raft/timed_cluster.h"

namespace troupe::raft {

struct FaultMix {
  const char* name;
  int voters = 3;
  bool bad_links = false;  // loss of up to nearly all, doubles, delay up to half an election timeout, overtaking
  bool cuts = false;       // one-way ones, and whole replicas cut off in one direction or both
  bool crashes = false;    // any number at once
  bool slow_disks = false;
  bool operators = false;  // membership changes and transfers
};

class Faults {
 public:
  Faults(TimedCluster& cluster, const FaultMix& mix, uint64_t seed)
      : cluster_(cluster), mix_(mix), random_(Random(seed).Split("faults")) {}

  // Something else goes wrong about every election timeout.
  void Run(Micros duration);
  // All links and disks are good again, and all replicas are up.
  void Heal();

 private:
  void Next();
  void ChangeLinks();
  void ChangeCuts();
  void CrashOrRestart();
  void Operate();
  int AnyReplica() { return 1 + static_cast<int>(random_.Below(static_cast<uint64_t>(cluster_.replicas()))); }
  Micros UpTo(Micros most) { return static_cast<Micros>(random_.Below(static_cast<uint64_t>(most) + 1)); }

  TimedCluster& cluster_;
  const FaultMix mix_;
  Random random_;
};

}  // namespace troupe::raft

#endif  // TROUPE_TESTS_RAFT_TIMED_FAULTS_H_
