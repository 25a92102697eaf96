// The logic of troupe.actor.v1.ActorService, below gRPC.
#ifndef TROUPE_CLUSTER_ACTOR_SERVICE_H_
#define TROUPE_CLUSTER_ACTOR_SERVICE_H_

#include "absl/status/statusor.h"
#include "cluster/cluster.h"
#include "troupe/actor/v1/actor.pb.h"

namespace troupe {

// Thread-safe; nothing blocks.
class ActorService {
 public:
  explicit ActorService(Cluster& cluster) : cluster_(cluster) {}

  absl::StatusOr<actor::v1::ListActorsResponse> ListActors(const actor::v1::ListActorsRequest& request) const;

 private:
  Cluster& cluster_;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_ACTOR_SERVICE_H_
