// What a peer says against the rules is counted and changes nothing.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/registry/registry.h"
#include "cluster/registry/test_registry.h"

namespace troupe {
namespace {

struct JunkCase {
  const char* what;
  RegistryDelta delta;
};

std::vector<JunkCase> JunkCases() {
  const std::string too_long(kMaxRegistryText + 1, 'x');
  RegistryEntry long_type = ClaimEntry("x", 1);
  long_type.type = too_long;
  return {
      {"versions that fall", {RunOf("b"), 0, 0, {ClaimEntry("x", 2), ClaimEntry("y", 1)}}},
      {"a version twice", {RunOf("b"), 0, 0, {ClaimEntry("x", 1), ClaimEntry("y", 1)}}},
      {"a beginning above the entries", {RunOf("b"), 5, 0, {ClaimEntry("x", 3)}}},
      {"version 0", {RunOf("b"), 0, 0, {ClaimEntry("x", 0)}}},
      {"an empty name", {RunOf("b"), 0, 0, {ClaimEntry("", 1)}}},
      {"a huge name", {RunOf("b"), 0, 0, {ClaimEntry(too_long, 1)}}},
      {"a huge type", {RunOf("b"), 0, 0, {long_type}}},
      {"a time at the clock's end", {RunOf("b"), 0, 0, {ClaimEntry("x", 1, 1, kMaxLamport + 1)}}},
      {"no node", {{"", "id", 1}, 0, 0, {ClaimEntry("x", 1)}}},
      {"no node id", {{"b", "", 1}, 0, 0, {ClaimEntry("x", 1)}}},
      {"a huge node", {{too_long, "id", 1}, 0, 0, {ClaimEntry("x", 1)}}},
      {"a huge node id", {{"b", too_long, 1}, 0, 0, {ClaimEntry("x", 1)}}},
      {"own entries that were never written", {RunOf("a"), 1, 0, {ClaimEntry("x", 2)}}},
  };
}

TEST(JunkTest, ADeltaAgainstTheRulesIsCountedAndChangesNothing) {
  for (const JunkCase& junk : JunkCases()) {
    SCOPED_TRACE(junk.what);
    Registry a(RunOf("a"));
    ASSERT_TRUE(a.Claim("own", 1, "T", kStart).ok());
    const std::vector<OwnerDigest> before = a.Digest();

    EXPECT_FALSE(a.Apply(junk.delta));

    EXPECT_EQ(a.counters().junk, 1u);
    EXPECT_EQ(a.Digest(), before);
    EXPECT_EQ(Holder(a, "x"), "nobody");
  }
}

TEST(JunkTest, WhatPeersSayOfThisNodeIsIgnoredWhateverRunItIsAbout) {
  Registry a(RunOf("a", 2));
  ASSERT_TRUE(a.Claim("own", 1, "T", kStart).ok());

  EXPECT_FALSE(a.Apply({RunOf("a", 2), 0, 0, {Tombstone("own", 1)}}));
  EXPECT_FALSE(a.Apply({RunOf("a", 1), 0, 0, {ClaimEntry("old", 7)}}));
  EXPECT_FALSE(a.Apply({RunOf("a", 3), 0, 0, {ClaimEntry("new", 7)}}));

  EXPECT_EQ(Holder(a, "own"), "a/1");
  EXPECT_EQ(Holder(a, "old"), "nobody");
  EXPECT_EQ(Holder(a, "new"), "nobody");
  EXPECT_EQ(a.counters().junk, 0u);
}

TEST(JunkTest, AJunkDeltaOfANewRunDoesNotDisplaceTheOldOne) {
  Registry a(RunOf("a"));
  ASSERT_TRUE(a.Apply({RunOf("b", 1), 0, 0, {ClaimEntry("x", 1)}}));

  EXPECT_FALSE(a.Apply({RunOf("b", 2), 0, 0, {ClaimEntry("", 1)}}));
  EXPECT_EQ(Holder(a, "x"), "b/1");
}

TEST(JunkTest, ADeltaThatContradictsAnEarlierOneRewritesNothing) {
  Registry a(RunOf("a"));
  ASSERT_TRUE(a.Apply({RunOf("b"), 0, 0, {ClaimEntry("x", 1), ClaimEntry("y", 2)}}));

  a.Apply({RunOf("b"), 0, 0, {ClaimEntry("z", 1), Tombstone("x", 2), ClaimEntry("new", 3)}});

  EXPECT_EQ(Holder(a, "x"), "b/1");
  EXPECT_EQ(Holder(a, "y"), "b/1");
  EXPECT_EQ(Holder(a, "z"), "nobody");
  EXPECT_EQ(Holder(a, "new"), "b/1");
}

TEST(JunkTest, ADigestThatListsANodeTwiceOrNobodyKnowsIsAnsweredAllTheSame) {
  Registry a(RunOf("a"));
  ASSERT_TRUE(a.Claim("own", 1, "T", kStart).ok());

  const std::vector<RegistryDelta> deltas =
      a.DeltasFor({{RunOf("a"), 0, 0}, {RunOf("a"), 9, 9}, {RunOf("who"), UINT64_MAX, UINT64_MAX}}, kPlenty);

  ASSERT_EQ(deltas.size(), 1u);
  EXPECT_EQ(deltas[0].entries.size(), 1u);
}

TEST(LimitTest, AClockAtItsEndStaysThereAndClaimsStillWork) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ASSERT_TRUE(a.Apply({RunOf("c"), 0, 0, {ClaimEntry("late", 1, 1, kMaxLamport)}}));

  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());
  EXPECT_TRUE(Pull(b, a));

  EXPECT_EQ(Holder(b, "x"), "a/1");
  EXPECT_EQ(b.counters().junk, 0u);
}

TEST(LimitTest, OwnersBeyondTheLimitAreNotTaken) {
  Registry a(RunOf("a"));
  for (size_t i = 1; i < kMaxRegistryOwners; ++i) ASSERT_TRUE(a.Apply({RunOf("n" + std::to_string(i)), 0, 0, {}}));

  EXPECT_FALSE(a.Apply({RunOf("one-more"), 0, 0, {}}));
  EXPECT_EQ(a.sizes().owners, kMaxRegistryOwners);
  EXPECT_EQ(a.counters().full, 1u);
  // A new run of a known node needs no room.
  EXPECT_TRUE(a.Apply({RunOf("n1", 2), 0, 0, {}}));
}

TEST(LimitTest, ForgottenOwnersBeyondTheLimitPushOutTheOldest) {
  Registry a(RunOf("a"));
  for (size_t i = 0; i <= kMaxRegistryOwners; ++i) {
    a.Forget(RunOf("n" + std::to_string(i)), Instant::FromNanos(static_cast<int64_t>(i)));
  }

  EXPECT_EQ(a.sizes().forgotten, kMaxRegistryOwners);
  EXPECT_TRUE(a.Apply({RunOf("n0"), 0, 0, {}}));
  EXPECT_FALSE(a.Apply({RunOf("n1"), 0, 0, {}}));
}

TEST(LimitTest, AnOwnerHoldsAMillionNamesAndOneThatWasReleasedCounts) {
  Registry a(RunOf("a"));
  for (size_t i = 0; i < kMaxRegistryEntries; ++i) {
    ASSERT_TRUE(a.Claim(std::to_string(i), 1, "", kStart).ok());
  }
  ASSERT_TRUE(a.Release("0", 1, kStart));

  EXPECT_EQ(a.Claim("one-more", 1, "", kStart).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(a.Claim("0", 2, "", kStart).ok());
}

}  // namespace
}  // namespace troupe
