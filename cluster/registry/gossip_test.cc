// How entries spread, and how their tombstones end.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/registry/registry.h"
#include "cluster/registry/test_registry.h"

namespace troupe {
namespace {

void ClaimMany(Registry& registry, const std::string& prefix, int count) {
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(registry.Claim(prefix + std::to_string(i), 1, "T", kStart).ok());
  }
}

OwnerDigest DigestOf(const Registry& registry, const std::string& node) {
  for (const OwnerDigest& digest : registry.Digest()) {
    if (digest.owner.node == node) return digest;
  }
  return {};
}

TEST(DigestTest, NodesThatHaveExchangedHaveTheSameDigestAndNothingMoreToSay) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ClaimMany(a, "a", 3);
  ClaimMany(b, "b", 2);

  Exchange(a, b);

  EXPECT_EQ(a.Digest(), b.Digest());
  EXPECT_TRUE(a.DeltasFor(b.Digest(), kPlenty).empty());
}

TEST(DeltaTest, EntriesOfAThirdNodeAreSentOn) {
  Registry a(RunOf("a")), b(RunOf("b")), c(RunOf("c"));
  ClaimMany(a, "a", 1);

  Pull(b, a);
  Pull(c, b);

  EXPECT_EQ(Holder(c, "a0"), "a/1");
}

TEST(DeltaTest, OnlyWhatIsMissingIsSent) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ClaimMany(a, "early", 5);
  Pull(b, a);
  ClaimMany(a, "late", 2);

  const std::vector<RegistryDelta> deltas = a.DeltasFor(b.Digest(), kPlenty);

  ASSERT_EQ(deltas.size(), 1u);
  EXPECT_EQ(deltas[0].from_version, 5u);
  EXPECT_EQ(deltas[0].entries.size(), 2u);
}

TEST(DeltaTest, UnknownOwnersComeFirstTheSmallestFirstThenThoseFurthestBehind) {
  Registry a(RunOf("a")), slow(RunOf("slow")), slower(RunOf("slower")), small(RunOf("small")), large(RunOf("large"));
  Registry b(RunOf("b"));
  Pull(b, a);
  ClaimMany(slow, "slow", 10);
  ClaimMany(slower, "slower", 10);
  Pull(b, slow);
  Pull(b, slower);
  ClaimMany(slow, "more", 1);
  ClaimMany(slower, "much-more", 5);
  ClaimMany(large, "large", 20);
  ClaimMany(small, "small", 2);
  for (const Registry* from : {&slow, &slower, &small, &large}) Pull(a, *from);

  std::vector<std::string> order;
  for (const RegistryDelta& delta : a.DeltasFor(b.Digest(), kPlenty)) order.push_back(delta.owner.node);

  EXPECT_EQ(order, (std::vector<std::string>{"small", "large", "slower", "slow"}));
}

TEST(DeltaTest, ChunksKeepToTheBudgetFollowEachOtherAndFinish) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ClaimMany(a, "name", 500);
  constexpr size_t kBudget = 4096;

  int rounds = 0;
  for (uint64_t known = 0; known < 500; ++rounds) {
    ASSERT_LT(rounds, 50);
    const std::vector<RegistryDelta> deltas = a.DeltasFor(b.Digest(), kBudget);
    ASSERT_EQ(deltas.size(), 1u);
    EXPECT_EQ(deltas[0].from_version, known);
    size_t bytes = WireBytes(deltas[0].owner);
    for (const RegistryEntry& entry : deltas[0].entries) bytes += WireBytes(entry);
    EXPECT_LE(bytes, kBudget);
    ASSERT_TRUE(b.Apply(deltas[0]));
    known = DigestOf(b, "a").max_version;
  }

  EXPECT_GT(rounds, 5);
  EXPECT_EQ(Holder(b, "name499"), "a/1");
}

TEST(DeltaTest, SeveralOwnersShareOneBudget) {
  Registry a(RunOf("a")), b(RunOf("b")), c(RunOf("c"));
  for (Registry* registry : {&a, &b, &c}) ClaimMany(*registry, "name", 20);
  Pull(a, b);
  Pull(a, c);
  constexpr size_t kBudget = 3000;

  const std::vector<RegistryDelta> deltas = a.DeltasFor({}, kBudget);

  size_t bytes = 0;
  for (const RegistryDelta& delta : deltas) {
    bytes += WireBytes(delta.owner);
    for (const RegistryEntry& entry : delta.entries) bytes += WireBytes(entry);
  }
  EXPECT_EQ(deltas.size(), 3u);
  EXPECT_LE(bytes, kBudget);
}

TEST(DeltaTest, TheLongestEntryPassesEvenUnderTheSmallestBudget) {
  const std::string longest(kMaxRegistryText, 'x');
  Registry a({longest, longest, 1}), b(RunOf("b"));
  ASSERT_TRUE(a.Claim(longest, 1, longest, kStart).ok());

  EXPECT_TRUE(Pull(b, a, 1));
  EXPECT_EQ(b.sizes().names, 1u);
  EXPECT_EQ(a.OwnSince(0, 1)->entries.size(), 1u);
}

TEST(PushTest, OwnEntriesSinceAVersionAreTakenAndThereAreNoneSinceTheLast) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ClaimMany(a, "first", 1);
  ASSERT_TRUE(b.Apply(*a.OwnSince(0, kPlenty)));
  ClaimMany(a, "second", 1);

  EXPECT_TRUE(b.Apply(*a.OwnSince(1, kPlenty)));
  EXPECT_EQ(Holder(b, "second0"), "a/1");
  EXPECT_FALSE(a.OwnSince(2, kPlenty).has_value());
}

TEST(AcceptTest, ADeltaFromTheFutureIsNotTakenAndTheNextDigestAsksForAll) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ClaimMany(a, "name", 3);

  b.Apply(*a.OwnSince(1, kPlenty));

  EXPECT_EQ(Holder(b, "name2"), "nobody");
  EXPECT_EQ(b.counters().gaps, 1u);
  EXPECT_EQ(b.counters().junk, 0u);
  EXPECT_TRUE(Pull(b, a));
  EXPECT_EQ(Holder(b, "name0"), "a/1");
  EXPECT_EQ(Holder(b, "name2"), "a/1");
}

TEST(AcceptTest, ADeltaThatArrivesTwiceOrLateChangesNothing) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ClaimMany(a, "name", 1);
  const RegistryDelta early = *a.OwnSince(0, kPlenty);
  ASSERT_TRUE(a.Release("name0", 1, kStart));
  Pull(b, a);

  EXPECT_FALSE(b.Apply(early));
  EXPECT_EQ(Holder(b, "name0"), "nobody");
}

TEST(AcceptTest, AnOverlappingDeltaIsTakenForWhatIsNewInIt) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ClaimMany(a, "name", 2);
  Pull(b, a);
  ASSERT_TRUE(a.Release("name0", 1, kStart));

  EXPECT_TRUE(b.Apply(*a.OwnSince(0, kPlenty)));
  EXPECT_EQ(Holder(b, "name0"), "nobody");
  EXPECT_EQ(Holder(b, "name1"), "a/1");
}

TEST(AcceptTest, ACollectionUpToWhatIsKnownNeedsNoFreshStart) {
  Registry b(RunOf("b"));
  ASSERT_TRUE(b.Apply({RunOf("a"), 0, 0, {ClaimEntry("x", 1), ClaimEntry("y", 2), Tombstone("z", 3)}}));

  // Exactly as far as is known.
  EXPECT_TRUE(b.Apply({RunOf("a"), 3, 3, {ClaimEntry("new", 4)}}));

  EXPECT_EQ(Holder(b, "x"), "a/1");
  EXPECT_EQ(DigestOf(b, "a"), (OwnerDigest{RunOf("a"), 4, 3}));
}

TEST(AcceptTest, ACollectionBeyondWhatIsKnownStartsAfreshFromTheBeginningOnly) {
  Registry b(RunOf("b"));
  ASSERT_TRUE(b.Apply({RunOf("a"), 0, 0, {ClaimEntry("released-since", 1), ClaimEntry("kept", 2)}}));

  EXPECT_FALSE(b.Apply({RunOf("a"), 2, 3, {ClaimEntry("new", 4)}}));
  EXPECT_EQ(b.counters().gaps, 1u);
  EXPECT_EQ(Holder(b, "released-since"), "a/1");

  EXPECT_TRUE(b.Apply({RunOf("a"), 0, 3, {ClaimEntry("kept", 2), ClaimEntry("new", 4)}}));
  EXPECT_EQ(Holder(b, "released-since"), "nobody");
  EXPECT_EQ(Holder(b, "kept"), "a/1");
  EXPECT_EQ(Holder(b, "new"), "a/1");
}

TEST(AcceptTest, TombstonesUpToTheCollectionMarkAreNotKept) {
  Registry b(RunOf("b")), c(RunOf("c"));

  ASSERT_TRUE(b.Apply({RunOf("a"), 0, 2, {Tombstone("x", 1), ClaimEntry("y", 3)}}));

  Pull(c, b);
  const std::vector<RegistryDelta> sent = c.DeltasFor({}, kPlenty);
  ASSERT_EQ(sent.back().owner.node, "a");
  EXPECT_EQ(sent.back().entries, (std::vector<RegistryEntry>{ClaimEntry("y", 3)}));
}

TEST(AcceptTest, AmidAFreshStartAPeerWithALowerCollectionMarkIsNotBelieved) {
  Registry owner(RunOf("a")), stale(RunOf("s")), b(RunOf("b"));
  // The owner released "ghost" at 4 and has collected that; the stale peer knows it as held still.
  ASSERT_TRUE(stale.Apply({RunOf("a"), 0, 0, {ClaimEntry("x", 1), ClaimEntry("y", 2), ClaimEntry("ghost", 3)}}));
  ASSERT_TRUE(b.Apply({RunOf("a"), 0, 4, {ClaimEntry("x", 1)}}));

  EXPECT_TRUE(stale.DeltasFor(b.Digest(), kPlenty).size() == 1);  // itself
  EXPECT_FALSE(b.Apply({RunOf("a"), 1, 0, {ClaimEntry("y", 2), ClaimEntry("ghost", 3)}}));
  EXPECT_TRUE(b.Apply({RunOf("a"), 1, 4, {ClaimEntry("y", 2), ClaimEntry("z", 5)}}));

  EXPECT_EQ(Holder(b, "ghost"), "nobody");
  EXPECT_EQ(Holder(b, "z"), "a/1");
}

// --- tombstones ---

class CollectTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(a_.Claim("released", 1, "T", kStart).ok());
    ASSERT_TRUE(a_.Release("released", 1, kStart));
    ASSERT_TRUE(a_.Claim("held", 1, "T", kStart).ok());
  }

  const Instant hour_later_ = kStart + kTombstoneAge;
  Registry a_{RunOf("a")};
};

TEST_F(CollectTest, ATombstoneIsCollectedAfterItsHour) {
  a_.Collect(Instant::FromNanos(hour_later_.nanos() - 1), UINT64_MAX);
  EXPECT_EQ(a_.sizes().own_tombstones, 1u);

  a_.Collect(hour_later_, UINT64_MAX);
  EXPECT_EQ(a_.sizes().own_tombstones, 0u);
  EXPECT_EQ(DigestOf(a_, "a"), (OwnerDigest{RunOf("a"), 3, 2}));
  EXPECT_EQ(Holder(a_, "held"), "a/1");
}

TEST_F(CollectTest, ATombstoneIsKeptUntilAllActiveMembersHavePassedIt) {
  a_.Collect(hour_later_, 1);
  EXPECT_EQ(a_.sizes().own_tombstones, 1u);
  a_.Collect(hour_later_, 2);
  EXPECT_EQ(a_.sizes().own_tombstones, 0u);
}

TEST_F(CollectTest, TheNewestEntryIsKeptSoThatAllCanTellTheyHaveEverything) {
  Registry b(RunOf("b"));
  ASSERT_TRUE(a_.Release("held", 1, kStart));

  a_.Collect(hour_later_, UINT64_MAX);
  Exchange(a_, b);

  EXPECT_EQ(a_.sizes().own_tombstones, 1u);
  EXPECT_EQ(a_.Digest(), b.Digest());
  EXPECT_TRUE(a_.DeltasFor(b.Digest(), kPlenty).empty());
}

TEST_F(CollectTest, AReleasedNameThatIsHeldAgainIsNotCollected) {
  ASSERT_TRUE(a_.Claim("released", 2, "T", kStart).ok());

  a_.Collect(hour_later_, UINT64_MAX);

  EXPECT_EQ(Holder(a_, "released"), "a/2");
}

TEST_F(CollectTest, OthersDropWhatTheOwnerHasCollected) {
  Registry b(RunOf("b"));
  Pull(b, a_);
  a_.Collect(hour_later_, UINT64_MAX);

  EXPECT_TRUE(Pull(b, a_));

  EXPECT_EQ(a_.Digest().front(), b.Digest().front());
  const std::vector<RegistryDelta> sent = b.DeltasFor({}, kPlenty);
  EXPECT_EQ(sent.back().entries.size(), 1u);
}

// Scenario 62: 3 and 4 are cut off, and 4 learns from 3 what 1 and 2 have long released and collected.
TEST_F(CollectTest, ANameReleasedAndCollectedDuringAPartitionIsGoneOnBothSidesAfterwards) {
  Registry one(RunOf("1")), two(RunOf("2")), three(RunOf("3")), four(RunOf("4"));
  ASSERT_TRUE(one.Claim("key", 1, "T", kStart).ok());
  ASSERT_TRUE(one.Claim("other", 1, "T", kStart).ok());
  Pull(two, one);
  Pull(three, one);

  ASSERT_TRUE(one.Release("key", 1, kStart));
  Pull(two, one);
  ASSERT_TRUE(one.Claim("last", 1, "T", kStart).ok());
  one.Collect(hour_later_, UINT64_MAX);
  Exchange(one, two);
  Pull(four, three);
  ASSERT_EQ(Holder(four, "key"), "1/1");

  // Healed: first those that know the least meet.
  Exchange(two, four);
  Exchange(two, three);
  Exchange(one, four);
  Exchange(three, four);

  for (const Registry* registry : {&one, &two, &three, &four}) {
    EXPECT_EQ(Holder(*registry, "key"), "nobody");
    EXPECT_EQ(Holder(*registry, "other"), "1/1");
    EXPECT_EQ(Holder(*registry, "last"), "1/1");
  }
}

// --- forgotten owners ---

TEST(ForgetTest, AForgottenOwnerIsGoneAndOthersDoNotBringItBack) {
  Registry a(RunOf("a")), b(RunOf("b")), x(RunOf("x"));
  ClaimMany(x, "name", 1);
  Pull(a, x);
  Pull(b, x);

  a.Forget(RunOf("x"), kStart);

  EXPECT_EQ(Holder(a, "name0", Nobody), "nobody");
  for (const RegistryDelta& delta : b.DeltasFor(a.Digest(), kPlenty)) EXPECT_NE(delta.owner.node, "x");
  EXPECT_FALSE(a.Apply(*x.OwnSince(0, kPlenty)));
  EXPECT_EQ(a.sizes().forgotten, 1u);
}

TEST(ForgetTest, ForgettingAnOlderRunLeavesTheLaterAlone) {
  Registry a(RunOf("a")), x(RunOf("x", 2));
  ClaimMany(x, "name", 1);
  Pull(a, x);

  a.Forget(RunOf("x", 1), kStart);

  EXPECT_EQ(Holder(a, "name0"), "x/1");
  EXPECT_EQ(a.sizes().forgotten, 0u);
}

TEST(ForgetTest, ALaterRunIsLetInAtOnce) {
  Registry a(RunOf("a")), x(RunOf("x", 2));
  ClaimMany(x, "name", 1);
  a.Forget(RunOf("x", 1), kStart);

  EXPECT_TRUE(Pull(a, x));
  EXPECT_EQ(Holder(a, "name0"), "x/1");
  EXPECT_EQ(a.sizes().forgotten, 0u);
}

TEST(ForgetTest, TheSameRunIsLetInOnceMembershipKnowsItAgain) {
  Registry a(RunOf("a")), x(RunOf("x"));
  ClaimMany(x, "name", 1);
  a.Forget(RunOf("x"), kStart);
  ASSERT_FALSE(Pull(a, x));

  a.Recall("x");

  EXPECT_TRUE(Pull(a, x));
  EXPECT_EQ(Holder(a, "name0"), "x/1");
}

TEST(ForgetTest, TheMemoryOfItEndsAfterADay) {
  Registry a(RunOf("a"));
  a.Forget(RunOf("x"), kStart);

  a.Collect(Instant::FromNanos((kStart + kForgottenAge).nanos() - 1), 0);
  EXPECT_EQ(a.sizes().forgotten, 1u);
  a.Collect(kStart + kForgottenAge, 0);
  EXPECT_EQ(a.sizes().forgotten, 0u);
}

}  // namespace
}  // namespace troupe
