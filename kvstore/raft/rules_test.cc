// What lost data elsewhere, as tests. D1 to D7 are faults that were seen in a packaged Raft library: four lost or split
// what was committed, two crashed on a message, one committed nothing under load. Then the ten rules that follow from
// them. What needs more than a few lines of a rule is in election_test.cc, membership_test.cc and flow_test.cc.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kvstore/raft/test_describe.h"
#include "kvstore/raft/test_messages.h"

namespace troupe::raft {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// D1: an entry was committed by counting copies of an old term, applied, and then replaced (Raft 5.4.2, figure 8).
TEST(FaultTest, D1WhatStandsOnAMajorityButIsOfAnOldTermMayBeReplacedAndIsNotApplied) {
  TestCluster c({.voters = {"ann", "bob", "cid", "dan", "eve"}, .options = {.max_append_entries = 1}});
  for (auto name : {"ann", "bob"}) c.Begin(name, {.term = 3, .log = {1, 2}});
  for (auto name : {"cid", "dan"}) c.Begin(name, {.term = 3, .log = {1}});
  c.Begin("eve", {.term = 3, .log = {1, 3}});
  c.Isolate("eve");
  for (auto name : {"bob", "cid", "dan"}) c.LoseTouch(name);
  c.Campaign("ann");
  // Cid and dan get 2/t2 alone, since an append holds one entry here, and say so.
  for (int i = 0; i < 20; ++i) {
    for (auto name : {"cid", "dan"}) {
      const bool has_both = c.last(name) == 2;
      if (!c.Waiting("ann", name).empty() && !has_both) c.Deliver("ann", name);
      if (!c.Waiting(name, "ann").empty()) c.Deliver(name, "ann");
    }
  }
  for (auto name : {"cid", "dan"}) ASSERT_EQ(c.at("ann").progress().at(Id(name)).match, LogIndex(2));
  EXPECT_EQ(c.commit("ann"), 0);
  EXPECT_THAT(c.commands("ann"), IsEmpty());
  // And it is replaced.
  c.Crash("ann");
  for (auto name : {"bob", "cid", "dan"}) c.Drop("ann", name);
  c.Heal();
  c.Campaign("eve");
  c.Stabilise();  // she learns of term 4
  c.Elect("eve");
  c.Restart("ann");
  c.Pass(3);
  for (auto name : {"ann", "bob", "cid", "dan", "eve"}) {
    EXPECT_EQ(c.commands(name), Strings("c1/t1", "c2/t3")) << name;
  }
}

// D2: a deposed leader came back, acknowledged the end of its own log, and so made up a majority for what it lacked.
TEST(FaultTest, D2AnAckNamesWhatTheMessageProvedAndNotTheEndOfTheOwnLog) {
  TestCluster c;
  c.Begin("ann", {.term = 1, .log = {1, 1, 1, 1}});
  c.Step(Append("bob", "ann", 2, {1, 1}, {}));
  ASSERT_THAT(c.Waiting("ann", "bob"), SizeIs(1));
  EXPECT_EQ(Describe(c.Waiting("ann", "bob")[0]), "ann -> bob  term 2: I have up to 1");
}

TEST(FaultTest, D2ADeposedLeadersOwnEntriesAreNotTakenForCopies) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("ann");
  for (int i = 0; i < 5; ++i) c.Propose("ann", "lost");
  c.Elect("bob");
  c.Isolate("cid");
  c.Propose("bob", "kept");
  // Only ann and bob hear each other now. An empty append shows bob where she stands, and her answer says 1.
  c.Heal();
  c.Isolate("cid");
  c.Delay("bob", "ann");
  c.Step(Append("bob", "ann", 2, {1, 1}, {}));
  c.Stabilise();
  EXPECT_EQ(c.commit("bob"), 2) << "kept stands on one disk";
  c.Heal();
  c.Pass(2);
  EXPECT_EQ(c.commands("ann"), Strings("kept"));
  EXPECT_EQ(c.commands("cid"), Strings("kept"));
}

// D3: a sole voter elected itself without a new term; two of them met in one term with different entries.
TEST(FaultTest, D3ASoleVoterTakesANewTermForEachElection) {
  TestCluster c({.voters = {"ann"}});
  c.Tick("ann", 20);
  EXPECT_EQ(c.role("ann"), Role::kLeader);
  EXPECT_EQ(c.term("ann"), 1);
  c.Crash("ann");
  c.Restart("ann");
  c.Tick("ann", 20);
  EXPECT_EQ(c.role("ann"), Role::kLeader);
  EXPECT_EQ(c.term("ann"), 2);
}

TEST(FaultTest, D3ASoleVoterLeadsOnlyOnceItsTermIsOnDisk) {
  TestCluster c({.voters = {"ann"}});
  c.HoldDisk("ann");
  c.Campaign("ann");
  EXPECT_EQ(c.role("ann"), Role::kCandidate);
  c.Sync("ann");
  EXPECT_EQ(c.role("ann"), Role::kLeader);
}

// D4: a voter that waited for a leadership transfer voted a second time.
TEST(FaultTest, D4ATransferIsNoReasonToVoteTwice) {
  TestCluster c;
  c.LoseTouch("bob");
  c.Step(Vote("cid", "bob", 1, {0, 0}));
  c.Step(Vote("ann", "bob", 1, {9, 1}, /*transfer=*/true));
  ASSERT_THAT(c.Waiting("bob", "ann"), SizeIs(1));
  EXPECT_FALSE(c.Waiting("bob", "ann")[0].ok);
  EXPECT_EQ(c.vote("bob"), "cid");
}

TEST(FaultTest, D4ACandidateByTransferVotesForNobodyElse) {
  TestCluster c;
  c.Elect("ann");
  c.Step(Make(MessageKind::kTimeoutNow, "ann", "bob", 1));
  c.Step(Vote("cid", "bob", 2, {9, 1}, /*transfer=*/true));
  EXPECT_EQ(c.vote("bob"), "bob");
  ASSERT_THAT(c.Waiting("bob", "cid"), SizeIs(testing::Ge(1u)));
  EXPECT_FALSE(c.Waiting("bob", "cid").back().ok);
}

// D5: a conflict rolled back a configuration whose predecessor had been compacted away, and the process crashed.
TEST(FaultTest, D5AConfigurationIsRolledBackToOneThatOnlyTheSnapshotKnows) {
  TestCluster c({.strangers = {"dan", "eve"}});
  c.Elect("ann");
  c.ProposeChange("ann", Change::Kind::kAddLearner, "dan");
  c.Stabilise();
  c.Pass(1);
  c.Isolate("ann");
  c.ProposeChange("ann", Change::Kind::kAddLearner, "eve");
  c.Compact("ann", 2);
  c.Elect("bob");
  c.Heal();
  c.Pass(2);
  EXPECT_EQ(Describe(c.at("ann").configuration()), "{ann bob cid +dan}");
  EXPECT_EQ(c.log("ann"), Terms({2}));
}

// D6: a message of a stale leader, whose answer could not be sent, crashed the process.
TEST(FaultTest, D6AStaleLeaderThatCannotBeAnsweredDoesNoHarm) {
  TestCluster c;
  c.Begin("bob", {.term = 5, .log = {1, 1}});
  c.Cut("bob", "ann");
  c.Step(Append("ann", "bob", 4, {1, 1}, {2, 2}, 3));
  EXPECT_EQ(c.log("bob"), Terms({1, 1}));
  EXPECT_EQ(c.commit("bob"), 0);
}

// D7: an entry was committed only once a majority had everything that the leader had; under a steady load, never.
TEST(FaultTest, D7CommitsGoOnWhileThereIsAlwaysMore) {
  TestCluster c;
  c.Elect("ann");
  uint64_t proposed = c.last("ann");
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 3; ++i) proposed = c.Propose("ann", "x").index.value();
    // One way each round, so that three rounds of appends are always on their way.
    for (auto name : {"bob", "cid"}) {
      if (round >= 2 && !c.Waiting(name, "ann").empty()) {
        for (size_t i = c.Waiting(name, "ann").size(); i > 0; --i) c.Deliver(name, "ann");
      }
      for (size_t i = c.Waiting("ann", name).size(); i > 3; --i) c.Deliver("ann", name);
    }
    EXPECT_GE(c.commit("ann") + 30, proposed) << "round " << round;
  }
}

// The rules.

// 1. A new term says nothing before its no-op, and counts only what is of its own term.
TEST(RuleTest, R1ANewLeadersFirstWordIsItsNoOp) {
  TestCluster c;
  for (auto name : {"ann", "bob", "cid"}) c.Begin(name, {.term = 1, .log = {1, 1}});
  for (auto name : {"bob", "cid"}) c.LoseTouch(name);
  c.Campaign("ann");
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 2, true));
  c.Step(Answer(MessageKind::kVoteReply, "bob", "ann", 2, true));
  c.Drop("ann", "bob");
  c.Tick("ann");
  for (const Message& append : c.Waiting(MessageKind::kAppend)) {
    EXPECT_EQ(Describe(append), "ann -> cid  term 2: append 3/t2 no-op, after 2/t1, commit 0");
  }
  EXPECT_THAT(c.Waiting(MessageKind::kAppend), SizeIs(1));
}

// 2. An ack comes after the disk, and names what the message proved in its term.
TEST(RuleTest, R2AnAckComesAfterTheDisk) {
  TestCluster c;
  c.Elect("ann");
  c.HoldDisk("bob");
  c.HoldDisk("cid");
  c.Propose("ann", "x");
  c.Stabilise();
  EXPECT_EQ(c.last("bob"), 2);
  EXPECT_EQ(c.commit("ann"), 1);
  c.FreeDisk("cid");
  c.Stabilise();
  EXPECT_EQ(c.commit("ann"), 2);
}

TEST(RuleTest, R2AnAckOfAnEarlierTermIsNotCounted) {
  TestCluster c;
  c.Elect("ann");
  c.Elect("bob");
  c.Elect("ann");
  ASSERT_EQ(c.term("ann"), 3);
  c.Isolate("ann");
  c.Propose("ann", "x");
  c.Step(Ack("bob", "ann", 1, 4));
  EXPECT_EQ(c.commit("ann"), 3);
  c.Step(Ack("bob", "ann", 3, 4));
  EXPECT_EQ(c.commit("ann"), 4);
}

TEST(RuleTest, R2AFollowerCommitsNoFurtherThanTheMessageWent) {
  TestCluster c;
  c.Begin("bob", {.term = 1, .log = {1, 1, 1}});
  c.Step(Append("ann", "bob", 2, {0, 0}, {1}, 3));
  EXPECT_EQ(c.commit("bob"), 1);
}

// 3. The leader's own disk is one of the disks, no more.
TEST(RuleTest, R3ALeaderCountsItselfOnlyOnceItsDiskHasIt) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("cid");
  c.HoldDisk("ann");
  c.Propose("ann", "x");
  c.Stabilise();
  EXPECT_EQ(c.commit("ann"), 1) << "bob's is the only disk that has it";
  c.FreeDisk("ann");
  EXPECT_EQ(c.commit("ann"), 2);
}

TEST(RuleTest, R3WhatAMajorityHasIsCommittedWithoutTheLeadersDiskButNotAppliedThere) {
  TestCluster c;
  c.Elect("ann");
  c.HoldDisk("ann");
  c.Propose("ann", "x");
  c.Stabilise();
  EXPECT_EQ(c.commit("ann"), 2);
  EXPECT_THAT(c.commands("ann"), IsEmpty()) << "after a crash the state would be ahead of the log";
  c.FreeDisk("ann");
  EXPECT_EQ(c.commands("ann"), Strings("x"));
}

// The word that an entry is on disk comes late: it was replaced since, and has come back. As a script with all its
// parts: testdata/persist_ack_aba.txt.
TEST(RuleTest, R3AWriteOfAnotherTermDoesNotCountForTheSameEntryOfNow) {
  TestCluster c;
  c.HoldAcks("bob");
  c.Step(Append("ann", "bob", 1, {0, 0}, {1}));
  c.Step(Append("cid", "bob", 2, {0, 0}, {2}));
  c.HoldDisk("bob");
  c.Step(Append("ann", "bob", 3, {0, 0}, {1, 3}, 2));
  ASSERT_EQ(c.disk("bob").entries[0]->term, Term(2)) << "what is on disk is the replacement";
  c.Ack("bob");
  EXPECT_EQ(c.at("bob").durable(), LogIndex(0));
  EXPECT_THAT(c.commands("bob"), IsEmpty());
  c.FreeDisk("bob");
  c.FreeAcks("bob");
  EXPECT_EQ(c.commands("bob"), Strings("c1/t1", "c2/t3"));
}

TEST(RuleTest, R3AnOldWriteDoesNotMakeTheOwnVoteDurable) {
  TestCluster c({.voters = {"ann"}, .learners = {"dan"}});
  c.Begin("ann", {.term = 1, .log = {1}});
  c.HoldDisk("ann");
  c.Step(Append("bob", "ann", 2, {1, 1}, {2}));
  c.Campaign("ann");
  ASSERT_EQ(c.role("ann"), Role::kCandidate);
  c.Sync("ann");
  EXPECT_EQ(c.role("ann"), Role::kCandidate) << "the write was of the term before";
  c.Sync("ann");
  EXPECT_EQ(c.role("ann"), Role::kLeader);
}

// 4. One vote in a term, also through a crash.
TEST(RuleTest, R4AVoteIsRememberedThroughACrash) {
  TestCluster c;
  c.LoseTouch("bob");
  c.Step(Vote("ann", "bob", 1, {0, 0}));
  c.Stabilise();
  c.Crash("bob");
  c.Restart("bob");
  c.LoseTouch("bob");
  EXPECT_EQ(c.vote("bob"), "ann");
  c.Step(Vote("cid", "bob", 1, {0, 0}));
  EXPECT_FALSE(c.Waiting("bob", "cid").back().ok);
}

TEST(RuleTest, R4ATermIsRememberedThroughACrash) {
  TestCluster c;
  c.Begin("bob", {.term = 7, .log = {1}});
  c.Crash("bob");
  c.Restart("bob");
  EXPECT_EQ(c.term("bob"), 7);
  c.Step(Append("ann", "bob", 6, {1, 1}, {6}));
  EXPECT_EQ(c.log("bob"), Terms({1}));
}

// What a crash loses was not promised to anybody.
TEST(RuleTest, R4ACrashBeforeTheDiskTakesTheVoteBack) {
  TestCluster c;
  c.LoseTouch("bob");
  c.HoldDisk("bob");
  c.Step(Vote("ann", "bob", 1, {0, 0}));
  c.Crash("bob");
  c.FreeDisk("bob");
  c.Restart("bob");
  EXPECT_EQ(c.term("bob"), 0);
  EXPECT_THAT(c.Waiting("bob", "ann"), IsEmpty());
}

// 9. What contradicts the proof ends the process: going on could lose what others rely on.
TEST(RuleDeathTest, R9AConflictBelowTheCommitIndexEndsTheProcess) {
  TestCluster c;
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1}, 2));
  EXPECT_DEATH(c.Step(Append("cid", "bob", 2, {0, 0}, {2, 2, 2})), "lacks a committed entry");
}

TEST(RuleDeathTest, R9TwoLeadersInOneTermEndTheProcess) {
  TestCluster c;
  c.Elect("ann");
  EXPECT_DEATH(c.Step(Heartbeat("bob", "ann", 1)), "two leaders in one term");
}

TEST(RuleDeathTest, R9ADiskThatLostWhatWasAppliedEndsTheProcess) {
  TestCluster c;
  EXPECT_DEATH(c.Begin("ann", {.term = 1, .commit = 3, .log = {1, 1}}), "past the end of the log on disk");
}

// 10. Ids are the caller's; the core only wants one.
TEST(RuleDeathTest, R10AReplicaNeedsAnId) {
  EXPECT_DEATH(Raft({}, {.snapshot = {.configuration = {.voters = {ReplicaId(1)}}}}), "needs an id");
}

}  // namespace
}  // namespace troupe::raft
