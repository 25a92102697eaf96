#include "kvstore/raft/test_cluster.h"

#include <algorithm>

#include "gtest/gtest.h"
#include "kvstore/raft/test_describe.h"
#include "kvstore/raft/test_messages.h"

namespace troupe::raft {
namespace {

// More than any conversation of a test needs.
constexpr int kManySteps = 20000;

std::vector<ReplicaId> Ids(const std::vector<std::string>& names) {
  std::vector<ReplicaId> ids;
  for (const std::string& name : names) ids.push_back(Id(name));
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

ReplicaId Id(std::string_view name) {
  const auto found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) {
    ADD_FAILURE() << "nobody is called " << name;
    return kNobody;
  }
  return ReplicaId(static_cast<uint64_t>(found - std::begin(kNames)));
}

std::string Name(ReplicaId id) {
  if (id.value() < std::size(kNames)) return std::string(kNames[id.value()]);
  return "replica" + std::to_string(id.value());
}

TestCluster::TestCluster(ClusterSetup setup) : setup_(std::move(setup)) {
  for (const auto* names : {&setup_.voters, &setup_.learners, &setup_.strangers}) {
    for (const std::string& name : *names) {
      Replica& replica = replicas_[Id(name)];
      replica.options = setup_.options;
      replica.options.id = Id(name);
      replica.options.seed = setup_.options.seed + Id(name).value();
      Begin(name, {});
    }
  }
}

// Replicas.

void TestCluster::Begin(std::string_view name, const Past& past) {
  TestDisk& disk = replica(name).disk;
  disk = {};
  disk.hard_state = {Term(past.term), Id(past.vote), LogIndex(past.commit)};
  disk.snapshot.configuration = {Ids(setup_.voters), Ids(setup_.learners)};
  for (uint64_t term : past.log) disk.entries.push_back(Command(disk.entries.size() + 1, term));
  replica(name).said = disk.hard_state;
  Start(replica(name));
}

void TestCluster::Start(Replica& replica) {
  replica.raft.emplace(replica.options, Restored{.hard_state = replica.disk.hard_state,
                                                 .snapshot = replica.disk.snapshot,
                                                 .entries = replica.disk.entries,
                                                 .applied = replica.disk.snapshot.index});
  replica.state = snapshots_[replica.disk.snapshot.reference];
  replica.applied = replica.disk.snapshot.index.value();
  replica.said_role = replica.raft->role();
  replica.said_leader = replica.raft->leader();
  replica.said = {replica.raft->term(), replica.raft->vote(), replica.raft->commit()};
  Work(replica);
}

void TestCluster::Crash(std::string_view name) {
  Say(name, "crashes");
  replica(name).raft.reset();
  replica(name).writes.clear();
  replica(name).acks.clear();
}

void TestCluster::Restart(std::string_view name) {
  Say(name, "restarts");
  Start(replica(name));
}

void TestCluster::Campaign(std::string_view name) {
  at(name).Campaign();
  Work(replica(name));
}

void TestCluster::Tick(std::string_view name, int ticks) {
  for (int i = 0; i < ticks; ++i) {
    at(name).Tick();
    Work(replica(name));
  }
}

Proposed TestCluster::Propose(std::string_view name, std::string data) {
  const Proposed proposed = at(name).Propose(std::move(data));
  Work(replica(name));
  return proposed;
}

Proposed TestCluster::ProposeChange(std::string_view name, Change::Kind kind, std::string_view whom) {
  const Proposed proposed = at(name).ProposeChange({kind, Id(whom)});
  Work(replica(name));
  return proposed;
}

Refusal TestCluster::ReadIndex(std::string_view name, uint64_t id) {
  const Refusal refusal = at(name).ReadIndex(id);
  Work(replica(name));
  return refusal;
}

Refusal TestCluster::Transfer(std::string_view name, std::string_view to) {
  const Refusal refusal = at(name).TransferLeadership(Id(to));
  Work(replica(name));
  return refusal;
}

void TestCluster::Compact(std::string_view name, uint64_t index) {
  Replica& replica = this->replica(name);
  const std::string reference = std::string(name) + "@" + std::to_string(index);
  std::vector<EntryPtr>& state = snapshots_[reference];
  for (const EntryPtr& entry : replica.state) {
    if (entry->index <= LogIndex(index)) state.push_back(entry);
  }
  replica.raft->Compact(LogIndex(index), reference);
  TestDisk& disk = replica.disk;
  disk.snapshot = replica.raft->log().snapshot();
  std::erase_if(disk.entries, [&](const EntryPtr& entry) { return entry->index <= disk.snapshot.index; });
}

void TestCluster::Step(Message message) { Receive(message); }

void TestCluster::LoseTouch(std::string_view name) {
  const size_t before = under_way_.size();
  Tick(name, setup_.options.election_ticks);
  under_way_.resize(before);
}

void TestCluster::Elect(std::string_view name) {
  for (auto& [id, replica] : replicas_) {
    if (id != Id(name) && replica.raft.has_value() && replica.raft->role() != Role::kLeader) LoseTouch(Name(id));
  }
  Campaign(name);
  Stabilise();
  EXPECT_EQ(role(name), Role::kLeader) << name << " was to win an election";
}

void TestCluster::Pass(int ticks) {
  for (int i = 0; i < ticks; ++i) {
    for (auto& [id, replica] : replicas_) {
      if (replica.raft.has_value()) Tick(Name(id));
    }
    Stabilise();
  }
}

// The core's wishes.

void TestCluster::Work(Replica& replica) {
  Look(replica);
  for (int steps = 0; steps < kManySteps; ++steps) {
    if (replica.raft->HasReady()) {
      Ready ready = replica.raft->TakeReady();
      Send(ready.send_now);
      for (const auto& [id, index] : ready.reads) {
        Say(Name(replica.options.id), "read " + std::to_string(id) + " sees up to " + std::to_string(index.value()));
        replica.reads[id] = index.value();
      }
      for (uint64_t id : ready.failed_reads) {
        Say(Name(replica.options.id), "read " + std::to_string(id) + " failed");
        replica.failed_reads.insert(id);
      }
      Apply(replica, ready.apply);
      replica.writes.push_back(std::move(ready));
    } else if (!replica.disk_held && !replica.writes.empty()) {
      Write(replica);
    } else {
      return;
    }
    Look(replica);
  }
  ADD_FAILURE() << Name(replica.options.id) << " always has something more to do";
}

void TestCluster::Apply(Replica& replica, const std::vector<EntryPtr>& entries) {
  if (entries.empty()) return;
  for (const EntryPtr& entry : entries) {
    EXPECT_EQ(entry->index.value(), replica.applied + 1) << Name(replica.options.id) << " applies out of order";
    const EntryPtr& first = agreed_.emplace(entry->index, entry).first->second;
    EXPECT_TRUE(first->term == entry->term && first->data == entry->data && first->kind == entry->kind)
        << Name(replica.options.id) << " applies " << Describe(entry) << " where another applied " << Describe(first);
    const uint64_t place = entry->index - replica.disk.snapshot.index - 1;
    const bool on_disk = place < replica.disk.entries.size() && replica.disk.entries[place]->term == entry->term;
    EXPECT_TRUE(on_disk) << Name(replica.options.id) << " applies " << Describe(entry) << ", which it could forget";
    if (entry->kind == EntryKind::kCommand) replica.state.push_back(entry);
    replica.applied = entry->index.value();
  }
  Say(Name(replica.options.id), "applies " + Describe(entries));
  replica.raft->Applied(LogIndex(replica.applied));
}

void TestCluster::Write(Replica& replica) {
  const Ready ready = std::move(replica.writes.front());
  replica.writes.pop_front();
  TestDisk& disk = replica.disk;
  std::string written;
  if (ready.install.has_value()) {
    disk.snapshot = *ready.install;
    disk.entries.clear();
    replica.state = snapshots_[disk.snapshot.reference];
    replica.applied = disk.snapshot.index.value();
    written += "; " + Describe(disk.snapshot);
  }
  if (ready.hard_state.has_value()) {
    if (ready.hard_state->term != disk.hard_state.term || ready.hard_state->vote != disk.hard_state.vote) {
      written += "; term " + std::to_string(ready.hard_state->term.value());
      if (ready.hard_state->vote != kNobody) written += ", vote for " + Name(ready.hard_state->vote);
    }
    disk.hard_state = *ready.hard_state;
  }
  if (!ready.append.empty()) {
    const LogIndex first = ready.append.front()->index;
    EXPECT_LE(first, disk.snapshot.index + disk.entries.size() + 1) << "a gap on the disk";
    const size_t before = disk.entries.size();
    std::erase_if(disk.entries, [first](const EntryPtr& entry) { return entry->index >= first; });
    written += "; " + Describe(ready.append);
    if (disk.entries.size() < before) written += ", replacing what was there";
    disk.entries.insert(disk.entries.end(), ready.append.begin(), ready.append.end());
  }
  if (!written.empty()) Say(Name(replica.options.id), "has on disk: " + written.substr(2));
  Send(ready.send_after);
  if (replica.acks_held) {
    replica.acks.push_back(ready.ack);
  } else {
    replica.raft->Persisted(ready.ack);
  }
}

void TestCluster::Sync(std::string_view name, int writes) {
  // One with nothing to write and nothing that waits for it only keeps its place.
  auto empty = [](const Ready& r) {
    return !r.install.has_value() && !r.hard_state.has_value() && r.append.empty() && r.send_after.empty();
  };
  for (int i = 0; i < writes; ++i) {
    while (this->writes(name) > 0 && empty(replica(name).writes.front())) Write(replica(name));
    if (this->writes(name) == 0) {
      ADD_FAILURE() << name << " has nothing to write";
      return;
    }
    Write(replica(name));
    Work(replica(name));
  }
}

void TestCluster::FreeDisk(std::string_view name) {
  replica(name).disk_held = false;
  if (up(name)) Work(replica(name));
}

void TestCluster::Ack(std::string_view name) {
  Replica& replica = this->replica(name);
  if (replica.acks.empty()) {
    ADD_FAILURE() << name << "'s core has heard of every write";
    return;
  }
  const PersistAck ack = replica.acks.front();
  replica.acks.pop_front();
  Say(name, "hears of its write in term " + std::to_string(ack.term.value()) + " up to " +
                std::to_string(ack.last_index.value()) + "/t" + std::to_string(ack.last_term.value()));
  replica.raft->Persisted(ack);
  Work(replica);
}

void TestCluster::FreeAcks(std::string_view name) {
  replica(name).acks_held = false;
  while (!replica(name).acks.empty()) Ack(name);
}

// The network.

void TestCluster::Send(const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    sent_.push_back(message);
    if (links_[{message.from, message.to}].cut) {
      Trace(message, "  (lost)");
    } else {
      under_way_.push_back(message);
    }
  }
}

void TestCluster::Receive(const Message& message) {
  const auto found = replicas_.find(message.to);
  if (found == replicas_.end() || !found->second.raft.has_value()) return Trace(message, "  (nobody is there)");
  Trace(message, "");
  found->second.raft->Step(message);
  Work(found->second);
}

bool TestCluster::Delayed(const Message& message) const {
  const auto link = links_.find({message.from, message.to});
  return link != links_.end() && link->second.delayed;
}

void TestCluster::Deliver(std::string_view from, std::string_view to) {
  const auto first = std::find_if(under_way_.begin(), under_way_.end(), [&](const Message& message) {
    return message.from == Id(from) && message.to == Id(to);
  });
  if (first == under_way_.end()) {
    ADD_FAILURE() << "nothing is under way from " << from << " to " << to;
    return;
  }
  const Message message = *first;
  under_way_.erase(first);
  Receive(message);
}

void TestCluster::Stabilise() {
  for (int steps = 0; steps < kManySteps; ++steps) {
    const auto next = std::find_if(under_way_.begin(), under_way_.end(),
                                   [this](const Message& message) { return !Delayed(message); });
    if (next == under_way_.end()) return;
    const Message message = *next;
    under_way_.erase(next);
    Receive(message);
  }
  ADD_FAILURE() << "the conversation does not end";
}

void TestCluster::Drop(std::string_view from, std::string_view to) {
  std::erase_if(under_way_, [&](const Message& message) { return message.from == Id(from) && message.to == Id(to); });
}

void TestCluster::CutBoth(std::string_view a, std::string_view b) {
  Cut(a, b);
  Cut(b, a);
}

void TestCluster::Isolate(std::string_view name) {
  for (const auto& [id, replica] : replicas_) {
    if (id != Id(name)) CutBoth(name, Name(id));
  }
  std::erase_if(under_way_, [&](const Message& message) { return message.from == Id(name) || message.to == Id(name); });
}

void TestCluster::Heal() { links_.clear(); }

// What is to be seen.

std::vector<uint64_t> TestCluster::log(std::string_view name) {
  std::vector<uint64_t> terms;
  const Log& log = at(name).log();
  for (LogIndex i = log.snapshot().index + 1; i <= log.last_index(); ++i) terms.push_back(log.At(i)->term.value());
  return terms;
}

std::vector<std::string> TestCluster::commands(std::string_view name) {
  std::vector<std::string> commands;
  for (const EntryPtr& entry : replica(name).state) commands.push_back(entry->data);
  return commands;
}

std::vector<Message> TestCluster::Waiting(std::string_view from, std::string_view to) const {
  std::vector<Message> waiting;
  for (const Message& message : under_way_) {
    if (message.from == Id(from) && message.to == Id(to)) waiting.push_back(message);
  }
  return waiting;
}

std::vector<Message> TestCluster::Waiting(MessageKind kind) const {
  std::vector<Message> waiting;
  for (const Message& message : under_way_) {
    if (message.kind == kind) waiting.push_back(message);
  }
  return waiting;
}

void TestCluster::Say(std::string_view name, const std::string& what) {
  trace_.push_back(std::string(name) + "  " + what);
}

void TestCluster::Trace(const Message& message, const char* fate) {
  const bool beat = message.kind == MessageKind::kHeartbeat || message.kind == MessageKind::kHeartbeatReply;
  if (!beat || show_heartbeats_) trace_.push_back(Describe(message) + fate);
}

void TestCluster::Look(Replica& replica) {
  const Raft& raft = *replica.raft;
  const std::string name = Name(raft.options().id);
  if (raft.role() == Role::kLeader) {
    const ReplicaId first = leaders_.emplace(raft.term(), raft.options().id).first->second;
    EXPECT_EQ(Name(first), name) << "two lead in term " << raft.term().value();
  }
  if (raft.role() != replica.said_role || raft.term() != replica.said.term || raft.leader() != replica.said_leader) {
    std::string line = Describe(raft.role());
    if (raft.role() == Role::kFollower && raft.leader() != kNobody) line += " of " + Name(raft.leader());
    Say(name, "is " + line + " in term " + std::to_string(raft.term().value()));
  }
  if (raft.commit() > replica.said.commit) {
    Say(name, "knows of commit " + std::to_string(raft.commit().value()));
  }
  replica.said_role = raft.role();
  replica.said_leader = raft.leader();
  replica.said = {raft.term(), raft.vote(), raft.commit()};
}

}  // namespace troupe::raft
