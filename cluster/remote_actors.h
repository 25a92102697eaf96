// Actors on other nodes: serves their addresses here through the Cell seam, and lets other nodes reach ours.
//
// The way of one ask: Address::Ask wraps message and Reply in an envelope, as for any actor; RemoteCell takes it apart,
// keeps the Reply under a number of its own, and sends number and message in a frame of the actors lane. The other
// node makes the same envelope of it and delivers it to the actor's LocalCell; the answer comes back under the number.
#ifndef TROUPE_CLUSTER_REMOTE_ACTORS_H_
#define TROUPE_CLUSTER_REMOTE_ACTORS_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "actor/actor.h"
#include "cluster/message_table.h"
#include "cluster/node_identity.h"
#include "cluster/swim/message.h"
#include "cluster/transport.h"
#include "troupe/internal/v1/remote.pb.h"

namespace troupe {

class RemoteCell;
class WatchProxy;

// What asks end in, besides what local ones do:
//   kUnavailable:       it was not handled: its node is dead, cannot be reached, or does not have the actor.
//   kUnknown:           the connection was lost after the message left; it may have been handled.
//   kUnimplemented:     the other node knows no such message.
//   kResourceExhausted: too much waits for that node, or a message or answer above the frame's cap.
//
//   Threads: any. Nothing blocks; the transport may call in while others do.
//   Limits:  65,536 asks under way and 65,536 watches of others' here.
//   Lifetime: the system may end first; addresses that outlive this may only be destroyed.
class RemoteActors {
 public:
  RemoteActors(ActorSystem& system, const MessageTable& messages, Transport& transport, const NodeIdentity& self);
  ~RemoteActors();

  // The actor `actor` of that run of a node, called `name`. The same cell for the same actor, while somebody holds it.
  std::shared_ptr<Cell> CellOf(const swim::Node& node, uint64_t actor, const std::string& name);

  // From the transport. Frames of the registry are not for here.
  void OnFrame(const std::string& peer, internal::v1::ActorFrame frame);
  void OnLost(const std::string& peer, const FrameLoss& loss);

  // This run of a node is dead, as far as is known: watches of its actors end, and messages to them are refused, until
  // OnAlive says otherwise.
  void OnDead(const swim::Node& node);
  // This run is alive. Actors of the node's runs before it have terminated.
  void OnAlive(const swim::Node& node);
  // Membership does not remember the node any more.
  void OnForgotten(const std::string& name);
  // To be called about once a second: renews watches that a broken connection may have lost, forgets what is over.
  void Tick();
  // This node runs under another cluster id or generation now.
  void SetSelf(const NodeIdentity& self);

  // A frame with the sender's run filled in.
  internal::v1::ActorFrame NewFrame() const;
  // Something of a peer was dropped: nothing of ours looks so, or comes so.
  void CountJunk(const std::string& peer, const std::string& what);
  uint64_t junk() const { return junk_.load(std::memory_order_relaxed); }

 private:
  friend class RemoteCell;
  friend class WatchProxy;

  struct Question {
    std::string peer;
    uint64_t frame = 0;  // its number on the lane
    Instant deadline;
    std::string asked;  // the actor's label
    WireReply reply;
  };
  using ActorKey = std::tuple<std::string, uint64_t, uint64_t>;  // node id, generation, actor
  using WatchKey = std::pair<std::string, uint64_t>;             // peer, our actor

  // For RemoteCell.
  absl::Status CheckReachable(const swim::Node& node) const;
  absl::Status Send(const swim::Node& to, internal::v1::ActorFrame frame);
  absl::Status SendQuestion(const swim::Node& to, internal::v1::ActorFrame frame, Question question);
  // Tries again with the next Tick when it cannot be sent now.
  void SendWatch(const swim::Node& to, internal::v1::ActorFrame frame);

  bool IsForThisRun(const internal::v1::ActorRef& ref) const;
  void OnDeliver(const std::string& peer, internal::v1::Deliver deliver);
  void OnStop(const std::string& peer, const internal::v1::StopActor& stop);
  void OnAnswer(const std::string& peer, internal::v1::Answer answer);
  void OnWatch(const std::string& peer, const internal::v1::Watch& watch);
  void OnTerminated(const std::string& peer, const internal::v1::WatchedTerminated& terminated);
  void SendAnswer(const std::string& peer, uint64_t ask, const absl::StatusOr<std::string>& result);
  void SendTerminated(const std::string& peer, uint64_t actor, const absl::Status& reason);
  void SendFrame(const std::string& peer, const internal::v1::ActorFrame& frame);
  ActorId NewId();

  ActorSystem& system_;
  const MessageTable& messages_;
  Transport& transport_;
  std::atomic<uint64_t> junk_{0};

  mutable std::mutex mutex_;
  // Guarded by mutex_, which is held while a question is sent, so that the loss of its frame cannot overtake it. Not
  // held when a cell or a Reply ends its life: others' code may run then.
  NodeIdentity self_;
  uint64_t next_ask_;
  uint64_t next_id_;
  std::map<uint64_t, Question> questions_;
  std::map<ActorKey, std::weak_ptr<RemoteCell>> cells_;
  std::map<WatchKey, std::shared_ptr<WatchProxy>> watch_proxies_;
  std::set<std::string> shaken_;  // peers to which watches must be renewed
  uint64_t ticks_ = 0;
  std::map<std::string, uint64_t> latest_;  // by node name: the generation heard of last
  std::set<std::string> dead_;              // names of nodes whose latest run is dead
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_REMOTE_ACTORS_H_
