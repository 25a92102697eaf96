// Bytes between nodes. The real one will be gRPC streams on the node's one port, the simulator's a model of links.
#ifndef TROUPE_CLUSTER_TRANSPORT_H_
#define TROUPE_CLUSTER_TRANSPORT_H_

#include <string>

#include "absl/status/status.h"

namespace troupe {

// Each lane has its own connection, so that a snapshot cannot delay a ping.
enum class Lane { kControl, kRaft, kActors, kBulk };

//   Threads: any thread may call anything; nothing blocks.
//   Order:   frames from one node to another keep theirs within a lane, for as long as the connection lasts.
class Transport {
 public:
  virtual ~Transport() = default;

  // Sends a frame to the node at `peer` (host:port). OK promises nothing about its arrival; kUnavailable says that
  // there is no way to that peer now.
  virtual absl::Status Send(const std::string& peer, Lane lane, std::string frame) = 0;
};

// That of a cluster of one node.
class NoPeers final : public Transport {
 public:
  absl::Status Send(const std::string& peer, Lane, std::string) override {
    return absl::UnavailableError("no way to " + peer + ": this cluster has one node");
  }
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_TRANSPORT_H_
