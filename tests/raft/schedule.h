// Who chooses what happens next: chance, from one seed, with a bias.
//
// Each schedule draws its cluster and its weights anew and switches about half of the kinds of trouble off, since a
// deep bug often needs much of one kind and none of another. Between single actions it follows recipes: courses of
// events that consensus is known to break at (figure 8, rival membership changes, a crash right after a vote, ...),
// each with its parts drawn by chance and disturbed by it.
#ifndef TROUPE_TESTS_RAFT_SCHEDULE_H_
#define TROUPE_TESTS_RAFT_SCHEDULE_H_

#include <array>
#include <cstdint>
#include <vector>

#include "actor/random.h"
#include "tests/raft/action.h"
#include "tests/raft/action_cluster.h"

namespace troupe::raft {

ClusterShape DrawShape(uint64_t seed);

class Schedule {
 public:
  // The same seed and cluster give the same choices.
  explicit Schedule(uint64_t seed);

  // May not apply to the cluster; then ask again.
  Action Next(const ActionCluster& cluster);

 private:
  // One part of a recipe.
  struct Step {
    enum class Kind : uint8_t {
      kOne,     // the action
      kRun,     // up to n deliveries and disk writes among the replicas of `mask`; no disk of `slow` finishes
      kElect,   // the same, but of its votes only, until the replica leads
      kAppends  // up to n deliveries of appends and their answers among `mask`
    } kind = Kind::kOne;
    Action action;
    uint32_t mask = 0;
    uint32_t slow = 0;
    uint32_t n = 0;
  };

  void SetWeights();
  Action Single(const ActionCluster& cluster, ActionKind kind);
  Action Message(const ActionCluster& cluster, ActionKind kind);
  // True: `action` is the next of the recipe.
  bool NextOfRecipe(const ActionCluster& cluster, Action& action);
  bool RunAmong(const ActionCluster& cluster, const Step& step, Action& action);
  void StartRecipe(const ActionCluster& cluster);

  // schedule_recipes.cc
  void Add(ActionKind kind, int replica = 0, int other = 0, uint32_t n = 0);
  void AddRun(uint32_t mask, uint32_t n, uint32_t slow = 0);
  void AddElection(const ActionCluster& cluster, int replica, uint32_t mask, uint32_t slow = 0);
  void Drift(const ActionCluster& cluster);
  void IsolatedLeader(const ActionCluster& cluster);
  void Figure8(const ActionCluster& cluster);
  void CrashAfterVote(const ActionCluster& cluster);
  void TwoCandidates(const ActionCluster& cluster);
  void RivalChanges(const ActionCluster& cluster);
  void SlowFollower(const ActionCluster& cluster);
  void SlowDisk(const ActionCluster& cluster);
  void Membership(const ActionCluster& cluster);
  void LoneVoters(const ActionCluster& cluster);
  void Restarts(const ActionCluster& cluster);

  int OneOf(uint32_t mask);
  uint32_t SomeOf(uint32_t mask);
  int LeaderOrAny(const ActionCluster& cluster);
  bool Chance(uint32_t in_256) { return (random_.Next() >> 56) < in_256; }

  Random random_;
  std::array<uint8_t, 256> kinds_;  // each as often as it weighs
  uint32_t hold_ = 0;
  uint32_t prompt_ = 0;
  uint32_t lazy_ = 0;
  uint32_t noise_ = 0;    // a single action between those of a recipe
  uint32_t recipe_ = 0;   // begins one
  uint32_t recipes_ = 0;  // which are on, by bits
  std::vector<Step> steps_;
  size_t next_step_ = 0;
};

}  // namespace troupe::raft

#endif  // TROUPE_TESTS_RAFT_SCHEDULE_H_
