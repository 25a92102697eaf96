// Watching an actor on another node: exactly one notice for each watch, whatever happens in between.
#include "tests/sim/remote_fixture.h"

namespace troupe::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RemoteWatchTest : public RemoteFixture {
 protected:
  RemoteWatchTest() { watcher_ = nodes_["n1"].system->Spawn<Watcher>(&notices_); }

  void Watch() { WatchAt(Polly()); }
  void WatchAt(const Address<Parrot>& parrot) {
    watcher_.Tell(WatchIt{parrot});
    nodes_.RunFor(absl::Milliseconds(10));
  }
  bool AwaitNotice() {
    return nodes_.Await([&] { return !notices_.empty(); });
  }
  // Long enough for whatever a watch may wait for.
  void Settle() { nodes_.RunFor(absl::Minutes(1)); }

  std::vector<std::string> notices_;
  Address<Watcher> watcher_;
};

TEST_F(RemoteWatchTest, AStopIsToldOnce) {
  Watch();
  polly_.Stop();
  nodes_.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(notices_, ElementsAre("stopped"));
  Settle();
  EXPECT_THAT(notices_, ElementsAre("stopped"));
}

TEST_F(RemoteWatchTest, AFailureIsToldWithItsReason) {
  Place("n2", "frail", {.on_failure = OnFailure::kStop});
  const Address<Parrot> frail = *Find("n1", "frail");
  WatchAt(frail);
  frail.Tell(Crash{"feather \xff lost"});
  ASSERT_TRUE(AwaitNotice());
  Settle();
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("feather")));
}

TEST_F(RemoteWatchTest, ARestartOfTheActorIsNoEnd) {
  Watch();
  Polly().Tell(Crash{"feather lost"});
  Settle();
  EXPECT_THAT(notices_, IsEmpty());
  polly_.Stop();
  Settle();
  EXPECT_THAT(notices_, ElementsAre("stopped"));
}

TEST_F(RemoteWatchTest, WhatIsGoneAlreadyIsToldAtOnce) {
  const Address<Parrot> polly = Polly();
  polly_.Stop();
  nodes_.RunFor(absl::Seconds(1));
  WatchAt(polly);
  ASSERT_TRUE(AwaitNotice());
  Settle();
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("terminated")));
}

TEST_F(RemoteWatchTest, AKilledNodeIsToldWhenItIsDead) {
  Watch();
  nodes_.Kill("n2");
  ASSERT_TRUE(AwaitNotice());
  EXPECT_EQ(nodes_.View("n1"), "n1 alive, n2 dead, n3 alive");
  nodes_.Start("n2");
  Settle();
  EXPECT_THAT(notices_, ElementsAre("node n2 is dead"));
}

TEST_F(RemoteWatchTest, AWatchOnADeadNodeEndsAtOnce) {
  const Address<Parrot> polly = Polly();
  nodes_.Kill("n2");
  ASSERT_TRUE(nodes_.AwaitView("n1", "n1 alive, n2 dead, n3 alive"));
  WatchAt(polly);
  EXPECT_THAT(notices_, ElementsAre("node n2 is dead"));
  Settle();
  EXPECT_EQ(notices_.size(), 1u);
}

TEST_F(RemoteWatchTest, ARestartTooQuickToBeADeathIsTold) {
  Watch();
  nodes_.Kill("n2");
  nodes_.Start("n2");
  ASSERT_TRUE(AwaitNotice());
  Settle();
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("restarted")));
}

TEST_F(RemoteWatchTest, UnwatchRetracts) {
  Watch();
  watcher_.Tell(UnwatchIt{Polly()});
  nodes_.RunFor(absl::Milliseconds(10));
  polly_.Stop();
  Settle();
  EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(RemoteWatchTest, AWatchAfterAnUnwatchCounts) {
  Watch();
  watcher_.Tell(UnwatchIt{Polly()});
  Watch();
  polly_.Stop();
  Settle();
  EXPECT_THAT(notices_, ElementsAre("stopped"));
}

TEST_F(RemoteWatchTest, TwoWatchersAreEachToldOnce) {
  Watch();
  std::vector<std::string> others;
  nodes_["n1"].system->Spawn<Watcher>(&others).Tell(WatchIt{Polly()});
  nodes_.RunFor(absl::Milliseconds(10));
  polly_.Stop();
  Settle();
  EXPECT_THAT(notices_, ElementsAre("stopped"));
  EXPECT_THAT(others, ElementsAre("stopped"));
}

TEST_F(RemoteWatchTest, AWatchSurvivesABrokenConnection) {
  Watch();
  nodes_.BreakConnections("n1", "n2");
  Settle();
  EXPECT_THAT(notices_, IsEmpty());
  polly_.Stop();
  Settle();
  EXPECT_THAT(notices_, ElementsAre("stopped"));
}

TEST_F(RemoteWatchTest, ANoticeThatIsLostWithItsConnectionIsToldAgain) {
  Watch();
  polly_.Stop();
  // The notice is on its way, and nothing of n1's is: only n2 hears of the loss.
  ASSERT_TRUE(nodes_.Await([&] { return !polly_.alive(); }));
  nodes_.BreakConnections("n1", "n2");
  Settle();
  EXPECT_EQ(notices_.size(), 1u);
}

TEST_F(RemoteWatchTest, AWatchThatIsLostOnItsWayIsMadeAgain) {
  watcher_.Tell(WatchIt{Polly()});
  nodes_.RunFor(absl::ZeroDuration());
  nodes_.BreakConnections("n1", "n2");
  nodes_.RunFor(absl::Seconds(20));
  polly_.Stop();
  nodes_.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(notices_, ElementsAre("stopped"));
}

TEST_F(RemoteWatchTest, AFalseDeathEndsTheWatchOnceAndTheAddressWorksAgainAfterwards) {
  const Address<Parrot> polly = Polly();
  WatchAt(polly);
  nodes_.Isolate("n2");
  ASSERT_TRUE(AwaitNotice());
  nodes_.Heal();
  ASSERT_TRUE(nodes_.AwaitView("n1", "n1 alive, n2 alive, n3 alive"));
  EXPECT_EQ(*nodes_.Outcome(polly.Ask(Say{"hello"})), "hello");
  WatchAt(polly);
  polly_.Stop();
  Settle();
  EXPECT_THAT(notices_, ElementsAre("node n2 is dead", "stopped"));
}

TEST_F(RemoteWatchTest, AWatcherThatTheOtherNodeHeldForDeadIsStillTold) {
  Watch();
  // n2 hears nothing from n1 and n3, and believes them dead; they never do so of it, for they know how to reach it.
  nodes_["n2"].cluster.actors().OnDead(nodes_["n2"].cluster.Members()[0].node);
  nodes_["n2"].cluster.actors().OnAlive(nodes_["n2"].cluster.Members()[0].node);
  nodes_.RunFor(absl::Minutes(1));
  polly_.Stop();
  Settle();
  EXPECT_THAT(notices_, ElementsAre("stopped"));
}

// Whatever breaks and in whatever order: one notice, at last.
TEST(RemoteWatchSeedsTest, EveryWatchEndsInOneNotice) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    std::vector<std::string> heard, notices;
    ClusterNodes nodes(seed);
    nodes.BeforeStart([](const std::string&, ClusterNode& node) { ExposeParrots(node.cluster); });
    nodes.Found("n1");
    nodes.Start("n2");
    ASSERT_TRUE(nodes.AwaitAlive({"n1", "n2"}));
    const Address<Parrot> polly = nodes["n2"].system->Spawn<Parrot>(&heard);
    ASSERT_TRUE(nodes["n2"].cluster.Register("polly", polly).ok());
    ASSERT_TRUE(nodes.Await([&] { return nodes["n1"].cluster.Lookup<Parrot>("polly").ok(); }));
    nodes["n1"].system->Spawn<Watcher>(&notices).Tell(WatchIt{*nodes["n1"].cluster.Lookup<Parrot>("polly")});
    Random chance = nodes.simulator().StreamFor("faults");
    for (int fault = 0; fault < 6; ++fault) {
      nodes.RunFor(absl::Microseconds(static_cast<int64_t>(chance.Below(3'000))));
      if (fault == 3) polly.Stop();
      if (chance.PerMille(700)) nodes.BreakConnections("n1", "n2");
    }
    nodes.RunFor(absl::Minutes(1));
    ASSERT_EQ(notices.size(), 1u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace troupe::sim
