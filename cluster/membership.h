// Drives the pure cores of the cluster: SWIM, which tells who lives, and the registry, which tells who holds which
// name. Decodes what comes, calls the cores, and carries out what they want, in order; decides nothing itself.
#ifndef TROUPE_CLUSTER_MEMBERSHIP_H_
#define TROUPE_CLUSTER_MEMBERSHIP_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actor/actor.h"
#include "cluster/directory.h"
#include "cluster/node_identity.h"
#include "cluster/remote_actors.h"
#include "cluster/swim/swim.h"
#include "cluster/transport.h"
#include "troupe/internal/v1/remote.pb.h"

namespace troupe {

// Told to an actor that takes it when its name belongs to another: two nodes had claimed it, and the older claim wins.
struct NameLost {
  std::string name;
  std::string winner;  // the node that has it now
};

// What came from a peer. Under a flood the oldest go: the newest facts are the best, and all are told again.
struct ControlFrame {
  std::string peer;
  std::string bytes;
};
struct RegistryFrame {
  std::string peer;
  internal::v1::ActorFrame frame;
  std::shared_ptr<void> place;  // among those that may wait
};
// The transport is there.
struct BeginToJoin {
  static constexpr bool kControl = true;
};
// To itself.
struct SwimDue {
  static constexpr bool kControl = true;
};
struct HousekeepingDue {
  static constexpr bool kControl = true;
};
struct PersistAgain {
  static constexpr bool kControl = true;
};
// A name was claimed for an actor of this node. One a name, so there are no more than names.
struct NameClaimed {
  static constexpr bool kControl = true;
  std::string name;
  std::shared_ptr<Cell> actor;
  std::function<void(NameLost)> on_lost;
};
// Answered when this node is in the cluster and knows its names, or has a cluster of its own and nobody answers.
struct AwaitJoined {
  static constexpr bool kControl = true;
};

struct MembershipOptions {
  NodeIdentity self;
  std::vector<std::string> seeds;  // addresses
  swim::Config swim;
  Random random;
  // Called when this node must not go on in the cluster; ends the process.
  std::function<void(absl::Status)> refused;
};

class Membership : public Actor<Membership> {
 public:
  Membership(MembershipOptions options, Directory* directory, Transport* transport, RemoteActors* actors,
             NodeMemory* memory);

  void Started(Context& context);
  // A new incarnation would know nothing of the cluster and hold none of this node's names: the node itself must start
  // again.
  void Restarting(const absl::Status& failure, Context& context);
  void Handle(BeginToJoin, Context& context);
  void Handle(ControlFrame frame, Context& context);
  void Handle(RegistryFrame frame, Context& context);
  void Handle(SwimDue, Context& context);
  void Handle(HousekeepingDue, Context& context);
  void Handle(PersistAgain, Context& context);
  void Handle(NameClaimed claimed, Context& context);
  void Handle(Terminated terminated, Context& context);
  void Handle(AwaitJoined, Reply<void> reply, Context& context);

 private:
  struct Name {
    std::string name;
    std::function<void(NameLost)> on_lost;
  };

  // Persists, then sends and tells; in the order of the calls.
  void CarryOut(swim::Effects effects, Context& context);
  void Persist(Context& context);
  void SendAndTell(swim::Effects effects, Context& context);
  void Tell(const swim::Event& event, Context& context);
  void ArmTimer(Context& context);
  void AnswerIfJoined(Context& context);
  void SavePeers(Context& context);

  void SendDigest(const std::string& peer, bool answer_with_digest);
  void SendDeltas(const std::string& peer, const std::vector<RegistryDelta>& deltas);
  void PushNames();
  void NoteWhatIsKnown(const std::string& peer_id, const std::vector<OwnerDigest>& digest);
  void CollectTombstones(Instant now);
  void TellLostNames();
  // What the membership does not remember any more, the registry and the addresses need not either.
  void ForgetTheForgotten(Instant now);
  // Without this node.
  std::vector<swim::Member> LiveMembers() const;
  std::vector<std::string> LivePeers() const;

  const MembershipOptions options_;
  Directory& directory_;
  Transport& transport_;
  RemoteActors& actors_;
  NodeMemory& memory_;

  swim::Swim swim_;
  Random random_;
  Instant started_;
  std::optional<TimerId> timer_;
  Instant timer_due_;

  // While this node's identity is on its way to the disk, the effects that wait for it, in order.
  bool persisting_ = false;
  std::deque<swim::Effects> after_persisting_;

  bool admitted_ = false;
  std::set<std::string> unheard_;  // peers that were alive then and have not told their names since
  std::vector<Reply<void>> waiting_for_join_;

  std::map<ActorId, Name> names_;
  std::map<ActorId, NameLost> lost_early_;  // before NameClaimed came
  std::map<std::string, swim::Node> remembered_;
  uint64_t pushed_version_ = 0;
  std::map<std::string, uint64_t> known_of_ours_;  // by node id: up to which version it knows this run's names
  std::vector<std::string> saved_peers_;
  bool saving_peers_ = false;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_MEMBERSHIP_H_
