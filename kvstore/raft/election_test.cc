// Elections beyond figure 2: pre-vote, check-quorum, stickiness, transfer. Where a test says "thesis", Ongaro's.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kvstore/raft/test_describe.h"
#include "kvstore/raft/test_messages.h"

namespace troupe::raft {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// Pre-vote (thesis 9.6).

TEST(PreVoteTest, OneThatCannotWinDisturbsNobody) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("cid");
  c.Tick("cid", 200);
  EXPECT_EQ(c.term("cid"), 1);
  c.Heal();
  c.Tick("cid", 40);
  c.Stabilise();
  c.Pass(2);
  EXPECT_EQ(c.role("ann"), Role::kLeader);
  EXPECT_EQ(c.term("ann"), 1);
  EXPECT_EQ(c.leader("cid"), "ann");
}

TEST(PreVoteTest, AskingAndAnsweringPromisesNothing) {
  TestCluster c;
  c.LoseTouch("bob");
  c.Step(PreVote("ann", "bob", 1, {0, 0}));
  c.Step(PreVote("cid", "bob", 1, {0, 0}));
  EXPECT_TRUE(c.Waiting("bob", "ann").back().ok);
  EXPECT_TRUE(c.Waiting("bob", "cid").back().ok);
  EXPECT_EQ(c.term("bob"), 0);
  EXPECT_EQ(c.vote("bob"), "nobody");
}

TEST(PreVoteTest, AnOlderLogIsRefused) {
  TestCluster c;
  c.Begin("bob", {.term = 2, .log = {1, 2}});
  c.LoseTouch("bob");
  c.Step(PreVote("ann", "bob", 3, {5, 1}));
  EXPECT_FALSE(c.Waiting("bob", "ann").back().ok);
}

TEST(PreVoteTest, YesesToAnEarlierQuestionDoNotCount) {
  TestCluster c;
  c.Campaign("ann");
  c.Step(Heartbeat("cid", "ann", 3));
  c.Campaign("ann");
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 1, true));
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 3, true));
  // She may have asked about it before a crash took the term back.
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 5, true));
  EXPECT_EQ(c.role("ann"), Role::kPreCandidate);
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 4, true));
  EXPECT_EQ(c.role("ann"), Role::kCandidate);
}

// Without the answer it would ask for ever for a term that has gone by.
TEST(PreVoteTest, OneThatIsBehindLearnsTheTermFromTheRefusal) {
  TestCluster c;
  for (auto name : {"bob", "cid"}) {
    c.Begin(name, {.term = 9});
    c.LoseTouch(name);
  }
  c.Campaign("ann");
  c.Stabilise();
  EXPECT_EQ(c.term("ann"), 9);
  c.Campaign("ann");
  c.Stabilise();
  EXPECT_EQ(c.role("ann"), Role::kLeader);
  EXPECT_EQ(c.term("ann"), 10);
}

// Stickiness (thesis 4.2.3): whoever hears a leader helps nobody to replace it.

TEST(StickinessTest, WhoHearsALeaderIgnoresCandidates) {
  for (MessageKind kind : {MessageKind::kVote, MessageKind::kPreVote}) {
    TestCluster c;
    c.Step(Heartbeat("ann", "bob", 1));
    c.Tick("bob", 9);
    c.Step(Make(kind, "cid", "bob", 2, {9, 1}));
    EXPECT_THAT(c.Waiting("bob", "cid"), IsEmpty());
    EXPECT_EQ(c.term("bob"), 1);
  }
}

TEST(StickinessTest, AfterAnElectionTimeoutOfSilenceItListens) {
  TestCluster c;
  c.Step(Heartbeat("ann", "bob", 1));
  c.LoseTouch("bob");
  c.Step(Vote("cid", "bob", 2, {9, 1}));
  EXPECT_TRUE(c.Waiting("bob", "cid").back().ok);
}

// A replica that restarts does not know what it heard just before.
TEST(StickinessTest, AfterARestartAnElectionTimeoutPassesBeforeItVotes) {
  TestCluster c;
  c.Elect("ann");
  c.Crash("bob");
  c.Restart("bob");
  c.Tick("bob", 9);
  c.Step(Vote("cid", "bob", 2, {9, 1}));
  EXPECT_THAT(c.Waiting("bob", "cid"), IsEmpty());
  EXPECT_EQ(c.term("bob"), 1);
  c.LoseTouch("bob");
  c.Step(Vote("cid", "bob", 2, {9, 1}));
  EXPECT_TRUE(c.Waiting("bob", "cid").back().ok);
}

TEST(StickinessTest, ALeaderIgnoresCandidates) {
  TestCluster c;
  c.Elect("ann");
  c.Step(Vote("cid", "ann", 2, {9, 9}));
  EXPECT_EQ(c.role("ann"), Role::kLeader);
  EXPECT_EQ(c.term("ann"), 1);
}

// A replica of a higher term does not follow a leader of a lower one. The leader must hear of that, or it would be left
// out for ever.
TEST(StickinessTest, AReplicaOfAHigherTermIsNotLeftOut) {
  TestCluster c;
  for (auto name : {"ann", "bob", "cid"}) c.Begin(name, {.term = 1, .log = {1}});
  c.Elect("ann");
  c.Begin("cid", {.term = 5, .vote = "cid", .log = {1}});
  c.Pass(1);
  EXPECT_EQ(c.role("ann"), Role::kFollower);
  for (int i = 0; i < 60 && c.leader("cid") == "nobody"; ++i) c.Pass(1);
  EXPECT_NE(c.leader("cid"), "nobody");
  EXPECT_EQ(c.leader("cid"), c.leader("bob"));
  EXPECT_GT(c.term("cid"), 5);
}

// Waiting. A candidate whose log is too old must not keep one that could win from trying.

// Nobody's own contact with a leader matters to a vote that a leader asked for.
TEST(WaitTest, ACandidateThatGetsNoVotePutsNothingOff) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    TestCluster c({.options = {.seed = seed}});
    c.Begin("bob", {.term = 1, .log = {1, 1}});
    int ticks = 0;
    while (c.role("bob") == Role::kFollower && ticks < 50) {
      if (ticks % 6 == 5) c.Step(Vote("cid", "bob", 1 + ticks, {1, 1}, /*transfer=*/true));
      c.Tick("bob");
      ++ticks;
    }
    EXPECT_LT(ticks, 20);
  }
}

TEST(WaitTest, AGrantedVoteBeginsANewWait) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    TestCluster c({.options = {.seed = seed}});
    c.Tick("bob", 9);
    c.Step(Vote("cid", "bob", 1, {1, 1}, /*transfer=*/true));
    EXPECT_EQ(c.vote("bob"), "cid");
    c.Tick("bob", 9);
    EXPECT_EQ(c.role("bob"), Role::kFollower);
  }
}

TEST(WaitTest, ADeposedLeaderWaitsAnElectionTimeout) {
  TestCluster c;
  c.Elect("ann");
  c.Tick("ann", 9);
  c.Step(Answer(MessageKind::kAppendReply, "cid", "ann", 7, false));
  ASSERT_EQ(c.role("ann"), Role::kFollower);
  c.Tick("ann", 9);
  EXPECT_EQ(c.role("ann"), Role::kFollower);
}

// Check-quorum (thesis 6.2).

TEST(CheckQuorumTest, ALeaderThatNoMajorityAnswersStepsDown) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("ann");
  c.Tick("ann", 20);
  EXPECT_EQ(c.role("ann"), Role::kFollower);
  EXPECT_EQ(c.leader("ann"), "nobody");
  EXPECT_EQ(c.Propose("ann", "x").refusal, Refusal::kNotLeader);
}

TEST(CheckQuorumTest, ANewLeaderHasAnElectionTimeoutToBeHeard) {
  TestCluster c;
  c.Campaign("ann");
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 1, true));
  c.Step(Answer(MessageKind::kVoteReply, "bob", "ann", 1, true));
  c.Isolate("ann");
  c.Tick("ann", 10);
  EXPECT_EQ(c.role("ann"), Role::kLeader);
  c.Tick("ann", 10);
  EXPECT_EQ(c.role("ann"), Role::kFollower);
}

TEST(CheckQuorumTest, OneThatCanSpeakButNotHearStepsDown) {
  TestCluster c;
  c.Elect("ann");
  for (auto name : {"bob", "cid"}) c.Cut(name, "ann");
  c.Pass(20);
  EXPECT_EQ(c.role("ann"), Role::kFollower);
}

TEST(CheckQuorumTest, AMajorityThatAnswersIsEnough) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("cid");
  c.Pass(100);
  EXPECT_EQ(c.role("ann"), Role::kLeader);
  EXPECT_EQ(c.term("ann"), 1);
}

TEST(CheckQuorumTest, LearnersDoNotCount) {
  TestCluster c({.learners = {"dan", "eve"}});
  c.Elect("ann");
  c.Isolate("bob");
  c.Isolate("cid");
  c.Pass(20);
  EXPECT_EQ(c.role("ann"), Role::kFollower);
}

TEST(CheckQuorumTest, WhoSteppedDownVotesForAnotherAtOnce) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("ann");
  c.Tick("ann", 20);
  c.Step(Vote("bob", "ann", 2, {9, 9}));
  EXPECT_EQ(c.vote("ann"), "bob");
}

// The own vote, and what is asked in its name, wait for the disk (Raft 5.2).
TEST(CandidateTest, NobodyIsAskedForAVoteBeforeTheOwnIsOnDisk) {
  TestCluster c;
  c.HoldDisk("ann");
  c.Campaign("ann");
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 1, true));
  ASSERT_EQ(c.role("ann"), Role::kCandidate);
  EXPECT_THAT(c.Waiting(MessageKind::kVote), IsEmpty());
  c.FreeDisk("ann");
  EXPECT_THAT(c.Waiting(MessageKind::kVote), SizeIs(2));
}

TEST(CandidateTest, TheOwnVoteCountsOnlyOnceItIsOnDisk) {
  TestCluster c;
  c.HoldDisk("ann");
  c.Campaign("ann");
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 1, true));
  c.Step(Answer(MessageKind::kVoteReply, "bob", "ann", 1, true));
  EXPECT_EQ(c.role("ann"), Role::kCandidate) << "one vote of three";
  c.FreeDisk("ann");
  EXPECT_EQ(c.role("ann"), Role::kLeader);
}

TEST(CandidateTest, YesesToAnotherElectionDoNotCount) {
  TestCluster c({.voters = {"ann", "bob", "cid", "dan", "eve"}});
  for (uint64_t term : {1, 2}) {
    c.Campaign("ann");
    for (auto name : {"bob", "cid"}) c.Step(Answer(MessageKind::kPreVoteReply, name, "ann", term, true));
  }
  ASSERT_EQ(c.term("ann"), 2);
  for (auto name : {"bob", "cid", "dan"}) c.Step(Answer(MessageKind::kVoteReply, name, "ann", 1, true));
  for (auto name : {"bob", "cid", "dan"}) c.Step(Answer(MessageKind::kPreVoteReply, name, "ann", 2, true));
  EXPECT_EQ(c.role("ann"), Role::kCandidate);
}

// A replica whose snapshot is still on its way to the disk has nothing to campaign with.
TEST(CandidateTest, NobodyCampaignsWithASnapshotThatIsNotOnDisk) {
  TestCluster c;
  c.HoldDisk("bob");
  c.Step(Snapshot("ann", "bob", 1, {LogIndex(5), Term(1), c.at("bob").configuration(), "elsewhere"}));
  c.Tick("bob", 40);
  EXPECT_EQ(c.role("bob"), Role::kFollower);
  c.FreeDisk("bob");
  c.Tick("bob", 40);
  EXPECT_EQ(c.role("bob"), Role::kPreCandidate);
}

// Leadership transfer (thesis 3.10).

TEST(TransferTest, TheOtherTakesOverThoughAllHearTheLeader) {
  TestCluster c;
  c.Elect("ann");
  EXPECT_EQ(c.Transfer("ann", "cid"), Refusal::kNone);
  c.Stabilise();
  EXPECT_EQ(c.role("cid"), Role::kLeader);
  EXPECT_EQ(c.term("cid"), 2);
  EXPECT_EQ(c.leader("ann"), "cid");
}

TEST(TransferTest, TheOtherIsAskedOnlyOnceItHasEverything) {
  TestCluster c;
  c.Elect("ann");
  c.HoldDisk("cid");
  c.Propose("ann", "x");
  c.Transfer("ann", "cid");
  c.Stabilise();
  EXPECT_EQ(c.role("ann"), Role::kLeader);
  EXPECT_EQ(c.role("cid"), Role::kFollower);
  c.FreeDisk("cid");
  c.Stabilise();
  EXPECT_EQ(c.role("cid"), Role::kLeader);
  EXPECT_EQ(c.commands("cid"), Strings("x"));
}

TEST(TransferTest, ALeaderThatHandsOverTakesNothingNew) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("ann");
  c.Transfer("ann", "bob");
  EXPECT_EQ(c.Propose("ann", "x").refusal, Refusal::kTransferring);
  EXPECT_EQ(c.ProposeChange("ann", Change::Kind::kRemove, "cid").refusal, Refusal::kTransferring);
  EXPECT_EQ(c.Transfer("ann", "cid"), Refusal::kTransferring);
}

TEST(TransferTest, ItIsGivenUpAfterAnElectionTimeout) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("cid");
  c.Transfer("ann", "cid");
  c.Pass(9);
  EXPECT_EQ(c.Propose("ann", "x").refusal, Refusal::kTransferring);
  c.Pass(1);
  EXPECT_EQ(c.Propose("ann", "x").refusal, Refusal::kNone);
  EXPECT_EQ(c.role("ann"), Role::kLeader);
}

TEST(TransferTest, OnlyAnotherVoterCanTakeOver) {
  TestCluster c({.learners = {"dan"}});
  c.Elect("ann");
  EXPECT_EQ(c.Transfer("bob", "cid"), Refusal::kNotLeader);
  for (auto name : {"ann", "dan", "eve"}) EXPECT_EQ(c.Transfer("ann", name), Refusal::kNoSuchChange) << name;
}

TEST(TransferTest, OnlyTheOwnLeaderCanAskForIt) {
  TestCluster c;
  c.Elect("ann");
  c.Step(Make(MessageKind::kTimeoutNow, "bob", "cid", 1));
  EXPECT_EQ(c.role("cid"), Role::kFollower);
  c.Step(Make(MessageKind::kTimeoutNow, "ann", "cid", 0));
  EXPECT_EQ(c.role("cid"), Role::kFollower);
}

}  // namespace
}  // namespace troupe::raft
