// What arrives late, twice, out of order, at the wrong door or from nobody that is known must change nothing and crash
// nothing.
#include <sstream>

#include "actor/random.h"
#include "gtest/gtest.h"
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
