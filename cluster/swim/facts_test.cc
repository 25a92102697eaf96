// What a node makes of each fact that it hears, alone: what it holds then, tells its own node, and passes on.
#include "cluster/swim/test_core.h"
#include "gtest/gtest.h"

namespace troupe::swim {
namespace {

using Kind = Event::Kind;
using Kinds = std::vector<Kind>;

class Facts : public testing::Test, public TestCore {
 protected:
  Facts() { Hear("p", Gossip{}); }

  // What is told on about x from here on, in one gossip tick.
  std::vector<Update> NextGossip() {
    RunUntilSent<Gossip>();
    return GossipAbout("x");
  }
  // x, known and its news told on to the end.
  void Know(Update x) {
    Hear(Alive("x", 0));
    Hear(x);
    Drain();
  }
  // A fact is told four times here, and a message holds more than the tests make.
  void Drain() {
    for (int i = 0; i < 5; ++i) Hear("p", Ping{.seq = 1, .target = "a"});
  }
  // Whether a message carries more than what any may: members that are held for alive.
  bool Queued() {
    Hear("p", Ping{.seq = 1, .target = "a"});
    const std::vector<Update>& gossip = out.messages.front().message.gossip;
    return std::any_of(gossip.begin(), gossip.end(), [&](const Update& update) {
      return update.state != State::kAlive || update.node.name == "a" || StateOf(update.node.name) != State::kAlive;
    });
  }
};

TEST_F(Facts, AnUnknownMemberThatIsAliveJoinsAndIsToldOn) {
  Hear(Alive("x", 1));

  EXPECT_EQ(StateOf("x"), State::kAlive);
  EXPECT_EQ(IncarnationOf("x"), 1u);
  EXPECT_EQ(Events(), Kinds{Kind::kJoined});
  EXPECT_FALSE(NextGossip().empty());
}

TEST_F(Facts, OnlyAHigherIncarnationClearsASuspicionAndItIsNoJoin) {
  Know(Suspect("x", 1));

  Hear(Alive("x", 1));
  EXPECT_EQ(StateOf("x"), State::kSuspect);
  Hear(Alive("x", 2));

  EXPECT_EQ(StateOf("x"), State::kAlive);
  EXPECT_EQ(Events(), Kinds{Kind::kRefuted});
  // What was cleared does not kill, however long it takes.
  core.Leave(now, out);
  RunFor(absl::Seconds(30));
  EXPECT_EQ(StateOf("x"), State::kAlive);
}

TEST_F(Facts, AHigherIncarnationAloneIsNoEvent) {
  Know(Alive("x", 1));
  Instant since = core.Find("x")->since;
  now = now + absl::Milliseconds(1);

  Hear(Alive("x", 2));

  EXPECT_EQ(IncarnationOf("x"), 2u);
  EXPECT_EQ(core.Find("x")->since, since);
  EXPECT_EQ(Events(), Kinds{});
}

TEST_F(Facts, ANewAddressOfTheSameRunIsAnUpdate) {
  Know(Alive("x", 1));
  Update moved = Alive("x", 2);
  moved.node.address = "elsewhere:1";

  Hear(moved);

  EXPECT_EQ(Events(), Kinds{Kind::kUpdated});
  EXPECT_EQ(core.Find("x")->node.address, "elsewhere:1");
}

TEST_F(Facts, AnotherNodeUnderTheNameOfALivingOneIsAConflictAndRefused) {
  Know(Alive("x", 1));
  Update other = Alive("x", 5);
  other.node.id = MakeId('z');
  other.node.address = "elsewhere:1";

  Hear(other);

  EXPECT_EQ(Events(), Kinds{Kind::kConflict});
  EXPECT_EQ(core.Find("x")->node, NodeOf("x"));
  EXPECT_NE(out.events.front().text.find("elsewhere:1"), std::string::npos);
}

TEST_F(Facts, ALeaverIsLeftAndMayComeBackElsewhereAtOnce) {
  Know(Alive("x", 1));

  Hear(Left("x", 1));
  EXPECT_EQ(StateOf("x"), State::kLeft);
  EXPECT_EQ(Events(), Kinds{Kind::kLeft});

  Update back = Alive("x", 3);
  back.node.address = "elsewhere:1";
  Hear(back);
  EXPECT_EQ(StateOf("x"), State::kAlive);
  EXPECT_EQ(Events(), Kinds{Kind::kJoined});
}

TEST_F(Facts, BadNewsOfAnUnknownMemberIsNothing) {
  Drain();
  for (const Update& news : {Suspect("x", 1), Dead("x", 1), Left("x", 1)}) {
    Hear(news);
    EXPECT_EQ(StateOf("x"), std::nullopt);
    EXPECT_EQ(Events(), Kinds{});
  }
  EXPECT_FALSE(Queued());
}

TEST_F(Facts, ASuspectThatDoesNotRefuteIsDeadAndTheDeathReplacesTheSuspicion) {
  Know(Alive("x", 1));
  Hear(Suspect("x", 1));
  EXPECT_EQ(Events(), Kinds{Kind::kSuspected});
  ASSERT_FALSE(NextGossip().empty());
  EXPECT_EQ(GossipAbout("x").front().state, State::kSuspect);

  // Three are active: nobody else can confirm, so it has the least time.
  while (StateOf("x") == State::kSuspect) RunFor(absl::Milliseconds(10));

  EXPECT_EQ(StateOf("x"), State::kDead);
  EXPECT_EQ(Events(), Kinds{Kind::kDied});
  for (const Update& update : NextGossip()) EXPECT_EQ(update.state, State::kDead);
}

TEST_F(Facts, TheSameSuspicionAgainChangesNothing) {
  Know(Suspect("x", 1));
  Instant since = core.Find("x")->since;
  Instant death = core.NextDeadline();
  now = now + absl::Milliseconds(1);

  Hear(Suspect("x", 1));

  EXPECT_EQ(Events(), Kinds{});
  EXPECT_EQ(core.Find("x")->since, since);
  EXPECT_LE(core.NextDeadline(), death);
  EXPECT_FALSE(Queued());
}

TEST_F(Facts, ASuspicionOfALaterIncarnationStartsAnew) {
  Know(Suspect("x", 1));
  Hear(Suspect("x", 3, "q"));
  EXPECT_EQ(IncarnationOf("x"), 3u);
  EXPECT_EQ(Events(), Kinds{});
  Hear(Alive("x", 2));
  EXPECT_EQ(StateOf("x"), State::kSuspect) << "a life that is older than the accusation clears nothing";
}

TEST_F(Facts, OldSuspicionsAndDeathsAreIgnored) {
  Know(Alive("x", 10));
  for (const Update& news : {Suspect("x", 1), Dead("x", 1), Left("x", 1)}) {
    Hear(news);
    EXPECT_EQ(StateOf("x"), State::kAlive);
    EXPECT_EQ(Events(), Kinds{});
  }
}

TEST_F(Facts, TheDeadStayDeadAgainstReplaysAndDieOnce) {
  Know(Dead("x", 10));
  for (const Update& news : {Alive("x", 10), Dead("x", 11), Suspect("x", 11)}) {
    Hear(news);
    EXPECT_EQ(StateOf("x"), State::kDead);
    EXPECT_EQ(Events(), Kinds{});
  }
  EXPECT_FALSE(Queued());
  Hear(Left("x", 10));
  EXPECT_EQ(StateOf("x"), State::kLeft);
  EXPECT_EQ(Events(), Kinds{}) << "it was told already";
}

TEST_F(Facts, AnAccusationOfThisNodeIsRefutedAboveIt) {
  for (const Update& news : {Suspect("a", 0), Dead("a", 4), Left("a", 7)}) {
    int health = core.health();

    Hear(news);

    EXPECT_EQ(core.health(), health + 1);
    EXPECT_GT(IncarnationOf("a"), news.incarnation);
    RunUntilSent<Gossip>();
    ASSERT_FALSE(GossipAbout("a").empty());
    EXPECT_EQ(GossipAbout("a").front().state, State::kAlive);
    EXPECT_EQ(GossipAbout("a").front().incarnation, IncarnationOf("a"));
  }
}

TEST_F(Facts, ARepeatedOldAccusationCostsNothing) {
  Hear(Suspect("a", 0));
  Hear(Suspect("a", 0));
  EXPECT_EQ(core.health(), 1);
  EXPECT_EQ(IncarnationOf("a"), 1u);
}

TEST_F(Facts, AFalseLifeOfThisNodeIsCorrected) {
  Update false_life = Alive("a", 2);
  false_life.node.address = "elsewhere:1";
  Hear(false_life);
  EXPECT_EQ(core.self().address, AddressOf("a"));
  EXPECT_EQ(IncarnationOf("a"), 3u);
  EXPECT_EQ(core.health(), 0) << "nobody found it slow";
}

TEST_F(Facts, ADeathInASyncIsOnlySuspicion) {
  Hear(Alive("t2", 1));
  Hear(Alive("t3", 1));
  Hear(Alive("t5", 1));
  Hear(Alive("t1", 1));
  Hear(Suspect("t1", 1));

  HearSync({Alive("t1", 2), Suspect("t2", 1), Dead("t3", 1), Alive("t4", 2), Left("t5", 1), Dead("t6", 1)});

  EXPECT_EQ(StateOf("t1"), State::kAlive);
  EXPECT_EQ(StateOf("t2"), State::kSuspect);
  EXPECT_EQ(StateOf("t3"), State::kSuspect);
  EXPECT_EQ(StateOf("t4"), State::kAlive);
  EXPECT_EQ(StateOf("t5"), State::kLeft);
  EXPECT_EQ(StateOf("t6"), std::nullopt);
  EXPECT_EQ(Events(), (Kinds{Kind::kRefuted, Kind::kSuspected, Kind::kSuspected, Kind::kJoined, Kind::kLeft}));
}

TEST_F(Facts, ASyncIsAnsweredWithWhatWasKnownBeforeAndAnAnswerIsNot) {
  Hear("p", Sync{.table = {Alive("x", 0)}});
  ASSERT_EQ(Sent<Sync>().size(), 1u);
  const auto answer = std::get<Sync>(Sent<Sync>().front().message.body);
  EXPECT_TRUE(answer.answer);
  EXPECT_EQ(answer.table.size(), 2u) << "a itself and p";
  HearSync({Alive("y", 0)});
  EXPECT_TRUE(out.messages.empty());
}

TEST_F(Facts, ALaterRunIsAliveAtOnceAndAnEvent) {
  Know(Alive("x", 7));
  Update later = Alive("x", 0);
  later.node.generation = 2;
  Hear(later);
  EXPECT_EQ(Events(), Kinds{Kind::kJoined});
  EXPECT_EQ(core.Find("x")->node.generation, 2u);
  Hear(Alive("x", 9));
  EXPECT_EQ(core.Find("x")->node.generation, 2u) << "the former run is over";
}

TEST_F(Facts, TheDeadHearGossipForAWhileAndAreForgottenAfterTheirTime) {
  Hear(Alive("x", 0));
  Hear(Dead("x", 0));
  auto tell_something_new = [&](uint64_t incarnation) {
    Hear(Alive("y", incarnation));
    out = {};
    RunFor(absl::Seconds(1));
    return !Sent<Gossip>(AddressOf("x")).empty();
  };
  EXPECT_TRUE(tell_something_new(1));
  // p keeps alive by what it says.
  for (int minute = 1; minute <= 60 * 24 - 2; ++minute) {
    RunFor(absl::Seconds(60));
    Hear(Message{.cluster_id = kCluster, .from = NodeOf("p", 1 + static_cast<uint64_t>(minute)), .body = Gossip{}});
  }
  EXPECT_FALSE(tell_something_new(2));
  EXPECT_EQ(StateOf("x"), State::kDead);
  RunFor(absl::Minutes(3));
  EXPECT_EQ(StateOf("x"), std::nullopt);
}

TEST_F(Facts, ATableThatIsFullTakesNobodyElseAndCounts) {
  Config config;
  config.max_members = 2;
  TestCore small(config);
  small.Hear(Alive("x", 0));
  uint64_t dropped = small.core.counters().dropped;
  small.Hear(Alive("y", 0));
  EXPECT_EQ(small.core.Members().size(), 3u);
  EXPECT_EQ(small.core.counters().dropped, dropped + 1);
}

TEST_F(Facts, GossipEndsWhenEachFactWasToldOftenEnough) {
  Drain();
  Hear(Alive("x", 5));
  Hear(Alive("y", 5));
  RunFor(absl::Milliseconds(450));  // shorter than a probe takes to fail, which would be news
  // Four active members: lambda * ceil(log10 5) = 4 times each, which two rounds to three members hold.
  EXPECT_LE(Sent<Gossip>().size(), 4u);
  EXPECT_GE(GossipAbout("x").size(), 3u);
}

TEST_F(Facts, WhatIsNoNewsRidesAlongNowAndThen) {
  Know(Alive("x", 0));
  size_t told = 0;
  for (int i = 0; i < 10; ++i) {
    Hear("p", Ping{.seq = 1, .target = "a"});
    told += GossipAbout("x").size();
  }
  EXPECT_GT(told, 0u) << "somebody may have missed it";
}

TEST_F(Facts, ALeaverAnswersPingsButJudgesNobodyAndRefutesNothing) {
  Know(Alive("x", 0));
  out = {};
  core.Leave(now, out);
  EXPECT_EQ(Sent<Gossip>().size(), 2u) << "goodbye to each at once";
  EXPECT_EQ(GossipAbout("a").front().state, State::kLeft);
  Hear(Dead("a", 0));
  EXPECT_EQ(IncarnationOf("a"), 0u);
  RunFor(absl::Seconds(10));
  EXPECT_TRUE(Sent<Ping>().empty());
  EXPECT_EQ(StateOf("x"), State::kAlive);
  Hear("p", Ping{.seq = 1, .target = "a"});
  EXPECT_EQ(Sent<Ack>().size(), 1u);
}

TEST_F(Facts, ANodeThatStoodStillJudgesNobodyForIt) {
  Know(Suspect("x", 0));
  core.Tick(now, out);
  out = {};
  now = now + absl::Minutes(1);  // stopped, and goes on

  core.Tick(now, out);

  EXPECT_EQ(Events(), Kinds{});
  EXPECT_EQ(StateOf("x"), State::kSuspect);
  EXPECT_EQ(core.health(), 1);
  Hear(Alive("x", 1));  // lay unread
  EXPECT_EQ(StateOf("x"), State::kAlive);
}

TEST(Junk, IsDroppedAndCountedAndChangesNothing) {
  TestCore a;
  a.Hear("p", Gossip{});
  auto good = [] {
    return Message{.cluster_id = kCluster, .from = NodeOf("q"), .body = Ping{.seq = 1, .target = "a"}};
  };
  std::vector<Message> junk(14, good());
  junk[0].cluster_id = "another cluster";
  junk[1].cluster_id = "";
  junk[2].body = Ping{.seq = 1, .target = "b"};
  junk[3].from = a.core.self();
  junk[4].from.name = std::string(65, 'q');
  junk[5].from.name = "";
  junk[6].from.address = std::string(256, 'q');
  junk[7].from.id = "short";
  junk[8].gossip.resize(65, Alive("x", 0));
  junk[9].gossip.push_back(Fact(static_cast<State>(9), "x", 0));
  junk[10].gossip.push_back(Alive("x", UINT64_MAX));
  junk[11].from.generation = UINT64_MAX;
  junk[12].body = JoinAnswer{.generation = 1};
  junk[13].body = Sync{.table = std::vector<Update>(10'002, Alive("x", 0))};
  for (size_t i = 0; i < junk.size(); ++i) {
    SCOPED_TRACE(i);
    uint64_t dropped = a.core.counters().dropped;
    a.Hear(junk[i]);
    EXPECT_EQ(a.core.counters().dropped, dropped + 1);
    EXPECT_EQ(a.core.Members().size(), 2u);
    EXPECT_TRUE(a.out.messages.empty());
    EXPECT_TRUE(a.out.events.empty());
  }
  a.Hear(good());
  EXPECT_EQ(a.Sent<Ack>().size(), 1u);
}

}  // namespace
}  // namespace troupe::swim
