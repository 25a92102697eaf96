// The Raft paper (Ongaro and Ousterhout, extended version) as tests: one for each rule of figure 2, and what sections
// 5.4 and 8 add. The names are the rules; the comments cite.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kvstore/raft/test_describe.h"
#include "kvstore/raft/test_messages.h"

namespace troupe::raft {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Figure 2, State.

// "Persistent state on all servers: updated on stable storage before responding to RPCs": currentTerm and votedFor.
TEST(PaperStateTest, TermAndVoteAreOnDiskBeforeAVoteIsAnswered) {
  TestCluster c;
  c.LoseTouch("bob");
  c.HoldDisk("bob");
  c.Step(Vote("ann", "bob", 1, {0, 0}));
  EXPECT_THAT(c.Waiting("bob", "ann"), IsEmpty());
  c.FreeDisk("bob");
  EXPECT_EQ(c.disk("bob").hard_state, (HardState{Term(1), Id("ann"), LogIndex(0)}));
  ASSERT_THAT(c.Waiting("bob", "ann"), SizeIs(1));
  EXPECT_TRUE(c.Waiting("bob", "ann")[0].ok);
}

// The same: log[].
TEST(PaperStateTest, EntriesAreOnDiskBeforeTheyAreAcknowledged) {
  TestCluster c;
  c.HoldDisk("bob");
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1}));
  EXPECT_THAT(c.Waiting("bob", "ann"), IsEmpty());
  c.FreeDisk("bob");
  EXPECT_THAT(c.disk("bob").entries, SizeIs(2));
  EXPECT_THAT(c.Waiting("bob", "ann"), SizeIs(1));
}

// "votedFor: candidateId that received vote in current term (or null if none)".
TEST(PaperStateTest, ANewTermForgetsTheVoteOfTheOneBefore) {
  TestCluster c;
  c.Begin("bob", {.term = 1, .vote = "ann"});
  c.Step(Heartbeat("cid", "bob", 2));
  EXPECT_EQ(c.vote("bob"), "nobody");
}

// "commitIndex: (initialized to 0, increases monotonically)".
TEST(PaperStateTest, TheCommitIndexNeverFalls) {
  TestCluster c;
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1}, 2));
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1}, 1));
  c.Step(Heartbeat("ann", "bob", 1, 1));
  EXPECT_EQ(c.commit("bob"), 2);
}

// "nextIndex[]: initialized to leader last log index + 1; matchIndex[]: initialized to 0; reinitialized after
// election".
TEST(PaperStateTest, ANewLeaderBelievesThatAllLogsEndWhereItsOwnDidAndKnowsOfNone) {
  TestCluster c;
  for (auto name : {"ann", "bob", "cid"}) c.Begin(name, {.term = 1, .log = {1, 1, 1}});
  for (auto name : {"bob", "cid"}) c.LoseTouch(name);
  c.Delay("bob", "ann");
  c.Campaign("ann");
  c.Stabilise();
  ASSERT_EQ(c.role("ann"), Role::kLeader);
  const Progress& bob = c.at("ann").progress().at(Id("bob"));
  EXPECT_EQ(bob.next, LogIndex(4));
  EXPECT_EQ(bob.match, LogIndex(0));
}

// Figure 2, AppendEntries RPC, receiver implementation.

// "1. Reply false if term < currentTerm."
TEST(PaperAppendEntriesTest, AnOldTermIsRefusedAndLearnsTheNewOne) {
  TestCluster c;
  c.Begin("bob", {.term = 2});
  c.Step(Append("ann", "bob", 1, {0, 0}, {1}));
  ASSERT_THAT(c.Waiting("bob", "ann"), SizeIs(1));
  EXPECT_FALSE(c.Waiting("bob", "ann")[0].ok);
  EXPECT_EQ(c.Waiting("bob", "ann")[0].term, Term(2));
  EXPECT_THAT(c.log("bob"), IsEmpty());
}

// "2. Reply false if log doesn't contain an entry at prevLogIndex whose term matches prevLogTerm."
TEST(PaperAppendEntriesTest, WhatDoesNotFollowAnEqualEntryIsRefused) {
  struct Row {
    At previous;
    bool accepted;
  };
  for (const Row& row :
       {Row{{0, 0}, true}, Row{{1, 1}, true}, Row{{3, 2}, true}, Row{{3, 1}, false},  // another entry stands there
        Row{{2, 2}, false},                                                           // the same, further back
        Row{{4, 2}, false}}) {                                                        // nothing stands there
    TestCluster c;
    c.Begin("bob", {.term = 3, .log = {1, 1, 2}});
    c.Step(Append("ann", "bob", 3, row.previous, {3}));
    ASSERT_THAT(c.Waiting("bob", "ann"), SizeIs(1));
    EXPECT_EQ(c.Waiting("bob", "ann")[0].ok, row.accepted) << row.previous.index << "/t" << row.previous.term;
    EXPECT_EQ(c.log("bob"), row.accepted ? c.log("bob") : Terms({1, 1, 2}));
  }
}

// "3. If an existing entry conflicts with a new one (same index but different terms), delete the existing entry and all
// that follow it."
TEST(PaperAppendEntriesTest, AConflictDeletesTheEntryAndAllThatFollowIt) {
  TestCluster c;
  c.Begin("bob", {.term = 2, .log = {1, 1, 2, 2, 2}});
  c.Step(Append("ann", "bob", 3, {1, 1}, {1, 3}));
  EXPECT_EQ(c.log("bob"), Terms({1, 1, 3}));
  EXPECT_THAT(c.disk("bob").entries, SizeIs(3));
}

// The same, the other way round: "if". An old append that comes late must not cut off what a newer one brought.
TEST(PaperAppendEntriesTest, WithoutAConflictNothingIsDeleted) {
  TestCluster c;
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1, 1}));
  c.Step(Append("ann", "bob", 1, {0, 0}, {1}));
  EXPECT_EQ(c.log("bob"), Terms({1, 1, 1}));
  c.Step(Append("ann", "bob", 1, {1, 1}, {}));
  EXPECT_EQ(c.log("bob"), Terms({1, 1, 1}));
}

// "4. Append any new entries not already in the log."
TEST(PaperAppendEntriesTest, OnlyWhatIsNewIsAppended) {
  TestCluster c;
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1}));
  c.Step(Append("ann", "bob", 1, {1, 1}, {1, 1}));
  EXPECT_EQ(c.log("bob"), Terms({1, 1, 1}));
}

// "5. If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new entry)."
TEST(PaperAppendEntriesTest, CommitsAsFarAsTheLeaderAndTheMessageGo) {
  struct Row {
    std::vector<uint64_t> entries;
    uint64_t leader_commit;
    uint64_t commit;
  };
  for (const Row& row : {Row{{2}, 0, 0}, Row{{2}, 1, 1}, Row{{2}, 2, 2}, Row{{2}, 9, 2},
                         // Bob's second and third entries may be of a leader that was deposed.
                         Row{{}, 9, 1}}) {
    TestCluster c;
    c.Begin("bob", {.term = 2, .log = {1, 2, 2}});
    c.Step(Append("ann", "bob", 2, {1, 1}, row.entries, row.leader_commit));
    EXPECT_EQ(c.commit("bob"), row.commit) << "leader commits " << row.leader_commit;
  }
}

// Figure 2, RequestVote RPC, receiver implementation.

// "1. Reply false if term < currentTerm."
TEST(PaperRequestVoteTest, AnOldTermIsRefusedAndLearnsTheNewOne) {
  TestCluster c;
  c.Begin("bob", {.term = 2});
  c.LoseTouch("bob");
  c.Step(Vote("ann", "bob", 1, {9, 1}));
  ASSERT_THAT(c.Waiting("bob", "ann"), SizeIs(1));
  EXPECT_FALSE(c.Waiting("bob", "ann")[0].ok);
  EXPECT_EQ(c.Waiting("bob", "ann")[0].term, Term(2));
}

// "2. If votedFor is null or candidateId, and candidate's log is at least as up-to-date as receiver's log, grant vote."
TEST(PaperRequestVoteTest, AVoteIsForTheFirstWhoAsksAndForHimAgain) {
  TestCluster c;
  c.LoseTouch("bob");
  c.Step(Vote("ann", "bob", 1, {0, 0}));
  c.Step(Vote("cid", "bob", 1, {0, 0}));
  c.Step(Vote("ann", "bob", 1, {0, 0}));
  ASSERT_THAT(c.Waiting("bob", "ann"), SizeIs(2));
  EXPECT_TRUE(c.Waiting("bob", "ann")[0].ok);
  EXPECT_TRUE(c.Waiting("bob", "ann")[1].ok);
  ASSERT_THAT(c.Waiting("bob", "cid"), SizeIs(1));
  EXPECT_FALSE(c.Waiting("bob", "cid")[0].ok);
}

// Raft 5.4.1: "If the logs have last entries with different terms, then the log with the later term is more up-to-date.
// If the logs end with the same term, then whichever log is longer is more up-to-date."
TEST(PaperRequestVoteTest, VotesGoToLogsThatAreAtLeastAsUpToDate) {
  struct Row {
    At candidate;
    bool granted;
  };
  for (const Row& row :
       {Row{{3, 2}, true}, Row{{4, 2}, true}, Row{{2, 2}, false}, Row{{1, 3}, true},  // shorter but later
        Row{{9, 1}, false}}) {                                                        // longer but earlier
    TestCluster c;
    c.Begin("bob", {.term = 4, .log = {1, 1, 2}});
    c.LoseTouch("bob");
    c.Step(Vote("ann", "bob", 5, row.candidate));
    ASSERT_THAT(c.Waiting("bob", "ann"), SizeIs(1));
    EXPECT_EQ(c.Waiting("bob", "ann")[0].ok, row.granted) << row.candidate.index << "/t" << row.candidate.term;
    EXPECT_EQ(c.term("bob"), 5) << "the term is taken either way";
  }
}

// Figure 2, Rules for Servers: all servers.

// "If commitIndex > lastApplied: increment lastApplied, apply log[lastApplied] to state machine."
TEST(PaperAllServersTest, WhatIsCommittedIsAppliedInOrder) {
  TestCluster c;
  c.Step(Append("ann", "bob", 1, {0, 0}, {1, 1, 1}, 2));
  EXPECT_EQ(c.commands("bob"), Strings("c1/t1", "c2/t1"));
}

// "If RPC request or response contains term T > currentTerm: set currentTerm = T, convert to follower."
TEST(PaperAllServersTest, AnyMessageOfANewerTermMakesAFollower) {
  const Message messages[] = {
      Vote("cid", "ann", 5, {9, 4}, /*transfer=*/true),
      Answer(MessageKind::kVoteReply, "cid", "ann", 5, false),
      Answer(MessageKind::kPreVoteReply, "cid", "ann", 5, false),
      Append("cid", "ann", 5, {9, 4}, {}),
      Answer(MessageKind::kAppendReply, "cid", "ann", 5, false),
      Heartbeat("cid", "ann", 5),
      Make(MessageKind::kHeartbeatReply, "cid", "ann", 5),
      Make(MessageKind::kTimeoutNow, "cid", "ann", 5),
  };
  for (const Message& message : messages) {
    for (Role role : {Role::kFollower, Role::kPreCandidate, Role::kCandidate, Role::kLeader}) {
      TestCluster c;
      if (role == Role::kPreCandidate) c.Campaign("ann");
      if (role == Role::kCandidate) {
        c.Campaign("ann");
        c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 1, true));
      }
      if (role == Role::kLeader) c.Elect("ann");
      ASSERT_EQ(c.role("ann"), role);
      c.Step(message);
      EXPECT_EQ(c.role("ann"), Role::kFollower) << Describe(role) << " heard " << Describe(message);
      EXPECT_EQ(c.term("ann"), 5);
      EXPECT_EQ(c.disk("ann").hard_state.term, Term(5));
    }
  }
}

// Followers.

// "If election timeout elapses without receiving AppendEntries RPC from current leader or granting vote to candidate:
// convert to candidate." Beyond the paper: a pre-candidate first.
TEST(PaperFollowersTest, SilenceMakesACandidate) {
  TestCluster c({.voters = {"ann"}});
  c.Tick("ann", 9);
  EXPECT_EQ(c.role("ann"), Role::kFollower);
  c.Tick("ann", 11);
  EXPECT_EQ(c.role("ann"), Role::kLeader) << "the only voter needs no other";

  TestCluster three;
  three.Tick("ann", 20);
  EXPECT_EQ(three.role("ann"), Role::kPreCandidate);
}

TEST(PaperFollowersTest, ALeaderThatIsHeardKeepsItAFollower) {
  for (const Message& word :
       {Heartbeat("ann", "bob", 1), Append("ann", "bob", 1, {0, 0}, {}), Append("ann", "bob", 1, {9, 1}, {})}) {
    TestCluster c;
    for (int i = 0; i < 20; ++i) {
      c.Step(word);
      c.Tick("bob", 9);
    }
    EXPECT_EQ(c.role("bob"), Role::kFollower) << Describe(word);
  }
}

// The same: "or granting vote". Only granting: who is refused must not hold up who could win.
TEST(PaperFollowersTest, AVoteThatIsGrantedStartsTheWaitAnew) {
  for (bool granted : {true, false}) {
    TestCluster c({.options = {.election_ticks = 100, .seed = 1}});
    c.Begin("bob", {.term = 2, .log = {1}});
    c.Tick("bob", 100);
    ASSERT_EQ(c.role("bob"), Role::kFollower) << "of the timeouts, 100 to 199 ticks, this seed must draw a long one";
    c.Step(Vote("ann", "bob", 2, {granted ? 1u : 0u, granted ? 1u : 0u}));
    ASSERT_EQ(c.vote("bob"), granted ? "ann" : "nobody");
    int waited = 0;
    for (; c.role("bob") == Role::kFollower && waited < 300; ++waited) c.Tick("bob");
    EXPECT_EQ(waited >= 100, granted) << waited;
  }
}

// Raft 5.2: "Raft uses randomized election timeouts to ensure that split votes are rare": between one and two of them,
// another for each wait.
TEST(PaperFollowersTest, ElectionTimeoutsAreSpread) {
  std::set<int> waits;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    TestCluster c({.options = {.seed = seed}});
    int ticks = 0;
    while (c.role("ann") == Role::kFollower) {
      c.Tick("ann");
      ++ticks;
    }
    waits.insert(ticks);
  }
  EXPECT_THAT(waits, ElementsAre(10, 11, 12, 13, 14, 15, 16, 17, 18, 19));
}

// Candidates.

// "On conversion to candidate, start election: increment currentTerm, vote for self, reset election timer, send
// RequestVote RPCs to all other servers."
TEST(PaperCandidatesTest, AnElectionBeginsWithANewTermAndTheOwnVote) {
  TestCluster c;
  c.Begin("ann", {.term = 2, .vote = "cid", .log = {1, 2}});
  c.Campaign("ann");
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 3, true));
  EXPECT_EQ(c.role("ann"), Role::kCandidate);
  EXPECT_EQ(c.disk("ann").hard_state, (HardState{Term(3), Id("ann"), LogIndex(0)}));
  const std::vector<Message> requests = c.Waiting(MessageKind::kVote);
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(Describe(requests[0]), "ann -> bob  term 3: vote for me, my log ends with 2/t2");
  EXPECT_EQ(Describe(requests[1]), "ann -> cid  term 3: vote for me, my log ends with 2/t2");
}

// "If votes received from majority of servers: become leader."
TEST(PaperCandidatesTest, AMajorityOfVotesMakesALeader) {
  struct Row {
    std::vector<bool> answers;  // of bob, cid, dan, eve
    Role role;
  };
  for (const Row& row : {Row{{}, Role::kCandidate}, Row{{true}, Role::kCandidate}, Row{{true, true}, Role::kLeader},
                         Row{{false, true}, Role::kCandidate}, Row{{false, false, true, true}, Role::kLeader},
                         // Refused by a majority: no vote that is still on its way can help.
                         Row{{false, false, false}, Role::kFollower}}) {
    TestCluster c({.voters = {"ann", "bob", "cid", "dan", "eve"}});
    c.Campaign("ann");
    for (auto voter : {"bob", "cid"}) c.Step(Answer(MessageKind::kPreVoteReply, voter, "ann", 1, true));
    ASSERT_EQ(c.role("ann"), Role::kCandidate);
    const char* voters[] = {"bob", "cid", "dan", "eve"};
    for (size_t i = 0; i < row.answers.size(); ++i) {
      c.Step(Answer(MessageKind::kVoteReply, voters[i], "ann", 1, row.answers[i]));
    }
    EXPECT_EQ(c.role("ann"), row.role) << testing::PrintToString(row.answers);
  }
}

TEST(PaperCandidatesTest, AVoteThatComesTwiceCountsOnce) {
  TestCluster c({.voters = {"ann", "bob", "cid", "dan", "eve"}});
  c.Campaign("ann");
  for (auto voter : {"bob", "cid"}) c.Step(Answer(MessageKind::kPreVoteReply, voter, "ann", 1, true));
  for (int i = 0; i < 3; ++i) c.Step(Answer(MessageKind::kVoteReply, "bob", "ann", 1, true));
  EXPECT_EQ(c.role("ann"), Role::kCandidate);
}

// "If AppendEntries RPC received from new leader: convert to follower." Raft 5.2: of a term at least as large.
TEST(PaperCandidatesTest, ALeaderOfTheSameTermIsFollowed) {
  TestCluster c;
  c.Campaign("ann");
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 1, true));
  c.Step(Append("cid", "ann", 1, {0, 0}, {1}));
  EXPECT_EQ(c.role("ann"), Role::kFollower);
  EXPECT_EQ(c.leader("ann"), "cid");
  EXPECT_EQ(c.vote("ann"), "ann") << "the vote of this term stays given";
}

// "If election timeout elapses: start new election."
TEST(PaperCandidatesTest, AnElectionWithoutAResultIsTriedAgain) {
  TestCluster c;
  for (uint64_t term = 1; term <= 3; ++term) {
    c.Tick("ann", 20);
    c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", term, true));
    EXPECT_EQ(c.role("ann"), Role::kCandidate);
    EXPECT_EQ(c.term("ann"), term);
  }
}

// Leaders.

// "Upon election: send initial empty AppendEntries RPCs (heartbeat) to each server; repeat during idle periods to
// prevent election timeouts." The first is not empty here: it brings the no-op.
TEST(PaperLeadersTest, ALeaderIsHeardAtOnceAndThenAgainAndAgain) {
  TestCluster c;
  for (auto name : {"bob", "cid"}) c.LoseTouch(name);
  c.Campaign("ann");
  c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", 1, true));
  c.Step(Answer(MessageKind::kVoteReply, "bob", "ann", 1, true));
  EXPECT_THAT(c.Waiting(MessageKind::kAppend), SizeIs(2));
  c.Stabilise();
  for (int i = 0; i < 100; ++i) {
    c.Pass(1);
    ASSERT_EQ(c.leader("bob"), "ann");
    ASSERT_EQ(c.leader("cid"), "ann");
  }
  EXPECT_EQ(c.term("ann"), 1);
}

// "If command received from client: append entry to local log, respond after entry applied to state machine."
TEST(PaperLeadersTest, ACommandIsAppliedOnceItIsCommittedAndNotBefore) {
  TestCluster c;
  c.Elect("ann");
  const Proposed proposed = c.Propose("ann", "x=1");
  EXPECT_EQ(proposed.index, LogIndex(2));
  EXPECT_EQ(proposed.term, Term(1));
  EXPECT_EQ(c.log("ann"), Terms({1, 1}));
  EXPECT_THAT(c.commands("ann"), IsEmpty());
  c.Stabilise();
  EXPECT_EQ(c.commands("ann"), Strings("x=1"));
}

TEST(PaperLeadersTest, OnlyALeaderTakesCommands) {
  TestCluster c;
  EXPECT_EQ(c.Propose("ann", "x=1").refusal, Refusal::kNotLeader);
  c.Elect("ann");
  EXPECT_EQ(c.Propose("bob", "x=1").refusal, Refusal::kNotLeader);
}

// "If last log index >= nextIndex for a follower: send AppendEntries RPC with log entries starting at nextIndex. If
// successful: update nextIndex and matchIndex for follower. If AppendEntries fails because of log inconsistency:
// decrement nextIndex and retry." Figure 7: six followers that may stand beside a leader of term 8.
TEST(PaperLeadersTest, EveryFollowerOfFigure7IsBroughtToTheLeadersLog) {
  const std::vector<uint64_t> leader = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
  const std::vector<uint64_t> followers[] = {
      {1, 1, 1, 4, 4, 5, 5, 6, 6},           // a
      {1, 1, 1, 4},                          // b
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},     // c
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7},  // d
      {1, 1, 1, 4, 4, 4, 4},                 // e
      {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3},     // f
  };
  for (const std::vector<uint64_t>& follower : followers) {
    // Dan, with an empty log, is the majority's third.
    TestCluster c({.voters = {"ann", "bob", "dan"}});
    c.Begin("ann", {.term = 7, .log = leader});
    c.Begin("bob", {.term = 7, .log = follower});
    c.Begin("dan", {.term = 7});
    c.Elect("ann");
    EXPECT_EQ(c.log("bob"), Terms({1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8})) << testing::PrintToString(follower);
    EXPECT_EQ(c.commit("ann"), 11);
    EXPECT_EQ(c.at("ann").progress().at(Id("bob")).match, LogIndex(11));
    EXPECT_EQ(c.at("ann").progress().at(Id("bob")).next, LogIndex(12));
  }
}

// "If there exists an N such that N > commitIndex, a majority of matchIndex[i] >= N, and log[N].term == currentTerm:
// set commitIndex = N."
TEST(PaperLeadersTest, WhatAMajorityHasIsCommitted) {
  TestCluster c({.voters = {"ann", "bob", "cid", "dan", "eve"}});
  c.Elect("ann");
  c.Isolate("ann");
  for (int i = 0; i < 3; ++i) c.Propose("ann", "x");
  c.Step(Ack("bob", "ann", 1, 4));
  EXPECT_EQ(c.commit("ann"), 1) << "two of five";
  c.Step(Ack("cid", "ann", 1, 3));
  EXPECT_EQ(c.commit("ann"), 3) << "what three have, not what the third of them has";
  c.Step(Ack("dan", "ann", 1, 2));
  EXPECT_EQ(c.commit("ann"), 3);
}

// Raft 5.4.2 and figure 8: (c) an entry of an old term stands on a majority, and can still (d) be overwritten. So only
// entries of the own term are counted; (e) with them, what lies before is committed.
TEST(PaperFigure8Test, AnOldEntryOnAMajorityIsNotCommittedUntilOneOfTheOwnTermIs) {
  TestCluster c({.voters = {"ann", "bob", "cid", "dan", "eve"}});
  // (b): ann led term 2 and reached bob; eve led term 3 and reached nobody. Ann starts again, as leader of term 4.
  c.Begin("ann", {.term = 3, .log = {1, 2}});
  c.Begin("bob", {.term = 3, .log = {1, 2}});
  c.Begin("cid", {.term = 3, .log = {1}});
  c.Begin("dan", {.term = 3, .log = {1}});
  c.Begin("eve", {.term = 3, .log = {1, 3}});
  for (auto name : {"bob", "cid"}) c.LoseTouch(name);
  c.Isolate("dan");
  c.Isolate("eve");
  c.Campaign("ann");
  for (int i = 0; i < 10 && c.role("ann") != Role::kLeader; ++i) {
    for (auto name : {"bob", "cid"}) {
      if (!c.Waiting("ann", name).empty()) c.Deliver("ann", name);
      if (!c.Waiting(name, "ann").empty()) c.Deliver(name, "ann");
    }
  }
  ASSERT_EQ(c.term("ann"), 4);
  // (c): three of five have 2/t2, and nobody has heard of ann's no-op but herself.
  c.Step(Ack("bob", "ann", 4, 2));
  c.Step(Ack("cid", "ann", 4, 2));
  EXPECT_EQ(c.commit("ann"), 0) << "(d): eve could still win with 3/t3 and overwrite it";
  // (e)
  c.Step(Ack("bob", "ann", 4, 3));
  c.Step(Ack("cid", "ann", 4, 3));
  EXPECT_EQ(c.commit("ann"), 3);
}

// Raft 8: "it needs to commit an entry from its term. Raft handles this by having each leader commit a blank no-op
// entry into the log at the start of its term."
TEST(PaperClientsTest, ALeaderBeginsWithANoOpThatCommitsWhatOthersLeft) {
  TestCluster c;
  for (auto name : {"ann", "bob", "cid"}) c.Begin(name, {.term = 1, .log = {1, 1}});
  c.Elect("ann");
  EXPECT_EQ(c.log("ann"), Terms({1, 1, 2}));
  EXPECT_EQ(c.at("ann").log().At(LogIndex(3))->kind, EntryKind::kNoOp);
  EXPECT_EQ(c.commands("ann"), Strings("c1/t1", "c2/t1"));
}

// Raft 8: "a leader must check whether it has been deposed before processing a read-only request."
TEST(PaperClientsTest, AReadWaitsUntilAMajorityHasHeardTheLeader) {
  TestCluster c;
  c.Elect("ann");
  c.ReadIndex("ann", 7);
  EXPECT_THAT(c.reads("ann"), IsEmpty());
  c.Stabilise();
  EXPECT_THAT(c.reads("ann"), ElementsAre(testing::Pair(7, 1)));
}

}  // namespace
}  // namespace troupe::raft
