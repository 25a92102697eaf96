// Membership: one change at a time, in force from the log, and nobody counted who is no voter (Raft 6, thesis 4).
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kvstore/raft/test_describe.h"
#include "kvstore/raft/test_messages.h"

namespace troupe::raft {
namespace {

using testing::IsEmpty;

std::string Members(TestCluster& c, std::string_view name) { return Describe(c.at(name).configuration()); }

// In force.

TEST(ConfigurationTest, AChangeIsInForceFromTheMomentItStandsInALog) {
  TestCluster c({.strangers = {"dan"}});
  c.Elect("ann");
  c.Isolate("cid");
  c.ProposeChange("ann", Change::Kind::kAddVoter, "dan");
  EXPECT_EQ(Members(c, "ann"), "{ann bob cid dan}");
  EXPECT_EQ(Members(c, "bob"), "{ann bob cid}");
  c.Deliver("ann", "bob");
  EXPECT_EQ(Members(c, "bob"), "{ann bob cid dan}");
  EXPECT_EQ(c.commit("bob"), 1);
}

TEST(ConfigurationTest, TruncationRollsItBack) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("ann");
  c.ProposeChange("ann", Change::Kind::kRemove, "cid");
  EXPECT_EQ(Members(c, "ann"), "{ann bob}");
  c.Elect("bob");
  c.Heal();
  c.Pass(2);
  EXPECT_EQ(Members(c, "ann"), "{ann bob cid}");
}

TEST(ConfigurationTest, ItSurvivesARestart) {
  TestCluster c;
  c.Elect("ann");
  c.ProposeChange("ann", Change::Kind::kRemove, "cid");
  c.Stabilise();
  c.Crash("ann");
  c.Restart("ann");
  EXPECT_EQ(Members(c, "ann"), "{ann bob}");
}

TEST(ConfigurationTest, ASnapshotCarriesTheOneOfItsIndex) {
  TestCluster c({.strangers = {"dan"}});
  c.Elect("ann");
  c.Propose("ann", "x");
  c.Stabilise();
  c.ProposeChange("ann", Change::Kind::kAddLearner, "dan");
  c.Stabilise();
  c.Compact("ann", 2);
  EXPECT_EQ(Describe(c.at("ann").log().snapshot().configuration), "{ann bob cid}") << "the change stands at 3";
  EXPECT_EQ(Members(c, "ann"), "{ann bob cid +dan}");
  c.Compact("ann", 3);
  EXPECT_EQ(Describe(c.at("ann").log().snapshot().configuration), "{ann bob cid +dan}");
}

TEST(ConfigurationTest, WhoIsBroughtUpByASnapshotHasItsConfiguration) {
  TestCluster c({.strangers = {"dan"}});
  c.Elect("ann");
  c.Isolate("cid");
  c.ProposeChange("ann", Change::Kind::kAddLearner, "dan");
  c.Stabilise();
  c.Pass(1);
  c.Compact("ann", 2);
  c.Heal();
  c.Pass(2);
  EXPECT_EQ(c.at("cid").log().snapshot().index, LogIndex(2));
  EXPECT_EQ(Members(c, "cid"), "{ann bob cid +dan}");
  c.Crash("cid");
  c.Restart("cid");
  EXPECT_EQ(Members(c, "cid"), "{ann bob cid +dan}");
}

// One at a time.

TEST(ChangeTest, ASecondWaitsForTheFirst) {
  TestCluster c({.strangers = {"dan", "eve"}});
  c.Elect("ann");
  EXPECT_EQ(c.ProposeChange("ann", Change::Kind::kAddVoter, "dan").refusal, Refusal::kNone);
  EXPECT_EQ(c.ProposeChange("ann", Change::Kind::kAddVoter, "eve").refusal, Refusal::kChangePending);
  c.Stabilise();
  EXPECT_EQ(c.ProposeChange("ann", Change::Kind::kAddVoter, "eve").refusal, Refusal::kNone);
}

// Ongaro's correction of 2015: two leaders that each change the members of the same configuration, without a commit of
// their own before, could end with majorities that do not meet.
TEST(ChangeTest, AChangeWaitsForAnEntryOfTheOwnTerm) {
  TestCluster c;
  for (auto name : {"ann", "bob", "cid"}) c.Begin(name, {.term = 1, .commit = 1, .log = {1}});
  for (auto name : {"bob", "cid"}) c.LoseTouch(name);
  c.Campaign("ann");
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 2, true));
  c.Step(Answer(MessageKind::kVoteReply, "bob", "ann", 2, true));
  EXPECT_EQ(c.ProposeChange("ann", Change::Kind::kRemove, "cid").refusal, Refusal::kNotReady);
  c.Stabilise();
  EXPECT_EQ(c.ProposeChange("ann", Change::Kind::kRemove, "cid").refusal, Refusal::kNone);
}

TEST(ChangeTest, WhatChangesNothingOrLeavesNoVoterIsRefused) {
  TestCluster c({.voters = {"ann"}, .learners = {"dan"}});
  c.Tick("ann", 20);
  struct Row {
    Change::Kind kind;
    const char* whom;
  };
  for (const Row& row : {Row{Change::Kind::kAddVoter, "ann"}, Row{Change::Kind::kAddLearner, "ann"},
                         Row{Change::Kind::kAddLearner, "dan"}, Row{Change::Kind::kRemove, "ann"},
                         Row{Change::Kind::kRemove, "eve"}, Row{Change::Kind::kAddVoter, "nobody"}}) {
    EXPECT_EQ(c.ProposeChange("ann", row.kind, row.whom).refusal, Refusal::kNoSuchChange) << row.whom;
  }
  EXPECT_EQ(c.ProposeChange("dan", Change::Kind::kAddVoter, "eve").refusal, Refusal::kNotLeader);
}

TEST(ChangeTest, ANewReplicaIsBroughtUpFromNothing) {
  TestCluster c({.strangers = {"dan"}});
  c.Elect("ann");
  c.Propose("ann", "x");
  c.Stabilise();
  c.ProposeChange("ann", Change::Kind::kAddLearner, "dan");
  c.Pass(2);
  EXPECT_EQ(c.commands("dan"), Strings("x"));
  EXPECT_EQ(c.ProposeChange("ann", Change::Kind::kAddVoter, "dan").refusal, Refusal::kNone);
  c.Pass(2);
  EXPECT_EQ(Members(c, "dan"), "{ann bob cid dan}");
}

// Who is no voter is not counted: another store lost acknowledged writes by it.

TEST(NonVoterTest, ItsVoteDoesNotCount) {
  TestCluster c({.learners = {"dan", "eve"}});
  c.Campaign("ann");
  for (auto name : {"dan", "eve", "fay"}) c.Step(Answer(MessageKind::kPreVoteReply, name, "ann", 1, true));
  EXPECT_EQ(c.role("ann"), Role::kPreCandidate);
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 1, true));
  for (auto name : {"dan", "eve", "fay"}) c.Step(Answer(MessageKind::kVoteReply, name, "ann", 1, true));
  EXPECT_EQ(c.role("ann"), Role::kCandidate);
}

TEST(NonVoterTest, ItsRefusalDoesNotCountEither) {
  TestCluster c({.learners = {"dan", "eve"}});
  c.Campaign("ann");
  for (auto name : {"dan", "eve", "fay"}) c.Step(Answer(MessageKind::kPreVoteReply, name, "ann", 0, false));
  EXPECT_EQ(c.role("ann"), Role::kPreCandidate);
}

TEST(NonVoterTest, ItsAckDoesNotCount) {
  TestCluster c({.learners = {"dan", "eve"}});
  c.Elect("ann");
  c.Isolate("bob");
  c.Isolate("cid");
  c.Propose("ann", "x");
  c.Stabilise();
  EXPECT_EQ(c.at("ann").progress().at(Id("dan")).match, LogIndex(2));
  EXPECT_EQ(c.commit("ann"), 1);
}

TEST(NonVoterTest, ItsAnswerToAReadDoesNotCount) {
  TestCluster c({.learners = {"dan", "eve"}});
  c.Elect("ann");
  c.Isolate("bob");
  c.Isolate("cid");
  c.ReadIndex("ann", 1);
  c.Stabilise();
  EXPECT_THAT(c.reads("ann"), IsEmpty());
}

TEST(NonVoterTest, ALearnerNeverCampaigns) {
  TestCluster c({.learners = {"dan"}});
  c.Tick("dan", 100);
  c.Campaign("dan");
  c.Elect("ann");
  c.Step(Make(MessageKind::kTimeoutNow, "ann", "dan", 1));
  EXPECT_EQ(c.role("dan"), Role::kFollower);
  EXPECT_EQ(c.term("dan"), 1);
}

// It may be a voter and not know yet: the entry that says so is on its way.
TEST(NonVoterTest, ALearnerVotesWhenItIsAsked) {
  TestCluster c({.learners = {"dan"}});
  c.LoseTouch("dan");
  c.Step(Vote("ann", "dan", 1, {0, 0}));
  EXPECT_TRUE(c.Waiting("dan", "ann").back().ok);
}

TEST(NonVoterTest, WhoIsBeingRemovedDoesNotCountTowardsItsRemoval) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("bob");
  c.ProposeChange("ann", Change::Kind::kRemove, "cid");
  c.Stabilise();
  EXPECT_EQ(c.at("ann").progress().at(Id("cid")).match, LogIndex(2));
  EXPECT_EQ(c.commit("ann"), 1) << "ann and bob must have it";
}

// A leader that is removed (thesis 4.2.2).

TEST(RemovedLeaderTest, ItLeadsUntilItsRemovalIsCommittedAndDoesNotCountItself) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("cid");
  c.ProposeChange("ann", Change::Kind::kRemove, "ann");
  c.Stabilise();
  EXPECT_EQ(c.role("ann"), Role::kLeader);
  EXPECT_EQ(c.commit("ann"), 1) << "of bob and cid, only bob has it";
  EXPECT_EQ(c.Propose("ann", "x").refusal, Refusal::kNotLeader);
  c.Heal();
  c.Pass(2);
  EXPECT_EQ(c.role("ann"), Role::kFollower);
  EXPECT_EQ(c.commit("ann"), 2);
}

TEST(RemovedLeaderTest, ItDoesNotLeaveWhenSomethingBeforeItsRemovalIsCommitted) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("ann");
  c.Propose("ann", "x");
  c.ProposeChange("ann", Change::Kind::kRemove, "ann");
  for (auto name : {"bob", "cid"}) c.Step(Ack(name, "ann", 1, 2));
  EXPECT_EQ(c.commit("ann"), 2);
  EXPECT_EQ(c.role("ann"), Role::kLeader);
  for (auto name : {"bob", "cid"}) c.Step(Ack(name, "ann", 1, 3));
  EXPECT_EQ(c.role("ann"), Role::kFollower);
}

TEST(RemovedLeaderTest, AnotherTakesOverWithoutWaitingForAnElectionTimeout) {
  TestCluster c;
  c.Elect("ann");
  c.ProposeChange("ann", Change::Kind::kRemove, "ann");
  c.Stabilise();
  EXPECT_TRUE(c.role("bob") == Role::kLeader || c.role("cid") == Role::kLeader);
}

// In {ann, bob}, ann has the entry that leaves {bob} and bob does not. Bob's log is older, so that he cannot win; if
// ann might not campaign, nobody could lead again.
TEST(RemovedLeaderTest, OneWhoseRemovalIsNotCommittedMayStillCampaignAndFinishesIt) {
  TestCluster c({.voters = {"ann", "bob"}});
  c.Elect("ann");
  c.Pass(1);
  c.Isolate("ann");
  c.ProposeChange("ann", Change::Kind::kRemove, "ann");
  c.Crash("ann");
  c.Restart("ann");
  c.Heal();
  for (int i = 0; i < 200 && c.role("bob") != Role::kLeader; ++i) c.Pass(1);
  EXPECT_EQ(c.role("bob"), Role::kLeader);
  EXPECT_EQ(Members(c, "bob"), "{bob}");
  EXPECT_EQ(c.role("ann"), Role::kFollower);
  c.Pass(5);
  EXPECT_EQ(c.Propose("bob", "x").refusal, Refusal::kNone);
  EXPECT_EQ(c.commands("bob"), Strings("x"));
}

TEST(RemovedTest, WhoKnowsThatItsRemovalIsCommittedNeverCampaigns) {
  TestCluster c;
  c.Elect("ann");
  c.Pass(1);
  c.ProposeChange("ann", Change::Kind::kRemove, "ann");
  c.Stabilise();
  c.Tick("ann", 100);
  EXPECT_EQ(c.role("ann"), Role::kFollower);
  EXPECT_THAT(c.Waiting(MessageKind::kPreVote), IsEmpty());
}

TEST(RemovedTest, WhoDoesNotKnowDisturbsNobody) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("cid");
  c.ProposeChange("ann", Change::Kind::kRemove, "cid");
  c.Stabilise();
  c.Pass(1);
  c.Heal();
  for (int i = 0; i < 100; ++i) {
    c.Pass(1);
    ASSERT_EQ(c.role("ann"), Role::kLeader);
  }
  EXPECT_EQ(c.term("ann"), 1);
  EXPECT_EQ(c.at("ann").progress().count(Id("cid")), 0);
}

}  // namespace
}  // namespace troupe::raft
