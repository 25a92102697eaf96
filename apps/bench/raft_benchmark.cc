#include "apps/bench/raft_benchmark.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/bench/machine.h"
#include "kvstore/raft/raft.h"

namespace troupe {
namespace {

using raft::LogIndex;
using raft::Message;
using raft::Raft;
using raft::Ready;
using raft::ReplicaId;

constexpr size_t kReplicas = 3;
constexpr size_t kEntryBytes = 128;
constexpr size_t kGroups = 1000;
// Ticks that a follower can be timed for before it would campaign.
constexpr int kElectionTicks = 1000;

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Three replicas whose messages arrive and whose disks are done at once.
class Group {
 public:
  explicit Group(uint64_t seed) {
    raft::Restored restored;
    for (size_t id = 1; id <= kReplicas; ++id) restored.snapshot.configuration.voters.emplace_back(id);
    for (size_t id = 1; id <= kReplicas; ++id) {
      raft::Options options{.id = ReplicaId(id)};
      options.election_ticks = kElectionTicks;
      options.seed = seed + id;
      replicas_[id - 1] = std::make_unique<Raft>(options, restored);
    }
    // The others must have heard nobody for an election timeout to vote, and must not campaign themselves.
    for (Raft* replica : {&at(1), &at(2)}) {
      for (int i = 0; i < kElectionTicks; ++i) replica->Tick();
    }
    at(0).Campaign();
    Settle();
  }

  Raft& at(size_t replica) { return *replicas_[replica]; }
  Raft& leader() { return at(leader_); }

  void Settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (auto& replica : replicas_) {
        while (replica->HasReady()) {
          busy = true;
          CarryOut(*replica);
        }
      }
      while (!under_way_.empty()) {
        busy = true;
        at(under_way_.front().to.value() - 1).Step(under_way_.front());
        under_way_.pop_front();
      }
    }
    for (size_t i = 0; i < kReplicas; ++i) {
      if (at(i).role() == raft::Role::kLeader) leader_ = i;
    }
  }

  void Compact() {
    for (auto& replica : replicas_) replica->Compact(replica->commit(), "");
  }

 private:
  void CarryOut(Raft& replica) {
    Ready ready = replica.TakeReady();
    for (auto* messages : {&ready.send_now, &ready.send_after}) {
      std::move(messages->begin(), messages->end(), std::back_inserter(under_way_));
    }
    replica.Persisted(ready.ack);
    if (!ready.apply.empty()) replica.Applied(ready.apply.back()->index);
  }

  std::array<std::unique_ptr<Raft>, kReplicas> replicas_;
  std::deque<Message> under_way_;
  size_t leader_ = 0;
};

// Of one entry and replica, in microseconds.
double EntryCost(size_t at_a_time, double seconds) {
  Group group(1);
  uint64_t entries = 0;
  const double begin = Seconds();
  double took = 0;
  while (took < seconds) {
    for (int i = 0; i < 16; ++i) {
      for (size_t k = 0; k < at_a_time; ++k) group.leader().Propose(std::string(kEntryBytes, 'x'));
      group.Settle();
      entries += at_a_time;
    }
    if (entries % 4096 == 0) group.Compact();
    took = Seconds() - begin;
  }
  return took * 1e6 / static_cast<double>(entries * kReplicas);
}

std::vector<std::unique_ptr<Group>> IdleGroups() {
  std::vector<std::unique_ptr<Group>> groups;
  for (size_t i = 0; i < kGroups; ++i) {
    auto group = std::make_unique<Group>(i * kReplicas);
    for (int k = 0; k < 10; ++k) group->leader().Propose(std::string(kEntryBytes, 'x'));
    group->Settle();
    // So that all know that all is committed.
    group->leader().Tick();
    group->Settle();
    group->Compact();
    groups.push_back(std::move(group));
  }
  return groups;
}

double IdleBytes() {
  const size_t before = mallinfo2().uordblks;
  auto groups = IdleGroups();
  const size_t after = mallinfo2().uordblks;
  // What a Group has beside its replicas: itself, and its own deque's first block and map.
  const size_t own = kGroups * (sizeof(Group) + 512 + 8 * sizeof(void*));
  return static_cast<double>(after - before - own) / static_cast<double>(kGroups * kReplicas);
}

struct TickCost {
  double follower_ns = 0;
  double leader_ns = 0;
};

TickCost TimeTicks(std::vector<std::unique_ptr<Group>>& groups) {
  constexpr int kTicks = kElectionTicks / 2;
  std::vector<Raft*> followers;
  for (auto& group : groups) {
    for (size_t i = 0; i < kReplicas; ++i) {
      if (&group->at(i) != &group->leader()) followers.push_back(&group->at(i));
    }
  }
  uint64_t busy = 0;
  const double begin = Seconds();
  for (int tick = 0; tick < kTicks; ++tick) {
    for (Raft* follower : followers) {
      follower->Tick();
      busy += follower->HasReady();
    }
  }
  const double middle = Seconds();
  for (int tick = 0; tick < kTicks / 10; ++tick) {
    for (auto& group : groups) {
      group->leader().Tick();
      busy += group->leader().TakeReady().send_now.size();
    }
  }
  const double end = Seconds();
  // Heard again, so that they can be timed again; and what was counted is used.
  for (auto& group : groups) {
    group->leader().Tick();
    group->Settle();
  }
  const double follower_ticks = static_cast<double>(followers.size()) * kTicks;
  const double leader_ticks = static_cast<double>(groups.size()) * (kTicks / 10);
  return busy == 0 ? TickCost{}
                   : TickCost{(middle - begin) * 1e9 / follower_ticks, (end - middle) * 1e9 / leader_ticks};
}

}  // namespace

absl::StatusOr<Report> RunRaftBenchmark(const BenchConfig& config, const std::atomic<bool>& stop) {
  std::vector<double> entry, alone, bytes, tick, leader_tick;
  bytes.push_back(IdleBytes());
  auto groups = IdleGroups();
  const double seconds = absl::ToDoubleSeconds(config.seconds);
  EntryCost(64, std::min(seconds, 0.5));  // warms up
  for (int run = 0; run < config.runs; ++run) {
    if (stop) return absl::CancelledError("interrupted");
    entry.push_back(EntryCost(64, seconds));
    alone.push_back(EntryCost(1, seconds));
    const TickCost cost = TimeTicks(groups);
    tick.push_back(cost.follower_ns);
    leader_tick.push_back(cost.leader_ns);
  }
  Report report{.machine = DescribeMachine(), .runs = config.runs, .seconds = config.seconds};
  report.figures = {{"raft.entry.us", SpreadOf(entry), "us"},
                    {"raft.entry_alone.us", SpreadOf(alone), "us"},
                    {"raft.idle.bytes", SpreadOf(bytes), "bytes"},
                    {"raft.tick.ns", SpreadOf(tick), "ns"},
                    {"raft.leader_tick.ns", SpreadOf(leader_tick), "ns"}};
  return report;
}

}  // namespace troupe
