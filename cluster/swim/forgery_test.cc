// What somebody may say who is no member, or lies: none of it takes a member out for longer than the lie is told.
#include "absl/strings/str_cat.h"
#include "cluster/swim/config.h"
#include "cluster/swim/test_core.h"
#include "gtest/gtest.h"

namespace troupe::swim {
namespace {

using Kind = Event::Kind;

// a, of generation 1, who knows x in generation 1.
class Forgery : public testing::Test, public TestCore {
 protected:
  Forgery() { Hear(Alive("x", 0)); }

  static Update Of(const std::string& name, State state, uint64_t generation, uint64_t incarnation) {
    return Update{.node = NodeOf(name, generation), .incarnation = incarnation, .state = state, .from = "p"};
  }
  // Whether the fact is dropped, and counted.
  bool IsDropped(const Update& update) {
    const uint64_t dropped = core.counters().dropped;
    Hear(update);
    return core.counters().dropped == dropped + 1;
  }
  void AskToJoin(const Node& joiner) { Hear(Message{.cluster_id = "", .from = joiner, .body = JoinRequest{}}); }
};

TEST_F(Forgery, ACountBeyondTheLimitIsMalformed) {
  EXPECT_FALSE(IsDropped(Of("y", State::kAlive, kMaxCount, kMaxCount)));
  EXPECT_EQ(StateOf("y"), State::kAlive);
  EXPECT_TRUE(IsDropped(Of("z", State::kAlive, kMaxCount + 1, 0)));
  EXPECT_TRUE(IsDropped(Of("z", State::kAlive, 1, kMaxCount + 1)));
  EXPECT_EQ(StateOf("z"), std::nullopt);
}

TEST_F(Forgery, AGenerationFarAheadOfTheKnownOneIsDropped) {
  for (State state : {State::kAlive, State::kSuspect, State::kDead, State::kLeft}) {
    EXPECT_TRUE(IsDropped(Of("x", state, 2 + kMaxLead, 0)));
  }
  EXPECT_EQ(core.Find("x")->node.generation, 1u);
  EXPECT_EQ(StateOf("x"), State::kAlive);
  EXPECT_FALSE(IsDropped(Of("x", State::kAlive, 1 + kMaxLead, 0)));
  EXPECT_EQ(core.Find("x")->node.generation, 1 + kMaxLead);
}

TEST_F(Forgery, AnIncarnationFarAheadOfTheKnownOneIsDropped) {
  EXPECT_TRUE(IsDropped(Of("x", State::kDead, 1, 1 + kMaxLead)));
  EXPECT_TRUE(IsDropped(Of("x", State::kAlive, 2, 1 + kMaxLead))) << "a later run counts from 0";
  EXPECT_EQ(StateOf("x"), State::kAlive);
  EXPECT_FALSE(IsDropped(Of("x", State::kAlive, 1, kMaxLead)));
  EXPECT_EQ(IncarnationOf("x"), kMaxLead);
}

TEST_F(Forgery, ACountOfThisNodeFarAheadOfItsOwnIsDropped) {
  for (State state : {State::kAlive, State::kDead}) {
    EXPECT_TRUE(IsDropped(Of("a", state, 2 + kMaxLead, 0)));
    EXPECT_TRUE(IsDropped(Of("a", state, 1, 1 + kMaxLead)));
  }
  EXPECT_EQ(core.self().generation, 1u);
  EXPECT_EQ(IncarnationOf("a"), 0u);
  EXPECT_TRUE(out.events.empty());
}

TEST_F(Forgery, AJoinerFarAheadOfTheKnownOneIsDropped) {
  const uint64_t dropped = core.counters().dropped;
  AskToJoin(NodeOf("x", 2 + kMaxLead));
  EXPECT_EQ(core.counters().dropped, dropped + 1);
  EXPECT_TRUE(out.messages.empty());
  EXPECT_EQ(core.Find("x")->node.generation, 1u);
}

TEST_F(Forgery, AForgedHolderThatIsSilentDoesNotKeepTheNameFromItsOwner) {
  Update forged = Of("y", State::kAlive, kMaxCount, 0);
  forged.node.address = "nowhere:1";
  Hear(forged);

  AskToJoin(NodeOf("y", 3));
  RunFor(absl::Milliseconds(500));

  ASSERT_EQ(Sent<JoinAnswer>(AddressOf("y")).size(), 1u);
  const auto answer = std::get<JoinAnswer>(Sent<JoinAnswer>(AddressOf("y")).front().message.body);
  EXPECT_EQ(answer.refusal, "");
  EXPECT_EQ(answer.generation, 3u);
  EXPECT_EQ(core.Find("y")->node, NodeOf("y", 3));
}

TEST_F(Forgery, AGrantFarAheadOfWhatThisNodeHasIsDropped) {
  TestCore joiner({}, "");
  joiner.core.Join(joiner.now, {"s:1"}, joiner.out);
  joiner.Hear("s", JoinAnswer{.generation = 2 + kMaxLead});
  EXPECT_EQ(joiner.core.counters().dropped, 1u);
  EXPECT_EQ(joiner.core.cluster_id(), "");
  EXPECT_EQ(joiner.core.self().generation, 1u);
}

TEST_F(Forgery, ANodeAtTheEndOfCountingStaysThere) {
  TestCore last({}, kCluster, NodeOf("a", kMaxCount));
  Update dead = Of("a", State::kDead, kMaxCount, 0);
  dead.node.id = MakeId('A');  // outranks
  last.Hear(dead);
  EXPECT_EQ(last.core.self().generation, kMaxCount);
  EXPECT_EQ(last.out.generation, std::nullopt);
}

TEST_F(Forgery, ASavedGenerationBeyondTheLimitDoesNotKeepTheNodeFromStarting) {
  TestCore late({}, kCluster, NodeOf("a", kMaxCount + 7));
  EXPECT_EQ(late.core.self().generation, kMaxCount);
}

TEST_F(Forgery, NamesIdsAndAddressesOfOtherThanPrintableAsciiAreDropped) {
  auto bad = [](auto change) {
    Update update = Alive("y", 0);
    change(update);
    return update;
  };
  for (const char* name : {"y z", "y\n", "y\x1b[2J", "y\"", "y'", "y\\", "\xc3\xa9", "y\x7f"}) {
    EXPECT_TRUE(IsDropped(bad([&](Update& update) { update.node.name = name; }))) << name;
    EXPECT_TRUE(IsDropped(bad([&](Update& update) { update.from = name; }))) << name;
  }
  for (const char* address : {"y", "y :1", "y:1\n", "\xc3\xa9:1"}) {
    EXPECT_TRUE(IsDropped(bad([&](Update& update) { update.node.address = address; }))) << address;
  }
  EXPECT_TRUE(IsDropped(bad([](Update& update) { update.node.id[5] = '\n'; })));
  EXPECT_TRUE(IsDropped(bad([](Update& update) { update.node.id[5] = ' '; })));
  EXPECT_EQ(StateOf("y"), std::nullopt);
  EXPECT_FALSE(IsDropped(bad([](Update&) {})));
  EXPECT_EQ(StateOf("y"), State::kAlive);
}

TEST_F(Forgery, ARefusalThatWouldWriteMoreThanTextToATerminalIsDropped) {
  TestCore joiner({}, "");
  joiner.core.Join(joiner.now, {"s:1"}, joiner.out);
  joiner.Hear("s", JoinAnswer{.refusal = "no\x1b[2J", .final = true});
  EXPECT_TRUE(joiner.out.events.empty());
  EXPECT_EQ(joiner.core.counters().dropped, 1u);
}

TEST_F(Forgery, TheSameClaimToANameIsToldOnceAMinute) {
  const std::vector<Kind> kOnce{Kind::kConflict};
  const std::vector<Kind> kNever;
  Update claim = Alive("x", 0);
  claim.node.id = MakeId('z');
  auto told = [&](const Update& heard) {
    Hear(heard);
    return Events();
  };
  EXPECT_EQ(told(claim), kOnce);
  EXPECT_EQ(told(claim), kNever);
  Update other = claim;
  other.node.address = "elsewhere:1";
  EXPECT_EQ(told(other), kOnce);
  core.Leave(now, out);  // nobody is judged any more
  RunFor(absl::Seconds(59));
  EXPECT_EQ(told(claim), kNever);
  RunFor(absl::Seconds(2));
  EXPECT_EQ(told(claim), kOnce);
}

TEST_F(Forgery, ClaimsThatAreToldAreBounded) {
  size_t told = 0;
  for (int i = 0; i < 200; ++i) {
    Update claim = Alive("x", 0);
    claim.node.id = MakeId('z');
    claim.node.address = absl::StrCat("z:", i);
    Hear(claim);
    told += Events().size();
  }
  EXPECT_EQ(told, 64u);
}

TEST_F(Forgery, ARefusalIsForTheNodeThatItNamesAndForNoOther) {
  Node joiner = NodeOf("y");
  joiner.address = AddressOf("a");  // a's own: it must not end a
  AskToJoin(joiner);
  ASSERT_EQ(Sent<JoinAnswer>().size(), 1u);
  const auto refusal = std::get<JoinAnswer>(Sent<JoinAnswer>().front().message.body);
  EXPECT_TRUE(refusal.final);

  for (const std::string name : {"z", "y"}) {
    TestCore asking({}, "", NodeOf(name));
    asking.core.Join(asking.now, {"s:1"}, asking.out);
    asking.Hear("s", refusal);
    EXPECT_EQ(asking.Events().size(), name == "y" ? 1u : 0u) << name;
    EXPECT_EQ(asking.core.counters().dropped, name == "y" ? 0u : 1u) << name;
  }
}

TEST_F(Forgery, NewMembersAreTakenAtSixtyFourASecond) {
  const uint64_t dropped = core.counters().dropped;
  auto is_taken = [&](int i) {
    std::string name = absl::StrCat("y", i);
    AskToJoin(NodeOf(name));
    return !Sent<JoinAnswer>(AddressOf(name)).empty();
  };
  for (int i = 0; i < 64; ++i) EXPECT_TRUE(is_taken(i));
  EXPECT_FALSE(is_taken(64));
  EXPECT_EQ(core.counters().dropped, dropped + 1);
  EXPECT_EQ(StateOf("y64"), std::nullopt);
  EXPECT_TRUE(is_taken(1)) << "a known one is no new member";
  RunFor(absl::Seconds(1));
  EXPECT_TRUE(is_taken(64));
}

}  // namespace
}  // namespace troupe::swim
