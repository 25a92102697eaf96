#include "tests/raft/action_cluster.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kvstore/raft/broken.h"

namespace troupe::raft {
namespace {

Configuration FirstConfiguration(const ClusterShape& shape) {
  Configuration configuration;
  for (int id = 1; id <= shape.voters; ++id) configuration.voters.emplace_back(id);
  return configuration;
}

void ThrowViolation(const char* reason) { throw Violation{"the core's own invariants", reason}; }

}  // namespace

ActionCluster::ActionCluster(const ClusterShape& shape) : shape_(shape), checker_(FirstConfiguration(shape)) {
  // Once: clusters of several threads share it.
  static const BrokenHandler before = SetBrokenHandler(ThrowViolation);
  static_cast<void>(before);
  messages_.reserve(static_cast<size_t>(shape_.max_messages));
  for (int id = 1; id <= shape_.replicas; ++id) {
    disks_[id].snapshot.configuration = FirstConfiguration(shape);
    Start(id);
  }
}

void ActionCluster::Start(int id) {
  Replica& replica = replicas_[id];
  const ModelDisk& disk = disks_[id];
  Options options{.id = ReplicaId(id)};
  options.election_ticks = shape_.election_ticks;
  options.max_append_entries = static_cast<size_t>(shape_.max_append_entries);
  options.max_window_appends = static_cast<size_t>(shape_.max_window_appends);
  options.seed = shape_.seed + static_cast<uint64_t>(id);
  replica.handed = replica.applied;
  replica.raft.emplace(options, Restored{.hard_state = disk.hard_state,
                                         .snapshot = disk.snapshot,
                                         .entries = {disk.entries.begin(), disk.entries.end()},
                                         .applied = replica.applied});
  replica.ready_waits = replica.raft->HasReady();
  checker_.Started(id, *replica.raft, replica.applied);
}

bool ActionCluster::Do(const Action& action) {
  switch (action.kind) {
    case ActionKind::kDeliver:
    case ActionKind::kDuplicate:
    case ActionKind::kDrop:
      return DoMessage(action);
    case ActionKind::kCut:
      if (action.n == cut_) return false;
      cut_ = action.n;
      return true;
    case ActionKind::kHeal:
      return std::exchange(cut_, 0) != 0;
    default:
      break;
  }
  const int id = action.replica;
  if (id < 1 || id > shape_.replicas) return false;
  if (action.kind == ActionKind::kRestart) {
    if (up(id)) return false;
    Start(id);
    Settle(id, action);
    return true;
  }
  if (!up(id)) return false;
  switch (action.kind) {
    case ActionKind::kWrite:
      return WriteNext(id);
    case ActionKind::kAck:
      return AckNext(id, action);
    case ActionKind::kReady:
      if (!replicas_[id].ready_waits) return false;
      Take(id, action);
      return true;
    case ActionKind::kCrash:
      Crash(id, action);
      return true;
    case ActionKind::kCompact:
      return Compact(id, action.n);
    case ActionKind::kApply:
      if (!may_apply(id)) return false;
      Apply(id, action.n);
      return true;
    default:
      return DoToCore(id, action);
  }
}

bool ActionCluster::DoToCore(int id, const Action& action) {
  Raft& raft = *replicas_[id].raft;
  const auto change = [&](Change::Kind kind) {
    const raft::Proposed proposed = raft.ProposeChange({kind, ReplicaId(action.other)});
    if (proposed.refusal != Refusal::kNone) return false;
    checker_.ChangeProposed(raft, proposed.index);
    return true;
  };
  bool done = true;
  switch (action.kind) {
    case ActionKind::kCampaign:
      raft.Campaign();
      break;
    case ActionKind::kTick:
      for (uint32_t i = 0; i < action.n; ++i) raft.Tick();
      break;
    case ActionKind::kPropose: {
      const raft::Proposed proposed = raft.Propose("");
      done = proposed.refusal == Refusal::kNone;
      if (done) checker_.Proposed(id, proposed.index, proposed.term);
      break;
    }
    case ActionKind::kRead:
      done = raft.role() == Role::kLeader && raft.ReadIndex(checker_.ReadAsked()) == Refusal::kNone;
      break;
    case ActionKind::kTransfer:
      done = raft.TransferLeadership(ReplicaId(action.other)) == Refusal::kNone;
      break;
    case ActionKind::kAddLearner:
      done = change(Change::Kind::kAddLearner);
      break;
    case ActionKind::kAddVoter:
      done = change(Change::Kind::kAddVoter);
      break;
    case ActionKind::kRemove:
      done = change(Change::Kind::kRemove);
      break;
    default:
      return false;
  }
  if (done) Settle(id, action);
  return done;
}

bool ActionCluster::DoMessage(const Action& action) {
  const int slot = action.slot >= 0 ? action.slot : SlotOf(action.message);
  if (slot < 0 || slot >= static_cast<int>(messages_.size())) return false;
  if (action.kind != ActionKind::kDrop && !Passes(messages_[slot])) return false;
  const int to = static_cast<int>(messages_[slot].to.value());
  if (action.kind != ActionKind::kDrop) {
    replicas_[to].raft->Step(messages_[slot]);
    checker_.Stepped(to, *replicas_[to].raft, messages_[slot]);
  }
  if (action.kind != ActionKind::kDuplicate) {
    if (slot + 1 < static_cast<int>(messages_.size())) messages_[slot] = std::move(messages_.back());
    messages_.pop_back();
  }
  if (action.kind != ActionKind::kDrop) Settle(to, action);
  return true;
}

int ActionCluster::SlotOf(const MessageKey& key) const {
  for (size_t i = 0; i < messages_.size(); ++i) {
    if (KeyOf(messages_[i]) == key) return static_cast<int>(i);
  }
  return -1;
}

void ActionCluster::Settle(int id, const Action& action) {
  Replica& replica = replicas_[id];
  checker_.Look(id, *replica.raft, disks_);
  const uint32_t bit = 1u << id;
  leaders_ = replica.raft->role() == Role::kLeader ? leaders_ | bit : leaders_ & ~bit;
  replica.ready_waits = replica.raft->HasReady();
  if (replica.ready_waits && !action.hold) Take(id, action);
  // A disk that is done at once. Bounded: an ack may give a Ready, and that a write.
  if (!action.prompt || action.kind == ActionKind::kAck) return;
  const Action ack{.kind = ActionKind::kAck, .replica = static_cast<uint8_t>(id), .lazy = action.lazy};
  for (int i = 0; i < 16 && AckNext(id, ack); ++i) continue;
}

void ActionCluster::Take(int id, const Action& action) {
  Replica& replica = replicas_[id];
  Ready ready = replica.raft->TakeReady();
  replica.ready_waits = replica.raft->HasReady();
  checker_.Taken(id, *replica.raft, ready);
  Send(ready.send_now, /*promise=*/false);
  if (!ready.apply.empty()) replica.handed = ready.apply.back()->index;
  replica.queue.push_back({.install = std::move(ready.install),
                           .hard_state = ready.hard_state,
                           .append = std::move(ready.append),
                           .must_sync = ready.must_sync,
                           .ack = ready.ack,
                           .send_after = std::move(ready.send_after)});
  if (!action.lazy && replica.applied < replica.handed) Apply(id, replica.handed - replica.applied);
}

void ActionCluster::Apply(int id, uint64_t count) {
  Replica& replica = replicas_[id];
  replica.applied = std::min(replica.applied + count, replica.handed);
  replica.raft->Applied(replica.applied);
}

bool ActionCluster::WriteNext(int id) {
  Replica& replica = replicas_[id];
  if (replica.written == replica.queue.size()) return false;
  const Persist& persist = replica.queue[replica.written++];
  if (!disks_[id].Write(persist)) throw Violation{"no gaps on disk", ""};
  if (persist.install.has_value()) {
    checker_.Installed(*persist.install);
    replica.applied = std::max(replica.applied, persist.install->index);
    replica.handed = std::max(replica.handed, persist.install->index);
  }
  // A state that replaces the log's beginning is on disk before that is dropped.
  replica.applied_durable = std::max(replica.applied_durable, disks_[id].snapshot.index);
  if (up(id)) checker_.Written(id, *replica.raft, disks_[id]);
  return true;
}

bool ActionCluster::AckNext(int id, const Action& action) {
  Replica& replica = replicas_[id];
  if (replica.queue.empty()) return false;
  if (replica.written == 0) WriteNext(id);
  Persist& persist = replica.queue.front();
  const bool of_core = !persist.compact.has_value();
  const PersistAck ack = persist.ack;
  Send(persist.send_after, /*promise=*/true);
  replica.queue.pop_front();
  --replica.written;
  if (!of_core) return true;
  replica.raft->Persisted(ack);
  Settle(id, action);
  return true;
}

void ActionCluster::Crash(int id, const Action& action) {
  Replica& replica = replicas_[id];
  replica.raft.reset();
  replica.ready_waits = false;
  leaders_ &= ~(1u << id);
  for (uint32_t i = 0; i < action.n && WriteNext(id); ++i) continue;
  replica.queue.clear();
  replica.written = 0;
  if (action.back > 0) {
    disks_[id].hard_state.commit = disks_[id].synced_commit;
    const uint64_t loses = std::min<uint64_t>(action.back, replica.applied - replica.applied_durable);
    replica.applied = replica.applied - loses;
  }
  replica.applied_durable = replica.applied;
}

bool ActionCluster::Compact(int id, uint32_t before) {
  Replica& replica = replicas_[id];
  Raft& raft = *replica.raft;
  if (replica.applied.value() < before || replica.applied - before <= raft.log().snapshot().index) return false;
  raft.Compact(replica.applied - before, "state");
  replica.queue.push_back({.compact = raft.log().snapshot(), .must_sync = true});
  checker_.Look(id, raft, disks_);
  return true;
}

void ActionCluster::Send(std::vector<Message>& messages, bool promise) {
  const size_t most = static_cast<size_t>(shape_.max_messages);
  for (Message& message : messages) {
    checker_.Sent(message, promise);
    const uint64_t to = message.to.value();
    if (to < 1 || to > static_cast<uint64_t>(shape_.replicas)) continue;
    if (messages_.size() < most) {
      messages_.push_back(std::move(message));
    } else {
      messages_[overflow_++ % most] = std::move(message);
    }
  }
}

}  // namespace troupe::raft
