// How soon a leader is there again after everything that time can do to a cluster, on a virtual clock. A failure names
// its seed; TROUPE_SEED=N runs that one alone, TROUPE_SEEDS=N as many of each mix.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/raft/timed_cluster.h"
#include "tests/raft/timed_faults.h"

namespace troupe::raft {
namespace {

constexpr Micros kMilli = 1'000;

uint64_t Environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

Micros Percentile(std::vector<Micros> values, size_t percent) {
  if (values.empty()) return INT64_MAX;
  const size_t at = std::min(values.size() - 1, values.size() * percent / 100);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

// Leaders after healing.

class HealTest : public testing::TestWithParam<FaultMix> {};

struct Recovery {
  Micros leader = 0;     // from the healing on
  Micros converged = 0;  // from the leader on
  uint64_t seed = 0;
};

// Nothing, and a failure told, when it took too long or a property was violated.
std::optional<Recovery> Recover(const FaultMix& mix, uint64_t seed, Coverage& coverage) {
  TimedShape shape{.voters = mix.voters, .replicas = mix.voters + (mix.operators ? 1 : 0), .kept_entries = 20};
  shape.seed = seed;
  const std::string replay = std::string(mix.name) + ", TROUPE_SEED=" + std::to_string(seed);
  try {
    TimedCluster cluster(shape);
    Faults faults(cluster, mix, seed);
    cluster.StartLoad(7 * kMilli);
    cluster.StartReads(11 * kMilli);
    faults.Run(20 * cluster.election_timeout());
    faults.Heal();
    const Micros healed = cluster.now();
    const Micros most = 10 * cluster.election_timeout();
    if (!cluster.RunUntil([&] { return cluster.SettledLeader() != 0; }, most)) {
      ADD_FAILURE() << "no leader 10 election timeouts after healing: " << replay;
      return std::nullopt;
    }
    const Micros elected = cluster.now();
    cluster.StopLoad();
    if (!cluster.RunUntil([&] { return cluster.Converged(); }, most)) {
      ADD_FAILURE() << "not all have everything 10 election timeouts after that: " << replay;
      return std::nullopt;
    }
    coverage += cluster.coverage();
    return Recovery{elected - healed, cluster.now() - elected, seed};
  } catch (const Violation& violation) {
    ADD_FAILURE() << violation.property << ": " << violation.detail << ": " << replay;
    return std::nullopt;
  }
}

TEST_P(HealTest, ALeaderIsThereWithinTenElectionTimeoutsAndAllCatchUp) {
  const uint64_t only = Environment("TROUPE_SEED", 0);
  const uint64_t seeds = Environment("TROUPE_SEEDS", 1000);
  std::vector<Micros> leader;
  std::vector<Micros> converged;
  Recovery slowest;
  Coverage coverage;
  for (uint64_t seed = only == 0 ? 1 : only; seed <= (only == 0 ? seeds : only); ++seed) {
    const std::optional<Recovery> recovery = Recover(GetParam(), seed, coverage);
    if (!recovery.has_value()) continue;
    leader.push_back(recovery->leader);
    converged.push_back(recovery->converged);
    if (recovery->leader >= slowest.leader) slowest = *recovery;
  }
  std::cout << "  leader after " << Percentile(leader, 50) / kMilli << " ms, p99 " << Percentile(leader, 99) / kMilli
            << ", max " << slowest.leader / kMilli << " (seed " << slowest.seed << "); all caught up "
            << Percentile(converged, 50) / kMilli << " ms later, max " << Percentile(converged, 100) / kMilli << "; "
            << coverage.leaders << " leaders, " << coverage.committed << " entries, " << coverage.reads << " reads, "
            << coverage.changes << " changes, " << coverage.snapshots << " snapshots, " << coverage.restarts
            << " starts\n";
  if (only != 0) return;
  EXPECT_LE(Percentile(leader, 99), 4 * 100 * kMilli) << "far fewer than ten, as a rule";
  // Else nothing went wrong that there was to heal from.
  EXPECT_GT(coverage.leaders, seeds + seeds / 4);
  EXPECT_GT(coverage.committed, 20 * seeds);
  EXPECT_GT(slowest.leader, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Mixes, HealTest,
    testing::Values(
        FaultMix{.name = "BadLinks", .bad_links = true}, FaultMix{.name = "Cuts", .cuts = true},
        FaultMix{.name = "Crashes", .crashes = true, .slow_disks = true},
        FaultMix{.name = "MembershipChanges", .cuts = true, .crashes = true, .operators = true},
        FaultMix{
            .name = "All", .bad_links = true, .cuts = true, .crashes = true, .slow_disks = true, .operators = true},
        FaultMix{.name = "AllOfFive",
                 .voters = 5,
                 .bad_links = true,
                 .cuts = true,
                 .crashes = true,
                 .slow_disks = true,
                 .operators = true}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace troupe::raft
