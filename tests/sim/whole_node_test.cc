// A whole node in one thread under virtual time: what it promises, through crashes, and the same from the same seed.
#include <cstdlib>
#include <iostream>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sim/plan.h"
#include "tests/sim/register_checker.h"
#include "tests/sim/sim_cluster.h"

namespace troupe::sim {
namespace {

TEST(WholeNodeTest, GetsWhatWasSet) {
  SimCluster cluster(1);
  cluster.Start("n1");
  auto set = cluster.Set("n1", "user:1", "Ada Lovelace");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_GT(set->version(), 0u);
  EXPECT_EQ(cluster.Get("n1", "user:1"), "Ada Lovelace");
  EXPECT_EQ(cluster.Get("n1", "user:2"), "<NOT_FOUND>");
}

TEST(WholeNodeTest, WhatWasAnsweredSurvivesAKill) {
  SimCluster cluster(1);
  cluster.Start("n1");
  ASSERT_TRUE(cluster.Set("n1", "user:1", "Ada Lovelace").ok());
  cluster.Kill("n1");
  cluster.Start("n1");
  EXPECT_EQ(cluster.Get("n1", "user:1"), "Ada Lovelace");
}

TEST(WholeNodeTest, VersionsGrowAcrossDeleteAndKill) {
  SimCluster cluster(1);
  cluster.Start("n1");
  uint64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    auto set = cluster.Set("n1", "user:1", "v");
    ASSERT_TRUE(set.ok());
    EXPECT_GT(set->version(), last);
    last = set->version();
    cluster.Run({{absl::ZeroDuration(), "n1", "del", {"user:1"}}});
    cluster.Kill("n1");
    cluster.Start("n1");
  }
}

TEST(WholeNodeTest, ANodeWhoseDiskFailsEndsItselfAndAnswersNoWrite) {
  SimCluster cluster(1);
  cluster.Start("n1");
  ASSERT_TRUE(cluster.Set("n1", "user:1", "before").ok());
  cluster.FailDisk("n1");
  std::vector<Operation> history = cluster.Run({{absl::ZeroDuration(), "n1", "set", {"user:1", "during"}}});
  ASSERT_EQ(history.size(), 1u);
  EXPECT_FALSE(history[0].status.ok());
  cluster.simulator().RunFor(absl::Seconds(1));
  EXPECT_FALSE(cluster.up("n1"));
  cluster.Start("n1");
  EXPECT_THAT(cluster.Get("n1", "user:1"), ::testing::AnyOf("before", "during"));
}

struct RunResult {
  uint64_t trace_hash = 0;
  std::vector<Operation> history;
  std::string order;  // of the returns
};

RunResult RunSeed(uint64_t seed, const PlanShape& shape) {
  SimCluster cluster(seed);
  RunResult result;
  result.history = cluster.Run(DrawPlan(cluster.simulator().StreamFor("plan"), shape));
  result.trace_hash = cluster.simulator().trace_hash();
  for (const Operation& operation : result.history) result.order += PrintPlan({operation.line});
  return result;
}

TEST(WholeNodeTest, TheSameSeedIsTheSameRunToTheLastEvent) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    RunResult first = RunSeed(seed, PlanShape{});
    RunResult second = RunSeed(seed, PlanShape{});
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.order, second.order) << "seed " << seed;
  }
}

TEST(WholeNodeTest, AnotherSeedIsAnotherOrderOfTheSamePlan) {
  // All at once, so that only the seed decides who comes first.
  Plan plan{{absl::ZeroDuration(), "n1", "start", {}}};
  for (int i = 0; i < 8; ++i) plan.push_back({absl::Seconds(1), "n1", "set", {"k" + std::to_string(i), "v"}});
  std::set<uint64_t> hashes;
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimCluster cluster(seed);
    std::string order;
    for (const Operation& operation : cluster.Run(plan)) order += operation.line.arguments[0] + " ";
    hashes.insert(cluster.simulator().trace_hash());
    orders.insert(order);
  }
  EXPECT_EQ(hashes.size(), 20u);
  EXPECT_GT(orders.size(), 5u);
}

// TROUPE_SEED runs one seed, TROUPE_SEEDS so many from 1 on.
TEST(WholeNodeTest, CrashesLoseNoAnsweredWriteAndBringNoneBack) {
  const char* one = std::getenv("TROUPE_SEED");
  const char* many = std::getenv("TROUPE_SEEDS");
  const uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const uint64_t count = one != nullptr ? 1 : many != nullptr ? std::strtoull(many, nullptr, 10) : 100;
  size_t answered = 0;
  size_t cut_off = 0;
  size_t swapped = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    RunResult result = RunSeed(seed, PlanShape{});
    absl::Status checked = CheckRegisters(result.history);
    ASSERT_TRUE(checked.ok()) << checked << "\nagain: TROUPE_SEED=" << seed
                              << " bazel run //tests/sim:whole_node_test -- --gtest_filter=*Crashes*";
    for (const Operation& operation : result.history) {
      answered += operation.status.ok();
      cut_off += operation.cut_off;
      swapped += operation.line.verb == "cas" && operation.status.ok();
    }
  }
  std::cout << count << " seeds, " << answered << " operations done, " << cut_off << " cut off, " << swapped
            << " cas that held\n";
  // Else the test would check nothing.
  EXPECT_GT(answered, 50 * count);
  EXPECT_TRUE(count < 100 || (cut_off > 0 && swapped > count));
}

// The checker itself must be able to say no.
Operation Op(std::string verb, std::vector<std::string> arguments, int called, int returned, std::string result = "") {
  Operation operation;
  operation.line = PlanLine{absl::Seconds(called), "n1", std::move(verb), std::move(arguments)};
  operation.called = Instant() + absl::Seconds(called);
  operation.returned = Instant() + absl::Seconds(returned);
  operation.result = std::move(result);
  return operation;
}

TEST(RegisterCheckerTest, SeesALostWriteAnOldValueAndAResurrectedOne) {
  EXPECT_TRUE(CheckRegisters({Op("set", {"k", "1"}, 1, 2), Op("get", {"k"}, 3, 4, "1")}).ok());
  EXPECT_FALSE(CheckRegisters({Op("set", {"k", "1"}, 1, 2), Op("get", {"k"}, 3, 4, "")}).ok()) << "lost";
  EXPECT_FALSE(
      CheckRegisters({Op("set", {"k", "1"}, 1, 2), Op("set", {"k", "2"}, 3, 4), Op("get", {"k"}, 5, 6, "1")}).ok())
      << "old";
  EXPECT_FALSE(CheckRegisters({Op("set", {"k", "1"}, 1, 2), Op("del", {"k"}, 3, 4), Op("get", {"k"}, 5, 6, "1")}).ok())
      << "resurrected";
  EXPECT_TRUE(CheckRegisters({Op("set", {"k", "1"}, 1, 5), Op("get", {"k"}, 2, 3, "1")}).ok()) << "overlapping";
  EXPECT_FALSE(CheckRegisters({Op("get", {"k"}, 1, 2, "1"), Op("set", {"k", "1"}, 3, 4)}).ok()) << "from the future";
}

Operation Versioned(Operation operation, uint64_t version) {
  operation.version = version;
  return operation;
}

TEST(RegisterCheckerTest, SeesACasThatShouldHaveFailedAndAVersionGivenTwice) {
  const Operation one = Versioned(Op("set", {"k", "1"}, 1, 2), 1);
  const Operation two = Versioned(Op("cas", {"k", "1", "2"}, 3, 4), 2);
  EXPECT_TRUE(CheckRegisters({one, two}).ok());
  EXPECT_FALSE(CheckRegisters({one, two, Versioned(Op("cas", {"k", "1", "3"}, 3, 4), 3)}).ok()) << "both found 1";
  EXPECT_FALSE(CheckRegisters({one, Versioned(Op("cas", {"k", "0", "2"}, 3, 4), 2)}).ok()) << "there was no 0";
  EXPECT_FALSE(CheckRegisters({one, Versioned(Op("set", {"k", "2"}, 3, 4), 1)}).ok()) << "a version twice";
  EXPECT_FALSE(CheckRegisters({Versioned(one, 5), two}).ok()) << "a version that falls";
}

}  // namespace
}  // namespace troupe::sim
