// Nodes with nothing above their Cluster, in one thread under virtual time: what tests of names, joins and actors on
// other nodes stand on.
//
//   ClusterNodes nodes(/*seed=*/1);
//   nodes.Found("n1");
//   nodes.Start("n2");                                  // joins n1
//   ASSERT_TRUE(nodes.AwaitAlive({"n1", "n2"}));
//   nodes["n1"].cluster.Register("user-store", ...);
//
// Killing a node destroys it with all that it has under way; its disk stays for the next start.
#ifndef TROUPE_TESTS_SIM_CLUSTER_NODES_H_
#define TROUPE_TESTS_SIM_CLUSTER_NODES_H_

#include <glog/logging.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "actor/deterministic_executor.h"
#include "cluster/cluster.h"
#include "tests/sim/sim_network.h"

namespace troupe::sim {

// What a data directory remembers.
struct Disk final : NodeMemory {
  absl::Status SaveIdentity(const std::string& cluster, uint64_t granted) override {
    if (!failure.ok()) return failure;
    cluster_id = cluster;
    generation = granted;
    return absl::OkStatus();
  }
  absl::Status SavePeers(const std::vector<std::string>& addresses) override {
    peers = addresses;
    return absl::OkStatus();
  }
  std::string node_id;
  std::string cluster_id;
  uint64_t generation = 0;
  std::vector<std::string> peers;
  absl::Status failure;  // of SaveIdentity
};

struct ClusterNode {
  ClusterNode(Simulator& simulator, uint32_t number, std::unique_ptr<Transport> way, ClusterOptions options,
              Disk& memory)
      : executor(simulator, number),
        system(std::make_unique<ActorSystem>(executor)),
        transport(std::move(way)),
        cluster(std::move(options), *system, *transport, memory) {}
  ~ClusterNode() {
    cluster.Stop();
    system.reset();
  }

  DeterministicExecutor executor;
  std::unique_ptr<ActorSystem> system;
  std::unique_ptr<Transport> transport;
  Cluster cluster;
};

class ClusterNodes {
 public:
  // How long nodes remember the dead; less than in production, where it is a day.
  static constexpr Duration kRememberGone = absl::Minutes(30);

  // Called with each run of a node before it starts, for Expose, and after.
  using Hook = std::function<void(const std::string& machine, ClusterNode& node)>;

  explicit ClusterNodes(uint64_t seed) : simulator_(seed), network_(simulator_) {
    // What nodes say of each other would bury what a test says.
    FLAGS_minloglevel = 3;
  }

  void BeforeStart(Hook hook) { before_ = std::move(hook); }
  void AfterStart(Hook hook) { after_ = std::move(hook); }
  // Wraps each transport that is made from now on.
  void WrapTransport(std::function<std::unique_ptr<Transport>(std::unique_ptr<Transport>)> wrap) {
    wrap_ = std::move(wrap);
  }

  // Starts a machine with a cluster of its own, or, the second time, again.
  void Found(const std::string& machine, char cluster = 'c') {
    disks_[machine].cluster_id = std::string(32, cluster);
    Start(machine, {});
  }
  // A node called `name`, or as its machine. `seeds` are machines.
  void Start(const std::string& machine, const std::vector<std::string>& seeds = {"n1"}, std::string name = "") {
    Disk& disk = disks_[machine];
    const auto number = static_cast<uint32_t>(numbers_.try_emplace(machine, numbers_.size() + 1).first->second);
    if (disk.node_id.empty()) disk.node_id = absl::StrCat(machine, std::string(32 - machine.size(), '0'));
    ++disk.generation;
    ClusterOptions options{.self = {.cluster_id = disk.cluster_id,
                                    .name = name.empty() ? machine : name,
                                    .node_id = disk.node_id,
                                    .generation = disk.generation,
                                    .address = AddressOf(machine)},
                           .seeds = disk.peers,
                           .refused = [this, machine](absl::Status why) { Refused(machine, std::move(why)); },
                           .random = simulator_.StreamFor(absl::StrCat(machine, " run ", ++runs_))};
    options.swim.remember_gone = kRememberGone;
    for (const std::string& seed : seeds) {
      if (seed != machine) options.seeds.push_back(AddressOf(seed));
    }
    std::unique_ptr<Transport> transport = network_.NewTransport(AddressOf(machine));
    if (wrap_) transport = wrap_(std::move(transport));
    auto node = std::make_unique<ClusterNode>(simulator_, number, std::move(transport), std::move(options), disk);
    if (before_) before_(machine, *node);
    node->cluster.Start();
    if (after_) after_(machine, *node);
    nodes_[machine] = std::move(node);
  }
  void Kill(const std::string& machine) { nodes_.erase(machine); }
  // Forgets all, as a new disk does.
  void Wipe(const std::string& machine) {
    disks_[machine] = Disk();
    disks_[machine].node_id = absl::StrCat(machine, "new", std::string(29 - machine.size(), '0'));
  }

  bool up(const std::string& machine) const { return nodes_.contains(machine); }
  ClusterNode& operator[](const std::string& machine) { return *nodes_.at(machine); }
  Disk& disk(const std::string& machine) { return disks_[machine]; }
  // Why the cluster would not have it; empty: it was not refused.
  const std::string& refused(const std::string& machine) { return refused_[machine]; }
  static std::string AddressOf(const std::string& machine) { return machine + ":7101"; }

  void Isolate(const std::string& machine) {
    for (const auto& [other, number] : numbers_) {
      network_.Cut(AddressOf(machine), AddressOf(other));
      network_.Cut(AddressOf(other), AddressOf(machine));
    }
  }
  void Heal() { network_.Heal(); }
  // As a router that forgets them: what is under way is lost, and both ends hear of it.
  void BreakConnections(const std::string& one, const std::string& other) {
    network_.BreakConnections(AddressOf(one), AddressOf(other));
  }

  // How a node sees the others and itself: "n1 alive, n2 dead".
  std::string View(const std::string& machine) {
    static constexpr const char* kStates[] = {"alive", "suspect", "dead", "left"};
    std::string view;
    for (const swim::Member& member : nodes_.at(machine)->cluster.Members()) {
      absl::StrAppend(&view, view.empty() ? "" : ", ", member.node.name, " ", kStates[static_cast<int>(member.state)]);
    }
    return view;
  }
  bool Await(const std::function<bool()>& condition, Duration limit = absl::Seconds(30)) {
    return simulator_.RunUntil(condition, limit);
  }
  bool AwaitView(const std::string& machine, const std::string& view, Duration limit = absl::Seconds(30)) {
    return Await([&] { return View(machine) == view; }, limit);
  }
  // Until each sees all as alive, and knows their names.
  bool AwaitAlive(const std::vector<std::string>& machines) {
    std::string all;
    for (const std::string& machine : machines) absl::StrAppend(&all, all.empty() ? "" : ", ", machine, " alive");
    for (const std::string& machine : machines) {
      if (!AwaitView(machine, all)) return false;
      if (!Outcome(nodes_.at(machine)->cluster.Joined(absl::Seconds(30))).ok()) return false;
    }
    return true;
  }
  // Runs until the outcome is there.
  template <typename R>
  troupe::Outcome<R> Outcome(Future<R> future) {
    auto outcome = std::make_shared<std::optional<troupe::Outcome<R>>>();
    std::move(future).Then([outcome](troupe::Outcome<R> result) { *outcome = std::move(result); });
    simulator_.RunUntil([&] { return outcome->has_value(); }, absl::Hours(1));
    return *std::move(*outcome);
  }
  void RunFor(Duration duration) { simulator_.RunFor(duration); }

  Simulator& simulator() { return simulator_; }
  SimNetwork& network() { return network_; }

 private:
  // A process cannot end in the middle of its own turn here; it ends before anything else happens to it.
  void Refused(const std::string& machine, absl::Status why) {
    refused_[machine] = std::string(why.message());
    simulator_.At(simulator_.Now(), /*node=*/0, Simulator::Kind::kEvent, [this, machine] { Kill(machine); });
  }

  Simulator simulator_;
  SimNetwork network_;
  std::map<std::string, size_t> numbers_;
  std::map<std::string, Disk> disks_;
  std::map<std::string, std::string> refused_;
  uint64_t runs_ = 0;
  Hook before_;
  Hook after_;
  std::function<std::unique_ptr<Transport>(std::unique_ptr<Transport>)> wrap_;
  std::map<std::string, std::unique_ptr<ClusterNode>> nodes_;
};

}  // namespace troupe::sim

#endif  // TROUPE_TESTS_SIM_CLUSTER_NODES_H_
