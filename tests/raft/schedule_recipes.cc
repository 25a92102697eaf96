// The courses of events that consensus is known to break at.
#include <bit>

#include "tests/raft/schedule.h"

namespace troupe::raft {
namespace {

uint32_t Bit(int replica) { return 1u << replica; }

}  // namespace

void Schedule::Add(ActionKind kind, int replica, int other, uint32_t n) {
  steps_.push_back(
      {.action = {
           .kind = kind, .replica = static_cast<uint8_t>(replica), .other = static_cast<uint8_t>(other), .n = n}});
}

void Schedule::AddRun(uint32_t mask, uint32_t n, uint32_t slow) {
  steps_.push_back({.kind = Step::Kind::kRun, .mask = mask, .slow = slow, .n = n});
}

// Lets all of `mask` forget whoever they hear, then one of them campaigns.
void Schedule::AddElection(const ActionCluster& cluster, int replica, uint32_t mask, uint32_t slow) {
  const uint32_t ticks = static_cast<uint32_t>(cluster.shape().election_ticks);
  for (int id = 1; id <= cluster.shape().replicas; ++id) {
    if ((mask & Bit(id)) != 0 && id != replica) Add(ActionKind::kTick, id, 0, ticks);
  }
  Add(ActionKind::kCampaign, replica);
  steps_.push_back({.kind = Step::Kind::kElect,
                    .action = {.replica = static_cast<uint8_t>(replica), .n = 2},
                    .mask = mask,
                    .slow = slow,
                    .n = 24});
}

void Schedule::StartRecipe(const ActionCluster& cluster) {
  using Recipe = void (Schedule::*)(const ActionCluster&);
  constexpr Recipe kRecipes[] = {&Schedule::Drift,          &Schedule::IsolatedLeader, &Schedule::Figure8,
                                 &Schedule::CrashAfterVote, &Schedule::TwoCandidates,  &Schedule::RivalChanges,
                                 &Schedule::SlowFollower,   &Schedule::SlowDisk,       &Schedule::Membership,
                                 &Schedule::LoneVoters,     &Schedule::Restarts};
  const size_t which = random_.Below(std::size(kRecipes));
  if ((recipes_ >> which & 1) == 0) return;
  steps_.clear();
  next_step_ = 0;
  // Everybody back, mostly: else all are soon down or cut off.
  for (int id = 1; id <= cluster.shape().replicas; ++id) {
    if (!cluster.up(id) && !Chance(64)) Add(ActionKind::kRestart, id);
  }
  if (cluster.cut() != 0 && !Chance(32)) Add(ActionKind::kHeal);
  if (cluster.leaders() == 0 && Chance(200)) {
    AddElection(cluster, OneOf(cluster.all()), cluster.all());
    AddRun(cluster.all(), 10);
  }
  (this->*kRecipes[which])(cluster);
}

// A new leader, and time for it to work.
void Schedule::Drift(const ActionCluster& cluster) {
  const int next = OneOf(cluster.all());
  AddElection(cluster, next, cluster.all());
  Add(ActionKind::kRead, next);
  AddRun(cluster.all(), static_cast<uint32_t>(random_.Below(30)));
  Add(ActionKind::kPropose, next);
  AddRun(cluster.all(), static_cast<uint32_t>(random_.Below(30)));
}

// The old leader goes on, with a few others or alone, while the rest choose a new one; then they meet.
void Schedule::IsolatedLeader(const ActionCluster& cluster) {
  const int old_leader = LeaderOrAny(cluster);
  const uint32_t old_side = Bit(old_leader) | (SomeOf(cluster.all()) & SomeOf(cluster.all()));
  const uint32_t new_side = cluster.all() & ~old_side;
  const int new_leader = OneOf(new_side);
  if (new_leader == 0) return;
  if (Chance(128)) Add(ActionKind::kPropose, old_leader);
  if (Chance(128)) AddRun(cluster.all(), static_cast<uint32_t>(random_.Below(8)));
  Add(ActionKind::kCut, 0, 0, old_side);
  for (uint64_t i = random_.Below(3); i > 0; --i) Add(ActionKind::kPropose, old_leader);
  AddElection(cluster, new_leader, new_side);
  for (uint64_t i = random_.Below(3); i > 0; --i) Add(ActionKind::kPropose, new_leader);
  AddRun(new_side, 8 + static_cast<uint32_t>(random_.Below(24)));
  Add(ActionKind::kRead, old_leader);
  AddRun(old_side, 16);
  if (Chance(128)) {
    Add(ActionKind::kPropose, old_leader);
    AddRun(old_side, 12);
  }
  if (Chance(128)) Add(ActionKind::kTick, new_leader, 0, 1);
  Add(ActionKind::kHeal);
  if (Chance(128)) AddElection(cluster, OneOf(cluster.all()), cluster.all());
  AddRun(cluster.all(), 30);
}

// Raft 5.4.2: an entry of an old term reaches a majority under a later leader, and is overwritten all the same.
void Schedule::Figure8(const ActionCluster& cluster) {
  const int s1 = LeaderOrAny(cluster);
  const int s2 = OneOf(cluster.all() & ~Bit(s1));
  const int s5 = OneOf(cluster.all() & ~Bit(s1) & ~Bit(s2));
  if (s5 == 0) return;
  const uint32_t others = cluster.all() & ~Bit(s1) & ~Bit(s2) & ~Bit(s5);
  Add(ActionKind::kPropose, s1);
  if (Chance(160)) AddRun(Bit(s1) | Bit(s2), static_cast<uint32_t>(random_.Below(8)));
  const bool crash = Chance(128);
  if (crash) Add(ActionKind::kCrash, s1, 0, 4);
  AddElection(cluster, s5, cluster.all() & ~Bit(s1) & ~(Chance(128) ? Bit(s2) : 0));
  if (Chance(128)) Add(ActionKind::kPropose, s5);
  AddRun(Bit(s5), 3);
  if (Chance(128)) Add(ActionKind::kCrash, s5, 0, 4);
  if (crash) Add(ActionKind::kRestart, s1);
  AddElection(cluster, s1, cluster.all() & ~Bit(s5));
  steps_.push_back({.kind = Step::Kind::kAppends,
                    .mask = Bit(s1) | Bit(s2) | (Chance(128) ? others : Bit(OneOf(others | Bit(s2)))),
                    .n = 4 + static_cast<uint32_t>(random_.Below(10))});
  if (Chance(128)) Add(ActionKind::kCrash, s1, 0, static_cast<uint32_t>(random_.Below(3)));
  Add(ActionKind::kRestart, s5);
  AddElection(cluster, s5, cluster.all() & ~Bit(s1));
  AddRun(cluster.all(), 20);
}

// Does the voter remember?
void Schedule::CrashAfterVote(const ActionCluster& cluster) {
  const int first = OneOf(cluster.all());
  const int second = OneOf(cluster.all() & ~Bit(first));
  const int voter = OneOf(cluster.all() & ~Bit(first) & ~Bit(second));
  const uint32_t ticks = static_cast<uint32_t>(cluster.shape().election_ticks);
  for (int id = 1; id <= cluster.shape().replicas; ++id) Add(ActionKind::kTick, id, 0, ticks);
  Add(ActionKind::kCampaign, first);
  if (Chance(128)) Add(ActionKind::kCampaign, second);
  AddRun(cluster.all(), 8 + static_cast<uint32_t>(random_.Below(24)));
  Add(ActionKind::kCrash, voter, 0, static_cast<uint32_t>(random_.Below(4)));
  Add(ActionKind::kRestart, voter);
  Add(ActionKind::kTick, voter, 0, ticks);
  Add(ActionKind::kCampaign, second);
  AddRun(cluster.all(), 40);
}

void Schedule::TwoCandidates(const ActionCluster& cluster) {
  const int first = OneOf(cluster.all());
  const int second = OneOf(cluster.all() & ~Bit(first));
  const uint32_t ticks = static_cast<uint32_t>(cluster.shape().election_ticks);
  for (int id = 1; id <= cluster.shape().replicas; ++id) Add(ActionKind::kTick, id, 0, ticks);
  Add(ActionKind::kCampaign, first);
  Add(ActionKind::kCampaign, second);
  AddRun(cluster.all(), 60);
}

// Ongaro's correction of 2015: two leaders change the membership from the same beginning, each by one replica, and
// the majorities of the two results do not meet.
void Schedule::RivalChanges(const ActionCluster& cluster) {
  const uint32_t all = cluster.all();
  const int first = LeaderOrAny(cluster);
  uint32_t voters = all;
  if (cluster.up(first)) {
    voters = 0;
    for (ReplicaId id : cluster.raft(first).configuration().voters) voters |= Bit(static_cast<int>(id.value()));
  }
  const int second = OneOf(voters & ~Bit(first));
  const int third = OneOf(voters & ~Bit(first) & ~Bit(second));
  if (third == 0) return;
  // It takes four.
  if (std::popcount(voters) < 4 && voters != all) {
    Add(ActionKind::kAddVoter, first, OneOf(all & ~voters));
    AddRun(all, 20);
  }
  const auto change = [&](int leader, int rival) {
    const int who = Chance(128) ? rival : OneOf(all);
    Add(Chance(160) ? ActionKind::kRemove : ActionKind::kAddVoter, leader, who);
  };
  change(first, second);
  // Its own disk has it; nobody else hears of it.
  steps_.push_back({.kind = Step::Kind::kOne, .action = {.kind = ActionKind::kCut, .n = Bit(first)}});
  AddRun(Bit(first), 4);
  AddElection(cluster, second, all & ~Bit(first));
  change(second, first);
  const uint32_t few = Bit(second) | Bit(third);
  AddRun(few, 8 + static_cast<uint32_t>(random_.Below(20)));
  if (Chance(128)) {
    Add(ActionKind::kPropose, second);
    AddRun(few, 12);
  }
  Add(ActionKind::kHeal);
  AddElection(cluster, first, all & ~few);
  Add(ActionKind::kPropose, first);
  AddRun(all & ~few, 24);
  AddRun(all, 20);
}

// What it needs next is compacted away.
void Schedule::SlowFollower(const ActionCluster& cluster) {
  const int leader = LeaderOrAny(cluster);
  const int slow = OneOf(cluster.all() & ~Bit(leader));
  const uint32_t rest = cluster.all() & ~Bit(slow);
  Add(ActionKind::kCut, 0, 0, Bit(slow));
  if (Chance(128)) {
    Add(ActionKind::kPropose, slow);
    Add(ActionKind::kTick, slow, 0, 1);
  }
  if (Chance(96)) Add(Chance(128) ? ActionKind::kRemove : ActionKind::kAddVoter, leader, OneOf(cluster.all()));
  for (uint64_t i = 1 + random_.Below(4); i > 0; --i) Add(ActionKind::kPropose, leader);
  AddRun(rest, 30);
  Add(ActionKind::kCompact, leader, 0, static_cast<uint32_t>(random_.Below(2)));
  Add(ActionKind::kHeal);
  Add(ActionKind::kTick, leader, 0, 1);
  AddRun(cluster.all(), 20, Chance(96) ? Bit(slow) : 0);
  if (Chance(96)) {
    Add(ActionKind::kCrash, slow, 0, static_cast<uint32_t>(random_.Below(4)));
    Add(ActionKind::kRestart, slow);
  }
  AddElection(cluster, Chance(128) ? slow : OneOf(cluster.all()), cluster.all());
  AddRun(cluster.all(), 10);
}

// A disk that finishes nothing while the log that waits for it is replaced, and replaced back.
void Schedule::SlowDisk(const ActionCluster& cluster) {
  const uint32_t all = cluster.all();
  const int first = LeaderOrAny(cluster);
  const int slow = OneOf(all & ~Bit(first));
  const int second = OneOf(all & ~Bit(first) & ~Bit(slow));
  if (second == 0) return;
  const uint32_t pair = Bit(first) | Bit(slow);
  AddRun(all, 20);
  for (uint64_t i = 1 + random_.Below(3); i > 0; --i) Add(ActionKind::kPropose, first);
  AddRun(pair, 4 + static_cast<uint32_t>(random_.Below(8)), Bit(slow));
  AddElection(cluster, second, all & ~pair);
  for (uint64_t i = random_.Below(3); i > 0; --i) Add(ActionKind::kPropose, second);
  AddRun(Bit(second) | Bit(slow), 6 + static_cast<uint32_t>(random_.Below(8)), Bit(slow));
  AddElection(cluster, first, all & ~Bit(second) & ~Bit(slow));
  AddRun(pair, 4 + static_cast<uint32_t>(random_.Below(10)), Bit(slow));
  for (uint64_t i = 1 + random_.Below(3); i > 0; --i) Add(ActionKind::kAck, slow);
  AddRun(all & ~Bit(second), 10, Bit(slow));
  if (Chance(128)) {
    Add(ActionKind::kCrash, slow);
    Add(ActionKind::kRestart, slow);
  }
  AddElection(cluster, second, all & ~Bit(first));
  AddRun(all, 20);
}

// In and out, the leader among them.
void Schedule::Membership(const ActionCluster& cluster) {
  const uint32_t all = cluster.all();
  const int leader = LeaderOrAny(cluster);
  for (uint64_t i = 1 + random_.Below(3); i > 0; --i) {
    constexpr ActionKind kKinds[] = {ActionKind::kAddLearner, ActionKind::kAddVoter, ActionKind::kRemove};
    Add(kKinds[random_.Below(3)], leader, Chance(32) ? leader : OneOf(all));
    AddRun(Chance(128) ? all : Bit(leader) | SomeOf(all), static_cast<uint32_t>(random_.Below(30)));
    if (Chance(64)) Add(ActionKind::kPropose, leader);
  }
  if (Chance(128)) Add(ActionKind::kTransfer, leader, OneOf(all));
  AddRun(all, static_cast<uint32_t>(random_.Below(20)));
  if (Chance(160)) AddElection(cluster, OneOf(all), Chance(128) ? all : SomeOf(all));
}

// Down to one voter and up again: two that each were once alone must not meet in one term.
void Schedule::LoneVoters(const ActionCluster& cluster) {
  const uint32_t all = cluster.all();
  const int leader = LeaderOrAny(cluster);
  const uint32_t out = Chance(128) ? SomeOf(all) : all;
  for (int id = 1; id <= cluster.shape().replicas; ++id) {
    if (id == leader || (out & Bit(id)) == 0) continue;
    Add(ActionKind::kRemove, leader, id);
    AddRun(Chance(192) ? all : Bit(leader) | SomeOf(all), 12);
  }
  Add(ActionKind::kCrash, leader, 0, 4);
  Add(ActionKind::kRestart, leader);
  Add(ActionKind::kCampaign, leader);
  AddRun(all, 8);
  const int next = OneOf(all & ~Bit(leader));
  Add(ActionKind::kAddVoter, leader, next);
  AddRun(all, 12);
  if (Chance(128)) Add(ActionKind::kTransfer, leader, next);
  if (Chance(128)) Add(ActionKind::kRemove, leader, leader);
  AddRun(all, 16);
  AddElection(cluster, next, all);
}

void Schedule::Restarts(const ActionCluster& cluster) {
  const uint32_t some = SomeOf(cluster.all());
  Add(ActionKind::kPropose, LeaderOrAny(cluster));
  AddRun(cluster.all(), static_cast<uint32_t>(random_.Below(12)));
  for (int id = 1; id <= cluster.shape().replicas; ++id) {
    if ((some & Bit(id)) != 0) Add(ActionKind::kCrash, id, 0, static_cast<uint32_t>(random_.Below(4)));
  }
  for (int id = 1; id <= cluster.shape().replicas; ++id) {
    if ((some & Bit(id)) != 0) Add(ActionKind::kRestart, id);
  }
  AddElection(cluster, OneOf(cluster.all()), cluster.all());
  AddRun(cluster.all(), 16);
}

}  // namespace troupe::raft
