// Names of actors in the whole cluster: who is found under them, and what happens when two want the same, or a node
// goes.
#include "tests/sim/remote_fixture.h"

namespace troupe::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class NamesTest : public RemoteFixture {
 protected:
  // The node that `from` finds the name on; else the error's code.
  std::string HolderOf(const std::string& name, const std::string& from) {
    absl::StatusOr<Address<Parrot>> found = Find(from, name);
    if (!found.ok()) return absl::StatusCodeToString(found.status().code());
    const std::optional<Directory::Holder> holder = nodes_[from].cluster.Find(name);
    return holder.has_value() ? holder->node.name : "?";
  }
  bool AwaitHolder(const std::string& name, const std::string& holder, const std::vector<std::string>& everywhere) {
    return nodes_.Await([&] {
      for (const std::string& from : everywhere) {
        if (HolderOf(name, from) != holder) return false;
      }
      return true;
    });
  }
  Address<Parrot> Claim(const std::string& node, const std::string& name, std::vector<std::string>* log) {
    Address<Parrot> parrot = nodes_[node].system->Spawn<Parrot>(log);
    EXPECT_TRUE(nodes_[node].cluster.Register(name, parrot).ok());
    return parrot;
  }
};

TEST_F(NamesTest, ANameIsFoundOnAllNodes) {
  EXPECT_TRUE(AwaitHolder("polly", "n2", {"n1", "n2", "n3"}));
  for (const char* node : {"n1", "n2", "n3"}) {
    EXPECT_EQ(*nodes_.Outcome(Find(node, "polly")->Ask(Say{node})), node);
  }
}

TEST_F(NamesTest, ANewNameIsFoundEverywhereWithinMilliseconds) {
  Claim("n3", "coco", &heard_);
  nodes_.RunFor(absl::Milliseconds(10));
  EXPECT_EQ(HolderOf("coco", "n1"), "n3");
  EXPECT_EQ(HolderOf("coco", "n2"), "n3");
}

TEST_F(NamesTest, TerminationTakesTheNameBackEverywhere) {
  polly_.Stop();
  EXPECT_TRUE(AwaitHolder("polly", "NOT_FOUND", {"n1", "n2", "n3"}));
}

TEST_F(NamesTest, AFreedNameCanBeTakenByAnotherActorOfTheSameNodeAtOnce) {
  polly_.Stop();
  ASSERT_TRUE(nodes_.Await([&] { return !polly_.alive(); }));
  const Address<Parrot> second = Claim("n2", "polly", &heard_);
  nodes_.RunFor(absl::Seconds(5));
  EXPECT_TRUE(AwaitHolder("polly", "n2", {"n1", "n2", "n3"}));
  EXPECT_EQ(*nodes_.Outcome(Polly().Ask(Say{"hello"})), "hello");
}

TEST_F(NamesTest, ANameThatIsNoTextIsRefusedSinceItCouldNotBeTold) {
  const Address<Parrot> parrot = nodes_["n1"].system->Spawn<Parrot>(&heard_);
  EXPECT_EQ(nodes_["n1"].cluster.Register("pol\xffly", parrot).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(nodes_["n1"].cluster.Register("Zo\xc3\xab", parrot).ok());
  EXPECT_TRUE(AwaitHolder("Zo\xc3\xab", "n1", {"n2", "n3"}));
}

TEST_F(NamesTest, OfTwoClaimsAtOnceAllAgreeOnOneAndTheLoserIsToldOnce) {
  std::vector<std::string> first, third;
  Claim("n1", "coco", &first);
  Claim("n3", "coco", &third);
  nodes_.RunFor(absl::Seconds(5));
  const std::string winner = HolderOf("coco", "n2");
  EXPECT_TRUE(AwaitHolder("coco", winner, {"n1", "n2", "n3"}));
  ASSERT_TRUE(winner == "n1" || winner == "n3") << winner;
  EXPECT_THAT(winner == "n1" ? third : first, ElementsAre("lost coco to " + winner));
  EXPECT_THAT(winner == "n1" ? first : third, IsEmpty());
}

TEST_F(NamesTest, AYoungerClaimLosesToOneThatIsKnown) {
  std::vector<std::string> late;
  ASSERT_TRUE(AwaitHolder("polly", "n2", {"n1", "n2", "n3"}));
  Claim("n1", "polly", &late);
  nodes_.RunFor(absl::Seconds(5));
  EXPECT_THAT(late, ElementsAre("lost polly to n2"));
  EXPECT_TRUE(AwaitHolder("polly", "n2", {"n1", "n2", "n3"}));
}

TEST_F(NamesTest, WhenTheWinnerGoesTheLoserHoldsTheName) {
  std::vector<std::string> late;
  Claim("n1", "polly", &late);
  nodes_.RunFor(absl::Seconds(5));
  polly_.Stop();
  EXPECT_TRUE(AwaitHolder("polly", "n1", {"n1", "n2", "n3"}));
}

TEST_F(NamesTest, TwoClaimsInAPartitionAreSettledWhenItHeals) {
  std::vector<std::string> near, far;
  nodes_.Isolate("n3");
  Claim("n1", "coco", &near);
  Claim("n3", "coco", &far);
  nodes_.RunFor(absl::Seconds(20));
  EXPECT_EQ(HolderOf("coco", "n2"), "n1");
  EXPECT_EQ(HolderOf("coco", "n3"), "n3");
  nodes_.Heal();
  nodes_.RunFor(absl::Seconds(30));
  const std::string winner = HolderOf("coco", "n2");
  EXPECT_TRUE(AwaitHolder("coco", winner, {"n1", "n2", "n3"}));
  EXPECT_THAT(winner == "n1" ? far : near, ElementsAre("lost coco to " + winner));
  EXPECT_THAT(winner == "n1" ? near : far, IsEmpty());
}

TEST_F(NamesTest, NamesOfADeadNodeAreUnavailableWithItsName) {
  nodes_.Kill("n2");
  ASSERT_TRUE(nodes_.AwaitView("n1", "n1 alive, n2 dead, n3 alive"));
  const absl::Status status = Find("n1", "polly").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("n2"));
}

TEST_F(NamesTest, ADeadNodesNameIsForWhoeverClaimsIt) {
  nodes_.Kill("n2");
  ASSERT_TRUE(nodes_.AwaitView("n1", "n1 alive, n2 dead, n3 alive"));
  ASSERT_TRUE(nodes_.AwaitView("n3", "n1 alive, n2 dead, n3 alive"));
  std::vector<std::string> heir;
  Claim("n3", "polly", &heir);
  EXPECT_TRUE(AwaitHolder("polly", "n3", {"n1", "n3"}));
  EXPECT_THAT(heir, IsEmpty());
}

TEST_F(NamesTest, ARestartedNodesOldNamesVanish) {
  nodes_.Kill("n2");
  nodes_.Start("n2");
  ASSERT_TRUE(nodes_.AwaitAlive({"n1", "n2", "n3"}));
  const Address<Parrot> coco = Claim("n2", "coco", &heard_);
  ASSERT_TRUE(AwaitHolder("coco", "n2", {"n1", "n2", "n3"}));
  EXPECT_TRUE(AwaitHolder("polly", "NOT_FOUND", {"n1", "n2", "n3"}));
}

TEST_F(NamesTest, AFalselyDeadNodesNamesAreBackWhenItIs) {
  nodes_.Isolate("n2");
  ASSERT_TRUE(nodes_.AwaitView("n1", "n1 alive, n2 dead, n3 alive"));
  EXPECT_EQ(HolderOf("polly", "n1"), "UNAVAILABLE");
  nodes_.Heal();
  EXPECT_TRUE(AwaitHolder("polly", "n2", {"n1", "n2", "n3"}));
}

TEST_F(NamesTest, ANodeThatJoinsKnowsAllNamesWhenItSaysSo) {
  for (int i = 0; i < 200; ++i) Claim("n3", absl::StrCat("parrot/", i), &heard_);
  nodes_.Start("n4");
  ASSERT_TRUE(nodes_.Outcome(nodes_["n4"].cluster.Joined(absl::Seconds(30))).ok());
  EXPECT_EQ(HolderOf("polly", "n4"), "n2");
  for (int i = 0; i < 200; ++i) EXPECT_EQ(HolderOf(absl::StrCat("parrot/", i), "n4"), "n3");
}

TEST_F(NamesTest, AForgottenNodesNamesAreForgottenAndWhenItComesBackItsNewOnesAreFound) {
  nodes_.Kill("n2");
  ASSERT_TRUE(nodes_.AwaitView("n1", "n1 alive, n2 dead, n3 alive"));
  nodes_.RunFor(ClusterNodes::kRememberGone + absl::Minutes(1));
  EXPECT_EQ(nodes_.View("n1"), "n1 alive, n3 alive");
  EXPECT_EQ(HolderOf("polly", "n1"), "NOT_FOUND");
  nodes_.Start("n2");
  ASSERT_TRUE(nodes_.AwaitAlive({"n1", "n2", "n3"}));
  Claim("n2", "polly", &heard_);
  EXPECT_TRUE(AwaitHolder("polly", "n2", {"n1", "n2", "n3"}));
  EXPECT_EQ(*nodes_.Outcome(Polly().Ask(Say{"hello"})), "hello");
}

}  // namespace
}  // namespace troupe::sim
