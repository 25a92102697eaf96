// What a test of one node gives its Cluster: no network and no memory.
#ifndef TROUPE_CLUSTER_LONE_NODE_H_
#define TROUPE_CLUSTER_LONE_NODE_H_

#include <string>
#include <vector>

#include "cluster/cluster.h"

namespace troupe {

class NoPeers final : public Transport {
 public:
  void Start(FrameReceiver&) override {}
  void Stop() override {}
  absl::StatusOr<uint64_t> Send(const std::string& peer, Lane, std::string) override {
    return absl::UnavailableError("no way to " + peer + ": this node has no network");
  }
  void Disconnect(const std::string&) override {}
};

class NoMemory final : public NodeMemory {
 public:
  absl::Status SaveIdentity(const std::string&, uint64_t) override { return absl::OkStatus(); }
  absl::Status SavePeers(const std::vector<std::string>&) override { return absl::OkStatus(); }
};

// A cluster of the node n1.
inline ClusterOptions LoneNode() {
  return {.self = {.cluster_id = std::string(32, 'c'),
                   .name = "n1",
                   .node_id = std::string(32, '1'),
                   .generation = 1,
                   .address = "n1:7101"}};
}

}  // namespace troupe

#endif  // TROUPE_CLUSTER_LONE_NODE_H_
