#ifndef TROUPE_APPS_BENCH_NODE_PROCESS_H_
#define TROUPE_APPS_BENCH_NODE_PROCESS_H_

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace troupe {

// A new directory under TMPDIR, or /tmp, that goes with this object.
class ScratchDirectory {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchDirectory>> Make();
  ~ScratchDirectory();

  const std::string& path() const { return path_; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// A troupe-node on a free port of 127.0.0.1. It does not outlive this process, whatever ends that, and Ctrl-C does not
// reach it. Its settings come from here alone, not from the environment.
class NodeProcess {
 public:
  // Blocks until the node serves. Data and log go to `directory`. kCancelled once `stop` is set.
  static absl::StatusOr<std::unique_ptr<NodeProcess>> Start(const std::string& program, const std::string& directory,
                                                            const std::atomic<bool>& stop);
  // Asks it to stop, and kills it when it has not after 8 s.
  ~NodeProcess();

  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

  // Not OK when it has ended, with how and the end of its log.
  absl::Status CheckRuns();

 private:
  NodeProcess(pid_t pid, int output, std::string log) : pid_(pid), output_(output), log_(std::move(log)) {}
  absl::Status AwaitBanner(const std::atomic<bool>& stop);
  // What `what` says, how it ended if it did, and the end of its log.
  absl::Status Problem(const std::string& what);
  // Whether it has ended, without waiting for that.
  bool Ended();

  pid_t pid_;
  int output_;  // the reading end of its stdout
  std::string log_;
  std::string address_;
  bool ended_ = false;
  int wait_status_ = 0;  // what waitpid gave, once it has ended
};

// The path of the program `name` in the directory of this process's own.
std::string ProgramBesideThis(const std::string& name);

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_NODE_PROCESS_H_
