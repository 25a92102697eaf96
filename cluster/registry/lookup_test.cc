// Who holds a name: claims, membership, and runs of nodes.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cluster/registry/registry.h"
#include "cluster/registry/test_registry.h"

namespace troupe {
namespace {

TEST(ClaimTest, AClaimedNameIsFoundWithItsOwnerActorAndType) {
  Registry a(RunOf("a"));

  ASSERT_TRUE(a.Claim("user-store", 7, "UserStore", kStart).ok());

  const Registry::LookupResult result = a.Lookup("user-store", Everybody);
  ASSERT_TRUE(result.found.has_value());
  EXPECT_EQ(result.found->owner, RunOf("a"));
  EXPECT_EQ(result.found->claim.actor, 7u);
  EXPECT_EQ(result.found->claim.type, "UserStore");
  EXPECT_EQ(Holder(a, "user-stor"), "nobody");
}

TEST(ClaimTest, ANodeGivesANameToOneActorOnly) {
  Registry a(RunOf("a"));
  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());

  EXPECT_EQ(a.Claim("x", 2, "T", kStart).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Holder(a, "x"), "a/1");
}

TEST(ClaimTest, ARepeatedClaimChangesNothing) {
  Registry a(RunOf("a"));
  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());

  EXPECT_TRUE(a.Claim("x", 1, "T", kStart).ok());
  EXPECT_EQ(a.max_version(), 1u);
}

TEST(ClaimTest, NamesAndTypesPastTheirLimitsAreRefused) {
  Registry a(RunOf("a"));

  EXPECT_EQ(a.Claim("", 1, "T", kStart).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(a.Claim(std::string(256, 'x'), 1, "T", kStart).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(a.Claim("x", 1, std::string(256, 'T'), kStart).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(a.max_version(), 0u);
  EXPECT_TRUE(a.Claim(std::string(255, 'x'), 1, std::string(255, 'T'), kStart).ok());
}

TEST(ReleaseTest, AReleasedNameIsGoneAndMayBeClaimedByAnother) {
  Registry a(RunOf("a"));
  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());

  EXPECT_TRUE(a.Release("x", 1, kStart));
  EXPECT_EQ(Holder(a, "x"), "nobody");

  EXPECT_TRUE(a.Claim("x", 2, "T", kStart).ok());
  EXPECT_EQ(Holder(a, "x"), "a/2");
  EXPECT_EQ(a.sizes().own_entries, 1u);
  EXPECT_EQ(a.sizes().own_tombstones, 0u);
}

TEST(ReleaseTest, AFormerHolderReleasesNothing) {
  Registry a(RunOf("a"));
  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());
  ASSERT_TRUE(a.Release("x", 1, kStart));
  ASSERT_TRUE(a.Claim("x", 2, "T", kStart).ok());

  EXPECT_FALSE(a.Release("x", 1, kStart));
  EXPECT_EQ(Holder(a, "x"), "a/2");
  EXPECT_TRUE(a.Release("x", 2, kStart));
  EXPECT_FALSE(a.Release("x", 2, kStart));
  EXPECT_FALSE(a.Release("never-claimed", 1, kStart));
}

TEST(WinnerTest, TheEarlierClaimWinsOnEveryNodeWhateverArrivesFirst) {
  Registry a(RunOf("a")), b(RunOf("b")), c(RunOf("c"));
  // b has seen two claims more, so its clock is later.
  ASSERT_TRUE(b.Claim("other-1", 1, "T", kStart).ok());
  ASSERT_TRUE(b.Claim("other-2", 1, "T", kStart).ok());
  ASSERT_TRUE(b.Claim("x", 2, "T", kStart).ok());
  ASSERT_TRUE(c.Claim("x", 3, "T", kStart).ok());
  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());
  std::vector<const Registry*> order = {&a, &b, &c};

  std::sort(order.begin(), order.end());
  do {
    Registry d(RunOf("d"));
    for (const Registry* from : order) Pull(d, *from);
    // a and c claim at the same time; the lower name decides.
    EXPECT_EQ(Holder(d, "x"), "a/1");
    EXPECT_EQ(Holder(d, "x", [](const RegistryOwner& owner) { return owner.node != "a"; }), "c/3");
    EXPECT_EQ(Holder(d, "x", [](const RegistryOwner& owner) { return owner.node == "b"; }), "b/2");
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(WinnerTest, AClaimMadeAfterAnotherWasSeenLosesToIt) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ASSERT_TRUE(b.Claim("x", 2, "T", kStart).ok());
  Pull(a, b);

  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());

  EXPECT_EQ(Holder(a, "x"), "b/2");
}

// Scenario 65 of the study: the removal is not lost to the concurrent registration, nor the other way round.
TEST(WinnerTest, AReleaseHereAndAClaimElsewhereAtOnceLeaveTheClaim) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());
  Exchange(a, b);

  ASSERT_TRUE(a.Release("x", 1, kStart));
  ASSERT_TRUE(b.Claim("x", 2, "T", kStart).ok());
  Exchange(a, b);

  EXPECT_EQ(Holder(a, "x"), "b/2");
  EXPECT_EQ(Holder(b, "x"), "b/2");
}

TEST(ActiveTest, ADeadOwnersNameIsNotFoundButNamedAndIsBackOnceItLives) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ASSERT_TRUE(b.Claim("x", 2, "T", kStart).ok());
  Pull(a, b);

  EXPECT_EQ(Holder(a, "x", Nobody), "(b/2)");
  EXPECT_EQ(Holder(a, "x", Everybody), "b/2");
}

TEST(ActiveTest, OfInactiveClaimsTheLowestIsNamedAndNoneBesideAnActiveOne) {
  Registry a(RunOf("a")), b(RunOf("b")), c(RunOf("c"));
  ASSERT_TRUE(b.Claim("x", 2, "T", kStart).ok());
  ASSERT_TRUE(c.Claim("x", 3, "T", kStart).ok());
  Pull(a, c);
  Pull(a, b);

  EXPECT_EQ(Holder(a, "x", Nobody), "(b/2)");
  const auto result = a.Lookup("x", [](const RegistryOwner& owner) { return owner.node == "c"; });
  EXPECT_EQ(result.found->owner.node, "c");
  EXPECT_FALSE(result.inactive.has_value());
}

// Scenario 66: what a peer that is behind says of a dead node brings nothing back.
TEST(ActiveTest, GossipOfAPeerThatStillHoldsANodeForAliveBringsItsNamesNotBack) {
  Registry a(RunOf("a")), b(RunOf("b")), x(RunOf("x"));
  ASSERT_TRUE(x.Claim("name", 9, "T", kStart).ok());
  Pull(a, x);
  Pull(b, x);
  auto x_is_dead = [](const RegistryOwner& owner) { return owner.node != "x"; };

  ASSERT_EQ(Holder(a, "name", x_is_dead), "(x/9)");

  Pull(a, b);

  EXPECT_EQ(Holder(a, "name", x_is_dead), "(x/9)");
  EXPECT_EQ(Holder(b, "name"), "x/9");

  // b hears of the death by gossip: nothing need be written for it.
  EXPECT_EQ(Holder(b, "name", x_is_dead), "(x/9)");
}

// Scenario 64: a new incarnation at the same place.
TEST(RunTest, ANewRunReplacesAllEntriesOfTheOneBefore) {
  Registry a(RunOf("a")), before(RunOf("x", 1)), after(RunOf("x", 2));
  ASSERT_TRUE(before.Claim("kept", 1, "T", kStart).ok());
  ASSERT_TRUE(before.Claim("not-kept", 1, "T", kStart).ok());
  Pull(a, before);
  ASSERT_TRUE(after.Claim("kept", 2, "T", kStart).ok());

  EXPECT_TRUE(Pull(a, after));

  EXPECT_EQ(a.Lookup("kept", Everybody).found->owner, RunOf("x", 2));
  EXPECT_EQ(Holder(a, "kept"), "x/2");
  EXPECT_EQ(Holder(a, "not-kept"), "nobody");
  EXPECT_EQ(a.sizes().owners, 2u);
}

TEST(RunTest, ANewRunWithoutNamesReplacesTheOneBefore) {
  Registry a(RunOf("a")), before(RunOf("x", 1)), after(RunOf("x", 2));
  ASSERT_TRUE(before.Claim("name", 1, "T", kStart).ok());
  Pull(a, before);

  EXPECT_TRUE(Pull(a, after));
  EXPECT_EQ(Holder(a, "name"), "nobody");
}

TEST(RunTest, WhatIsSaidOfAnOlderRunIsIgnored) {
  Registry a(RunOf("a")), before(RunOf("x", 1)), after(RunOf("x", 2));
  ASSERT_TRUE(before.Claim("name", 1, "T", kStart).ok());
  Pull(a, after);

  EXPECT_TRUE(before.DeltasFor(a.Digest(), kPlenty).empty());
  EXPECT_FALSE(a.Apply(*before.OwnSince(0, kPlenty)));
  EXPECT_EQ(Holder(a, "name"), "nobody");
}

TEST(RunTest, OfTwoNodesWithOneNameAndGenerationTheSmallerIdStays) {
  const RegistryOwner small{"x", "id-1", 1}, large{"x", "id-2", 1};
  Registry a(RunOf("a")), b(RunOf("b")), smaller(small), larger(large);

  Pull(a, smaller);
  Pull(a, larger);
  Pull(b, larger);
  Pull(b, smaller);

  EXPECT_EQ(a.Digest().back().owner, small);
  EXPECT_EQ(b.Digest().back().owner, small);
}

TEST(RunTest, AHigherGenerationTakesTheNamesAlongAndVersionsGoOn) {
  Registry a(RunOf("a")), x(RunOf("x", 1));
  ASSERT_TRUE(x.Claim("name", 1, "T", kStart).ok());
  Pull(a, x);

  x.SetGeneration(5);
  ASSERT_TRUE(x.Claim("later", 2, "T", kStart).ok());
  Pull(a, x);

  EXPECT_EQ(x.max_version(), 2u);
  EXPECT_EQ(a.Lookup("name", Everybody).found->owner, RunOf("x", 5));
  EXPECT_EQ(a.Lookup("later", Everybody).found->owner, RunOf("x", 5));
  EXPECT_EQ(x.Lookup("name", Everybody).found->owner, RunOf("x", 5));
}

TEST(LostTest, TheLoserIsToldOnceWhoWon) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());
  ASSERT_TRUE(b.Claim("x", 2, "T", kStart).ok());
  Exchange(a, b);

  const std::vector<Registry::LostName> lost = b.TakeLost(Everybody);

  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].ours.name, "x");
  EXPECT_EQ(lost[0].ours.actor, 2u);
  EXPECT_EQ(lost[0].winner.owner, RunOf("a"));
  EXPECT_EQ(lost[0].winner.claim.actor, 1u);
  EXPECT_TRUE(b.TakeLost(Everybody).empty());
  EXPECT_TRUE(a.TakeLost(Everybody).empty());
}

TEST(LostTest, ALossIsToldAgainWhenAnotherWinsOrItWasUndoneBetween) {
  Registry a(RunOf("a")), b(RunOf("b")), c(RunOf("c"));
  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());
  ASSERT_TRUE(b.Claim("x", 2, "T", kStart).ok());
  ASSERT_TRUE(c.Claim("x", 3, "T", kStart).ok());
  Pull(c, b);
  ASSERT_EQ(c.TakeLost(Everybody).size(), 1u);

  Pull(c, a);
  const std::vector<Registry::LostName> lost = c.TakeLost(Everybody);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].winner.owner.node, "a");

  EXPECT_TRUE(c.TakeLost(Nobody).empty());
  EXPECT_EQ(c.TakeLost(Everybody).size(), 1u);
}

TEST(LostTest, ANameThatWasGivenUpIsNotLost) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());
  ASSERT_TRUE(b.Claim("x", 2, "T", kStart).ok());
  ASSERT_TRUE(b.Release("x", 2, kStart));
  Exchange(a, b);

  EXPECT_TRUE(b.TakeLost(Everybody).empty());
}

TEST(LostTest, ALosersNameIsItsAgainWhenTheWinnerReleasesIt) {
  Registry a(RunOf("a")), b(RunOf("b"));
  ASSERT_TRUE(a.Claim("x", 1, "T", kStart).ok());
  ASSERT_TRUE(b.Claim("x", 2, "T", kStart).ok());
  Exchange(a, b);
  ASSERT_EQ(Holder(b, "x"), "a/1");
  ASSERT_EQ(b.sizes().contested, 1u);

  ASSERT_TRUE(a.Release("x", 1, kStart));
  Exchange(a, b);

  EXPECT_EQ(Holder(a, "x"), "b/2");
  EXPECT_TRUE(b.TakeLost(Everybody).empty());
  EXPECT_EQ(b.sizes().contested, 0u);
}

}  // namespace
}  // namespace troupe
