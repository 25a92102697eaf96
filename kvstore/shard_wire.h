// What shards and stores are asked from other nodes, on the wire.
#ifndef TROUPE_KVSTORE_SHARD_WIRE_H_
#define TROUPE_KVSTORE_SHARD_WIRE_H_

#include "cluster/cluster.h"

namespace troupe {

// Before the cluster's Start: lets other nodes ask this one's shards and store.
void ExposeStore(Cluster& cluster);

}  // namespace troupe

#endif  // TROUPE_KVSTORE_SHARD_WIRE_H_
