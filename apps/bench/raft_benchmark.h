// What the Raft core itself costs, without network, disk or threads around it: the floor under every write, and what
// ten thousand quiet shards cost a node.
#ifndef TROUPE_APPS_BENCH_RAFT_BENCHMARK_H_
#define TROUPE_APPS_BENCH_RAFT_BENCHMARK_H_

#include <atomic>

#include "absl/status/statusor.h"
#include "apps/bench/bench_config.h"
#include "apps/bench/report.h"

namespace troupe {

// Blocks for all of it, on one thread. kCancelled soon after `stop` is set.
//   raft.entry.us        CPU of one replica of three for one entry of 128 bytes, from the proposal until it is applied
//                        by all, when 64 are proposed at a time; messages by reference, disks that are done at once
//   raft.entry_alone.us  the same, one proposed at a time
//   raft.idle.bytes      heap of one replica of three, leaders and followers alike, that has committed and compacted
//   raft.tick.ns         a tick of a follower with nothing to do, among 3,000, and the look whether there is anything
//   raft.leader_tick.ns  a tick of a leader whose heartbeats are due
absl::StatusOr<Report> RunRaftBenchmark(const BenchConfig& config, const std::atomic<bool>& stop);

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_RAFT_BENCHMARK_H_
