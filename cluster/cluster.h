// The nodes of the cluster and the actors on them, as one node sees them. The front door of this folder.
//
// The way of one message to a named actor: a caller asks Lookup for the name and gets an Address; from there on it is
// the way that actor/actor.h tells, whether the actor lives here or elsewhere, since an Address reaches its actor
// through a Cell and any layer may serve one. A cluster has one node so far, so every name is this node's.
//
// Read next: node_identity.h (who a node is), transport.h (bytes between nodes), actor_service.h (the actors as
// operators see them).
#ifndef TROUPE_CLUSTER_CLUSTER_H_
#define TROUPE_CLUSTER_CLUSTER_H_

#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "actor/actor.h"
#include "cluster/node_identity.h"
#include "cluster/transport.h"

namespace troupe {

// Thread-safe. The actor system and the transport must outlive it.
class Cluster {
 public:
  Cluster(NodeIdentity self, ActorSystem& system, Transport& transport)
      : self_(std::move(self)), system_(system), transport_(transport) {}

  const NodeIdentity& self() const { return self_; }
  Transport& transport() { return transport_; }
  ActorSystem& system() { return system_; }

  // The actor that is registered under this name, on whatever node. kNotFound: none is known now.
  // kFailedPrecondition: it is of another type.
  template <typename A>
  absl::StatusOr<Address<A>> Lookup(std::string_view name) {
    return system_.Lookup<A>(name);
  }

 private:
  const NodeIdentity self_;
  ActorSystem& system_;
  Transport& transport_;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_CLUSTER_H_
