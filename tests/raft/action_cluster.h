// Raft cores with disks and a network that do nothing by themselves: every message, write, crash and timeout is an
// action that somebody chose, so that any order of events can be had. There is no clock. The Checker sees every step.
//
// The path of a write: Do(propose) calls the core, takes its Ready and puts the messages into the bag and the write
// into the replica's queue; Do(ack) puts it on the disk, releases what waited for it and tells the core; Do(deliver)
// takes a message out of the bag.
//
// Read next: action.h (what can be done), model_disk.h, checker.h, schedule.h (who chooses).
#ifndef TROUPE_TESTS_RAFT_ACTION_CLUSTER_H_
#define TROUPE_TESTS_RAFT_ACTION_CLUSTER_H_

#include <array>
#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "kvstore/raft/raft.h"
#include "tests/raft/action.h"
#include "tests/raft/checker.h"
#include "tests/raft/model_disk.h"

namespace troupe::raft {

class ActionCluster {
 public:
  explicit ActionCluster(const ClusterShape& shape);

  // False: it does not apply, and nothing happened. Throws Violation, after which nothing but destruction is allowed;
  // an invariant of the core that breaks is one, too.
  bool Do(const Action& action);

  // For who chooses. Replicas are 1 to shape().replicas.
  const ClusterShape& shape() const { return shape_; }
  bool up(int replica) const { return replicas_[replica].raft.has_value(); }
  const Raft& raft(int replica) const { return *replicas_[replica].raft; }
  size_t writes(int replica) const { return replicas_[replica].queue.size(); }
  bool has_ready(int replica) const { return up(replica) && replicas_[replica].ready_waits; }
  LogIndex applied(int replica) const { return replicas_[replica].applied; }
  bool may_apply(int replica) const { return up(replica) && replicas_[replica].applied < replicas_[replica].handed; }
  const std::vector<Message>& messages() const { return messages_; }
  // Whether its receiver can hear it now. What cannot pass waits.
  bool Passes(const Message& message) const {
    return up(static_cast<int>(message.to.value())) &&
           (((cut_ >> message.from.value()) ^ (cut_ >> message.to.value())) & 1) == 0;
  }
  // Sets of replicas, by bits.
  uint32_t all() const { return (2u << shape_.replicas) - 2; }
  uint32_t leaders() const { return leaders_; }
  uint32_t cut() const { return cut_; }
  const Coverage& coverage() const { return checker_.coverage(); }

 private:
  struct Replica {
    std::optional<Raft> raft;
    bool ready_waits = false;
    std::deque<Persist> queue;
    size_t written = 0;  // of the queue, on the disk already
    LogIndex handed;     // for apply
    LogIndex applied;
    LogIndex applied_durable;  // it cannot fall behind this
  };

  void Start(int replica);
  void Crash(int replica, const Action& action);
  bool Compact(int replica, uint32_t before);
  bool DoMessage(const Action& action);
  bool DoToCore(int replica, const Action& action);
  bool WriteNext(int replica);
  bool AckNext(int replica, const Action& action);
  // After every call of a core.
  void Settle(int replica, const Action& action);
  void Take(int replica, const Action& action);
  void Apply(int replica, uint64_t count);
  void Send(std::vector<Message>& messages, bool promise);
  int SlotOf(const MessageKey& key) const;

  const ClusterShape shape_;
  Checker checker_;
  std::array<Replica, kMaxReplicas + 1> replicas_;
  std::array<ModelDisk, kMaxReplicas + 1> disks_;
  std::vector<Message> messages_;
  size_t overflow_ = 0;
  uint32_t leaders_ = 0;
  uint32_t cut_ = 0;
};

}  // namespace troupe::raft

#endif  // TROUPE_TESTS_RAFT_ACTION_CLUSTER_H_
