// Coming into a cluster: who is let in, who is refused and told why, and what a node does that may not go on.
#include <stdexcept>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sim/cluster_nodes.h"

namespace troupe::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JoinTest : public ::testing::Test {
 protected:
  // And ended.
  bool AwaitRefused(const std::string& machine) {
    return nodes_.Await([&] { return !nodes_.refused(machine).empty() && !nodes_.up(machine); });
  }
  ClusterNodes nodes_{1};
};

TEST_F(JoinTest, ATakenNameIsRefusedAndItsHolderUndisturbed) {
  nodes_.Found("n1");
  nodes_.Start("n2");
  ASSERT_TRUE(nodes_.AwaitAlive({"n1", "n2"}));
  nodes_.Start("impostor", {"n1"}, "n2");
  ASSERT_TRUE(AwaitRefused("impostor"));
  EXPECT_THAT(nodes_.refused("impostor"), HasSubstr("the name n2 is held by a living node at n2:7101"));
  nodes_.RunFor(absl::Minutes(1));
  EXPECT_EQ(nodes_.View("n1"), "n1 alive, n2 alive");
  EXPECT_EQ(nodes_.View("n2"), "n1 alive, n2 alive");
  EXPECT_THAT(nodes_.refused("n2"), IsEmpty());
}

TEST_F(JoinTest, ANodeOfAnotherClusterIsRefusedWithTheReason) {
  nodes_.Found("n1", 'c');
  nodes_.disk("n2").cluster_id = std::string(32, 'd');
  nodes_.Start("n2", {"n1"});
  ASSERT_TRUE(AwaitRefused("n2"));
  EXPECT_THAT(nodes_.refused("n2"), HasSubstr("cluster"));
  nodes_.RunFor(absl::Minutes(1));
  EXPECT_EQ(nodes_.View("n1"), "n1 alive");
}

TEST_F(JoinTest, ANodeWhoseSeedIsNotThereGoesOnTryingAndGetsInWhenItComes) {
  nodes_.Start("n2", {"n1"});
  EXPECT_TRUE(absl::IsDeadlineExceeded(nodes_.Outcome(nodes_["n2"].cluster.Joined(absl::Minutes(2)))));
  nodes_.Found("n1");
  EXPECT_TRUE(nodes_.AwaitAlive({"n1", "n2"}));
  EXPECT_EQ(nodes_["n2"].cluster.self().cluster_id, std::string(32, 'c'));
  EXPECT_EQ(nodes_.disk("n2").cluster_id, std::string(32, 'c'));
}

TEST_F(JoinTest, TwoNodesInNoClusterThatPointAtEachOtherStayOutside) {
  nodes_.Start("n1", {"n2"});
  nodes_.Start("n2", {"n1"});
  nodes_.RunFor(absl::Minutes(5));
  EXPECT_THAT(nodes_["n1"].cluster.self().cluster_id, IsEmpty());
  EXPECT_THAT(nodes_["n2"].cluster.self().cluster_id, IsEmpty());
  EXPECT_TRUE(absl::IsDeadlineExceeded(nodes_.Outcome(nodes_["n1"].cluster.Joined(absl::Seconds(1)))));
}

TEST_F(JoinTest, AWipedDiskUnderAnOldNameIsLetInAsALaterRunOnceTheOldOneIsDead) {
  nodes_.Found("n1");
  nodes_.Start("n2");
  nodes_.Start("n3");
  ASSERT_TRUE(nodes_.AwaitAlive({"n1", "n2", "n3"}));
  const uint64_t before = nodes_["n2"].cluster.self().generation;
  nodes_.Kill("n2");
  nodes_.Wipe("n2");
  nodes_.Start("n2");
  ASSERT_TRUE(nodes_.AwaitAlive({"n1", "n2", "n3"}));
  EXPECT_GT(nodes_["n2"].cluster.self().generation, before);
  EXPECT_EQ(nodes_.disk("n2").generation, nodes_["n2"].cluster.self().generation);
}

TEST_F(JoinTest, ANodeThatWasInTheClusterServesAfterAWhileWhenNobodyAnswers) {
  nodes_.Found("n1");
  nodes_.Start("n2");
  ASSERT_TRUE(nodes_.AwaitAlive({"n1", "n2"}));
  nodes_.Kill("n1");
  nodes_.Kill("n2");
  nodes_.Start("n2");
  const Instant started = nodes_.simulator().Now();
  EXPECT_TRUE(nodes_.Outcome(nodes_["n2"].cluster.Joined(absl::Seconds(30))).ok());
  EXPECT_LE(nodes_.simulator().Now() - started, absl::Seconds(4));
}

TEST_F(JoinTest, AnIdentityThatCannotBeSavedEndsTheNodeBeforeItSaysAWord) {
  nodes_.Found("n1");
  nodes_.disk("n2").failure = absl::DataLossError("the disk is broken");
  nodes_.Start("n2");
  ASSERT_TRUE(AwaitRefused("n2"));
  EXPECT_EQ(nodes_.refused("n2"), "the disk is broken");
}

TEST_F(JoinTest, AnIdentityIsSavedWhenTheBlockingPoolHasRoomAgain) {
  nodes_.Found("n1");
  nodes_.disk("n2").failure = absl::ResourceExhaustedError("too much work waits for the disk");
  nodes_.Start("n2");
  nodes_.RunFor(absl::Minutes(1));
  EXPECT_THAT(nodes_.refused("n2"), IsEmpty());
  EXPECT_THAT(nodes_.disk("n2").cluster_id, IsEmpty());
  EXPECT_TRUE(absl::IsDeadlineExceeded(nodes_.Outcome(nodes_["n2"].cluster.Joined(absl::Seconds(1)))));
  nodes_.disk("n2").failure = absl::OkStatus();
  EXPECT_TRUE(nodes_.AwaitAlive({"n1", "n2"}));
  EXPECT_EQ(nodes_.disk("n2").cluster_id, std::string(32, 'c'));
}

// Throws instead of sending, while told to.
class BadTransport final : public Transport {
 public:
  BadTransport(std::unique_ptr<Transport> good, const bool* bad) : good_(std::move(good)), bad_(bad) {}
  void Start(FrameReceiver& receiver) override { good_->Start(receiver); }
  void Stop() override { good_->Stop(); }
  absl::StatusOr<uint64_t> Send(const std::string& peer, Lane lane, std::string frame) override {
    if (*bad_) throw std::runtime_error("no memory left");
    return good_->Send(peer, lane, std::move(frame));
  }
  void Disconnect(const std::string& peer) override { good_->Disconnect(peer); }

 private:
  std::unique_ptr<Transport> good_;
  const bool* bad_;
};

TEST_F(JoinTest, AMembershipThatFailsEndsItsNodeSinceItWouldStartAgainWithoutCluster) {
  bool bad = false;
  nodes_.Found("n1");
  nodes_.WrapTransport([&bad](auto good) { return std::make_unique<BadTransport>(std::move(good), &bad); });
  nodes_.Start("n2");
  ASSERT_TRUE(nodes_.AwaitAlive({"n1", "n2"}));
  bad = true;
  ASSERT_TRUE(AwaitRefused("n2"));
  EXPECT_THAT(nodes_.refused("n2"), HasSubstr("no memory left"));
}

}  // namespace
}  // namespace troupe::sim
