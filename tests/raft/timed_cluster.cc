#include "tests/raft/timed_cluster.h"

#include <algorithm>

#include "kvstore/raft/broken.h"

namespace troupe::raft {
namespace {

Configuration FirstConfiguration(const TimedShape& shape) {
  Configuration configuration;
  for (int id = 1; id <= shape.voters; ++id) configuration.voters.emplace_back(id);
  return configuration;
}

void ThrowViolation(const char* reason) { throw Violation{"the core's own invariants", reason}; }

int Number(ReplicaId id) { return static_cast<int>(id.value()); }

}  // namespace

TimedCluster::TimedCluster(const TimedShape& shape)
    : shape_(shape), random_(shape.seed), checker_(FirstConfiguration(shape)) {
  SetBrokenHandler(ThrowViolation);
  for (int id = 1; id <= shape_.replicas; ++id) {
    disks_[id].snapshot.configuration = FirstConfiguration(shape);
    replicas_[id].sync = shape_.sync;
    Start(id);
  }
}

// Time.

void TimedCluster::After(Micros delay, std::function<void()> what) {
  events_.push({now_ + delay, ++order_, std::move(what)});
}

bool TimedCluster::RunNext(Micros until) {
  if (events_.empty() || events_.top().when > until) {
    now_ = until;
    return false;
  }
  now_ = events_.top().when;
  const std::function<void()> what = std::move(const_cast<Event&>(events_.top()).what);
  events_.pop();
  what();
  return true;
}

void TimedCluster::RunFor(Micros duration) {
  for (const Micros until = now_ + duration; RunNext(until);) continue;
}

bool TimedCluster::RunUntil(const std::function<bool()>& condition, Micros most) {
  const Micros until = now_ + most;
  while (!condition()) {
    if (!RunNext(until)) return false;
  }
  return true;
}

// Replicas.

void TimedCluster::Start(int id) {
  Replica& replica = replicas_[id];
  const ModelDisk& disk = disks_[id];
  ++replica.incarnation;
  Options options = shape_.options;
  options.id = ReplicaId(static_cast<uint64_t>(id));
  options.seed = random_.Next();
  replica.applied = disk.snapshot.index;
  replica.raft.emplace(options, Restored{.hard_state = disk.hard_state,
                                         .snapshot = disk.snapshot,
                                         .entries = {disk.entries.begin(), disk.entries.end()},
                                         .applied = replica.applied});
  checker_.Started(id, *replica.raft, replica.applied);
  After(static_cast<Micros>(random_.Below(static_cast<uint64_t>(shape_.tick))), [this, id, of = replica.incarnation] {
    if (replicas_[id].incarnation == of) ScheduleTick(id);
  });
  Settle(id);
}

void TimedCluster::ScheduleTick(int id) {
  replicas_[id].raft->Tick();
  Settle(id);
  After(shape_.tick, [this, id, of = replicas_[id].incarnation] {
    if (replicas_[id].incarnation == of) ScheduleTick(id);
  });
}

void TimedCluster::Crash(int id) {
  if (!up(id)) return;
  Replica& replica = replicas_[id];
  replica.raft.reset();
  ++replica.incarnation;
  for (uint64_t i = random_.Below(replica.queue.size() + 1); i > 0; --i) {
    Write(id, replica.queue.front());
    replica.queue.pop_front();
  }
  replica.queue.clear();
  replica.in_round = 0;
  replica.fetching = false;
  replica.proposals.clear();
  replica.reads.clear();
  if (random_.Below(2) == 0) disks_[id].hard_state.commit = disks_[id].synced_commit;
}

void TimedCluster::Restart(int id) {
  if (!up(id)) Start(id);
}

void TimedCluster::Settle(int id) {
  checker_.Look(id, *replicas_[id].raft, disks_);
  while (replicas_[id].raft->HasReady()) Take(id);
  StartRound(id);
}

void TimedCluster::Take(int id) {
  Replica& replica = replicas_[id];
  Ready ready = replica.raft->TakeReady();
  checker_.Taken(id, *replica.raft, ready);
  Send(ready.send_now, /*promise=*/false);
  for (const auto& [read, index] : ready.reads) {
    // The state has it already, or has it when what is under way is applied; the difference is no time here.
    auto found = replica.reads.find(read);
    After(0, std::move(found->second));
    replica.reads.erase(found);
  }
  for (uint64_t read : ready.failed_reads) replica.reads.erase(read);
  replica.queue.push_back({.install = std::move(ready.install),
                           .hard_state = ready.hard_state,
                           .append = std::move(ready.append),
                           .must_sync = ready.must_sync,
                           .ack = ready.ack,
                           .send_after = std::move(ready.send_after)});
  if (!ready.apply.empty()) Apply(id, ready.apply);
}

void TimedCluster::Apply(int id, const std::vector<EntryPtr>& entries) {
  Replica& replica = replicas_[id];
  for (const EntryPtr& entry : entries) {
    auto found = replica.proposals.find(entry->index);
    if (found == replica.proposals.end()) continue;
    if (found->second.term == entry->term && found->second.done) After(0, std::move(found->second.done));
    replica.proposals.erase(found);
  }
  replica.applied = entries.back()->index;
  replica.raft->Applied(replica.applied);
  CompactIfLong(id);
}

void TimedCluster::CompactIfLong(int id) {
  Replica& replica = replicas_[id];
  const auto fetches = [](const auto& entry) { return entry.second.state == Progress::State::kSnapshot; };
  const auto& progress = replica.raft->progress();
  const uint64_t limit = std::any_of(progress.begin(), progress.end(), fetches) ? 6 : 2;
  if (replica.applied - replica.raft->log().snapshot().index < limit * shape_.kept_entries) return;
  const LogIndex index = replica.applied - shape_.kept_entries;
  // What is dropped must not be what is still on its way to the disk.
  if (index > replica.raft->durable()) return;
  replica.raft->Compact(index, "state of " + std::to_string(id));
  checker_.CheckSnapshot(replica.raft->log().snapshot());
  replica.queue.push_back({.compact = replica.raft->log().snapshot()});
}

// Disks. One round at a time takes all that waits, so that a busy disk costs everybody a round and not a queue.

void TimedCluster::StartRound(int id) {
  Replica& replica = replicas_[id];
  if (replica.in_round > 0 || replica.queue.empty()) return;
  replica.in_round = replica.queue.size();
  const bool syncs =
      std::any_of(replica.queue.begin(), replica.queue.end(), [](const Persist& p) { return p.must_sync; });
  const Micros takes =
      syncs ? replica.sync + static_cast<Micros>(random_.Below(static_cast<uint64_t>(replica.sync / 10 + 1))) : 1;
  After(takes, [this, id, of = replica.incarnation] {
    if (replicas_[id].incarnation == of) FinishRound(id);
  });
}

void TimedCluster::FinishRound(int id) {
  Replica& replica = replicas_[id];
  for (size_t done = replica.in_round; done > 0; --done) {
    Persist persist = std::move(replica.queue.front());
    replica.queue.pop_front();
    Write(id, persist);
    if (persist.compact.has_value()) continue;
    if (persist.install.has_value()) replica.applied = std::max(replica.applied, persist.install->index);
    checker_.Written(id, *replica.raft, disks_[id]);
    Send(persist.send_after, /*promise=*/true);
    replica.raft->Persisted(persist.ack);
    checker_.Look(id, *replica.raft, disks_);
    while (replica.raft->HasReady()) Take(id);
  }
  replica.in_round = 0;
  StartRound(id);
}

void TimedCluster::Write(int id, const Persist& persist) {
  if (!disks_[id].Write(persist)) throw Violation{"no gaps on disk", ""};
  if (persist.install.has_value()) checker_.Installed(*persist.install);
}

// Links.

void TimedCluster::Send(std::vector<Message>& messages, bool promise) {
  for (Message& message : messages) {
    checker_.Sent(message, promise);
    const int to = Number(message.to);
    if (to < 1 || to > shape_.replicas) continue;
    ++messages_;
    if (cut_[Number(message.from)][to] || random_.PerMille(network_.loss_per_mille) || (lost_ && lost_(message))) {
      continue;
    }
    if (random_.PerMille(network_.duplicate_per_mille)) SendOne(message);
    SendOne(message);
  }
}

void TimedCluster::SendOne(const Message& message) {
  Micros takes =
      shape_.delay + static_cast<Micros>(random_.Below(static_cast<uint64_t>(shape_.jitter + network_.jitter + 1)));
  Micros& last = last_arrival_[Number(message.from)][Number(message.to)];
  if (!network_.overtaking) {
    last = std::max(last, now_ + takes);
    takes = last - now_;
  }
  After(takes, [this, message] { message.kind == MessageKind::kSnapshot ? Fetch(message) : Deliver(message); });
}

void TimedCluster::Fetch(const Message& message) {
  Replica& replica = replicas_[Number(message.to)];
  if (!replica.raft.has_value() || std::exchange(replica.fetching, true)) return;
  After(shape_.fetch, [this, message, of = replica.incarnation] {
    Replica& fetcher = replicas_[Number(message.to)];
    if (fetcher.incarnation != of) return;
    fetcher.fetching = false;
    Deliver(message);
  });
}

void TimedCluster::Deliver(const Message& message) {
  const int to = Number(message.to);
  if (!up(to)) return;
  replicas_[to].raft->Step(message);
  checker_.Stepped(to, *replicas_[to].raft, message);
  Settle(to);
}

// Calls.

Proposed TimedCluster::Propose(int id, std::string data, std::function<void()> done) {
  const struct Proposed proposed = replicas_[id].raft->Propose(std::move(data));
  if (proposed.refusal != Refusal::kNone) return proposed;
  checker_.Proposed(id, proposed.index, proposed.term);
  replicas_[id].proposals[proposed.index] = {proposed.term, std::move(done)};
  Settle(id);
  return proposed;
}

Refusal TimedCluster::Read(int id, std::function<void()> done) {
  Raft& raft = *replicas_[id].raft;
  if (raft.role() != Role::kLeader) return Refusal::kNotLeader;
  const uint64_t read = checker_.ReadAsked();
  const Refusal refusal = raft.ReadIndex(read);
  if (refusal != Refusal::kNone) return refusal;
  replicas_[id].reads[read] = std::move(done);
  Settle(id);
  return refusal;
}

Proposed TimedCluster::ProposeChange(int id, const Change& change) {
  const struct Proposed proposed = replicas_[id].raft->ProposeChange(change);
  if (proposed.refusal != Refusal::kNone) return proposed;
  checker_.ChangeProposed(*replicas_[id].raft, proposed.index);
  Settle(id);
  return proposed;
}

Refusal TimedCluster::Transfer(int id, int to) {
  const Refusal refusal = replicas_[id].raft->TransferLeadership(ReplicaId(static_cast<uint64_t>(to)));
  Settle(id);
  return refusal;
}

void TimedCluster::Isolate(int id) {
  for (int other = 1; other <= shape_.replicas; ++other) {
    if (other == id) continue;
    Cut(id, other);
    Cut(other, id);
  }
}

// Load.

void TimedCluster::StartLoad(Micros interval, size_t bytes) {
  last_done_ = now_;
  LoadOne(load_, interval, bytes);
}

void TimedCluster::StartReads(Micros interval) { ReadOne(load_, interval); }

void TimedCluster::LoadOne(uint64_t load, Micros interval, size_t bytes) {
  if (load != load_) return;
  const int leader = Leader();
  const auto done = [this, load, begun = now_] {
    if (load != load_) return;
    latencies_.push_back(now_ - begun);
    longest_gap_ = std::max(longest_gap_, now_ - last_done_);
    last_done_ = now_;
  };
  if (leader == 0 || Propose(leader, std::string(bytes, 'x'), done).refusal != Refusal::kNone) ++refused_;
  After(interval, [this, load, interval, bytes] { LoadOne(load, interval, bytes); });
}

void TimedCluster::ReadOne(uint64_t load, Micros interval) {
  if (load != load_) return;
  const int leader = Leader();
  const auto done = [this, begun = now_] { read_latencies_.push_back(now_ - begun); };
  if (leader == 0 || Read(leader, done) != Refusal::kNone) ++refused_;
  After(interval, [this, load, interval] { ReadOne(load, interval); });
}

Micros TimedCluster::TakeLongestGap() {
  const Micros gap = std::max(longest_gap_, now_ - last_done_);
  longest_gap_ = 0;
  last_done_ = now_;
  return gap;
}

// Views.

int TimedCluster::Leader() const {
  int leader = 0;
  for (int id = 1; id <= shape_.replicas; ++id) {
    if (!up(id) || raft(id).role() != Role::kLeader) continue;
    if (leader == 0 || raft(id).term() > raft(leader).term()) leader = id;
  }
  return leader;
}

int TimedCluster::SettledLeader() const {
  const int leader = Leader();
  if (leader == 0) return 0;
  const Raft& of = raft(leader);
  if (of.log().TermAt(of.commit()) != of.term()) return 0;
  for (ReplicaId voter : of.configuration().voters) {
    const int id = Number(voter);
    if (up(id) && (raft(id).leader() != of.options().id || raft(id).term() != of.term())) return 0;
  }
  return leader;
}

bool TimedCluster::Converged() const {
  const int leader = SettledLeader();
  if (leader == 0) return false;
  const auto has_all = [&](ReplicaId id) {
    return up(Number(id)) && applied(Number(id)) == raft(leader).log().last_index();
  };
  const Configuration& configuration = raft(leader).configuration();
  return std::all_of(configuration.voters.begin(), configuration.voters.end(), has_all) &&
         std::all_of(configuration.learners.begin(), configuration.learners.end(), has_all);
}

Term TimedCluster::HighestTerm() const {
  Term highest;
  for (int id = 1; id <= shape_.replicas; ++id) {
    if (up(id)) highest = std::max(highest, raft(id).term());
  }
  return highest;
}

}  // namespace troupe::raft
