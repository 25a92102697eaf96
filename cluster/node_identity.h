// Who a node is.
#ifndef TROUPE_CLUSTER_NODE_IDENTITY_H_
#define TROUPE_CLUSTER_NODE_IDENTITY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace troupe {

struct NodeIdentity {
  // Made when the cluster was founded; 16 random bytes in hexadecimal. Empty: in no cluster yet.
  std::string cluster_id;
  // Unique in the cluster, chosen by its operator.
  std::string name;
  // Made with the data directory; 16 random bytes in hexadecimal. A wiped disk is another node.
  std::string node_id;
  // Counts the runs of the node on this data directory, from 1.
  uint64_t generation = 0;
  // host:port at which its peers reach it.
  std::string address;
};

// Where a node remembers, beyond its end, what the cluster told it. Both calls may block on the disk.
class NodeMemory {
 public:
  virtual ~NodeMemory() = default;

  // Durable when it has returned OK.
  virtual absl::Status SaveIdentity(const std::string& cluster_id, uint64_t generation) = 0;

  // The addresses of the other nodes, so that a restart finds them. A hint: losing it costs nothing but time.
  virtual absl::Status SavePeers(const std::vector<std::string>& addresses) = 0;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_NODE_IDENTITY_H_
