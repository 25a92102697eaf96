// What the key-value service of one node does in a second, and how long a call takes, measured from outside over gRPC.
// A claim is only worth something beside its baseline, so the floors that a get and a set stand on are measured in the
// same run, on the same machine, each just before the case that rests on it.
//
// The path of one figure: load_generator.h makes the calls of a run and gives a LoadResult; machine.h says how much of
// the machine others used meanwhile; report.h makes figures of both, of several runs a spread, and of all the output.
// Read next: load_generator.h, report.h, node_process.h.
#ifndef TROUPE_APPS_BENCH_KV_BENCHMARK_H_
#define TROUPE_APPS_BENCH_KV_BENCHMARK_H_

#include <atomic>

#include "absl/status/statusor.h"
#include "apps/bench/bench_config.h"
#include "apps/bench/report.h"

namespace troupe {

// Blocks for the whole benchmark. Progress and failed calls are told on stderr; failed calls do not end it, a node
// that ended does. Without config.endpoint a node is started and has stopped, its data gone, when this returns.
// kCancelled soon after `stop` is set.
absl::StatusOr<Report> RunKvBenchmark(const BenchConfig& config, const std::atomic<bool>& stop);

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_KV_BENCHMARK_H_
