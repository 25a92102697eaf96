#include "kvstore/raft/quorum.h"

#include "actor/random.h"
#include "gtest/gtest.h"

namespace troupe::raft {
namespace {

TEST(QuorumTest, AnyTwoMajoritiesMeet) {
  for (size_t voters = 1; voters <= 9; ++voters) {
    EXPECT_GT(2 * Majority(voters), voters);
    EXPECT_LE(2 * (Majority(voters) - 1), voters) << "no more than needed";
  }
}

// One replica more or less: a majority before the change meets any after it. That is why changes go one at a time.
TEST(QuorumTest, MajoritiesMeetAcrossAChangeOfOne) {
  for (size_t voters = 1; voters <= 9; ++voters) EXPECT_GT(Majority(voters) + Majority(voters + 1), voters + 1);
}

// The dumb way: try each value and count who has reached it.
uint64_t Counted(const std::vector<uint64_t>& values) {
  uint64_t best = 0;
  for (uint64_t candidate : values) {
    size_t reached = 0;
    for (uint64_t value : values) reached += value >= candidate ? 1 : 0;
    if (2 * reached > values.size()) best = std::max(best, candidate);
  }
  return best;
}

TEST(QuorumTest, WhatAMajorityHasReachedIsWhatCountingSays) {
  Random random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<uint64_t> values(1 + random.Below(9));
    for (uint64_t& value : values) value = random.Below(6);
    ASSERT_EQ(ReachedByMajority(values), Counted(values)) << testing::PrintToString(values);
  }
}

}  // namespace
}  // namespace troupe::raft
