#include "absl/strings/str_cat.h"
#include "cluster/swim/test_core.h"
#include "gtest/gtest.h"

namespace troupe::swim {
namespace {

using Kind = Event::Kind;

// The asked side, alone: a, who knows x in generation 5.
class Asked : public testing::Test, public TestCore {
 protected:
  Asked() {
    Update x = Alive("x", 0);
    x.node.generation = 5;
    Hear("p", Gossip{}, {x});
  }
  static Node X(uint64_t generation, char id = 'x', const std::string& address = AddressOf("x")) {
    return Node{.name = "x", .id = MakeId(id), .generation = generation, .address = address};
  }
  void Ask(const Node& joiner, const std::string& cluster_id = "") {
    Hear(Message{.cluster_id = cluster_id, .from = joiner, .body = JoinRequest{}});
  }
  // The answer that is in `out`; fails without one.
  JoinAnswer Answer() {
    auto answers = Sent<JoinAnswer>();
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? JoinAnswer{} : std::get<JoinAnswer>(answers.front().message.body);
  }
  void BuryX() {
    Update death = Dead("x", 0);
    death.node.generation = 5;
    Hear(death);
  }
};

TEST_F(Asked, AnUnknownNameIsAdmittedWithTheTable) {
  Ask(NodeOf("y"));
  EXPECT_EQ(Answer().refusal, "");
  EXPECT_EQ(Answer().generation, 1u);
  EXPECT_EQ(Answer().table.size(), 3u) << "a, p and x";
  EXPECT_EQ(Sent<JoinAnswer>().front().message.cluster_id, kCluster);
  EXPECT_EQ(StateOf("y"), State::kAlive);
}

TEST_F(Asked, ALaterRunIsAdmittedAtItsOwnGeneration) {
  Ask(X(6), kCluster);
  EXPECT_EQ(Answer().generation, 6u);
  EXPECT_EQ(core.Find("x")->node.generation, 6u);
}

TEST_F(Asked, ARepeatedRequestIsAnsweredAgain) {
  Ask(X(5), kCluster);
  EXPECT_EQ(Answer().generation, 5u);
}

TEST_F(Asked, ANodeOfAnotherClusterIsRefusedForGoodWithBothNames) {
  Ask(NodeOf("y"), "another");
  EXPECT_TRUE(Answer().final);
  EXPECT_NE(Answer().refusal.find("another"), std::string::npos);
  EXPECT_NE(Answer().refusal.find(kCluster), std::string::npos);
  EXPECT_EQ(StateOf("y"), std::nullopt);
}

TEST_F(Asked, ANodeInNoClusterRefusesForNow) {
  TestCore alone({}, "");
  alone.Hear(Message{.from = NodeOf("y"), .body = JoinRequest{}});
  ASSERT_EQ(alone.Sent<JoinAnswer>().size(), 1u);
  const auto answer = std::get<JoinAnswer>(alone.Sent<JoinAnswer>().front().message.body);
  EXPECT_FALSE(answer.refusal.empty());
  EXPECT_FALSE(answer.final);
  alone.Hear("p", Ping{.seq = 1, .target = "a"});
  EXPECT_TRUE(alone.out.messages.empty());
}

TEST_F(Asked, AnotherIdUnderADeadNameGetsTheNextGeneration) {
  BuryX();
  Ask(X(5, 'b'));
  EXPECT_EQ(Answer().generation, 6u);
  EXPECT_EQ(StateOf("x"), State::kDead) << "until the new one speaks";
  Hear(Message{.cluster_id = kCluster, .from = X(6, 'b'), .body = Gossip{}});
  EXPECT_EQ(StateOf("x"), State::kAlive);
}

TEST_F(Asked, AnOldGenerationOfTheSameIdGetsTheNextWhenNoneLives) {
  BuryX();
  Ask(X(2));
  EXPECT_EQ(Answer().generation, 6u);
}

TEST_F(Asked, AnotherIdUnderALivingNameIsRefusedWhenTheHolderAnswers) {
  Ask(X(1, 'z', "elsewhere:1"));
  ASSERT_TRUE(Sent<JoinAnswer>().empty());
  ASSERT_EQ(Sent<Ping>(AddressOf("x")).size(), 1u);
  uint64_t seq = std::get<Ping>(Sent<Ping>().front().message.body).seq;

  Hear(Message{.cluster_id = kCluster, .from = X(5), .body = Ack{.seq = seq}});

  EXPECT_TRUE(Answer().final);
  EXPECT_NE(Answer().refusal.find(AddressOf("x")), std::string::npos);
  EXPECT_EQ(Sent<JoinAnswer>().front().address, "elsewhere:1");
  EXPECT_EQ(Events(), std::vector<Kind>{Kind::kConflict});
}

TEST_F(Asked, AnotherIdUnderALivingNameIsAdmittedWhenTheHolderIsSilentTwice) {
  Ask(X(1, 'z'));
  RunFor(absl::Milliseconds(399));
  EXPECT_TRUE(Sent<JoinAnswer>().empty());
  EXPECT_GE(Sent<Ping>(AddressOf("x")).size(), 1u) << "one lost ping does not cost the name";
  RunFor(absl::Milliseconds(2));
  EXPECT_EQ(Answer().generation, 6u);
}

TEST_F(Asked, TheSameIdAtAnotherAddressIsCheckedFirst) {
  for (uint64_t generation : {4, 5}) {
    Ask(X(generation, 'x', absl::StrCat("copy:", generation)));
    EXPECT_TRUE(Sent<JoinAnswer>().empty());
    EXPECT_EQ(Sent<Ping>(AddressOf("x")).size(), 1u);
  }
}

TEST_F(Asked, ALaterRunAtAnotherAddressIsACopyWhenTheFormerOneAnswers) {
  Ask(X(6, 'x', "copy:1"), kCluster);
  ASSERT_TRUE(Sent<JoinAnswer>().empty());
  ASSERT_EQ(Sent<Ping>(AddressOf("x")).size(), 1u);
  uint64_t seq = std::get<Ping>(Sent<Ping>(AddressOf("x")).front().message.body).seq;

  Hear(Message{.cluster_id = kCluster, .from = X(5), .body = Ack{.seq = seq}});

  EXPECT_TRUE(Answer().final);
  EXPECT_EQ(Sent<JoinAnswer>().front().address, "copy:1");
  EXPECT_NE(Answer().refusal.find("the name x is held by a living node at x:7101\n"), std::string::npos);
  EXPECT_NE(Answer().refusal.find("copied"), std::string::npos);
  EXPECT_EQ(core.Find("x")->node, X(5));
}

TEST_F(Asked, ALaterRunAtAnotherAddressIsAdmittedWhenTheFormerOneIsSilentOrDead) {
  Ask(X(6, 'x', "moved:1"), kCluster);
  RunFor(absl::Milliseconds(401));
  EXPECT_EQ(Answer().generation, 6u);
  EXPECT_EQ(core.Find("x")->node, X(6, 'x', "moved:1"));

  Update death{.node = X(6, 'x', "moved:1"), .state = State::kDead, .from = "p"};
  Hear(death);
  Ask(X(7, 'x', "again:1"), kCluster);
  EXPECT_EQ(Answer().generation, 7u) << "at once";
}

TEST_F(Asked, ACopyOfTheAskedOneItselfIsRefusedAndALaterRunAtItsAddressEndsIt) {
  Node later = NodeOf("a", 2);
  later.address = "copy:1";
  Ask(later, kCluster);
  EXPECT_TRUE(Answer().final);
  EXPECT_NE(Answer().refusal.find("copied"), std::string::npos);
  EXPECT_EQ(core.self().generation, 1u);
  EXPECT_NE(core.NextDeadline(), Instant::Never()) << "it goes on";

  Ask(NodeOf("a", 2), kCluster);
  EXPECT_EQ(Events().back(), Kind::kRefused);
}

TEST_F(Asked, AnAddressOfALivingMemberIsRefusedToAnotherWhenThatMemberAnswers) {
  Node thief = NodeOf("y");
  thief.address = AddressOf("x");
  Ask(thief);
  EXPECT_TRUE(Sent<JoinAnswer>().empty());
  ASSERT_EQ(Sent<Ping>(AddressOf("x")).size(), 1u);
  uint64_t seq = std::get<Ping>(Sent<Ping>(AddressOf("x")).front().message.body).seq;

  Hear(Message{.cluster_id = kCluster, .from = X(5), .body = Ack{.seq = seq}});

  EXPECT_TRUE(Answer().final);
  EXPECT_NE(Answer().refusal.find("the address x:7101 is that of node x"), std::string::npos);
  EXPECT_EQ(StateOf("y"), std::nullopt);
}

TEST_F(Asked, AnAddressOfAMemberThatIsSilentOrDeadIsFree) {
  Node heir = NodeOf("y");
  heir.address = AddressOf("x");
  Ask(heir);
  RunFor(absl::Milliseconds(401));
  EXPECT_EQ(Answer().refusal, "");
  EXPECT_EQ(StateOf("y"), State::kAlive);

  BuryX();
  Node second = NodeOf("z");
  second.address = AddressOf("x");
  Hear(Fact(State::kDead, "y", 0));
  Ask(second);
  EXPECT_EQ(Answer().refusal, "") << "at once";
}

TEST_F(Asked, TheAskedOnesOwnAddressIsRefusedToAnother) {
  Node thief = NodeOf("y");
  thief.address = AddressOf("a");
  Ask(thief);
  EXPECT_TRUE(Answer().final);
  EXPECT_NE(Answer().refusal.find("the address a:7101 is that of node a"), std::string::npos);
  EXPECT_EQ(StateOf("y"), std::nullopt);
}

TEST_F(Asked, AGrantIsNeverBelowWhatTheJoinerHas) {
  BuryX();
  Ask(X(9, 'z'));
  EXPECT_EQ(Answer().generation, 9u);
}

TEST_F(Asked, AJoinerThatAnotherSeedLetInMeanwhileIsNotRefused) {
  Ask(X(4));
  uint64_t seq = std::get<Ping>(Sent<Ping>(AddressOf("x")).front().message.body).seq;
  Hear(Message{.cluster_id = kCluster, .from = X(5), .body = Ack{.seq = seq}});
  EXPECT_TRUE(Sent<JoinAnswer>().empty());
  EXPECT_TRUE(out.events.empty());
}

TEST_F(Asked, AnAckOfAnotherRunDoesNotHoldTheName) {
  Ask(X(1, 'z'));
  uint64_t seq = std::get<Ping>(Sent<Ping>(AddressOf("x")).front().message.body).seq;
  Hear(Message{.cluster_id = kCluster, .from = X(4), .body = Ack{.seq = seq}});
  EXPECT_TRUE(Sent<JoinAnswer>().empty());
}

TEST_F(Asked, HeldJoinsAreBoundedAndOneJoinerHoldsOne) {
  for (int i = 0; i < 16; ++i) Ask(X(1, 'z', absl::StrCat("z:", i)));
  uint64_t dropped = core.counters().dropped;
  Ask(X(1, 'z', "z:0"));
  EXPECT_EQ(core.counters().dropped, dropped) << "asked again";
  Ask(X(1, 'z', "z:16"));
  EXPECT_EQ(core.counters().dropped, dropped + 1);
  EXPECT_TRUE(out.messages.empty());
}

TEST_F(Asked, TheAskedOnesOwnNameIsRefusedAtOnce) {
  Ask(Node{.name = "a", .id = MakeId('z'), .generation = 1, .address = "elsewhere:1"});
  EXPECT_TRUE(Answer().final);
  EXPECT_NE(Answer().refusal.find(AddressOf("a")), std::string::npos);
}

// The asking side, alone: a, in no cluster.
class Asking : public testing::Test, public TestCore {
 protected:
  Asking() : TestCore({}, "") { core.Join(now, {"s:1", "t:1", AddressOf("a"), "s:1"}, out); }
  void HearAnswer(JoinAnswer answer, const std::string& cluster_id = kCluster) {
    Hear(Message{.cluster_id = cluster_id, .from = NodeOf("s"), .body = std::move(answer)});
  }
};

TEST_F(Asking, EverySeedButItselfIsAskedEachRetryAndTheRetriesGrow) {
  EXPECT_EQ(Sent<JoinRequest>().size(), 2u);
  EXPECT_EQ(Sent<JoinRequest>(AddressOf("a")).size(), 0u);
  RunFor(absl::Milliseconds(5600));  // at 0.5, 1.5, 3.5, 5.5 s
  EXPECT_EQ(Sent<JoinRequest>("s:1").size(), 4u);
}

TEST_F(Asking, WithoutAnAnswerItSaysSoAfterThreeSecondsAndEveryTenAndNamesTheSeeds) {
  RunFor(absl::Milliseconds(2900));
  EXPECT_TRUE(out.events.empty());
  RunFor(absl::Milliseconds(200));
  ASSERT_EQ(Events(), std::vector<Kind>{Kind::kNoAnswer});
  EXPECT_NE(out.events.front().text.find("s:1, t:1"), std::string::npos);
  RunFor(absl::Seconds(20));
  EXPECT_EQ(Events().size(), 2u);
}

TEST_F(Asking, ARefusalForNowIsToldButNotFinal) {
  HearAnswer({.refusal = "not yet", .final = false}, "");
  EXPECT_TRUE(out.events.empty());
  RunFor(absl::Seconds(4));
  ASSERT_EQ(Events(), std::vector<Kind>{Kind::kNoAnswer});
  EXPECT_NE(out.events.front().text.find("not yet"), std::string::npos);
}

TEST_F(Asking, AdmissionPersistsClusterAndGenerationAndIsToldOnce) {
  HearAnswer({.generation = 4, .table = {Alive("t", 0)}});
  EXPECT_EQ(out.cluster_id, kCluster);
  EXPECT_EQ(out.generation, 4u);
  EXPECT_EQ(core.self().generation, 4u);
  EXPECT_EQ(core.cluster_id(), kCluster);
  EXPECT_EQ(Events(), (std::vector<Kind>{Kind::kJoined, Kind::kJoined, Kind::kAdmitted}));
  EXPECT_EQ(out.events.back().member.node, core.self());
  EXPECT_EQ(Sent<Gossip>(AddressOf("s")).size(), 1u) << "the seed learns which generation was taken";

  HearAnswer({.generation = 4, .table = {}});
  EXPECT_TRUE(out.events.empty());
  RunFor(absl::Seconds(1));
  EXPECT_TRUE(Sent<JoinRequest>().empty());
}

TEST_F(Asking, AFinalRefusalEndsEverything) {
  HearAnswer({.refusal = "the name is taken", .final = true});
  ASSERT_EQ(Events(), std::vector<Kind>{Kind::kRefused});
  EXPECT_EQ(out.events.front().text, "the name is taken");
  EXPECT_EQ(core.NextDeadline(), Instant::Never());
  HearAnswer({.generation = 1});
  EXPECT_TRUE(out.events.empty());
}

TEST_F(Asking, AStrangersClusterEndsAMemberOnlyWhenEverySeedIsOfAnother) {
  TestCore member;
  member.core.Join(member.now, {"s:7101", "t:7101"}, member.out);
  auto refuse = [&](const std::string& seed) {
    member.Hear(Message{.cluster_id = "another",
                        .from = NodeOf(seed),
                        .body = JoinAnswer{.refusal = "belongs to cluster-one", .final = true}});
  };
  refuse("s");
  refuse("s");
  EXPECT_TRUE(member.Events().empty());
  member.RunFor(absl::Seconds(4));
  ASSERT_EQ(member.Events(), std::vector<Kind>{Kind::kNoAnswer});
  EXPECT_NE(member.out.events.front().text.find("belongs to cluster-one"), std::string::npos);

  refuse("t");
  EXPECT_TRUE(member.Events().empty()) << "s has not said so in this round";
  refuse("s");
  EXPECT_EQ(member.Events(), std::vector<Kind>{Kind::kRefused});
}

TEST_F(Asking, AStrangersClusterDoesNotEndAMemberThatHasFoundItsOwn) {
  TestCore member;
  member.core.Join(member.now, {"s:7101"}, member.out);
  member.Hear("p", Gossip{});
  member.Hear(Message{
      .cluster_id = "another", .from = NodeOf("s"), .body = JoinAnswer{.refusal = "not one of us", .final = true}});
  EXPECT_TRUE(member.Events().empty());
  EXPECT_NE(member.core.NextDeadline(), Instant::Never());
}

TEST_F(Asking, AnAnswerThatWasNotAskedForIsDropped) {
  TestCore founder;
  founder.Hear("s", JoinAnswer{.refusal = "go away", .final = true});
  EXPECT_TRUE(founder.out.events.empty());
  EXPECT_EQ(founder.core.counters().dropped, 1u);
}

TEST_F(Asking, AMemberOfAClusterWorksWithoutAnAnswerAndStopsAskingOnceItKnowsALiveMember) {
  TestCore member;
  member.core.Join(member.now, {"s:1"}, member.out);
  member.Hear("p", Ping{.seq = 1, .target = "a"});
  EXPECT_EQ(member.Sent<Ack>().size(), 1u);
  EXPECT_EQ(member.Events(), (std::vector<Kind>{Kind::kJoined, Kind::kAdmitted}));
  member.RunFor(absl::Milliseconds(600));
  EXPECT_TRUE(member.Sent<JoinRequest>().empty());
}

TEST_F(Asking, ALaterRunHeardOfRightAfterTheStartIsASeedsToJudgeAndAdmissionIsToldOnce) {
  TestCore restored;
  restored.core.Join(restored.now, {"s:1"}, restored.out);
  restored.Hear("p", Gossip{});
  ASSERT_EQ(restored.Events().back(), Kind::kAdmitted);
  Update later = Alive("a", 0);
  later.node.generation = 8;

  restored.Hear(later);
  EXPECT_TRUE(restored.Events().empty());
  EXPECT_EQ(restored.Sent<JoinRequest>("s:1").size(), 1u);
  restored.Hear("s", JoinAnswer{.generation = 9});

  EXPECT_EQ(restored.core.self().generation, 9u);
  EXPECT_EQ(restored.Events(), std::vector<Kind>{Kind::kJoined}) << "of the seed";
}

// Facts about this node's own name.
class Namesake : public testing::Test, public TestCore {
 protected:
  Namesake() : TestCore({}, kCluster, Node{"a", MakeId('m'), 3, AddressOf("a")}) {}
  void HearOf(char id, uint64_t generation, State state) {
    Hear(Update{
        .node = Node{"a", MakeId(id), generation, "elsewhere:1"}, .incarnation = 0, .state = state, .from = "q"});
  }
  bool IsRefused() const { return std::count(Events().begin(), Events().end(), Kind::kRefused) > 0; }
};

TEST_F(Namesake, ALaterRunOfThisNodeEndsThisOne) {
  HearOf('m', 4, State::kAlive);
  EXPECT_EQ(Events().back(), Kind::kRefused);
}

TEST_F(Namesake, AnEarlierRunOfThisNodeIsNothing) {
  HearOf('m', 2, State::kAlive);
  EXPECT_EQ(Events(), std::vector<Kind>{Kind::kJoined}) << "that is p";
}

TEST_F(Namesake, OfOneGenerationTheGreaterIdGoesAndTheSmallerStays) {
  HearOf('n', 3, State::kAlive);
  EXPECT_EQ(Events(), std::vector<Kind>{Kind::kJoined});
  EXPECT_EQ(core.self().generation, 3u);
  RunUntilSent<Gossip>();
  EXPECT_EQ(GossipAbout("a").size(), 1u) << "it, or who believes it, must hear of this one";
  HearOf('l', 3, State::kAlive);
  EXPECT_EQ(Events().back(), Kind::kRefused);
}

TEST_F(Namesake, OfALaterGenerationItHasTakenThisOnesPlace) {
  HearOf('n', 4, State::kAlive);
  EXPECT_EQ(Events().back(), Kind::kRefused);
}

TEST_F(Namesake, AnotherThatIsDeadIsOutbid) {
  HearOf('l', 7, State::kDead);
  EXPECT_EQ(out.generation, 8u);
  EXPECT_EQ(core.self().generation, 8u);
}

TEST_F(Namesake, WhoSpeaksUnderThisNameIsToldWhoHasIt) {
  Hear(Message{.cluster_id = kCluster, .from = Node{"a", MakeId('z'), 3, "elsewhere:1"}, .body = Gossip{}});
  ASSERT_EQ(Sent<Gossip>("elsewhere:1").size(), 1u);
  EXPECT_EQ(Sent<Gossip>().front().message.from.id, MakeId('m'));
}

// Whole stories.

TEST(Join, AWipedNodeIsAdmittedUnderItsNewIdWhenItsOldSelfIsGone) {
  TestNetwork net;
  net.StartMesh(3);
  net.Kill("n3");
  net.WipeDisk("n3");

  net.Start("n3", {"n1", "n2"});

  ASSERT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(3)));
  EXPECT_EQ(net.node("n3").self().generation, 2u);
  EXPECT_EQ(net.disk("n3").generation, 2u);
  EXPECT_EQ(net.Count("n3", Kind::kRefused), 0);
}

TEST(Join, ANodeWhoseDiskWasRestoredFromABackupGetsALaterGeneration) {
  TestNetwork net;
  net.StartMesh(3);
  for (int i = 0; i < 3; ++i) {
    net.Kill("n3");
    net.Start("n3", {"n1"});
    ASSERT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(3)));
  }
  net.Kill("n3");
  net.disk("n3").generation = 1;

  net.Start("n3", {"n1", "n2"});

  EXPECT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(5)));
  EXPECT_EQ(net.node("n3").self().generation, 5u);
}

TEST(Join, AllAskingEachOtherAfterAFullStopFindEachOther) {
  TestNetwork net;
  net.StartMesh(3);
  for (const char* name : {"n1", "n2", "n3"}) net.Kill(name);
  net.Run(absl::Minutes(1));

  for (const char* name : {"n1", "n2", "n3"}) net.Start(name, {"n1", "n2", "n3"});

  EXPECT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(2)));
  for (const char* name : {"n1", "n2", "n3"}) EXPECT_EQ(net.Count(name, Kind::kAdmitted), name[1] == '1' ? 1 : 2);
}

TEST(Join, ACopyOfALivingNodesDataDirectoryIsRefusedWhomeverItAsks) {
  for (const char* seed : {"n1", "n2", "n3"}) {
    SCOPED_TRACE(seed);
    TestNetwork net;
    net.StartMesh(3);
    net.disk("copy") = net.disk("n3");
    net.disk("copy").node_name = "n3";

    net.Start("copy", {seed});
    net.Run(absl::Seconds(5));

    EXPECT_FALSE(net.IsRunning("copy"));
    EXPECT_EQ(net.TextOf("copy", Kind::kRefused).find("the name n3 is held by a living node at n3:7101\n"), 0u);
    EXPECT_EQ(net.Count("n3", Kind::kRefused), 0);
    EXPECT_TRUE(net.Agree());
  }
}

TEST(Join, ANodeOfAnotherClusterIsRefused) {
  TestNetwork net;
  net.StartMesh(2);
  net.disk("n9").cluster_id = "another";

  net.Start("n9", {"n1"});
  net.Run(absl::Seconds(1));

  EXPECT_FALSE(net.IsRunning("n9"));
  EXPECT_NE(net.TextOf("n9", Kind::kRefused).find("another"), std::string::npos);
  EXPECT_EQ(net.node("n1").Members().size(), 2u);
}

TEST(Join, SucceedsThroughLoss) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    TestNetwork net(seed);
    net.set_loss_per_mille(400);
    net.Found("n1");
    net.Start("n2", {"n1"});
    EXPECT_TRUE(net.RunUntil([&] { return net.Count("n2", Kind::kAdmitted) == 1; }, absl::Seconds(30)));
  }
}

}  // namespace
}  // namespace troupe::swim
