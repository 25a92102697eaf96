#include "cluster/swim/test_core.h"
#include "gtest/gtest.h"

namespace troupe::swim {
namespace {

// A core that knows some others, who are called b, c, d... and say only what the test says.
class Probes : public testing::Test, public TestCore {
 protected:
  void Know(int others) {
    for (int i = 0; i < others; ++i) Hear(std::string(1, static_cast<char>('b' + i)), Gossip{});
  }
  // The next probe begins; its target is returned.
  std::string Begin() {
    out = {};
    Outgoing ping = RunUntilSent<Ping>();
    seq = std::get<Ping>(ping.message.body).seq;
    sent_at = now;
    return std::get<Ping>(ping.message.body).target;
  }
  // Those who are asked to help.
  std::vector<std::string> Helpers() {
    RunUntilSent<PingRequest>();
    std::vector<std::string> helpers;
    for (const Outgoing& request : Sent<PingRequest>()) helpers.push_back(request.address.substr(0, 1));
    return helpers;
  }
  // The probe's verdict: by the time after which the next one begins, it is known.
  void RunOut() {
    uint64_t failed = core.counters().failed_probes;
    while (core.counters().failed_probes == failed) {
      now = core.NextDeadline();
      core.Tick(now, out);
    }
  }

  uint64_t seq = 0;
  Instant sent_at;
};

TEST_F(Probes, AnAckInTimeEndsTheProbeWell) {
  Know(3);
  std::string target = Begin();
  Hear(target, Ack{.seq = seq});
  RunFor(absl::Milliseconds(400));
  EXPECT_TRUE(Sent<PingRequest>().empty());
  EXPECT_EQ(StateOf(target), State::kAlive);
  EXPECT_EQ(core.counters().failed_probes, 0u);
}

TEST_F(Probes, AnAckOfAnotherProbeIsNoSuccess) {
  Know(3);
  std::string target = Begin();
  Hear(target, Ack{.seq = seq + 1});
  RunOut();
  EXPECT_EQ(StateOf(target), State::kSuspect);
}

TEST_F(Probes, WithoutAnAckThreeOthersAreAskedAndOneOfThemSuffices) {
  Know(6);
  std::string target = Begin();
  std::vector<std::string> helpers = Helpers();
  EXPECT_EQ(now, sent_at + absl::Milliseconds(200));
  ASSERT_EQ(std::set<std::string>(helpers.begin(), helpers.end()).size(), 3u);
  EXPECT_EQ(std::count(helpers.begin(), helpers.end(), target), 0);
  std::string outsider;
  for (const char* name : {"b", "c", "d", "e", "f", "g"}) {
    if (name != target && std::count(helpers.begin(), helpers.end(), name) == 0) outsider = name;
  }

  Hear(outsider, Ack{.seq = seq});
  Hear(helpers[1], Ack{.seq = seq});
  RunFor(absl::Milliseconds(290));

  EXPECT_EQ(core.counters().failed_probes, 0u);
  EXPECT_EQ(StateOf(target), State::kAlive);
}

TEST_F(Probes, AnOutsidersAckAloneDoesNotSuffice) {
  Know(6);
  std::string target = Begin();
  std::vector<std::string> helpers = Helpers();
  for (const char* name : {"b", "c", "d", "e", "f", "g"}) {
    if (name != target && std::count(helpers.begin(), helpers.end(), name) == 0) Hear(name, Ack{.seq = seq});
  }
  RunOut();
  EXPECT_EQ(StateOf(target), State::kSuspect);
}

TEST_F(Probes, ANackKeepsTheProbeOpenAndALaterAckStillCounts) {
  Know(3);
  std::string target = Begin();
  std::string helper = Helpers().front();
  Hear(helper, Nack{.seq = seq});
  Hear(target, Ack{.seq = seq});
  Hear(target, Ack{.seq = seq});
  RunFor(absl::Milliseconds(290));
  EXPECT_EQ(core.counters().failed_probes, 0u);
}

TEST_F(Probes, MissingNacksSpeakAgainstThisNodeAndGivenOnesDoNot) {
  for (int nacks = 0; nacks <= 2; ++nacks) {
    SCOPED_TRACE(nacks);
    TestCore::core = Swim(Config(), kCluster, NodeOf("a"), Random(static_cast<uint64_t>(nacks)));
    Know(3);
    std::string target = Begin();
    std::vector<std::string> helpers = Helpers();
    ASSERT_EQ(helpers.size(), 2u);
    for (int i = 0; i < nacks; ++i) Hear(helpers[static_cast<size_t>(i)], Nack{.seq = seq});
    RunOut();
    EXPECT_EQ(StateOf(target), State::kSuspect);
    EXPECT_EQ(core.health(), 2 - nacks);
  }
}

TEST_F(Probes, PoorHealthStretchesPeriodAndTimeoutAndAnAckRestoresIt) {
  Know(3);
  Hear(Suspect("a", 0));
  ASSERT_EQ(core.health(), 1);
  Begin();  // armed before
  Helpers();
  EXPECT_EQ(now, sent_at + absl::Milliseconds(400));
  RunOut();
  EXPECT_EQ(now, sent_at + absl::Seconds(1));
}

TEST_F(Probes, AnAckImprovesTheHealth) {
  Know(3);
  Hear(Suspect("a", 0));
  std::string target = Begin();
  Hear(target, Ack{.seq = seq});
  EXPECT_EQ(core.health(), 0);
  target = Begin();
  Hear(target, Ack{.seq = seq});
  EXPECT_EQ(core.health(), 0) << "better than well there is not";
}

TEST_F(Probes, HealthHasAWorstToo) {
  Know(1);
  for (uint64_t incarnation = 0; incarnation < 20; ++incarnation) Hear(Suspect("a", incarnation));
  EXPECT_EQ(core.health(), 8);
}

TEST_F(Probes, APingTellsASuspectThatItIsOne) {
  Know(1);
  Hear(Suspect("b", 0));
  Begin();
  ASSERT_FALSE(GossipAbout("b").empty());
  EXPECT_EQ(GossipAbout("b").front().state, State::kSuspect);
}

TEST_F(Probes, ASuspectedPingerHearsOfItInTheAck) {
  Know(2);
  Hear(Dead("b", 0));
  for (int i = 0; i < 10; ++i) Hear("c", Ping{.seq = 1, .target = "a"});  // until it is no news any more
  Hear("b", Ping{.seq = 5, .target = "a"});
  ASSERT_EQ(Sent<Ack>().size(), 1u);
  EXPECT_EQ(GossipAbout("b").front().state, State::kDead);
}

TEST_F(Probes, AHelperSendsTheAckOnUnderTheAskersNumber) {
  Know(2);
  Hear("b", PingRequest{.seq = 7, .target = NodeOf("c")});
  ASSERT_EQ(Sent<Ping>(AddressOf("c")).size(), 1u);
  uint64_t own = std::get<Ping>(Sent<Ping>().front().message.body).seq;

  Hear("c", Ack{.seq = own});

  ASSERT_EQ(Sent<Ack>(AddressOf("b")).size(), 1u);
  EXPECT_EQ(std::get<Ack>(Sent<Ack>().front().message.body).seq, 7u);
  RunFor(absl::Milliseconds(300));
  EXPECT_TRUE(Sent<Nack>().empty());
}

TEST_F(Probes, AHelperWithoutAnAckSaysSoBeforeTheAskersTimeIsOverAndSendsALateOneOn) {
  Know(2);
  Hear("b", PingRequest{.seq = 7, .target = NodeOf("c")});
  uint64_t own = std::get<Ping>(Sent<Ping>(AddressOf("c")).front().message.body).seq;

  RunFor(absl::Milliseconds(160));

  ASSERT_EQ(Sent<Nack>(AddressOf("b")).size(), 1u);
  EXPECT_EQ(std::get<Nack>(Sent<Nack>().front().message.body).seq, 7u);
  Hear("c", Ack{.seq = own});
  EXPECT_EQ(Sent<Ack>(AddressOf("b")).size(), 1u);
}

TEST_F(Probes, HelpIsBoundedAndNotGivenAgainstOneself) {
  Config config;
  config.max_relays = 2;
  core = Swim(config, kCluster, NodeOf("a"), Random(1));
  Know(2);
  for (uint64_t i = 0; i < 3; ++i) Hear("b", PingRequest{.seq = i, .target = NodeOf("c")});
  EXPECT_TRUE(out.messages.empty());
  EXPECT_EQ(core.counters().dropped, 1u);
  Hear("b", PingRequest{.seq = 9, .target = NodeOf("a")});
  EXPECT_EQ(core.counters().dropped, 2u);
}

TEST_F(Probes, AProbeWhoseTargetLeavesEndsWithoutAVerdict) {
  Know(1);
  Begin();
  Hear("b", Gossip{}, {Left("b", 0)});
  RunFor(absl::Seconds(2));
  EXPECT_EQ(StateOf("b"), State::kLeft);
  EXPECT_TRUE(Sent<Ping>().empty()) << "there is nobody left";
  Hear("c", Gossip{});
  std::string target = Begin();
  EXPECT_EQ(target, "c");
}

TEST_F(Probes, ANodeAloneWaitsForNothing) { EXPECT_EQ(core.NextDeadline(), Instant::Never()); }

}  // namespace
}  // namespace troupe::swim
