// The logic of troupe.actor.v1.ActorService, below gRPC.
#ifndef TROUPE_CLUSTER_ACTOR_SERVICE_H_
#define TROUPE_CLUSTER_ACTOR_SERVICE_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "cluster/cluster.h"
#include "troupe/actor/v1/actor.pb.h"

namespace troupe {

// One page of the actors of the node that gets this.
struct ListActorsHere {
  using Result = actor::v1::ListActorsResponse;
  actor::v1::ListActorsRequest request;
};

// Answers for the actors of its node. Registered in the cluster as "node/" and the node's name.
class NodeAgent : public Actor<NodeAgent> {
 public:
  explicit NodeAgent(std::string node) : node_(std::move(node)) {}

  absl::StatusOr<actor::v1::ListActorsResponse> Handle(ListActorsHere list, Context& context);

 private:
  const std::string node_;
};

// Thread-safe; nothing blocks. The cluster must outlive it, and its calls.
class ActorService {
 public:
  explicit ActorService(Cluster& cluster) : cluster_(cluster) {}

  // Before the cluster's Start: lets nodes ask each other.
  static void Expose(Cluster& cluster);
  // After it: spawns the agent of this node.
  absl::Status Start();

  // `done` is called once, by the timeout at the latest.
  void ListActors(const actor::v1::ListActorsRequest& request, Duration timeout,
                  absl::AnyInvocable<void(absl::StatusOr<actor::v1::ListActorsResponse>)> done);

 private:
  class Listing;

  Cluster& cluster_;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_ACTOR_SERVICE_H_
