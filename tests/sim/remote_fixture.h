// Nodes n1, n2, n3 in one cluster; on n2 the parrot "polly".
#ifndef TROUPE_TESTS_SIM_REMOTE_FIXTURE_H_
#define TROUPE_TESTS_SIM_REMOTE_FIXTURE_H_

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sim/cluster_nodes.h"
#include "tests/sim/remote_test_actors.h"

namespace troupe::sim {

inline void ExposeParrots(Cluster& cluster) {
  cluster.Expose<Parrot, Say, Note, Hold, LetGo, Refuse, Lament, Crash, Inflate, Picky>();
  cluster.Expose<Owl, Say>();
}

class RemoteFixture : public ::testing::Test {
 protected:
  RemoteFixture() {
    nodes_.BeforeStart([](const std::string& machine, ClusterNode& node) {
      ExposeParrots(node.cluster);
      if (machine == "n1") node.cluster.Expose<Parrot, Newfangled>();
    });
    nodes_.Found("n1");
    nodes_.Start("n2");
    nodes_.Start("n3");
    EXPECT_TRUE(nodes_.AwaitAlive({"n1", "n2", "n3"}));
    polly_ = Place("n2", "polly");
  }

  // A new parrot there, once it is found under its name here.
  Address<Parrot> Place(const std::string& node, const std::string& name, SpawnOptions options = {}) {
    Address<Parrot> parrot = nodes_[node].system->Spawn<Parrot>(options, &heard_);
    EXPECT_TRUE(nodes_[node].cluster.Register(name, parrot).ok());
    EXPECT_TRUE(nodes_.Await([&] { return Find("n1", name).ok(); })) << name;
    return parrot;
  }
  absl::StatusOr<Address<Parrot>> Find(const std::string& from, const std::string& name) {
    return nodes_[from].cluster.Lookup<Parrot>(name);
  }
  // As n1 reaches her.
  Address<Parrot> Polly() { return *Find("n1", "polly"); }
  template <typename M>
  auto Ask(M message, Duration timeout = kDefaultAskTimeout) {
    return nodes_.Outcome(Polly().Ask(std::move(message), timeout));
  }
  uint64_t Junk(const std::string& node) { return nodes_[node].cluster.junk(); }

  std::vector<std::string> heard_;
  ClusterNodes nodes_{1};
  Address<Parrot> polly_;
};

}  // namespace troupe::sim

#endif  // TROUPE_TESTS_SIM_REMOTE_FIXTURE_H_
