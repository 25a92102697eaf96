// What the actor runtime itself costs, without network and disk: the floor under everything else.
#ifndef TROUPE_APPS_BENCH_ACTORS_BENCHMARK_H_
#define TROUPE_APPS_BENCH_ACTORS_BENCHMARK_H_

#include <atomic>

#include "absl/status/statusor.h"
#include "apps/bench/bench_config.h"
#include "apps/bench/report.h"

namespace troupe {

// Blocks for all of it; needs about 1 GB. kCancelled soon after `stop` is set. A worker for each core and mailboxes of
// the default size; every message is handled and counted, and each program checks its result. Beside each figure
// "actors.PROGRAM.UNIT" stands that of one worker (".w1") and, where config.peers has their programs, those of Erlang
// (".erlang") and CAF (".caf"), each in the quicker of its configurations; "actors.PROGRAM.ratio" says how many times
// as good as the better of these ours is. What must be reached:
//   actors.ping_pong.ns            a message of two actors that play one ball
//   actors.ring.ns                 a hop of one token through 100 actors
//   actors.counting_1.per_s        messages of one sender to one counter (actors.counting_8.per_s: of eight)
//   actors.spawn_stop.per_s        actors spawned by another, each told one message, at which it stops
//   actors.idle.bytes              resident memory of one of a million actors that have handled a message and wait, its
//                                  own 8 bytes of state apart; each run in a process of its own, the peers' once
//   actors.ask.us                  a round trip between actors, one after the other
//   actors.ask_outside.us          a round trip of a thread outside, one after the other
//   actors.ask_outside_sparse.us   the median of such, when one comes every millisecond
//   actors.speedup.ratio           how much faster two workers than one do messages of 5 us to 64 actors
//   actors.idle_cpu.percent        CPU of the process beside 100,000 actors that wait, of one core, after 1 s of quiet
// The others are programs of the Savina suite (actors_savina.cc) and the runtime's services (actors_services.cc).
absl::StatusOr<Report> RunActorsBenchmark(const BenchConfig& config, const std::atomic<bool>& stop);

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_ACTORS_BENCHMARK_H_
