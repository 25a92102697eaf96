#ifndef TROUPE_APPS_BENCH_BENCH_CONFIG_H_
#define TROUPE_APPS_BENCH_BENCH_CONFIG_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace troupe {

enum class BenchSuite { kKv, kRaft, kActors };

// What troupe-bench was asked for.
struct BenchConfig {
  BenchSuite suite = BenchSuite::kKv;
  bool help = false;
  bool json = false;
  // The length of one timed run, 0.05 s to an hour. Long enough that a run spans several flushes of the disk's cache.
  absl::Duration seconds = absl::Seconds(2);
  // Timed runs of each case, 1 to 1,000; the figures are their medians.
  int runs = 5;
  // HOST:PORT of a node that runs already; empty: start one. Of kv alone.
  std::string endpoint;
  // Of actors alone: everything small, to see that it works.
  bool quick = false;
  // Of actors alone: where the peers' programs lie that ./run bench has compiled; empty: none are run.
  std::string peers;
};

// `args` are those after the program's name. Every error is kInvalidArgument and one line that names the argument.
absl::StatusOr<BenchConfig> ParseBenchConfig(const std::vector<std::string>& args);

// What --help prints.
std::string_view BenchHelp();

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_BENCH_CONFIG_H_
