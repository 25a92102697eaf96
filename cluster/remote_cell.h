// One actor of another node, as this node sees it.
#ifndef TROUPE_CLUSTER_REMOTE_CELL_H_
#define TROUPE_CLUSTER_REMOTE_CELL_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "actor/actor.h"
#include "cluster/remote_actors.h"

namespace troupe {

class RemoteCell final : public Cell {
 public:
  RemoteCell(RemoteActors& actors, ActorId id, swim::Node node, uint64_t actor, std::string name);

  bool Deliver(std::unique_ptr<Envelope> envelope) override;
  void Stop() override;
  void AddWatcher(std::shared_ptr<Cell> watcher) override;
  void RemoveWatcher(ActorId watcher) override;
  // A far actor watches through its own node.
  void NotifyTerminated(ActorId, absl::Status) override {}
  ActorId id() const override { return id_; }
  // As far as is known here.
  bool alive() const override;
  // As in "shard/17 on n1".
  std::string label() const override;
  Executor& executor() override;

  const swim::Node& node() const { return node_; }
  uint64_t actor() const { return actor_; }

  // The actor is gone for good.
  void OnTerminated(const absl::Status& reason);
  // The actor's node cannot be reached, which ends watches as the actor's end does, but nothing else.
  void EndWatches(const absl::Status& reason);
  // Asks once more to be told, when somebody here wants to know.
  void RenewWatch();

 private:
  internal::v1::ActorRef Ref() const;
  void SendWatch(bool unwatch);

  RemoteActors& actors_;
  const ActorId id_;
  const swim::Node node_;
  const uint64_t actor_;
  const std::string name_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  bool terminated_ = false;
  absl::Status reason_;
  std::map<ActorId, std::shared_ptr<Cell>> watchers_;
};

// Stands among the watchers of an actor of this node for a node that watches it.
class WatchProxy final : public Cell {
 public:
  WatchProxy(RemoteActors& actors, ActorId id, std::string peer, uint64_t actor)
      : actors_(actors), id_(id), peer_(std::move(peer)), actor_(actor) {}

  void NotifyTerminated(ActorId, absl::Status reason) override;
  ActorId id() const override { return id_; }
  uint64_t actor() const { return actor_; }

  // Nobody holds its address.
  bool Deliver(std::unique_ptr<Envelope>) override { return false; }
  void Stop() override {}
  void AddWatcher(std::shared_ptr<Cell>) override {}
  void RemoveWatcher(ActorId) override {}
  bool alive() const override { return true; }
  std::string label() const override { return "a watcher at " + peer_; }
  Executor& executor() override;

 private:
  RemoteActors& actors_;
  const ActorId id_;
  const std::string peer_;
  const uint64_t actor_;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_REMOTE_CELL_H_
