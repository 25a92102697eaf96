// Whole nodes in one thread, under virtual time, from one seed. The front door of the simulation.
//
//   SimCluster cluster(/*seed=*/7);
//   cluster.Start("n1");
//   EXPECT_TRUE(cluster.Set("n1", "user:1", "ada").ok());
//   cluster.Kill("n1");
//   cluster.Start("n1");
//   EXPECT_EQ(cluster.Get("n1", "user:1"), "ada");
//
// The first node that is started founds the cluster and holds the store; the others join it.
//
// A node here is apps/node's Node, the same code that troupe-node runs, on a DeterministicExecutor, a MemoryStorage
// and a SimNetwork; its requests pass through protobuf as they would on the wire. Killing it destroys the Node with all
// it has in memory and under way; its MemoryDisk and what it was told to remember stay for the next start.
#ifndef TROUPE_TESTS_SIM_SIM_CLUSTER_H_
#define TROUPE_TESTS_SIM_SIM_CLUSTER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "actor/deterministic_executor.h"
#include "apps/node/node.h"
#include "kvstore/memory_storage.h"
#include "tests/sim/plan.h"
#include "tests/sim/sim_network.h"

namespace troupe::sim {

// One request of a plan, from call to return.
struct Operation {
  PlanLine line;
  Instant called;
  Instant returned;
  // What the service said. kUnavailable promises that nothing was done, unless it was cut off.
  absl::Status status;
  // Of a set, cas or get that is done: the key's version.
  uint64_t version = 0;
  // Of a get: the value. Of a list: keys and values, "key=value", separated by spaces.
  std::string result;
  // The node was killed, or killed itself, before it answered.
  bool cut_off = false;
};

class SimCluster {
 public:
  explicit SimCluster(uint64_t seed);
  ~SimCluster();

  // Process-level verbs. Starting a node that runs and killing one that does not are nothing.
  void Start(const std::string& name);
  void Kill(const std::string& name);
  // Its next commit fails, half of the time after it has reached the disk, and the node ends itself.
  void FailDisk(const std::string& name);
  bool up(const std::string& name) const;
  // Nothing passes between the node and any other, or only in one direction, until Heal.
  void Isolate(const std::string& name);
  void Heal() { network_.Heal(); }

  // Requests, run until they are answered. The node must be up.
  absl::StatusOr<kv::v1::SetResponse> Set(const std::string& node, const std::string& key, const std::string& value);
  // The value; an error as its code's name in angle brackets, "<NOT_FOUND>".
  std::string Get(const std::string& node, const std::string& key);
  // How `node` sees the cluster: "n1 alive, n2 dead". Empty while it is down.
  std::string Members(const std::string& node);
  // Runs until all nodes see the cluster so. False: they did not within `limit` of virtual time.
  bool AwaitMembers(const std::vector<std::string>& nodes, const std::string& view, Duration limit);

  // Runs a whole plan, requests overlapping as their times say, and gives its operations in the order of their
  // returns.
  std::vector<Operation> Run(const Plan& plan);

  Simulator& simulator() { return simulator_; }
  SimNetwork& network() { return network_; }
  // nullptr while it is down.
  Node* node(const std::string& name);
  // Whether its services may be called.
  bool ready(const std::string& name);
  // Why the cluster would not have it; empty: it was not refused.
  const std::string& refused(const std::string& name) { return machines_[name].refused; }

 private:
  // What a data directory remembers.
  struct Memory final : NodeMemory {
    absl::Status SaveIdentity(const std::string& cluster, uint64_t granted) override {
      cluster_id = cluster;
      generation = granted;
      return absl::OkStatus();
    }
    absl::Status SavePeers(const std::vector<std::string>& addresses) override {
      peers = addresses;
      return absl::OkStatus();
    }
    std::string cluster_id;
    uint64_t generation = 0;
    std::vector<std::string> peers;
  };
  struct Machine {
    uint32_t number = 0;
    uint64_t run = 0;
    Memory memory;
    std::shared_ptr<MemoryDisk> disk;  // null: it holds no store
    std::string refused;               // why the cluster would not have it
    // While it is up.
    std::unique_ptr<DeterministicExecutor> executor;
    std::unique_ptr<MemoryStorage> storage;
    std::unique_ptr<Transport> transport;
    std::unique_ptr<Node> node;
    std::shared_ptr<bool> ready;  // whether its services may be called
  };
  using Finish = std::function<void(absl::Status, uint64_t version, std::string result)>;

  // How long its first words may take.
  static constexpr Duration kStartTimeout = absl::Minutes(1);

  Node& ReadyNode(const std::string& name);
  std::string AddressOf(const std::string& name) const { return name + ":7101"; }
  void Do(const PlanLine& line);
  void Request(Node& node, const PlanLine& line, Finish finish);

  Simulator simulator_;
  SimNetwork network_;
  std::map<std::string, Machine> machines_;
  std::vector<Operation> operations_;
  size_t outstanding_ = 0;
};

}  // namespace troupe::sim

#endif  // TROUPE_TESTS_SIM_SIM_CLUSTER_H_
