// troupe-node: one node of a cluster, as a process.
#include <glog/logging.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "actor/thread_executor.h"
#include "apps/node/grpc_server.h"
#include "apps/node/node.h"
#include "apps/node/node_config.h"
#include "apps/version.h"
#include "kvstore/data_dir.h"
#include "kvstore/rocksdb_storage.h"

namespace troupe {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr uint32_t kDataFormat = 1;
// After SIGTERM: answers under way, then the actors, within the 5 s that are promised in all.
constexpr Duration kAnswersTimeout = absl::Seconds(4);
constexpr Duration kActorsTimeout = absl::Milliseconds(500);

int Fail(const absl::Status& status, int exit_code) {
  std::cerr << "error: " << status.message() << "\n";
  return exit_code;
}

void StartLogging(const std::string& level) {
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = level == "warning" ? google::WARNING : level == "error" ? google::ERROR : google::INFO;
  if (level == "debug") FLAGS_v = 1;
  google::InitGoogleLogging("troupe-node");
  // gRPC's own log repeats as stack-like lines what we say in sentences.
  setenv("GRPC_VERBOSITY", level == "debug" ? "ERROR" : "NONE", /*overwrite=*/0);
}

// SIGTERM and Ctrl-C, blocked in every thread and taken by one of their own, from the first moment on.
class StopSignal {
 public:
  StopSignal() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    signal(SIGPIPE, SIG_IGN);
    std::thread([this] {
      int number = 0;
      sigwait(&signals_, &number);
      // Nothing is served yet, and the disk may hang.
      if (!serving_) _exit(0);
      arrived_.set_value(number == SIGTERM ? "SIGTERM" : "Ctrl-C");
    }).detach();
  }
  // From now on a signal is for Await; until now it ends the process at once.
  void Serving() { serving_ = true; }
  const char* Await() {
    const char* name = arrived_.get_future().get();
    // A second one ends the process at once.
    pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
    return name;
  }

 private:
  sigset_t signals_;
  std::atomic<bool> serving_{false};
  std::promise<const char*> arrived_;
};

// Each connection costs a descriptor, and gRPC 1.51 stops accepting for good once it has run out of them.
void AllowManyConnections() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

// A stop takes at most 5 s, whatever hangs: a disk, say. What is on it is whole at any moment.
void ExitInAnyCase() {
  signal(SIGALRM, [](int) { _exit(0); });
  alarm(5);
}

std::string MakeId() {
  std::random_device entropy;
  std::string id;
  for (int i = 0; i < 4; ++i) id += absl::StrFormat("%08x", entropy());
  return id;
}

[[noreturn]] void ExitOnBrokenDisk(const absl::Status& reason) {
  // Nothing in memory can be trusted now, so nothing is run on the way out.
  std::string text = absl::StrCat("error: the store failed: ", absl::string_view(reason.message()),
                                  "\n  the node stops, so that no unsure answer leaves it; writes that were not "
                                  "answered may or may not be there\n  see to the disk, then start it again\n");
  (void)!write(STDERR_FILENO, text.data(), text.size());
  _exit(kExitFailed);
}

void PrintBanner(const DataDir& directory, const GrpcServer& server) {
  std::cout << "troupe-node " << kProductVersion << "\n"
            << "  node     " << directory.node_name() << "  (" << directory.node_id() << ", run "
            << directory.generation() << ")\n"
            << "  cluster  " << directory.cluster_id() << (directory.founded() ? "  (founded now)" : "") << "\n"
            << "  data     " << directory.path() << "  (format " << kDataFormat << ")\n"
            << "  gRPC     " << server.address() << "\n"
            << "  try      troupe --endpoint=" << server.address() << " status\n"
            << "ready" << std::endl;
}

int Run(const NodeConfig& config) {
  StopSignal stop;
  AllowManyConnections();
  absl::StatusOr<std::unique_ptr<GrpcServer>> server = GrpcServer::Listen(config.listen);
  if (!server.ok()) return Fail(server.status(), kExitFailed);
  absl::StatusOr<std::unique_ptr<DataDir>> directory =
      DataDir::Open({.path = config.data_dir, .node_name = config.name, .make_id = MakeId, .now = absl::Now()});
  if (!directory.ok()) return Fail(directory.status(), kExitFailed);
  using IfMissing = RocksDbStorage::IfMissing;
  absl::StatusOr<std::unique_ptr<RocksDbStorage>> storage = RocksDbStorage::Open(
      (*directory)->storage_path(), (*directory)->store_made() ? IfMissing::kFail : IfMissing::kCreate);
  if (!storage.ok()) return Fail(storage.status(), kExitFailed);
  if (!(*directory)->store_made()) {
    absl::Status marked = (*directory)->MarkStoreMade();
    if (!marked.ok()) return Fail(marked, kExitFailed);
  }

  ThreadExecutor executor({});
  NoPeers transport;
  Random random((static_cast<uint64_t>(std::random_device{}()) << 32) | std::random_device{}());
  Node node(
      {.cluster_id = (*directory)->cluster_id(),
       .name = (*directory)->node_name(),
       .node_id = (*directory)->node_id(),
       .generation = (*directory)->generation(),
       .address = (*server)->address()},
      {.version = kProductVersion, .data_dir = (*directory)->path(), .format = kDataFormat, .started = executor.Now()},
      {executor, random, transport, **storage, ExitOnBrokenDisk});
  absl::Status ready = node.Ready(absl::Seconds(60)).Wait();
  if (!ready.ok()) return Fail(ready, kExitFailed);
  stop.Serving();
  (*server)->Serve(node);
  PrintBanner(**directory, **server);

  const char* signal = stop.Await();
  LOG(INFO) << signal << ": no new requests; answers under way finish";
  ExitInAnyCase();
  if (!(*server)->Shutdown(kAnswersTimeout)) {
    // What is on disk is whole at any moment; what is left are callers that have been cut off.
    LOG(WARNING) << "some calls did not finish in time; exiting without them";
    _exit(0);
  }
  absl::Status stopped = node.system().Shutdown(kActorsTimeout);
  if (!stopped.ok()) LOG(WARNING) << stopped.message();
  executor.Stop();
  // By hand, since what is left would be destroyed by gRPC at its leisure: up to 10 s.
  storage->reset();
  LOG(INFO) << "stopped";
  google::FlushLogFiles(google::INFO);
  std::cout.flush();
  _exit(0);
}

int Main(const std::vector<std::string>& args) {
  absl::StatusOr<ParsedConfig> parsed = ParseNodeConfig(args, ProcessEnvironment, ReadWholeFile);
  if (!parsed.ok()) return Fail(parsed.status(), kExitUsage);
  switch (parsed->action) {
    case ParsedConfig::Action::kHelp:
      std::cout << NodeHelp();
      return 0;
    case ParsedConfig::Action::kVersion:
      std::cout << "troupe-node " << kProductVersion << "\n";
      return 0;
    case ParsedConfig::Action::kPrintConfig:
      std::cout << PrintNodeConfig(*parsed);
      return 0;
    case ParsedConfig::Action::kRun:
      break;
  }
  StartLogging(parsed->config.log_level);
  return Run(parsed->config);
}

}  // namespace
}  // namespace troupe

int main(int argc, char** argv) { return troupe::Main(std::vector<std::string>(argv + 1, argv + argc)); }
