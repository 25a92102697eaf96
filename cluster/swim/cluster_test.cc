// Conversations of several nodes, told as stories. Numbers in brackets: seconds of virtual time.
#include "absl/strings/str_cat.h"
#include "cluster/swim/test_network.h"
#include "gtest/gtest.h"

namespace troupe::swim {
namespace {

using Kind = Event::Kind;

TEST(Cluster, AKilledNodeOfThreeIsDeadAtTheOthersWithinSixSeconds) {
  Duration sum = absl::ZeroDuration();
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    TestNetwork net(seed);
    net.StartMesh(3);
    net.Run(absl::Milliseconds(5000 + 37 * seed));

    net.Kill("n3");
    Instant killed = net.now();

    ASSERT_TRUE(net.RunUntil([&] { return net.HeldBy(State::kDead, "n3", {"n1", "n2"}); }, absl::Seconds(6)));
    sum += net.now() - killed;
    EXPECT_EQ(net.Count("n1", Kind::kDied), 1);
    EXPECT_EQ(net.Count("n2", Kind::kDied), 1);
  }
  EXPECT_LT(sum / 100, absl::Seconds(4));
}

TEST(Cluster, NobodyIsSuspectedWhileAllIsWellAndIdleTrafficIsProbesOnly) {
  TestNetwork net;
  net.StartMesh(5);
  net.Run(absl::Seconds(30));
  uint64_t before = net.sent();

  net.Run(absl::Seconds(60));

  for (const std::string& name : net.names()) EXPECT_EQ(net.Count(name, Kind::kSuspected), 0);
  // A ping and an ack twice a second, a sync and its answer every ten, of each of the five.
  EXPECT_LE(net.sent() - before, 5u * (60 * 2 * 2 + 2 * 7));
}

TEST(Cluster, AKilledNodeThatComesBackBeforeItsDeathIsANewRunAtOnce) {
  TestNetwork net;
  net.StartMesh(3);
  net.Kill("n3");

  net.Start("n3", {"n1"});

  EXPECT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(1)));
  EXPECT_EQ(net.Count("n2", Kind::kJoined, "n3"), 2);
  EXPECT_EQ(net.Count("n2", Kind::kDied), 0);
  EXPECT_EQ(net.node("n2").Find("n3")->node.generation, 2u);
}

TEST(Cluster, ARestartedNodeBeatsItsRefutedFormerRun) {
  TestNetwork net;
  net.StartMesh(3);
  net.Isolate("n3");
  ASSERT_TRUE(net.RunUntil([&] { return net.HeldBy(State::kSuspect, "n3", {"n1", "n2"}); }, absl::Seconds(6)));
  net.Heal();
  ASSERT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(6)));
  ASSERT_GT(net.node("n1").Find("n3")->incarnation, 0u);
  net.Kill("n3");

  net.Start("n3", {"n1"}, "n3:9999");

  EXPECT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(2)));
  EXPECT_EQ(net.node("n2").Find("n3")->node.address, "n3:9999");
}

TEST(Cluster, ADeathIsLearntEverywhereInSpiteOfLoss) {
  for (uint64_t loss : {50, 100, 200, 500}) {
    SCOPED_TRACE(loss);
    TestNetwork net(loss);
    net.set_checks(false);
    net.StartMesh(20);
    net.set_loss_per_mille(loss);
    net.Kill("n20");
    std::set<std::string> others = net.names();
    others.erase("n20");

    EXPECT_TRUE(net.RunUntil([&] { return net.HeldBy(State::kDead, "n20", others); }, absl::Seconds(90)));
  }
}

TEST(Cluster, NobodyIsLostAtAQuarterOfTheMessages) {
  TestNetwork net;
  net.StartMesh(10);
  net.set_loss_per_mille(250);

  net.Run(absl::Seconds(30));

  for (const std::string& name : net.names()) EXPECT_EQ(net.Count(name, Kind::kDied), 0) << name;
}

TEST(Cluster, ACutBetweenTwoIsBridgedByTheThird) {
  for (bool both : {false, true}) {
    TestNetwork net;
    net.StartMesh(3);
    net.Cut("n2", "n3");
    if (both) net.Cut("n3", "n2");

    net.Run(absl::Seconds(40));

    for (const std::string& name : net.names()) EXPECT_EQ(net.Count(name, Kind::kDied), 0) << name;
    EXPECT_TRUE(net.Agree());
  }
}

TEST(Cluster, AShortIsolationEndsInARefutationNotADeath) {
  TestNetwork net;
  net.StartMesh(3);
  for (int round = 1; round <= 2; ++round) {
    net.Isolate("n3");
    ASSERT_TRUE(net.RunUntil([&] { return net.HeldBy(State::kSuspect, "n3", {"n1", "n2"}); }, absl::Seconds(6)));

    net.Heal();

    ASSERT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(6)));
    EXPECT_GE(net.Count("n1", Kind::kRefuted, "n3"), round);
    EXPECT_EQ(net.Count("n1", Kind::kDied, "n3"), 0);
  }
}

TEST(Cluster, HalvesThatHoldEachOtherForDeadMergeByThemselves) {
  for (int nodes : {4, 5, 6}) {
    SCOPED_TRACE(nodes);
    TestNetwork net(static_cast<uint64_t>(nodes));
    net.StartMesh(nodes);
    net.Partition({"n1", "n2"});
    auto split = [&] {
      return net.HeldBy(State::kDead, "n3", {"n1", "n2"}) && net.HeldBy(State::kDead, "n4", {"n1", "n2"}) &&
             net.HeldBy(State::kDead, "n1", {"n3", "n4"}) && net.HeldBy(State::kDead, "n2", {"n3", "n4"});
    };
    ASSERT_TRUE(net.RunUntil(split, absl::Seconds(60)));
    net.Run(absl::Minutes(10));

    net.Heal();

    EXPECT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(30)));
    EXPECT_EQ(net.Count("n2", Kind::kDied, "n1"), 0) << "the sides did not lose their own";
  }
}

TEST(Cluster, HalvesMergeThroughASeedAfterEachHasForgottenTheOther) {
  Config config;
  config.remember_gone = absl::Minutes(1);
  TestNetwork net(1, config);
  net.StartMesh(4);
  net.Partition({"n1", "n2"});
  net.Run(absl::Minutes(3));
  ASSERT_EQ(net.StateAt("n3", "n1"), std::nullopt);

  net.Heal();

  EXPECT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(30)));
}

TEST(Cluster, ALeaverIsLeftAtAllWithoutDelayAndAliveAgainOnReturn) {
  TestNetwork net;
  net.StartMesh(3);

  net.Leave("n3");

  ASSERT_TRUE(net.RunUntil([&] { return net.HeldBy(State::kLeft, "n3", {"n1", "n2"}); }, absl::Milliseconds(100)));
  net.Run(absl::Seconds(1));
  net.Kill("n3");
  net.Run(absl::Seconds(30));
  EXPECT_EQ(net.Count("n1", Kind::kDied), 0);
  EXPECT_EQ(net.Count("n1", Kind::kLeft), 1);
  net.Start("n3", {"n1"});
  EXPECT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(1)));
}

TEST(Cluster, AFounderThatComesBackWithoutSeedsIsFoundByTheOthers) {
  for (Duration away : {absl::ZeroDuration(), absl::Minutes(5)}) {
    TestNetwork net;
    net.StartMesh(3);
    net.Kill("n1");
    net.Run(away);

    net.Start("n1", {});

    EXPECT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(12)));
  }
}

TEST(Cluster, ASeedThatLeftIsAskedForNewsOfTheOthersWhenItsNameIsFree) {
  TestNetwork net;
  net.StartMesh(2);
  net.Leave("n1");
  net.Run(absl::Seconds(1));
  net.Kill("n1");
  net.WipeDisk("n1");
  net.disk("n7") = TestDisk{.id = MakeId('q'), .generation = 0, .cluster_id = kCluster};

  net.Start("n7", {}, AddressOf("n1"));  // another node of the cluster serves there now, and knows nobody

  EXPECT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(6)));
}

TEST(Cluster, ADeathIsNotStarvedByAStormOfNews) {
  Config config;
  config.max_new_members = 100;
  TestNetwork net(1, config);
  net.set_checks(false);
  net.Found("n1");
  for (int i = 2; i <= 100; ++i) net.Start(absl::StrCat("n", i), {"n1"});
  net.Run(absl::Seconds(1));  // a hundred joins are on their way

  net.Kill("n50");
  std::set<std::string> others = net.names();
  others.erase("n50");

  // Every prober confirms, so the suspicion takes its least time: 4 s. Detection and spreading are the rest.
  EXPECT_TRUE(net.RunUntil([&] { return net.HeldBy(State::kDead, "n50", others); }, absl::Seconds(30)));
}

TEST(Cluster, TheSameSeedGivesTheSameHistory) {
  auto history = [] {
    TestNetwork net(7);
    net.set_loss_per_mille(100);
    net.StartMesh(5);
    net.Kill("n4");
    net.Run(absl::Seconds(60));
    return std::pair(net.sent(), net.node("n1").counters().probes);
  };

  EXPECT_EQ(history(), history());
}

}  // namespace
}  // namespace troupe::swim
