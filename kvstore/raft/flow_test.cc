// What bounds the core, and what carries entries, snapshots and reads through it.
#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kvstore/raft/test_describe.h"
#include "kvstore/raft/test_messages.h"

namespace troupe::raft {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Le;
using testing::Pair;
using testing::SizeIs;

const Progress& Of(TestCluster& c, std::string_view leader, std::string_view follower) {
  return c.at(leader).progress().at(Id(follower));
}

// Limits. What is refused can be tried again; nothing grows without an end.

TEST(LimitTest, UncommittedBytesArePushedBack) {
  TestCluster c({.options = {.max_uncommitted_bytes = 10'000}});
  c.Elect("ann");
  c.Isolate("ann");
  int taken = 0;
  while (taken < 100 && c.Propose("ann", std::string(1000, 'x')).refusal == Refusal::kNone) ++taken;
  EXPECT_GE(taken, 7);
  EXPECT_LE(taken, 10);
  EXPECT_EQ(c.Propose("ann", std::string(1000, 'x')).refusal, Refusal::kTooMuch);
  c.Heal();
  c.Pass(3);
  EXPECT_EQ(c.Propose("ann", std::string(1000, 'x')).refusal, Refusal::kNone);
}

// Entries of earlier terms were not counted when they came, so they must not be taken off when they are committed.
TEST(LimitTest, WhatEarlierTermsLeftMakesNoRoomForMore) {
  TestCluster c({.options = {.max_uncommitted_bytes = 10'000}});
  c.Elect("ann");
  c.Cut("bob", "ann");
  c.Cut("cid", "ann");
  for (int i = 0; i < 8; ++i) c.Propose("ann", std::string(1000, 'x'));
  c.Stabilise();
  c.Crash("ann");
  c.Heal();
  c.HoldDisk("cid");
  c.LoseTouch("cid");
  c.Campaign("bob");
  for (int i = 0; i < 2; ++i) {
    c.Stabilise();
    c.Sync("cid");
  }
  c.Stabilise();
  ASSERT_EQ(c.role("bob"), Role::kLeader);
  int taken = 0;
  while (taken < 100 && c.Propose("bob", std::string(1000, 'x')).refusal == Refusal::kNone) ++taken;
  // The no-op is committed, and with it what ann left; bob's own are not.
  c.Stabilise();
  c.Sync("cid");
  c.Stabilise();
  ASSERT_GE(c.commit("bob"), 10);
  ASSERT_LT(c.commit("bob"), c.last("bob"));
  EXPECT_EQ(c.Propose("bob", std::string(1000, 'x')).refusal, Refusal::kTooMuch);
}

TEST(LimitTest, OneProposalIsLetInHoweverLarge) {
  TestCluster c({.options = {.max_append_bytes = 100, .max_window_bytes = 100, .max_uncommitted_bytes = 100}});
  c.Elect("ann");
  EXPECT_EQ(c.Propose("ann", std::string(5000, 'x')).refusal, Refusal::kNone);
  c.Stabilise();
  EXPECT_EQ(c.commit("ann"), 2);
}

TEST(LimitTest, AnAppendHoldsNoMoreThanItsLimits) {
  for (Options options : {Options{.max_append_entries = 3}, Options{.max_append_bytes = 3 * (sizeof(Entry) + 10)}}) {
    TestCluster c({.options = options});
    c.Elect("ann");
    c.Isolate("cid");
    for (int i = 0; i < 10; ++i) c.Propose("ann", std::string(10, 'x'));
    c.Stabilise();
    c.Heal();
    size_t most = 0;
    for (int i = 0; i < 10; ++i) {
      c.Tick("ann");
      for (bool quiet = false; !quiet;) {
        for (const Message& append : c.Waiting("ann", "cid")) most = std::max(most, append.entries.size());
        quiet = c.Waiting("ann", "cid").empty();
        if (!quiet) c.Deliver("ann", "cid");
        while (!c.Waiting("cid", "ann").empty()) c.Deliver("cid", "ann");
      }
    }
    EXPECT_EQ(most, 3);
    EXPECT_EQ(c.last("cid"), 11);
  }
}

TEST(LimitTest, TheWindowBoundsWhatIsUnderWay) {
  for (Options options : {Options{.max_append_entries = 1, .max_window_appends = 4},
                          Options{.max_append_entries = 1, .max_window_bytes = 3 * sizeof(Entry) + 40}}) {
    TestCluster c({.options = options});
    c.Elect("ann");
    for (int i = 0; i < 20; ++i) c.Propose("ann", "x");
    EXPECT_THAT(c.Waiting("ann", "bob"), SizeIs(4));
    c.Stabilise();
    EXPECT_EQ(c.commit("ann"), 21);
    EXPECT_THAT(Of(c, "ann", "bob").window, IsEmpty());
    EXPECT_EQ(Of(c, "ann", "bob").window_bytes, 0);
  }
}

// A follower with a slow disk answers heartbeats at once and appends late. Each answer to a heartbeat must not put one
// more append on top of a full window.
TEST(LimitTest, HeartbeatsPutNothingOnTopOfAFullWindow) {
  TestCluster c({.options = {.max_append_entries = 1, .max_window_appends = 4}});
  c.Elect("ann");
  c.HoldDisk("bob");
  for (int i = 0; i < 50; ++i) c.Propose("ann", "x");
  c.Pass(30);
  EXPECT_THAT(c.last("bob"), Le(1 + 4 + 1));
  c.FreeDisk("bob");
  c.Stabilise();
  EXPECT_EQ(c.last("bob"), 51);
}

// What was lost under a full window is found out, too.
TEST(LimitTest, AFullWindowThatWasLostIsSentAgain) {
  TestCluster c({.options = {.max_append_entries = 1, .max_window_appends = 4}});
  c.Elect("ann");
  for (int i = 0; i < 20; ++i) c.Propose("ann", "x");
  c.Drop("ann", "bob");
  c.Pass(3);
  EXPECT_EQ(c.last("bob"), 21);
  EXPECT_EQ(c.commit("bob"), 21);
}

TEST(LimitTest, OneReadyHandsOutNoMoreToApplyThanItsLimit) {
  TestCluster c({.voters = {"ann"}, .options = {.max_apply_bytes = 2 * (sizeof(Entry) + 10)}});
  c.Begin("ann", {.term = 1, .log = {1, 1, 1, 1, 1, 1, 1}});
  c.Tick("ann", 20);
  c.TakeTrace();
  EXPECT_EQ(c.applied("ann"), 8);
  Options options = c.at("ann").options();
  Raft raft(
      options,
      {.hard_state = c.disk("ann").hard_state, .snapshot = c.disk("ann").snapshot, .entries = c.disk("ann").entries});
  EXPECT_THAT(raft.TakeReady().apply, SizeIs(2));
  EXPECT_TRUE(raft.HasReady());
}

TEST(LimitTest, ReadsThatWaitAreBounded) {
  TestCluster c({.options = {.max_reads = 3}});
  c.Elect("ann");
  c.Isolate("ann");
  for (uint64_t id = 1; id <= 3; ++id) EXPECT_EQ(c.ReadIndex("ann", id), Refusal::kNone);
  EXPECT_EQ(c.ReadIndex("ann", 4), Refusal::kTooMuch);
}

// Where the logs meet (Raft 5.3).

TEST(ProbeTest, AConflictOfAHundredEntriesIsSettledByAFewAnswers) {
  TestCluster c;
  std::vector<uint64_t> shared(10, 1);
  std::vector<uint64_t> anns = shared;
  anns.insert(anns.end(), 100, 3);
  std::vector<uint64_t> bobs = shared;
  bobs.insert(bobs.end(), 100, 2);
  for (auto name : {"ann", "cid"}) c.Begin(name, {.term = 3, .log = anns});
  c.Begin("bob", {.term = 3, .log = bobs});
  c.Elect("ann");
  EXPECT_EQ(c.log("bob"), c.log("ann"));
  EXPECT_LE(std::count_if(c.sent().begin(), c.sent().end(),
                          [](const Message& m) { return m.kind == MessageKind::kAppendReply && !m.ok; }),
            2);
}

TEST(ProbeTest, ARefusalOfAnOlderAppendMovesNothing) {
  TestCluster c;
  for (auto name : {"ann", "bob", "cid"}) c.Begin(name, {.term = 1, .log = {1, 1, 1}});
  for (auto name : {"bob", "cid"}) c.LoseTouch(name);
  c.Delay("ann", "bob");
  c.Campaign("ann");
  c.Stabilise();
  ASSERT_EQ(Of(c, "ann", "bob").state, Progress::State::kProbe);
  Message refusal = Answer(MessageKind::kAppendReply, "bob", "ann", 2, false);
  refusal.index = LogIndex(2);
  c.Step(refusal);
  EXPECT_EQ(Of(c, "ann", "bob").next, LogIndex(4));
  c.Heal();
  c.Stabilise();
  ASSERT_EQ(Of(c, "ann", "bob").state, Progress::State::kReplicate);
  c.Step(refusal);
  EXPECT_EQ(Of(c, "ann", "bob").state, Progress::State::kReplicate) << "it is known to have 4";
}

// Reads (thesis 6.4).

TEST(ReadTest, AReadNeedsAnEntryOfTheOwnTerm) {
  TestCluster c;
  for (auto name : {"bob", "cid"}) c.LoseTouch(name);
  c.Campaign("ann");
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 1, true));
  c.Step(Answer(MessageKind::kVoteReply, "bob", "ann", 1, true));
  EXPECT_EQ(c.ReadIndex("ann", 1), Refusal::kNotReady);
  EXPECT_EQ(c.ReadIndex("bob", 1), Refusal::kNotLeader);
  c.Stabilise();
  EXPECT_EQ(c.ReadIndex("ann", 1), Refusal::kNone);
}

TEST(ReadTest, ASoleVoterAnswersAtOnce) {
  TestCluster c({.voters = {"ann"}});
  c.Tick("ann", 20);
  c.ReadIndex("ann", 1);
  EXPECT_THAT(c.reads("ann"), ElementsAre(Pair(1, 1)));
}

TEST(ReadTest, AnAnswerToAnEarlierRoundDoesNotConfirmALaterRead) {
  TestCluster c;
  c.Elect("ann");
  c.Delay("bob", "ann");
  c.Delay("cid", "ann");
  c.ReadIndex("ann", 1);
  c.Stabilise();
  c.ReadIndex("ann", 2);
  c.Deliver("bob", "ann");
  c.Deliver("cid", "ann");
  EXPECT_THAT(c.reads("ann"), ElementsAre(Pair(1, 1)));
  c.Heal();
  c.Stabilise();
  EXPECT_THAT(c.reads("ann"), ElementsAre(Pair(1, 1), Pair(2, 1)));
}

TEST(ReadTest, AReadSeesWhatWasCommittedWhenItCame) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("ann");
  c.ReadIndex("ann", 1);
  c.Propose("ann", "x");
  c.Step(Ack("bob", "ann", 1, 2));
  ASSERT_EQ(c.commit("ann"), 2);
  Message heard = Make(MessageKind::kHeartbeatReply, "bob", "ann", 1);
  heard.round = 1;
  c.Step(heard);
  EXPECT_THAT(c.reads("ann"), ElementsAre(Pair(1, 1)));
}

TEST(ReadTest, ReadsFailWhenLeadershipIsLost) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("ann");
  c.ReadIndex("ann", 1);
  c.ReadIndex("ann", 2);
  c.Step(Heartbeat("bob", "ann", 2));
  EXPECT_THAT(c.failed_reads("ann"), ElementsAre(1, 2));
  EXPECT_THAT(c.reads("ann"), IsEmpty());
}

TEST(ReadTest, ALostRoundIsMadeUpForByTheNextHeartbeat) {
  TestCluster c;
  c.Elect("ann");
  c.ReadIndex("ann", 1);
  c.Drop("ann", "bob");
  c.Drop("ann", "cid");
  c.Pass(1);
  EXPECT_THAT(c.reads("ann"), ElementsAre(Pair(1, 1)));
}

// Applying and compacting.

TEST(ApplyTest, WhatIsCommittedButNotOnTheOwnDiskIsNotApplied) {
  TestCluster c;
  c.HoldDisk("bob");
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1}, 2));
  EXPECT_EQ(c.commit("bob"), 2);
  EXPECT_THAT(c.commands("bob"), IsEmpty());
  c.FreeDisk("bob");
  EXPECT_EQ(c.commands("bob"), Strings("c1/t1", "c2/t1"));
}

TEST(CompactTest, TheLogBeginsAfterTheSnapshot) {
  TestCluster c;
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1, 1}, 2));
  c.Compact("bob", 2);
  EXPECT_EQ(c.at("bob").log().snapshot().index, LogIndex(2));
  EXPECT_EQ(c.at("bob").log().snapshot().reference, "bob@2");
  EXPECT_EQ(c.log("bob"), Terms({1}));
  c.Compact("bob", 1);
  EXPECT_EQ(c.at("bob").log().snapshot().reference, "bob@2") << "an older one changes nothing";
}

TEST(CompactDeathTest, WhatIsNotAppliedCannotBeCompacted) {
  TestCluster c;
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1, 1}, 2));
  EXPECT_DEATH(c.Compact("bob", 3), "compacts what is not applied");
}

TEST(CompactTest, AReplicaStartsFromItsSnapshot) {
  TestCluster c;
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1, 1}, 3));
  c.Compact("bob", 2);
  c.Crash("bob");
  c.Restart("bob");
  EXPECT_EQ(c.last("bob"), 3);
  c.Step(Append("ann", "bob", 1, {3, 1}, {1}, 4));
  EXPECT_EQ(c.commands("bob"), Strings("c1/t1", "c2/t1", "c3/t1", "c4/t1"));
}

// Snapshots (Raft 7).

TEST(SnapshotTest, ItIsSentWhenWhatIsMissingIsGone) {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("cid");
  for (auto data : {"x", "y"}) c.Propose("ann", data);
  c.Stabilise();
  c.Compact("ann", 3);
  c.Heal();
  c.Pass(2);
  EXPECT_EQ(c.commands("cid"), Strings("x", "y"));
  EXPECT_EQ(c.disk("cid").snapshot.reference, "ann@3");
  EXPECT_EQ(Of(c, "ann", "cid").state, Progress::State::kReplicate);
}

TEST(SnapshotTest, OneThatTheLogAlreadyHasOnlyCommits) {
  TestCluster c;
  c.Begin("bob", {.term = 1, .log = {1, 1, 1}});
  c.Step(Snapshot("ann", "bob", 1, {LogIndex(2), Term(1), c.at("bob").configuration(), "ann@2"}));
  EXPECT_EQ(c.log("bob"), Terms({1, 1, 1}));
  EXPECT_EQ(c.commit("bob"), 2);
  EXPECT_EQ(Describe(c.Waiting("bob", "ann").back()), "bob -> ann  term 1: I have up to 2");
}

TEST(SnapshotTest, OneThatConflictsReplacesTheLog) {
  TestCluster c;
  c.Begin("bob", {.term = 1, .log = {1, 1, 1}});
  c.Step(Snapshot("ann", "bob", 3, {LogIndex(2), Term(2), c.at("bob").configuration(), "ann@2"}));
  EXPECT_EQ(c.last("bob"), 2);
  EXPECT_THAT(c.log("bob"), IsEmpty());
  EXPECT_THAT(c.disk("bob").entries, IsEmpty());
}

TEST(SnapshotTest, AnOldOneChangesNothing) {
  TestCluster c;
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1, 1}, 3));
  c.Step(Snapshot("ann", "bob", 1, {LogIndex(2), Term(1), c.at("bob").configuration(), "ann@2"}));
  EXPECT_EQ(c.log("bob"), Terms({1, 1, 1}));
  EXPECT_EQ(c.commands("bob"), Strings("c1/t1", "c2/t1", "c3/t1"));
  EXPECT_EQ(Describe(c.Waiting("bob", "ann").back()), "bob -> ann  term 1: I have up to 3");
}

TEST(SnapshotTest, ItIsAcknowledgedOnceItIsOnDisk) {
  TestCluster c;
  c.HoldDisk("bob");
  c.Step(Snapshot("ann", "bob", 1, {LogIndex(2), Term(1), c.at("bob").configuration(), "ann@2"}));
  EXPECT_THAT(c.Waiting("bob", "ann"), IsEmpty());
  EXPECT_EQ(c.at("bob").durable(), LogIndex(0));
  c.FreeDisk("bob");
  EXPECT_THAT(c.Waiting("bob", "ann"), SizeIs(1));
}

// Cid lacks what ann has compacted away, and the snapshot that she has sent is lost.
TestCluster WithALostSnapshot() {
  TestCluster c;
  c.Elect("ann");
  c.Isolate("cid");
  c.Propose("ann", "x");
  c.Stabilise();
  c.Compact("ann", 2);
  c.Heal();
  c.Delay("ann", "cid");
  c.Tick("ann");
  for (int i = 0; i < 2; ++i) {
    c.Deliver("ann", "cid");
    c.Stabilise();
  }
  EXPECT_EQ(Of(c, "ann", "cid").state, Progress::State::kSnapshot);
  c.Drop("ann", "cid");
  c.Heal();
  return c;
}

TEST(SnapshotTest, OneThatWasLostIsSentAgain) {
  TestCluster c = WithALostSnapshot();
  c.Pass(7);
  EXPECT_THAT(c.commands("cid"), IsEmpty()) << "it may still be on its way";
  c.Pass(5);
  EXPECT_EQ(c.commands("cid"), Strings("x"));
}

// Ann compacted further while cid fetched the snapshot, so that what follows it is gone, too.
TEST(SnapshotTest, OneThatArrivesTooLateIsFollowedByTheNextAtOnce) {
  TestCluster c = WithALostSnapshot();
  c.Delay("cid", "ann");
  for (auto data : {"y", "z"}) c.Propose("ann", data);
  c.Stabilise();
  c.Step(Snapshot("ann", "cid", 1, c.at("ann").log().snapshot()));
  c.Compact("ann", 4);
  while (!c.Waiting("cid", "ann").empty()) c.Deliver("cid", "ann");
  c.Heal();
  c.Stabilise();
  EXPECT_EQ(c.commands("cid"), Strings("x", "y", "z")) << "without a tick";
}

// A snapshot of what is known to be out of reach would only be lost.
TEST(SnapshotTest, NoneIsSentToOneThatIsSilent) {
  TestCluster c = WithALostSnapshot();
  c.Isolate("cid");
  const auto snapshots = [&c] {
    return std::count_if(c.sent().begin(), c.sent().end(),
                         [](const Message& m) { return m.kind == MessageKind::kSnapshot; });
  };
  const auto before = snapshots();
  c.Pass(30);
  c.Propose("ann", "y");
  EXPECT_EQ(snapshots(), before);
  c.Heal();
  c.Pass(3);
  EXPECT_EQ(c.commands("cid"), Strings("x", "y"));
}

// A Ready says by its parts what must be on disk before what.

TEST(ReadyTest, ACommitIndexAloneNeedsNoSync) {
  TestCluster c;
  c.Step(Append("ann", "bob", 1, {0, 0}, {1}));
  c.at("bob").Step(Heartbeat("ann", "bob", 1, 1));
  const Ready ready = c.at("bob").TakeReady();
  ASSERT_TRUE(ready.hard_state.has_value());
  EXPECT_EQ(ready.hard_state->commit, LogIndex(1));
  EXPECT_FALSE(ready.must_sync);
}

TEST(ReadyTest, TermsVotesEntriesAndSnapshotsNeedOne) {
  const SnapshotRef snapshot{LogIndex(2), Term(1), {.voters = {ReplicaId(1), ReplicaId(2)}}, "ann@2"};
  for (const Message& message : {Heartbeat("ann", "bob", 2), Vote("ann", "bob", 1, {9, 9}, /*transfer=*/true),
                                 Append("ann", "bob", 1, {0, 0}, {1}), Snapshot("ann", "bob", 1, snapshot)}) {
    TestCluster c;
    c.Begin("bob", {.term = 1});
    c.at("bob").Step(message);
    EXPECT_TRUE(c.at("bob").TakeReady().must_sync) << Describe(message);
  }
}

TEST(ReadyTest, NothingToDoIsNoReady) {
  TestCluster c;
  c.Elect("ann");
  c.Pass(3);
  for (auto name : {"ann", "bob", "cid"}) EXPECT_FALSE(c.at(name).HasReady()) << name;
}

}  // namespace
}  // namespace troupe::raft
