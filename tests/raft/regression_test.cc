// What the schedules, or reading along with them, have found in the core; each once, so that it stays found.
#include <string>

#include "gtest/gtest.h"
#include "kvstore/raft/raft.h"

namespace troupe::raft {
namespace {

constexpr ReplicaId kAnn{1};
constexpr ReplicaId kBob{2};
constexpr ReplicaId kCid{3};

Restored Empty() {
  Restored restored;
  restored.snapshot.configuration.voters = {kAnn, kBob, kCid};
  return restored;
}

EntryPtr Command(uint64_t index, uint64_t term, std::string data = "") {
  auto entry = std::make_shared<Entry>();
  entry->index = LogIndex(index);
  entry->term = Term(term);
  entry->data = std::move(data);
  return entry;
}

// Takes what is ready and lets the disk finish at once.
std::vector<Message> Settle(Raft& raft) {
  std::vector<Message> sent;
  while (raft.HasReady()) {
    Ready ready = raft.TakeReady();
    sent.insert(sent.end(), ready.send_now.begin(), ready.send_now.end());
    sent.insert(sent.end(), ready.send_after.begin(), ready.send_after.end());
    raft.Persisted(ready.ack);
  }
  return sent;
}

void Elect(Raft& raft) {
  raft.Campaign();
  Settle(raft);
  raft.Step({.kind = MessageKind::kPreVoteReply, .from = kBob, .to = kAnn, .term = raft.term() + 1, .ok = true});
  Settle(raft);
  raft.Step({.kind = MessageKind::kVoteReply, .from = kBob, .to = kAnn, .term = raft.term(), .ok = true});
  ASSERT_EQ(raft.role(), Role::kLeader);
}

// Ann led term 2, then bob, now ann again. An append of her first time comes late, and the answer to it, that its term
// is over, was taken for one to an append of now: she went back to the log's beginning, or to a snapshot. Raft 5.3
// compares logs within a term only.
TEST(RegressionTest, TheAnswerToAnAppendOfAnOldTermNamesNoIndex) {
  Restored restored = Empty();
  restored.hard_state.term = Term(4);
  restored.entries = {Command(1, 2), Command(2, 2)};
  Raft bob({.id = kBob}, restored);

  bob.Step({.kind = MessageKind::kAppend, .from = kAnn, .to = kBob, .term = Term(2), .index = LogIndex(7)});

  const std::vector<Message> sent = Settle(bob);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].kind, MessageKind::kAppendReply);
  EXPECT_FALSE(sent[0].ok);
  EXPECT_EQ(sent[0].term, Term(4));
  EXPECT_EQ(sent[0].index, LogIndex());
}

// What earlier terms left uncommitted was taken off the count when it was committed, though it was never put on it, and
// as much too much was let in.
TEST(RegressionTest, EntriesOfEarlierTermsDoNotMakeRoomForProposals) {
  Restored restored = Empty();
  restored.hard_state.term = Term(1);
  restored.entries = {Command(1, 1, std::string(10'000, 'x'))};
  Raft ann({.id = kAnn, .max_uncommitted_bytes = 10'000}, restored);
  Elect(ann);
  ASSERT_EQ(ann.Propose(std::string(9'000, 'y')).refusal, Refusal::kNone);
  Settle(ann);

  // The old entry and the no-op; not the proposal.
  ann.Step({.kind = MessageKind::kAppendReply,
            .from = kBob,
            .to = kAnn,
            .term = ann.term(),
            .index = LogIndex(2),
            .ok = true});

  ASSERT_EQ(ann.commit(), LogIndex(2));
  EXPECT_EQ(ann.Propose(std::string(9'000, 'z')).refusal, Refusal::kTooMuch);
}

// Each answer to a heartbeat let one append past a window that was full by bytes.
TEST(RegressionTest, HeartbeatsDoNotFillAWindowPastItsBytes) {
  Raft ann({.id = kAnn, .max_append_entries = 1, .max_window_bytes = 4'000}, Empty());
  Elect(ann);
  Settle(ann);
  ann.Step({.kind = MessageKind::kAppendReply,
            .from = kBob,
            .to = kAnn,
            .term = ann.term(),
            .index = LogIndex(1),
            .ok = true});
  for (int i = 0; i < 40; ++i) ann.Propose(std::string(1'000, 'x'));
  Settle(ann);
  const size_t one = Command(1, 1, std::string(1'000, 'x'))->bytes();

  for (int i = 0; i < 20; ++i) {
    ann.Step({.kind = MessageKind::kHeartbeatReply, .from = kBob, .to = kAnn, .term = ann.term()});
    Settle(ann);
    EXPECT_LT(ann.progress().at(kBob).window_bytes, 4'000 + one);
  }
}

// A vote in the term that it came back in was given at once; thesis 6.2 wants a full election timeout first.
TEST(RegressionTest, AfterARestartNoVoteIsGivenForAFullTimeoutInTheOwnTermEither) {
  Restored restored = Empty();
  restored.hard_state.term = Term(4);
  Raft bob({.id = kBob, .election_ticks = 10}, restored);
  const Message request{.kind = MessageKind::kVote, .from = kAnn, .to = kBob, .term = Term(4)};

  bob.Step(request);
  EXPECT_EQ(bob.vote(), kNobody);

  for (int i = 0; i < 10; ++i) bob.Tick();
  bob.Step(request);
  EXPECT_EQ(bob.vote(), kAnn);
}

}  // namespace
}  // namespace troupe::raft
