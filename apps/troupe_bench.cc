// troupe-bench: what the product does in a second on this machine, beside the floors that it stands on.
#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "apps/bench/actors_benchmark.h"
#include "apps/bench/bench_config.h"
#include "apps/bench/kv_benchmark.h"
#include "apps/bench/raft_benchmark.h"
#include "apps/bench/report.h"

namespace troupe {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInterrupted = 130;

std::atomic<bool> stop = false;

// So that whatever ends the benchmark early leaves no node and no directory behind.
void StopOnSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { stop = true; };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

absl::StatusOr<Report> RunBenchmark(const BenchConfig& config) {
  switch (config.suite) {
    case BenchSuite::kActors:
      return RunActorsBenchmark(config, stop);
    case BenchSuite::kRaft:
      return RunRaftBenchmark(config, stop);
    case BenchSuite::kKv:
      break;
  }
  return RunKvBenchmark(config, stop);
}

int Main(const std::vector<std::string>& args) {
  absl::StatusOr<BenchConfig> config = ParseBenchConfig(args);
  if (!config.ok()) {
    std::cerr << "error: " << config.status().message() << "\n";
    return kExitUsage;
  }
  if (config->help) {
    std::cout << BenchHelp();
    return 0;
  }
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  StopOnSignals();
  absl::StatusOr<Report> report = RunBenchmark(*config);
  if (!report.ok()) {
    std::cerr << "error: " << report.status().message() << "\n";
    return absl::IsCancelled(report.status()) ? kExitInterrupted : kExitFailed;
  }
  std::cout << (config->json ? ToJsonLines(*report) : ToTable(*report)) << std::flush;
  if (!std::cout.good()) {
    std::cerr << "error: the figures could not be written to stdout\n";
    return kExitFailed;
  }
  return report->errors == 0 ? 0 : kExitFailed;
}

}  // namespace
}  // namespace troupe

int main(int argc, char** argv) { return troupe::Main(std::vector<std::string>(argv + 1, argv + argc)); }
