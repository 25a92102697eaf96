#ifndef TROUPE_APPS_BENCH_LOAD_GENERATOR_H_
#define TROUPE_APPS_BENCH_LOAD_GENERATOR_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "apps/bench/load_result.h"

namespace troupe {

enum class CallKind {
  kEcho,  // PeerService.Identify: the least work that a call to a node can be
  kGet,
  kSet,
};

// Makes calls to one node in a closed loop: each of `callers` begins its next call when its last one is answered.
//   Threads: one, the caller's, over one completion queue and one connection, so that beside a node on the same
//            machine it costs as little as a gRPC client can.
//   Keys:    100,000 of 16 bytes, drawn evenly; values of 100 bytes that do not compress.
//   Ends:    early once `stop` is set, or when the node answers nothing for 10 s; what is under way then has failed.
class LoadGenerator {
 public:
  // `stop` must outlive it.
  LoadGenerator(const std::string& endpoint, const std::atomic<bool>& stop);
  ~LoadGenerator();

  // The node's process id on its own machine. kUnavailable when nothing answers there within `timeout`.
  absl::StatusOr<int> Connect(absl::Duration timeout);

  // Sets every key once.
  LoadResult SetAllKeys();

  LoadResult Run(CallKind kind, int callers, absl::Duration duration);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_LOAD_GENERATOR_H_
