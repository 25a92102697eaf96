// Raft cores on a virtual clock: links with delay, jitter, loss and cuts, disks that take time to sync, crashes. Where
// ActionCluster asks what may ever happen, this asks how soon something does.
//
// One thread and one queue of events; the same shape and calls give the same run. The Checker sees every step, so a
// timed run is a run for safety, too: it throws Violation.
//
// The path of a write: Propose calls the leader's core; its messages become events at the other ends of their links,
// its write joins the disk's next round; when the round is done the core hears of it, and when the entry is applied
// where it was proposed its latency is known.
//
// Read next: timed_faults.h (what goes wrong, by seed), timed_test.cc (what is claimed).
#ifndef TROUPE_TESTS_RAFT_TIMED_CLUSTER_H_
#define TROUPE_TESTS_RAFT_TIMED_CLUSTER_H_

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "actor/random.h"
#include "kvstore/raft/raft.h"
#include "tests/raft/action.h"
#include "tests/raft/checker.h"
#include "tests/raft/model_disk.h"

namespace troupe::raft {

using Micros = int64_t;

struct TimedShape {
  int voters = 3;    // with ids from 1 on
  int replicas = 3;  // those above `voters` are empty disks, to be added; at most kMaxReplicas
  Micros tick = 10'000;
  Micros delay = 500;  // one way
  Micros jitter = 50;  // at most, on top of it
  Micros sync = 1000;  // one round of a disk, and up to a tenth more
  // Until the state behind a snapshot has been fetched, after which the message arrives. Others are let pass meanwhile.
  Micros fetch = 20'000;
  // A log is cut at twice as many applied entries down to these; while a follower fetches a snapshot, at six times.
  uint64_t kept_entries = 500;
  Options options;  // id and seed are set for each replica
  uint64_t seed = 0;
};

// Of all links, beside the cuts.
struct Network {
  uint64_t loss_per_mille = 0;
  uint64_t duplicate_per_mille = 0;
  Micros jitter = 0;        // at most, on top of the shape's
  bool overtaking = false;  // else a link keeps its order, as a stream does
};

class TimedCluster {
 public:
  explicit TimedCluster(const TimedShape& shape);

  // Time.
  Micros now() const { return now_; }
  Micros election_timeout() const { return shape_.tick * shape_.options.election_ticks; }
  Micros MeanRoundTrip() const { return 2 * shape_.delay + shape_.jitter; }
  Micros MeanSync() const { return shape_.sync + shape_.sync / 20; }
  void After(Micros delay, std::function<void()> what);
  void RunFor(Micros duration);
  // False: the condition, which is looked at after every event, did not come to hold in time.
  bool RunUntil(const std::function<bool()>& condition, Micros most);

  // What goes wrong.
  void SetNetwork(const Network& network) { network_ = network; }
  void Cut(int from, int to) { cut_[from][to] = true; }
  void Isolate(int replica);
  void HealLinks() { cut_ = {}; }
  // A part of the writes under way reaches the disk; the state falls back to its snapshot.
  void Crash(int replica);
  void Restart(int replica);
  void SetSync(int replica, Micros sync) { replicas_[replica].sync = sync; }
  // Loses messages of which `lost` says so.
  void SetFilter(std::function<bool(const Message&)> lost) { lost_ = std::move(lost); }

  // Calls of a core. `done` is called once the entry is applied where it was proposed; maybe never.
  Proposed Propose(int replica, std::string data, std::function<void()> done = {});
  Refusal Read(int replica, std::function<void()> done);
  Proposed ProposeChange(int replica, const Change& change);
  Refusal Transfer(int replica, int to);
  // A proposal, or a read, each `interval` where a leader is; refused ones are not tried again. Until StopLoad.
  void StartLoad(Micros interval, size_t bytes = 16);
  void StartReads(Micros interval);
  void StopLoad() { ++load_; }

  // What there is to see.
  const TimedShape& shape() const { return shape_; }
  int replicas() const { return shape_.replicas; }
  bool up(int replica) const { return replicas_[replica].raft.has_value(); }
  const Raft& raft(int replica) const { return *replicas_[replica].raft; }
  LogIndex applied(int replica) const { return replicas_[replica].applied; }
  // Of the highest term; 0 when there is none.
  int Leader() const;
  // The same, when it has committed in its term and every other voter that is up follows it.
  int SettledLeader() const;
  // All replicas that the leader's configuration names are up and have applied all that it has in its log.
  bool Converged() const;
  Term HighestTerm() const;
  // Of the load's proposals and reads that were done, since the last call.
  std::vector<Micros> TakeLatencies() { return std::exchange(latencies_, {}); }
  std::vector<Micros> TakeReadLatencies() { return std::exchange(read_latencies_, {}); }
  // The longest time between two of the load's proposals that were done, since the last call.
  Micros TakeLongestGap();
  uint64_t refused() const { return refused_; }
  uint64_t messages() const { return messages_; }
  const Coverage& coverage() const { return checker_.coverage(); }

 private:
  struct Waiting {
    Term term;
    std::function<void()> done;
  };
  struct Replica {
    std::optional<Raft> raft;
    uint64_t incarnation = 0;
    Micros sync = 0;
    std::deque<Persist> queue;
    size_t in_round = 0;  // of the queue, when the disk works
    bool fetching = false;
    LogIndex applied;
    std::map<LogIndex, Waiting> proposals;
    std::map<uint64_t, std::function<void()>> reads;
  };
  struct Event {
    Micros when;
    uint64_t order;
    std::function<void()> what;

    bool operator<(const Event& other) const {
      return when != other.when ? when > other.when : order > other.order;  // the earliest is the greatest
    }
  };

  bool RunNext(Micros until);
  void Start(int replica);
  void ScheduleTick(int replica);
  void Deliver(const Message& message);
  void Fetch(const Message& message);
  void Send(std::vector<Message>& messages, bool promise);
  void SendOne(const Message& message);
  // After every call of a core.
  void Settle(int replica);
  void Take(int replica);
  void Apply(int replica, const std::vector<EntryPtr>& entries);
  void CompactIfLong(int replica);
  void StartRound(int replica);
  void FinishRound(int replica);
  void Write(int replica, const Persist& persist);
  void LoadOne(uint64_t load, Micros interval, size_t bytes);
  void ReadOne(uint64_t load, Micros interval);

  const TimedShape shape_;
  Random random_;
  Checker checker_;
  std::array<Replica, kMaxReplicas + 1> replicas_;
  std::array<ModelDisk, kMaxReplicas + 1> disks_;

  Micros now_ = 0;
  uint64_t order_ = 0;
  std::priority_queue<Event> events_;

  Network network_;
  std::array<std::array<bool, kMaxReplicas + 1>, kMaxReplicas + 1> cut_{};
  std::array<std::array<Micros, kMaxReplicas + 1>, kMaxReplicas + 1> last_arrival_{};
  std::function<bool(const Message&)> lost_;

  uint64_t load_ = 0;
  std::vector<Micros> latencies_;
  std::vector<Micros> read_latencies_;
  Micros last_done_ = 0;
  Micros longest_gap_ = 0;
  uint64_t refused_ = 0;
  uint64_t messages_ = 0;
};

}  // namespace troupe::raft

#endif  // TROUPE_TESTS_RAFT_TIMED_CLUSTER_H_
