// What arrives late, twice, out of order, at the wrong door or from nobody that is known must change nothing and crash
// nothing.
#include <set>
#include <sstream>
#include <string>

#include "actor/random.h"
#include "gtest/gtest.h"
#include "kvstore/raft/broken.h"
#include "kvstore/raft/test_describe.h"
#include "kvstore/raft/test_messages.h"

namespace troupe::raft {
namespace {

constexpr uint64_t kTerm = 5;

constexpr MessageKind kKinds[] = {MessageKind::kPreVote,   MessageKind::kPreVoteReply,   MessageKind::kVote,
                                  MessageKind::kVoteReply, MessageKind::kAppend,         MessageKind::kAppendReply,
                                  MessageKind::kHeartbeat, MessageKind::kHeartbeatReply, MessageKind::kSnapshot,
                                  MessageKind::kTimeoutNow};

// Small, or anything.
uint64_t Number(Random& random) { return random.Below(3) == 0 ? random.Next() : random.Below(12); }

Message AnyMessage(Random& random, ReplicaId from, ReplicaId to, uint64_t term) {
  Message m{.kind = kKinds[random.Below(std::size(kKinds))], .from = from, .to = to, .term = Term(term)};
  m.index = LogIndex(Number(random));
  m.log_term = Term(Number(random));
  m.commit = LogIndex(Number(random));
  m.ok = random.Below(2) == 0;
  m.hint_index = LogIndex(Number(random));
  m.hint_term = Term(Number(random));
  m.transfer = random.Below(2) == 0;
  m.round = Number(random);
  for (uint64_t i = random.Below(4); i > 0; --i) m.entries.push_back(Command(Number(random), Number(random)));
  m.snapshot.index = LogIndex(Number(random));
  m.snapshot.term = Term(Number(random));
  return m;
}

// Ann in each role, in term 5 with a log of her own, some of it committed.
TestCluster AnnAs(Role role) {
  TestCluster c;
  const Past past{.term = role == Role::kFollower ? kTerm : kTerm - 1, .vote = "bob", .commit = 1, .log = {1, 1, 3}};
  for (auto name : {"ann", "bob", "cid"}) c.Begin(name, past);
  if (role == Role::kFollower) c.Step(Append("bob", "ann", kTerm, {3, 3}, {kTerm}, 2));
  if (role == Role::kPreCandidate) {
    c.Step(Append("bob", "ann", kTerm, {3, 3}, {kTerm}, 2));
    c.Campaign("ann");
  }
  if (role == Role::kCandidate) {
    c.Campaign("ann");
    c.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", kTerm, true));
  }
  if (role == Role::kLeader) {
    c.Elect("ann");
    c.Isolate("ann");
    c.Propose("ann", "x");
    c.ReadIndex("ann", 1);
  }
  EXPECT_EQ(c.role("ann"), role);
  EXPECT_EQ(c.term("ann"), kTerm);
  return c;
}

std::string StateOf(TestCluster& c) {
  std::ostringstream text;
  const Raft& ann = c.at("ann");
  text << Describe(ann.role()) << " term " << ann.term().value() << " vote " << c.vote("ann") << " leader "
       << c.leader("ann") << " commit " << ann.commit().value() << " durable " << ann.durable().value() << " log "
       << testing::PrintToString(c.log("ann")) << Describe(ann.configuration()) << " snapshot "
       << ann.log().snapshot().index.value() << " reads " << c.reads("ann").size();
  for (const auto& [id, progress] : ann.progress()) {
    text << "; " << Name(id) << " " << progress.match.value() << " " << progress.next.value();
  }
  return text.str();
}

constexpr Role kRoles[] = {Role::kFollower, Role::kPreCandidate, Role::kCandidate, Role::kLeader};

// `message` says what to send, given chance.
template <typename MakeMessage>
void ChangesNothing(const MakeMessage& message) {
  for (Role role : kRoles) {
    Random random(7);
    TestCluster c = AnnAs(role);
    const std::string before = StateOf(c);
    for (int i = 0; i < 5000; ++i) {
      const Message junk = message(random);
      c.Step(junk);
      ASSERT_EQ(StateOf(c), before) << Describe(junk);
    }
  }
}

TEST(JunkTest, AMessageForAnotherChangesNothing) {
  ChangesNothing([](Random& random) {
    Message m = AnyMessage(random, Id("bob"), Id("ann"), Number(random));
    m.to = Id("gus");
    return m;
  });
  TestCluster c = AnnAs(Role::kFollower);
  const std::string before = StateOf(c);
  c.at("ann").Step(Append("bob", "cid", kTerm + 1, {3, 3}, {kTerm + 1}));
  EXPECT_EQ(StateOf(c), before);
}

TEST(JunkTest, AMessageFromNobodyOrFromItselfChangesNothing) {
  ChangesNothing([](Random& random) {
    return AnyMessage(random, random.Below(2) == 0 ? kNobody : Id("ann"), Id("ann"), Number(random));
  });
}

TEST(JunkTest, AMessageOfAnOldTermChangesNothing) {
  ChangesNothing([](Random& random) {
    return AnyMessage(random, ReplicaId(2 + random.Below(4)), Id("ann"), random.Below(kTerm));
  });
}

TEST(JunkTest, AnAnswerFromAStrangerChangesNothing) {
  ChangesNothing([](Random& random) {
    Message m = AnyMessage(random, ReplicaId(6 + random.Below(3)), Id("ann"), kTerm);
    const MessageKind answers[] = {MessageKind::kPreVoteReply, MessageKind::kVoteReply, MessageKind::kAppendReply,
                                   MessageKind::kHeartbeatReply, MessageKind::kTimeoutNow};
    m.kind = answers[random.Below(std::size(answers))];
    if (m.kind == MessageKind::kPreVoteReply && m.ok) m.term = Term(kTerm + 1 + random.Below(3));
    return m;
  });
}

// Whoever hears a leader ignores candidates, of whatever term and with whatever log.
TEST(JunkTest, CandidatesWhileALeaderIsHeardChangeNothing) {
  for (Role role : {Role::kFollower, Role::kLeader}) {
    Random random(7);
    TestCluster c = AnnAs(role);
    const std::string before = StateOf(c);
    for (int i = 0; i < 5000; ++i) {
      Message m = AnyMessage(random, ReplicaId(2 + random.Below(6)), Id("ann"), Number(random));
      m.kind = random.Below(2) == 0 ? MessageKind::kVote : MessageKind::kPreVote;
      m.transfer = false;
      c.Step(m);
      ASSERT_EQ(StateOf(c), before) << Describe(m);
    }
  }
}

// A refusal can be of anything; it commits nothing, and what the follower is known to have stays known.
TEST(JunkTest, RefusalsOfAnythingOnlyMoveWhereTheLeaderTries) {
  Random random(7);
  TestCluster c = AnnAs(Role::kLeader);
  const uint64_t commit = c.commit("ann");
  const LogIndex match = c.at("ann").progress().at(Id("bob")).match;
  for (int i = 0; i < 20'000; ++i) {
    Message m = AnyMessage(random, ReplicaId(2 + random.Below(2)), Id("ann"), kTerm);
    m.kind = MessageKind::kAppendReply;
    m.ok = false;
    c.Step(m);
    const Progress& bob = c.at("ann").progress().at(Id("bob"));
    ASSERT_EQ(bob.match, match);
    ASSERT_GT(bob.next, match);
    ASSERT_LE(bob.next, LogIndex(c.last("ann") + 1));
    ASSERT_EQ(c.commit("ann"), commit);
  }
}

// What no replica that keeps to the protocol sends.

Message With(Message m, const std::vector<EntryPtr>& entries) {
  m.entries = entries;
  return m;
}

EntryPtr Membership(uint64_t index, uint64_t term, std::vector<ReplicaId> voters,
                    std::vector<ReplicaId> learners = {}) {
  return std::make_shared<Entry>(Entry{.index = LogIndex(index),
                                       .term = Term(term),
                                       .kind = EntryKind::kConfiguration,
                                       .configuration = {std::move(voters), std::move(learners)}});
}

TEST(JunkTest, WhatIsMalformedIsDroppedAndCounted) {
  constexpr uint64_t kNow = kTerm + 1;
  const ReplicaId ann = Id("ann"), bob = Id("bob");
  const Message append = Append("bob", "ann", kNow, {3, 3}, {});
  const Configuration both{.voters = {ann, bob}};
  const std::pair<const char*, Message> rows[] = {
      {"a gap", With(append, {Command(5, kNow)})},
      {"a gap further on", With(append, {Command(4, kNow), Command(6, kNow)})},
      {"out of order", With(append, {Command(5, kNow), Command(4, kNow)})},
      {"no entry", With(append, {nullptr})},
      {"a term that falls", With(append, {Command(4, 4), Command(5, 3)})},
      {"a term below that of the entry before", With(append, {Command(4, 2)})},
      {"an entry of a later term", With(append, {Command(4, kNow + 1)})},
      {"after an entry of a later term", Append("bob", "ann", kNow, {3, kNow + 1}, {})},
      {"nobody votes", With(append, {Membership(4, kNow, {})})},
      {"voters out of order", With(append, {Membership(4, kNow, {bob, ann})})},
      {"a voter twice", With(append, {Membership(4, kNow, {ann, ann})})},
      {"nobody is a voter", With(append, {Membership(4, kNow, {kNobody, ann})})},
      {"a voter who learns", With(append, {Membership(4, kNow, {ann, bob}, {bob})})},
      {"past all counting", Append("bob", "ann", kNow, {UINT64_MAX, kNow}, {})},
      {"a term past all counting", Heartbeat("bob", "ann", UINT64_MAX)},
      {"a snapshot nobody votes in", Snapshot("bob", "ann", kNow, {LogIndex(9), Term(kNow), {}, "bob@9"})},
      {"a snapshot of a later term", Snapshot("bob", "ann", kNow, {LogIndex(9), Term(kNow + 1), both, "bob@9"})},
      {"a snapshot past all counting", Snapshot("bob", "ann", kNow, {LogIndex(UINT64_MAX), Term(kNow), both, ""})},
  };
  for (Role role : kRoles) {
    for (const auto& [what, message] : rows) {
      TestCluster c = AnnAs(role);
      const std::string before = StateOf(c);
      c.at("ann").Step(message);
      EXPECT_EQ(StateOf(c), before) << what;
      EXPECT_EQ(c.at("ann").junk(), 1u) << what;
    }
    TestCluster c = AnnAs(role);
    c.Step(With(Append("bob", "ann", kNow, {4, kTerm}, {}), {Command(5, kTerm), Membership(6, kNow, {ann, bob})}));
    EXPECT_EQ(c.at("ann").junk(), 0u) << "or nothing was tested";
    EXPECT_EQ(c.term("ann"), kNow);
  }
}

TEST(JunkTest, AnswersToWhatWasNeverSentCountForNothing) {
  TestCluster c = AnnAs(Role::kLeader);
  const std::string before = StateOf(c);
  c.Step(Ack("bob", "ann", kTerm, c.last("ann") + 1));
  Message reply = Make(MessageKind::kHeartbeatReply, "bob", "ann", kTerm);
  reply.round = UINT64_MAX;
  c.Step(reply);
  EXPECT_EQ(StateOf(c), before);
  EXPECT_EQ(c.at("ann").junk(), 2u);
  // A read that comes later is not confirmed by it.
  c.ReadIndex("ann", 2);
  EXPECT_EQ(c.reads("ann").count(2), 0u);
}

// A core without a cluster around it, which would fail the test for what lies do to its checks.
Raft AnnAlone(Role role, uint64_t seed) {
  Restored restored;
  restored.hard_state = {Term(4), kNobody, LogIndex(1)};
  restored.snapshot.configuration.voters = {Id("ann"), Id("bob"), Id("cid")};
  restored.entries = {Command(1, 1), Command(2, 1), Command(3, 3)};
  Raft ann({.id = Id("ann"), .seed = seed}, restored);
  const auto settle = [&ann] {
    while (ann.HasReady()) ann.Persisted(ann.TakeReady().ack);
  };
  if (role != Role::kFollower) ann.Campaign();
  if (role == Role::kCandidate || role == Role::kLeader) {
    ann.Step(Answer(MessageKind::kPreVoteReply, "bob", "ann", kTerm, true));
    settle();
  }
  if (role == Role::kLeader) ann.Step(Answer(MessageKind::kVoteReply, "bob", "ann", kTerm, true));
  settle();
  EXPECT_EQ(ann.role(), role);
  return ann;
}

// Well-formed or not, from a voter or a stranger: what is said can be a lie, but it ends the process only where it
// contradicts an election or a commit that ann knows of herself.
TEST(JunkTest, NothingThatIsSaidEndsTheProcessButAContradiction) {
  const BrokenHandler before = SetBrokenHandler([](const char* reason) { throw std::string(reason); });
  std::set<std::string> reasons;
  uint64_t junk = 0;
  for (uint64_t seed = 1; seed <= 20'000; ++seed) {
    Random random(seed);
    Raft ann = AnnAlone(kRoles[seed % 4], seed);
    try {
      for (int i = 0; i < 20; ++i) {
        const uint64_t term = random.Below(4) == 0 ? Number(random) : ann.term().value() + random.Below(2);
        Message m = AnyMessage(random, ReplicaId(2 + random.Below(4)), Id("ann"), term);
        // Some that could be.
        if (random.Below(2) == 0) {
          m.log_term = Term(random.Below(4));
          for (size_t k = 0; k < m.entries.size(); ++k) m.entries[k] = Command(m.index.value() + 1 + k, term);
          if (random.Below(2) == 0) m.snapshot.configuration.voters = {Id("ann"), Id("bob"), Id("cid")};
        }
        ann.Step(m);
        if (random.Below(4) == 0) ann.Tick();
        while (ann.HasReady()) {
          const Ready ready = ann.TakeReady();
          ann.Persisted(ready.ack);
          if (!ready.apply.empty()) ann.Applied(ready.apply.back()->index);
        }
      }
    } catch (const std::string& reason) {
      reasons.insert(reason);
    }
    junk += ann.junk();
  }
  SetBrokenHandler(before);
  EXPECT_EQ(reasons, (std::set<std::string>{"a leader that lacks a committed entry", "two leaders in one term"}));
  EXPECT_GT(junk, 10'000u) << "or nothing was tested";
}

// Everything that anybody ever said may come again, at any time, in any order, after any crash. The cluster's own
// checks are what is tested: one leader in a term, and one entry applied at an index.
TEST(JunkTest, HonestMessagesInAnyOrderAndNumberDoNoHarm) {
  constexpr const char* kAll[] = {"ann", "bob", "cid", "dan"};
  uint64_t applied = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    Random random(seed);
    TestCluster c({.strangers = {"dan"}, .options = {.max_append_entries = 3, .seed = seed}});
    for (int step = 0; step < 600 && !testing::Test::HasFailure(); ++step) {
      const char* name = kAll[random.Below(4)];
      if (!c.up(name)) {
        c.Restart(name);
        continue;
      }
      switch (random.Below(16)) {
        case 0:
          for (const char* each : kAll) {
            if (c.up(each)) c.Tick(each, static_cast<int>(random.Below(20)));
          }
          break;
        case 1:
        case 2:
          c.Propose(name, "s" + std::to_string(step));
          break;
        case 3:
          if (random.Below(4) == 0) c.Crash(name);
          break;
        case 4:
          if (c.applied(name) > c.at(name).log().snapshot().index.value()) c.Compact(name, c.applied(name));
          break;
        case 5:
          c.ProposeChange(name, static_cast<Change::Kind>(random.Below(3)), kAll[random.Below(4)]);
          break;
        case 6:
          c.ReadIndex(name, static_cast<uint64_t>(step));
          break;
        case 7:
          if (c.role(name) == Role::kLeader) c.Transfer(name, kAll[random.Below(4)]);
          break;
        case 8:
        case 9:
        case 10:
          c.Stabilise();
          break;
        default:
          if (!c.sent().empty()) c.Step(Message(c.sent()[random.Below(c.sent().size())]));
      }
    }
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
    for (const char* name : kAll) applied += c.applied(name);
    c.TakeTrace();
  }
  EXPECT_GT(applied, 10'000) << "or nothing was tested";
}

}  // namespace
}  // namespace troupe::raft
