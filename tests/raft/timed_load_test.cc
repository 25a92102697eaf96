// What a steady load sees, on a virtual clock: writes that take a round trip and a sync, nobody who is forgotten, and
// little of a transfer, a membership change or a replica that comes back.
//
// Here an election timeout is 100 ms, a heartbeat 10 ms, a round trip 1 ms and a sync 1 ms unless a test says
// otherwise.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/raft/timed_cluster.h"

namespace troupe::raft {
namespace {

constexpr Micros kSecond = 1'000'000;
constexpr Micros kMilli = 1'000;
constexpr uint64_t kSeeds = 20;

Micros Percentile(std::vector<Micros> values, size_t percent) {
  EXPECT_FALSE(values.empty());
  if (values.empty()) return INT64_MAX;
  const size_t at = std::min(values.size() - 1, values.size() * percent / 100);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

ReplicaId Id(int replica) { return ReplicaId(static_cast<uint64_t>(replica)); }

TimedShape WithSeed(TimedShape shape, uint64_t seed) {
  shape.seed = seed;
  return shape;
}

// A cluster with a leader and with a load of one write each `interval`. What a test finds wrong names the seed.
class Loaded {
 public:
  Loaded(const TimedShape& shape, uint64_t seed, Micros interval)
      : trace_(__FILE__, __LINE__, "seed " + std::to_string(seed)), cluster(WithSeed(shape, seed)) {
    EXPECT_TRUE(cluster.RunUntil([&] { return cluster.SettledLeader() != 0; }, 10 * cluster.election_timeout()));
    leader = cluster.SettledLeader();
    cluster.StartLoad(interval);
    cluster.RunFor(cluster.election_timeout());
    cluster.TakeLatencies();
    cluster.TakeLongestGap();
  }

  // A replica that is not the leader; another one for 1.
  int Follower(int n = 0) const { return 1 + (leader + n) % cluster.shape().voters; }
  uint64_t Lag(int replica) const {
    const LogIndex commit = cluster.raft(leader).commit();
    return commit > cluster.applied(replica) ? commit - cluster.applied(replica) : 0;
  }
  bool Caught(int replica, Micros within) {
    return cluster.RunUntil([&] { return Lag(replica) <= 20; }, within);
  }

 private:
  testing::ScopedTrace trace_;

 public:
  TimedCluster cluster;
  int leader = 0;
};

// The pace.

struct Pace {
  const char* name;
  Micros interval;
  TimedShape shape;
  int percent = 150;  // of a round trip and a sync: the median of the writes at most
};

class PaceTest : public testing::TestWithParam<Pace> {};

TEST_P(PaceTest, AWriteTakesLittleMoreThanARoundTripAndASync) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Loaded c(GetParam().shape, seed, GetParam().interval);
    c.cluster.RunFor(2 * kSecond);
    const Micros once = c.cluster.MeanRoundTrip() + c.cluster.MeanSync();
    const std::vector<Micros> latencies = c.cluster.TakeLatencies();
    EXPECT_GE(static_cast<Micros>(latencies.size()), 2 * kSecond / GetParam().interval - 100);
    EXPECT_LE(Percentile(latencies, 50), once * GetParam().percent / 100);
    EXPECT_LE(Percentile(latencies, 99), once * 5 / 2);
    EXPECT_EQ(c.cluster.refused(), 0u);
    EXPECT_EQ(c.cluster.coverage().leaders, 1u);
  }
}

// Where a disk is always busy, a write waits for the end of one round before its own begins, on two disks.
INSTANTIATE_TEST_SUITE_P(Shapes, PaceTest,
                         testing::Values(Pace{"Idle", 20 * kMilli, {}, 115}, Pace{"Light", 5 * kMilli, {}, 115},
                                         Pace{"Busy", kMilli, {}}, Pace{"Saturated", 100, {}},
                                         Pace{"SaturatedFive", 200, {.voters = 5, .replicas = 5}},
                                         Pace{"FarApart", kMilli, {.delay = 10'000, .jitter = 500}},
                                         Pace{"UnevenDelay", kMilli, {.delay = 500, .jitter = 1000}},
                                         Pace{"SlowDisks", kMilli, {.delay = 100, .jitter = 10, .sync = 8000}, 175}),
                         [](const auto& info) { return info.param.name; });

// What is lost is found missing with the next append or the next heartbeat, whichever is first.
TEST(LoadTest, ALinkThatLosesOneInAHundredCostsMostWritesNothing) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Loaded c({}, seed, kMilli);
    c.cluster.SetNetwork({.loss_per_mille = 10});
    c.cluster.RunFor(2 * kSecond);
    const Micros once = c.cluster.MeanRoundTrip() + c.cluster.MeanSync();
    const std::vector<Micros> latencies = c.cluster.TakeLatencies();
    EXPECT_LE(Percentile(latencies, 50), once * 3 / 2);
    EXPECT_LE(Percentile(latencies, 99), once + 2 * c.cluster.shape().tick);
    EXPECT_EQ(c.cluster.coverage().leaders, 1u);
  }
}

TEST(LoadTest, AReadTakesARoundTripAndNoSyncBesideWrites) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Loaded c({.sync = 8000}, seed, kMilli);
    c.cluster.StartReads(300);
    c.cluster.RunFor(kSecond);
    const std::vector<Micros> latencies = c.cluster.TakeReadLatencies();
    EXPECT_GE(latencies.size(), 3000u);
    EXPECT_LE(Percentile(latencies, 99), c.cluster.MeanRoundTrip() * 3 / 2);
  }
}

// Starvation.

// Proposes anew as soon as the last one is done, and every millisecond while it is refused.
class Proposer {
 public:
  Proposer(TimedCluster& cluster, size_t bytes) : cluster_(cluster), bytes_(bytes) { Next(); }
  uint64_t done = 0;

 private:
  void Next() {
    const auto is_done = [this] {
      ++done;
      Next();
    };
    if (cluster_.Propose(cluster_.Leader(), std::string(bytes_, 'x'), is_done).refusal == Refusal::kNone) return;
    cluster_.After(kMilli, [this] { Next(); });
  }

  TimedCluster& cluster_;
  const size_t bytes_;
};

TEST(StarvationTest, EachOfManyProposersGetsItsShareBesideOneThatFloods) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    TimedShape shape;
    shape.options.max_uncommitted_bytes = 64 << 10;
    Loaded c(shape, seed, 5 * kMilli);
    // 16 KiB each 100 us is about ten times of what there is room for.
    std::function<void()> flood = [&] {
      c.cluster.Propose(c.leader, std::string(16 << 10, 'f'));
      c.cluster.After(100, flood);
    };
    flood();
    std::deque<Proposer> proposers;
    for (int i = 0; i < 8; ++i) proposers.emplace_back(c.cluster, 100);
    c.cluster.RunFor(2 * kSecond);
    const auto [least, most] = std::minmax_element(proposers.begin(), proposers.end(),
                                                   [](const auto& a, const auto& b) { return a.done < b.done; });
    EXPECT_GT(least->done, 200u) << "one in 10 ms";
    EXPECT_LT(most->done, 2 * least->done);
  }
}

TEST(StarvationTest, AFollowerWithASlowDiskKeepsUpAndHoldsNobodyBack) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Loaded c({}, seed, kMilli);
    const int slow = c.Follower();
    c.cluster.SetSync(slow, 40 * kMilli);
    for (int i = 0; i < 20; ++i) {
      const LogIndex before = c.cluster.applied(slow);
      c.cluster.RunFor(c.cluster.election_timeout());
      EXPECT_GT(c.cluster.applied(slow), before);
      EXPECT_LT(c.Lag(slow), 200u) << "writes, one each ms";
    }
    EXPECT_LE(Percentile(c.cluster.TakeLatencies(), 99), 5 * kMilli);
    EXPECT_EQ(c.cluster.SettledLeader(), c.leader);
  }
}

TEST(StarvationTest, AFollowerBehindASlowLinkWithASmallWindowIsServed) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    TimedShape shape;
    shape.options.max_window_appends = 2;
    shape.options.max_append_entries = 16;
    Loaded c(shape, seed, kMilli);
    const int behind = c.Follower();
    c.cluster.Isolate(behind);
    c.cluster.RunFor(400 * kMilli);
    c.cluster.HealLinks();
    EXPECT_TRUE(c.Caught(behind, 2 * c.cluster.election_timeout()));
  }
}

// Snapshots under load.

// One that has missed more than the others keep.
int LeftBehind(Loaded& c) {
  const int behind = c.Follower();
  c.cluster.Isolate(behind);
  c.cluster.RunFor(2 * kSecond);
  c.cluster.HealLinks();
  EXPECT_GT(c.cluster.raft(c.leader).log().snapshot().index, c.cluster.raft(behind).log().last_index());
  return behind;
}

TEST(SnapshotLoadTest, AFollowerThatNeedsOneCatchesUp) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Loaded c({}, seed, kMilli);
    const int behind = LeftBehind(c);
    EXPECT_TRUE(c.Caught(behind, c.cluster.election_timeout()));
  }
}

TEST(SnapshotLoadTest, ALostSnapshotCostsAnElectionTimeout) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Loaded c({}, seed, kMilli);
    int lost = 0;
    c.cluster.SetFilter([&lost](const Message& m) { return m.kind == MessageKind::kSnapshot && ++lost <= 2; });
    const int behind = LeftBehind(c);
    EXPECT_TRUE(c.Caught(behind, 4 * c.cluster.election_timeout()));
    EXPECT_EQ(lost, 3) << "two of them were lost";
  }
}

TEST(SnapshotLoadTest, OneThatTakesSeveralElectionTimeoutsToFetchArrives) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Loaded c({.fetch = 450 * kMilli}, seed, kMilli);
    const int behind = LeftBehind(c);
    EXPECT_TRUE(c.Caught(behind, 6 * c.cluster.election_timeout()));
    EXPECT_EQ(c.cluster.raft(behind).leader(), Id(c.leader));
  }
}

// Operators.

TEST(OperatorTest, ATransferUnderLoadStopsWritesForLessThanAThirdOfAnElectionTimeout) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Loaded c({}, seed, kMilli);
    for (int i = 0; i < 5; ++i) {
      const int to = c.Follower();
      c.cluster.RunFor(5 * c.cluster.shape().tick);
      ASSERT_EQ(c.cluster.Transfer(c.leader, to), Refusal::kNone);
      EXPECT_TRUE(
          c.cluster.RunUntil([&] { return c.cluster.SettledLeader() == to; }, c.cluster.election_timeout() / 3));
      c.leader = to;
    }
    c.cluster.RunFor(c.cluster.election_timeout());
    EXPECT_LT(c.cluster.TakeLongestGap(), c.cluster.election_timeout() / 3);
    EXPECT_EQ(c.cluster.coverage().leaders, 6u);
  }
}

TEST(OperatorTest, ATransferOverLinksThatLoseOneInTenIsDoneOrGivenUpWithinAFewElectionTimeouts) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Loaded c({}, seed, kMilli);
    c.cluster.SetNetwork({.loss_per_mille = 100});
    const int to = c.Follower();
    ASSERT_EQ(c.cluster.Transfer(c.leader, to), Refusal::kNone);
    c.cluster.RunFor(4 * c.cluster.election_timeout());
    EXPECT_LT(c.cluster.TakeLongestGap(), 3 * c.cluster.election_timeout());
  }
}

// A learner joins, votes, and a voter leaves: each under load, and the last one is the leader itself.
TEST(OperatorTest, ReplacingAReplicaUnderLoadStopsNoWrites) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Loaded c({.voters = 3, .replicas = 4, .kept_entries = 50}, seed, kMilli);
    const auto change = [&c](Change::Kind kind, int whom) {
      const Proposed proposed = c.cluster.ProposeChange(c.leader, {kind, Id(whom)});
      EXPECT_EQ(proposed.refusal, Refusal::kNone);
      EXPECT_TRUE(c.cluster.RunUntil([&] { return c.cluster.raft(c.leader).commit() >= proposed.index; },
                                     c.cluster.election_timeout() / 10));
    };
    change(Change::Kind::kAddLearner, 4);
    EXPECT_TRUE(c.Caught(4, 2 * c.cluster.election_timeout()));
    change(Change::Kind::kAddVoter, 4);
    change(Change::Kind::kRemove, c.Follower());
    c.cluster.RunFor(c.cluster.election_timeout());
    EXPECT_LT(c.cluster.TakeLongestGap(), 10 * kMilli);
    EXPECT_EQ(c.cluster.SettledLeader(), c.leader);
    change(Change::Kind::kRemove, c.leader);
    EXPECT_TRUE(
        c.cluster.RunUntil([&] { return c.cluster.SettledLeader() != 0 && c.cluster.SettledLeader() != c.leader; },
                           c.cluster.election_timeout() / 3));
    c.cluster.RunFor(5 * c.cluster.election_timeout());
    EXPECT_LT(c.cluster.TakeLongestGap(), c.cluster.election_timeout() / 3);
  }
}

// Those who come back, and those who are heard by some only.

enum class Side { kBoth, kHearsNobody, kHeardByNobody };

void CutOff(TimedCluster& cluster, int one, Side side) {
  for (int other = 1; other <= cluster.replicas(); ++other) {
    if (other == one) continue;
    if (side != Side::kHearsNobody) cluster.Cut(one, other);
    if (side != Side::kHeardByNobody) cluster.Cut(other, one);
  }
}

class CutOffTest : public testing::TestWithParam<Side> {};

TEST_P(CutOffTest, AFollowerThatComesBackDeposesNobody) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Loaded c({}, seed, kMilli);
    const Term term = c.cluster.HighestTerm();
    CutOff(c.cluster, c.Follower(), GetParam());
    c.cluster.RunFor(30 * c.cluster.election_timeout());
    c.cluster.HealLinks();
    c.cluster.RunFor(5 * c.cluster.election_timeout());
    EXPECT_EQ(c.cluster.SettledLeader(), c.leader);
    EXPECT_EQ(c.cluster.HighestTerm(), term);
    EXPECT_LT(c.cluster.TakeLongestGap(), 10 * kMilli);
  }
}

TEST_P(CutOffTest, ALeaderIsReplacedWhileTheCutLasts) {
  std::vector<Micros> gaps;
  for (uint64_t seed = 1; seed <= 5 * kSeeds; ++seed) {
    Loaded c({}, seed, kMilli);
    CutOff(c.cluster, c.leader, GetParam());
    const auto replaced = [&] { return c.cluster.Leader() != c.leader && c.cluster.Leader() != 0; };
    EXPECT_TRUE(c.cluster.RunUntil(replaced, 10 * c.cluster.election_timeout()));
    c.cluster.RunFor(c.cluster.election_timeout());
    gaps.push_back(c.cluster.TakeLongestGap());
  }
  EXPECT_LE(Percentile(gaps, 50), 350 * kMilli);
  EXPECT_LE(Percentile(gaps, 100), kSecond);
}

INSTANTIATE_TEST_SUITE_P(Sides, CutOffTest, testing::Values(Side::kBoth, Side::kHearsNobody, Side::kHeardByNobody),
                         [](const auto& info) {
                           return info.param == Side::kBoth          ? "Both"
                                  : info.param == Side::kHearsNobody ? "HearsNobody"
                                                                     : "HeardByNobody";
                         });

TEST(CrashTest, ACrashedLeaderIsReplacedWithinTenElectionTimeoutsAndUsuallyTwo) {
  std::vector<Micros> gaps;
  for (uint64_t seed = 1; seed <= 10 * kSeeds; ++seed) {
    Loaded c({}, seed, kMilli);
    c.cluster.Crash(c.leader);
    EXPECT_TRUE(c.cluster.RunUntil([&] { return c.cluster.SettledLeader() != 0; }, 10 * c.cluster.election_timeout()));
    c.cluster.RunFor(20 * kMilli);
    gaps.push_back(c.cluster.TakeLongestGap());
  }
  EXPECT_LE(Percentile(gaps, 50), 200 * kMilli);
  EXPECT_LE(Percentile(gaps, 100), kSecond);
}

// The leader and one follower do not hear each other, the third hears both. Without writes the follower lacks nothing,
// so that it could win.
TEST(PartlyCutTest, ACutBetweenTwoOfThreeLeavesTheLeaderInPeace) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Loaded c({}, seed, kMilli);
    const Term term = c.cluster.HighestTerm();
    c.cluster.StopLoad();
    EXPECT_TRUE(c.cluster.RunUntil([&] { return c.cluster.Converged(); }, c.cluster.election_timeout()));
    c.cluster.Cut(c.leader, c.Follower());
    c.cluster.Cut(c.Follower(), c.leader);
    c.cluster.RunFor(50 * c.cluster.election_timeout());
    EXPECT_EQ(c.cluster.Leader(), c.leader);
    EXPECT_EQ(c.cluster.HighestTerm(), term);
  }
}

}  // namespace
}  // namespace troupe::raft
