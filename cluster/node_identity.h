// Who a node is.
#ifndef TROUPE_CLUSTER_NODE_IDENTITY_H_
#define TROUPE_CLUSTER_NODE_IDENTITY_H_

#include <cstdint>
#include <string>

namespace troupe {

struct NodeIdentity {
  // Made when the cluster was founded; 16 random bytes in hexadecimal.
  std::string cluster_id;
  // Unique in the cluster, chosen by its operator.
  std::string name;
  // Made with the data directory; 16 random bytes in hexadecimal. A wiped disk is another node.
  std::string node_id;
  // Counts the runs of the node on this data directory, from 1.
  uint64_t generation = 0;
  // host:port at which it serves.
  std::string address;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_NODE_IDENTITY_H_
