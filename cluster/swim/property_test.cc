// What holds after any history: the rules that TestNetwork checks at each step, and agreement once the network is
// whole.
#include "absl/strings/str_cat.h"
#include "cluster/swim/test_network.h"
#include "gtest/gtest.h"

namespace troupe::swim {
namespace {

// One thing that goes wrong, or right again.
void Disturb(TestNetwork& net, Random& chance, int nodes) {
  std::string name = absl::StrCat("n", 1 + chance.Below(static_cast<uint64_t>(nodes)));
  std::string other = absl::StrCat("n", 1 + chance.Below(static_cast<uint64_t>(nodes)));
  switch (chance.Below(8)) {
    case 0:
      if (net.names().size() > 2 && net.IsRunning(name)) net.Kill(name);
      break;
    case 1:
    case 2:
      if (!net.IsRunning(name)) net.Start(name, {"n1", "n2"});
      break;
    case 3:
      if (name != other) net.Cut(name, other);
      break;
    case 4:
      net.Partition({name, other});
      break;
    case 5:
      net.Heal();
      break;
    case 6:
      net.set_loss_per_mille(chance.Below(500));
      break;
    case 7:
      net.set_delay(absl::Milliseconds(1), absl::Milliseconds(2 + chance.Below(400)));
      break;
  }
}

TEST(Property, AfterAnyHistoryAWholeNetworkAgrees) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random chance = Random(seed).Split("disturb");
    const int nodes = 5 + static_cast<int>(chance.Below(3));
    TestNetwork net(seed);
    net.StartMesh(nodes);
    for (int i = 0; i < 20; ++i) {
      Disturb(net, chance, nodes);
      net.Run(absl::Milliseconds(chance.Below(4000)));
    }
    net.Heal();
    net.set_loss_per_mille(0);
    net.set_delay(absl::Milliseconds(1), absl::Milliseconds(3));
    for (int i = 1; i <= nodes; ++i) {
      std::string name = absl::StrCat("n", i);
      if (!net.IsRunning(name) && chance.PerMille(500)) net.Start(name, {"n1", "n2", "n3", "n4", "n5", "n6", "n7"});
    }
    // Dead are contacted every 5 s, one at a time, and the longest suspicion takes 12 s.
    EXPECT_TRUE(net.RunUntil([&] { return net.Agree(); }, absl::Seconds(60)));
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace troupe::swim
