// The nodes of the cluster and the actors on them, as one node sees them. The front door of this folder.
//
// The way of one message to a named actor: a caller asks Lookup for the name; Directory (directory.h) knows which node
// holds it, and the caller gets an Address; from there on it is the way that actor/actor.h tells. When the actor lives
// elsewhere a RemoteCell (remote_cell.h) stands behind the address: it writes the message as protobuf into a frame,
// Transport (transport.h) carries that, and RemoteActors (remote_actors.h) on the other node delivers it to the actor.
//
// The way of one ping: Membership (membership.h) wakes at SWIM's next deadline, calls the pure core (swim/swim.h),
// sends what it wants sent on the control lane, and writes who lives into the Directory.
//
// Read next: swim/swim.h (who lives), registry/registry.h (who holds which name), wire_format.h (how messages cross),
// grpc_transport.h (on what), actor_service.h (the actors as operators see them).
#ifndef TROUPE_CLUSTER_CLUSTER_H_
#define TROUPE_CLUSTER_CLUSTER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "actor/actor.h"
#include "cluster/directory.h"
#include "cluster/membership.h"
#include "cluster/message_table.h"
#include "cluster/node_identity.h"
#include "cluster/remote_actors.h"
#include "cluster/transport.h"
#include "cluster/wire_format.h"

namespace troupe {

struct ClusterOptions {
  // Without a cluster id: joins the cluster of the seeds.
  NodeIdentity self;
  // Addresses of nodes to join, or to find again after a restart.
  std::vector<std::string> seeds;
  // Called, in an actor's turn, when this node may not join or must not go on; ends the process.
  std::function<void(absl::Status)> refused = [](absl::Status) {};
  swim::Config swim = {};
  Random random = Random(0);
};

//   Threads:  any thread may call anything, but Start and Stop once each.
//   Lifetime: system, transport and memory must outlive it. Stop comes before the system's end.
class Cluster final : private FrameReceiver {
 public:
  Cluster(ClusterOptions options, ActorSystem& system, Transport& transport, NodeMemory& memory);
  ~Cluster() override = default;

  // Actors of type A take these messages also from other nodes; each has a WireFormat. Before Start.
  template <typename A, typename... Ms>
  void Expose() {
    messages_.Expose<A, Ms...>();
  }

  // From now on this node talks to others. Nothing but Expose may come before it.
  void Start();
  // No frame comes in any more when it has returned.
  void Stop() { transport_.Stop(); }
  // Answered when this node is in its cluster and knows its names. Else kDeadlineExceeded.
  Future<void> Joined(Duration timeout) { return membership_.Ask(AwaitJoined{}, timeout); }

  NodeIdentity self() const { return directory_.self(); }
  ActorSystem& system() { return system_; }
  RemoteActors& actors() { return actors_; }
  // Frames of peers that were dropped since nothing of ours looks or comes so.
  uint64_t junk() const { return actors_.junk(); }

  // The nodes, this one too, ascending by name; those that are dead or have left for a day.
  std::vector<swim::Member> Members() const { return directory_.Members(); }
  // Where the actor of this name lives, or lived last.
  std::optional<Directory::Holder> Find(std::string_view name) const { return directory_.Find(name); }

  // Gives an actor of this node a name in the whole cluster, until it terminates. Errors are those of
  // ActorSystem::Register. Two nodes may claim one name at once: then the older claim wins, and the other actor is
  // told by a NameLost, if it takes such.
  template <typename A>
  absl::Status Register(const std::string& name, const Address<A>& address) {
    if (!IsUtf8(name)) return absl::InvalidArgumentError("a name in a cluster is UTF-8");
    absl::Status registered = system_.Register(name, address);
    if (!registered.ok()) return registered;
    std::function<void(NameLost)> on_lost;
    if constexpr (Handles<A, NameLost>) on_lost = [address](NameLost lost) { address.Tell(std::move(lost)); };
    return Claim(name, address.cell(), TypeName(typeid(A)), std::move(on_lost));
  }

  // The actor that has this name, on whatever node. kNotFound: nobody has it. kUnavailable: its node is dead.
  // kFailedPrecondition: it is of another type.
  template <typename A>
  absl::StatusOr<Address<A>> Lookup(std::string_view name) {
    std::optional<Directory::Holder> holder = directory_.Find(name);
    if (!holder.has_value() || holder->here) return system_.Lookup<A>(name);
    absl::Status usable = CheckHolder(name, *holder, typeid(A));
    if (!usable.ok()) return usable;
    return Address<A>(actors_.CellOf(holder->node, holder->actor, std::string(name)));
  }

 private:
  absl::Status Claim(const std::string& name, const std::shared_ptr<Cell>& actor, const std::string& type,
                     std::function<void(NameLost)> on_lost);
  static absl::Status CheckHolder(std::string_view name, const Directory::Holder& holder, const std::type_info& type);

  void OnFrame(const std::string& peer, Lane lane, std::string frame) override;
  void OnLost(const std::string& peer, Lane lane, const FrameLoss& loss) override;

  ActorSystem& system_;
  Transport& transport_;
  NodeMemory& memory_;
  ClusterOptions options_;
  MessageTable messages_;
  Directory directory_;
  RemoteActors actors_;
  Address<Membership> membership_;
  std::shared_ptr<std::atomic<int>> registry_frames_ = std::make_shared<std::atomic<int>>(0);  // that wait for it
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_CLUSTER_H_
