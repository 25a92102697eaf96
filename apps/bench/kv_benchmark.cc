#include "apps/bench/kv_benchmark.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "apps/bench/disk_load.h"
#include "apps/bench/load_generator.h"
#include "apps/bench/machine.h"
#include "apps/bench/node_process.h"

namespace troupe {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
constexpr absl::Duration kLongestWarmUp = absl::Seconds(1);
constexpr int kCallers[] = {1, 64};

class KvBenchmark {
 public:
  KvBenchmark(const BenchConfig& config, const std::atomic<bool>& stop) : config_(config), stop_(stop) {}

  absl::StatusOr<Report> Run();

 private:
  using Load = std::function<LoadResult(absl::Duration)>;

  // Makes everything ready up to the keys.
  absl::Status Prepare();
  absl::Status StartNode();
  absl::Status MeasureGets();
  absl::Status MeasureSets();
  // Warms up, runs and appends one case to the report.
  absl::Status Measure(const std::string& name, const Load& load);
  absl::Status MeasureCalls(const std::string& name, CallKind kind, int callers);
  void AddRatio(const std::string& name, const std::string& of, const std::string& to);
  absl::Status CheckGoesOn();
  void ShowProgress(const std::string& text) const;

  const BenchConfig& config_;
  const std::atomic<bool>& stop_;
  // In this order, so that the node has stopped when its directory goes.
  std::unique_ptr<ScratchDirectory> directory_;
  std::unique_ptr<NodeProcess> node_;
  std::unique_ptr<LoadGenerator> load_;
  // The node's as it says itself; on another machine it is somebody else's number here, and does no more harm than
  // one process left out of the noise.
  pid_t node_pid_ = 0;
  Report report_;
};

absl::StatusOr<Report> KvBenchmark::Run() {
  absl::Status status = Prepare();
  // Gets first: meanwhile the disk settles from the writing of the keys.
  if (status.ok()) status = MeasureGets();
  if (status.ok()) status = MeasureSets();
  ShowProgress("");
  if (!status.ok()) return status;
  return std::move(report_);
}

absl::Status KvBenchmark::Prepare() {
  report_.machine = DescribeMachine();
  report_.runs = config_.runs;
  report_.seconds = config_.seconds;
  absl::Status status = config_.endpoint.empty() ? StartNode() : absl::OkStatus();
  if (!status.ok()) return status;
  load_ = std::make_unique<LoadGenerator>(node_ == nullptr ? config_.endpoint : node_->address(), stop_);
  absl::StatusOr<int> pid = load_->Connect(kConnectTimeout);
  if (!pid.ok()) return pid.status();
  node_pid_ = *pid;
  ShowProgress("setting the keys");
  const LoadResult keys = load_->SetAllKeys();
  status = CheckGoesOn();
  if (!status.ok() || keys.failed == 0) return status;
  return absl::UnavailableError(
      absl::StrCat(keys.failed, " of the keys could not be set; the first: ", keys.first_failure));
}

absl::Status KvBenchmark::StartNode() {
  absl::StatusOr<std::unique_ptr<ScratchDirectory>> directory = ScratchDirectory::Make();
  if (!directory.ok()) return directory.status();
  directory_ = *std::move(directory);
  const std::string file_system = FileSystemOf(directory_->path());
  absl::StrAppend(&report_.machine, ", data on ", file_system);
  if (file_system == "tmpfs") {
    std::cerr << "warning: " << directory_->path() << " is in memory, so nothing here says what a disk costs;"
              << " set TMPDIR to a directory on the disk\n";
  }
  absl::StatusOr<std::unique_ptr<NodeProcess>> node =
      NodeProcess::Start(ProgramBesideThis("troupe-node"), directory_->path(), stop_);
  if (!node.ok()) return node.status();
  node_ = *std::move(node);
  return absl::OkStatus();
}

absl::Status KvBenchmark::MeasureGets() {
  for (const int callers : kCallers) {
    const std::string echo = absl::StrCat("grpc.echo.c", callers), get = absl::StrCat("kv.get.c", callers);
    absl::Status status = MeasureCalls(echo, CallKind::kEcho, callers);
    if (status.ok()) status = MeasureCalls(get, CallKind::kGet, callers);
    if (!status.ok()) return status;
    AddRatio(absl::StrCat(get, ".ratio_to_echo"), get, echo);
  }
  return absl::OkStatus();
}

absl::Status KvBenchmark::MeasureSets() {
  const std::string append = "disk.fdatasync_append";
  // The disk of a node that runs elsewhere is not known.
  const bool own_disk = directory_ != nullptr;
  if (own_disk) {
    SettleDisk(directory_->path());
    auto load = [this](absl::Duration duration) { return RunSyncedAppends(directory_->path(), duration, stop_); };
    absl::Status status = Measure(append, load);
    if (!status.ok()) return status;
  }
  for (const int callers : kCallers) {
    const std::string set = absl::StrCat("kv.set.c", callers);
    absl::Status status = MeasureCalls(set, CallKind::kSet, callers);
    if (!status.ok()) return status;
    if (own_disk) AddRatio(absl::StrCat(set, ".ratio_to_fsync"), set, append);
  }
  return absl::OkStatus();
}

absl::Status KvBenchmark::MeasureCalls(const std::string& name, CallKind kind, int callers) {
  return Measure(name, [=, this](absl::Duration duration) { return load_->Run(kind, callers, duration); });
}

absl::Status KvBenchmark::Measure(const std::string& name, const Load& load) {
  ShowProgress(absl::StrCat(name, "  warming up"));
  load(std::min(config_.seconds, kLongestWarmUp));
  CaseReport measured = {.name = name};
  for (int run = 1; run <= config_.runs; ++run) {
    absl::Status status = CheckGoesOn();
    if (!status.ok()) return status;
    ShowProgress(absl::StrCat(name, "  run ", run, " of ", config_.runs));
    const ForeignCpu foreign({node_pid_});
    const LoadResult result = load(config_.seconds);
    measured.runs.push_back(FiguresOf(result, foreign.Percent()));
    report_.errors += result.failed;
    if (result.failed > 0 && !stop_) {
      ShowProgress("");
      std::cerr << "error: " << name << ", run " << run << ": " << result.failed << " failed, "
                << result.latency.count() << " done; the first failure: " << result.first_failure << "\n";
    }
  }
  report_.cases.push_back(std::move(measured));
  return CheckGoesOn();
}

void KvBenchmark::AddRatio(const std::string& name, const std::string& of, const std::string& to) {
  auto find = [this](const std::string& wanted) -> const CaseReport& {
    return *std::find_if(report_.cases.begin(), report_.cases.end(),
                         [&](const CaseReport& one) { return one.name == wanted; });
  };
  report_.ratios.push_back(RatioOf(name, find(of), find(to)));
}

absl::Status KvBenchmark::CheckGoesOn() {
  if (stop_) return absl::CancelledError("interrupted");
  return node_ == nullptr ? absl::OkStatus() : node_->CheckRuns();
}

void KvBenchmark::ShowProgress(const std::string& text) const {
  // On a terminal one line that changes, and "" clears it; elsewhere nothing.
  if (isatty(STDERR_FILENO) == 1) std::cerr << "\r\x1b[K" << text << std::flush;
}

}  // namespace

absl::StatusOr<Report> RunKvBenchmark(const BenchConfig& config, const std::atomic<bool>& stop) {
  return KvBenchmark(config, stop).Run();
}

}  // namespace troupe
