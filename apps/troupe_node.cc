// troupe-node: one node of a cluster, as a process.
#include <glog/logging.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
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
#include "cluster/grpc_transport.h"
#include "kvstore/data_dir.h"
#include "kvstore/rocksdb_storage.h"

namespace troupe {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr uint32_t kDataFormat = 2;
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

// The process ends: the others will not have this node.
void ExitWhenRefused(const absl::Status& reason) {
  std::string text = absl::StrCat("error: ", absl::string_view(reason.message()), "\n");
  (void)!write(STDERR_FILENO, text.data(), text.size());
  google::FlushLogFiles(google::INFO);
  _exit(kExitFailed);
}

std::string MachineName() {
  char name[256] = "localhost";
  gethostname(name, sizeof(name) - 1);
  return name;
}

// The founder's; none for a node that joined.
absl::StatusOr<std::unique_ptr<RocksDbStorage>> OpenStorage(const DataDir& directory) {
  if (!directory.founder()) return nullptr;
  using IfMissing = RocksDbStorage::IfMissing;
  absl::StatusOr<std::unique_ptr<RocksDbStorage>> storage =
      RocksDbStorage::Open(directory.storage_path(), directory.store_made() ? IfMissing::kFail : IfMissing::kCreate);
  if (!storage.ok() || directory.store_made()) return storage;
  absl::Status marked = directory.MarkStoreMade();
  if (!marked.ok()) return marked;
  return storage;
}

// Whom to ask for the cluster: whom the operator names, and whom this node knew before.
std::vector<std::string> Seeds(const NodeConfig& config, const DataDir& directory, const std::string& self) {
  std::vector<std::string> seeds = config.join;
  if (!directory.cluster_id().empty()) {
    seeds.insert(seeds.end(), directory.peers().begin(), directory.peers().end());
  }
  std::sort(seeds.begin(), seeds.end());
  seeds.erase(std::unique(seeds.begin(), seeds.end()), seeds.end());
  seeds.erase(std::remove(seeds.begin(), seeds.end(), self), seeds.end());
  return seeds;
}

// A node that joins for the first time waits for as long as it takes, since there is nothing that it could serve.
absl::Status AwaitReady(Node& node, const DataDir& directory) {
  if (!directory.cluster_id().empty()) return node.Ready(absl::Seconds(60)).Wait();
  std::cout << "troupe-node " << kProductVersion << ": " << directory.node_name()
            << " waits to be taken into the cluster" << std::endl;
  absl::Status ready;
  do {
    ready = node.Ready(absl::Seconds(60)).Wait();
  } while (ready.code() == absl::StatusCode::kDeadlineExceeded);
  return ready;
}

void PrintBanner(const DataDir& directory, const NodeIdentity& self, const GrpcServer& server) {
  const char* how = directory.founder() && directory.founded() ? "  (founded now)"
                    : directory.founded()                      ? "  (joined now)"
                                                               : "";
  std::cout << "troupe-node " << kProductVersion << "\n"
            << "  node     " << self.name << "  (" << self.node_id << ", run " << self.generation << ")\n"
            << "  cluster  " << self.cluster_id << how << "\n"
            << "  data     " << directory.path() << "  (format " << kDataFormat << ")\n"
            << "  shards   "
            << (directory.founder() ? "all, one copy of each: while this node is down nothing is served"
                                    : "none: they are on the node that founded the cluster")
            << "\n"
            << "  gRPC     " << server.address() << "\n"
            << "  try      troupe --endpoint=" << server.address() << " status\n"
            << "ready" << std::endl;
}

int Run(const NodeConfig& config) {
  StopSignal stop;
  AllowManyConnections();
  GrpcTransport transport;
  absl::StatusOr<std::unique_ptr<GrpcServer>> server = GrpcServer::Listen(config.listen, transport);
  if (!server.ok()) return Fail(server.status(), kExitFailed);
  absl::StatusOr<std::unique_ptr<DataDir>> directory = DataDir::Open({.path = config.data_dir,
                                                                      .node_name = config.name,
                                                                      .make_id = MakeId,
                                                                      .now = absl::Now(),
                                                                      .join = !config.join.empty()});
  if (!directory.ok()) return Fail(directory.status(), kExitFailed);
  absl::StatusOr<std::unique_ptr<RocksDbStorage>> storage = OpenStorage(**directory);
  if (!storage.ok()) return Fail(storage.status(), kExitFailed);

  const std::string address = AdvertisedAddress(config, (*server)->address(), MachineName());
  transport.SetAddress(address);
  ThreadExecutor executor({});
  Random random((static_cast<uint64_t>(std::random_device{}()) << 32) | std::random_device{}());
  Node node(
      {.cluster_id = (*directory)->cluster_id(),
       .name = (*directory)->node_name(),
       .node_id = (*directory)->node_id(),
       .generation = (*directory)->generation(),
       .address = address},
      Seeds(config, **directory, address),
      {.version = kProductVersion, .data_dir = (*directory)->path(), .format = kDataFormat, .started = executor.Now()},
      {executor, random, transport, **directory, storage->get(), ExitOnBrokenDisk, ExitWhenRefused});
  absl::Status ready = AwaitReady(node, **directory);
  if (!ready.ok()) {
    // Threads are under way that nobody can stop in order now.
    Fail(ready, kExitFailed);
    _exit(kExitFailed);
  }
  stop.Serving();
  (*server)->Serve(node);
  PrintBanner(**directory, node.identity(), **server);

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
  if (*storage != nullptr) storage->reset();
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
