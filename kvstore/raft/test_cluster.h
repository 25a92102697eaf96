// A few replicas with names, disks and a network, in one thread and without a clock: what a test of a conversation
// needs. Nothing happens but what the test says, and then the same each time.
//
//   TestCluster c;                       // ann, bob and cid, who vote
//   c.Elect("ann");
//   c.Isolate("cid");
//   c.Propose("ann", "x=1");
//   c.Stabilise();
//   EXPECT_EQ(c.commands("bob"), Strings("x=1"));
//
// It fails the test by itself when two replicas lead in one term or apply different entries at one index.
#ifndef TROUPE_KVSTORE_RAFT_TEST_CLUSTER_H_
#define TROUPE_KVSTORE_RAFT_TEST_CLUSTER_H_

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvstore/raft/raft.h"

namespace troupe::raft {

// Names are given in this order: ann is replica 1.
inline constexpr std::string_view kNames[] = {"nobody", "ann", "bob", "cid", "dan", "eve", "fay", "gus"};
ReplicaId Id(std::string_view name);
std::string Name(ReplicaId id);

// What was on a disk before the test begins: entry i is a command of the i-th term.
struct Past {
  uint64_t term = 0;
  std::string vote = "nobody";
  uint64_t commit = 0;
  std::vector<uint64_t> log;
};

struct ClusterSetup {
  std::vector<std::string> voters = {"ann", "bob", "cid"};
  std::vector<std::string> learners;
  std::vector<std::string> strangers;  // run, but take no part yet
  Options options;                     // id and seed are set for each replica
};

struct TestDisk {
  HardState hard_state;
  SnapshotRef snapshot;
  std::vector<EntryPtr> entries;
};

class TestCluster {
 public:
  explicit TestCluster(ClusterSetup setup = {});

  // What happens to a replica. Nothing is delivered by these; a free disk works at once.
  void Campaign(std::string_view name);
  void Tick(std::string_view name, int ticks = 1);
  Proposed Propose(std::string_view name, std::string data);
  Proposed ProposeChange(std::string_view name, Change::Kind kind, std::string_view whom);
  Refusal ReadIndex(std::string_view name, uint64_t id);
  Refusal Transfer(std::string_view name, std::string_view to);
  void Compact(std::string_view name, uint64_t index);
  // A message that a test made. It arrives at once.
  void Step(Message message);

  // Starts again with this on the disk.
  void Begin(std::string_view name, const Past& past);
  void Crash(std::string_view name);
  void Restart(std::string_view name);

  // One tick for all, then quiet; so many times.
  void Pass(int ticks);
  // An election timeout passes in which it hears nobody, so that it will vote for another.
  void LoseTouch(std::string_view name);
  // All others lose touch with their leader, and this one campaigns and wins.
  void Elect(std::string_view name);

  // Disks. A held one writes nothing until it is told to; a Ready that asks nothing of it does not count.
  void HoldDisk(std::string_view name) { replica(name).disk_held = true; }
  void Sync(std::string_view name, int writes = 1);
  void FreeDisk(std::string_view name);
  // The disk works, and what waited for it is sent, but the core hears of it later, one ack at a time.
  void HoldAcks(std::string_view name) { replica(name).acks_held = true; }
  void Ack(std::string_view name);
  void FreeAcks(std::string_view name);

  // Links go one way. What is sent on a cut one is lost; on a delayed one it waits.
  void Cut(std::string_view from, std::string_view to) { links_[{Id(from), Id(to)}].cut = true; }
  void Delay(std::string_view from, std::string_view to) { links_[{Id(from), Id(to)}].delayed = true; }
  void CutBoth(std::string_view a, std::string_view b);
  void Isolate(std::string_view name);
  void Heal();
  // Loses what is under way.
  void Drop(std::string_view from, std::string_view to);
  // The first message of a link, delayed or not.
  void Deliver(std::string_view from, std::string_view to);
  // Until nothing is under way but on delayed links.
  void Stabilise();

  // What is there to see.
  Raft& at(std::string_view name) { return *replica(name).raft; }
  bool up(std::string_view name) { return replica(name).raft.has_value(); }
  Role role(std::string_view name) { return at(name).role(); }
  uint64_t term(std::string_view name) { return at(name).term().value(); }
  uint64_t commit(std::string_view name) { return at(name).commit().value(); }
  uint64_t last(std::string_view name) { return at(name).log().last_index().value(); }
  std::string leader(std::string_view name) { return Name(at(name).leader()); }
  std::string vote(std::string_view name) { return Name(at(name).vote()); }
  // The terms of the entries in memory.
  std::vector<uint64_t> log(std::string_view name);
  const TestDisk& disk(std::string_view name) { return replica(name).disk; }
  size_t writes(std::string_view name) { return replica(name).writes.size(); }
  // What it has applied.
  std::vector<std::string> commands(std::string_view name);
  uint64_t applied(std::string_view name) { return replica(name).applied; }
  const std::map<uint64_t, uint64_t>& reads(std::string_view name) { return replica(name).reads; }  // id to index
  const std::set<uint64_t>& failed_reads(std::string_view name) { return replica(name).failed_reads; }
  // Sent and neither delivered nor lost.
  std::vector<Message> Waiting(std::string_view from, std::string_view to) const;
  std::vector<Message> Waiting(MessageKind kind) const;
  // All that was ever sent, also what was lost.
  const std::vector<Message>& sent() const { return sent_; }
  // One line for each event since the last call; heartbeats only on demand.
  std::vector<std::string> TakeTrace() { return std::exchange(trace_, {}); }
  void ShowHeartbeats(bool show) { show_heartbeats_ = show; }
  void Say(std::string_view name, const std::string& what);

 private:
  struct Replica {
    Options options;
    std::optional<Raft> raft;
    TestDisk disk;
    bool disk_held = false;
    std::deque<Ready> writes;
    bool acks_held = false;
    std::deque<PersistAck> acks;
    std::vector<EntryPtr> state;  // commands only
    uint64_t applied = 0;
    std::map<uint64_t, uint64_t> reads;
    std::set<uint64_t> failed_reads;
    // As last said in the trace.
    Role said_role = Role::kFollower;
    HardState said;
    ReplicaId said_leader;
  };
  struct Link {
    bool cut = false;
    bool delayed = false;
  };

  Replica& replica(std::string_view name) { return replicas_.at(Id(name)); }
  void Start(Replica& replica);
  void Receive(const Message& message);
  // Carries out what the core asks for.
  void Work(Replica& replica);
  void Send(const std::vector<Message>& messages);
  void Apply(Replica& replica, const std::vector<EntryPtr>& entries);
  void Write(Replica& replica);
  void Trace(const Message& message, const char* fate);
  // Says and checks what has changed.
  void Look(Replica& replica);

  bool Delayed(const Message& message) const;

  const ClusterSetup setup_;
  std::map<ReplicaId, Replica> replicas_;
  std::map<std::pair<ReplicaId, ReplicaId>, Link> links_;
  std::deque<Message> under_way_;  // in the order of sending
  std::vector<Message> sent_;
  // By reference.
  std::map<std::string, std::vector<EntryPtr>> snapshots_;
  // What any replica has seen, for all time.
  std::map<Term, ReplicaId> leaders_;
  std::map<LogIndex, EntryPtr> agreed_;

  std::vector<std::string> trace_;
  bool show_heartbeats_ = false;
};

// For expectations.
inline std::vector<std::string> Strings() { return {}; }
template <typename... T>
std::vector<std::string> Strings(T... strings) {
  return {std::string(strings)...};
}
inline std::vector<uint64_t> Terms(std::initializer_list<uint64_t> terms) { return terms; }

}  // namespace troupe::raft

#endif  // TROUPE_KVSTORE_RAFT_TEST_CLUSTER_H_
