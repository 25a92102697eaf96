// The logic of troupe.cluster.v1.ClusterService, below gRPC.
#ifndef TROUPE_KVSTORE_CLUSTER_SERVICE_H_
#define TROUPE_KVSTORE_CLUSTER_SERVICE_H_

#include <string>

#include "kvstore/kv_service.h"
#include "kvstore/router.h"
#include "kvstore/store.h"
#include "troupe/cluster/v1/cluster.pb.h"

namespace troupe {

// What a node says of itself beyond its identity.
struct NodeFacts {
  std::string version;
  std::string data_dir;
  uint32_t format = 0;
  Instant started;
};

// Thread-safe; nothing blocks. Cluster and router must outlive it.
class ClusterService {
 public:
  ClusterService(Cluster& cluster, Router& router, NodeFacts facts)
      : cluster_(cluster), router_(router), facts_(std::move(facts)) {}

  void GetStatus(const cluster::v1::GetStatusRequest& request, Duration timeout,
                 Done<cluster::v1::GetStatusResponse> done);
  void ListMembers(const cluster::v1::ListMembersRequest& request, Duration timeout,
                   Done<cluster::v1::ListMembersResponse> done);
  void GetShardMap(const cluster::v1::GetShardMapRequest& request, Duration timeout,
                   Done<cluster::v1::GetShardMapResponse> done);

 private:
  cluster::v1::GetStatusResponse StatusOf(const std::vector<std::optional<ShardState>>& shards) const;
  void AddProblems(size_t shards_out, cluster::v1::GetStatusResponse& status) const;

  Cluster& cluster_;
  Router& router_;
  const NodeFacts facts_;
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_CLUSTER_SERVICE_H_
