#include "apps/bench/node_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace troupe {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(60);
// The node promises to stop within 5 s.
constexpr absl::Duration kStopTimeout = absl::Seconds(8);
constexpr size_t kLogBytesShown = 2000;
constexpr int kCannotRun = 127;

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentWithoutSettings() {
  std::vector<std::string> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::strncmp(*variable, "TROUPE_", 7) != 0) kept.emplace_back(*variable);
  }
  return kept;
}

std::string EndOf(const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  std::string text = content.str();
  return text.size() <= kLogBytesShown ? text : text.substr(text.size() - kLogBytesShown);
}

// The address in the banner, once all of it is there.
std::optional<std::string> AddressIn(const std::string& banner) {
  if (banner.find("\nready\n") == std::string::npos) return std::nullopt;
  std::istringstream lines(banner);
  std::string line, word, address;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    if (words >> word && word == "gRPC" && words >> address) return address;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ScratchDirectory>> ScratchDirectory::Make() {
  const char* parent = std::getenv("TMPDIR");
  std::string path = absl::StrCat(parent == nullptr || *parent == '\0' ? "/tmp" : parent, "/troupe-bench.XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot make a directory ", path, ": ", std::strerror(errno)));
  }
  return std::unique_ptr<ScratchDirectory>(new ScratchDirectory(std::move(path)));
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::StatusOr<std::unique_ptr<NodeProcess>> NodeProcess::Start(const std::string& program,
                                                                const std::string& directory,
                                                                const std::atomic<bool>& stop) {
  if (access(program.c_str(), X_OK) != 0) {
    return absl::NotFoundError(
        absl::StrCat(program, " cannot be run: ", std::strerror(errno), "; it is built together with this program"));
  }
  std::vector<std::string> arguments = {program, "--name=n1", "--listen=127.0.0.1:0",
                                        absl::StrCat("--data-dir=", directory, "/n1")};
  std::vector<std::string> variables = EnvironmentWithoutSettings();
  const std::vector<char*> argv = Pointers(arguments);
  const std::vector<char*> envp = Pointers(variables);
  const std::string log = absl::StrCat(directory, "/node.log");
  const int log_file = open(log.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const int no_input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int output[2];
  if (log_file < 0 || no_input < 0 || pipe2(output, O_CLOEXEC) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot start a node: ", std::strerror(errno)));
  }
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    // Between fork and exec only what a signal handler may do.
    // A process group keeps Ctrl-C away. A session would too, but Linux schedules sessions as groups of their own
    // (autogroup): with one for the node, 64 callers get less than half as many sets done.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(kCannotRun);
    dup2(no_input, STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    dup2(log_file, STDERR_FILENO);
    execve(argv[0], argv.data(), envp.data());
    _exit(kCannotRun);
  }
  const int fork_errno = errno;
  close(log_file);
  close(no_input);
  close(output[1]);
  if (child < 0) {
    close(output[0]);
    return absl::UnavailableError(absl::StrCat("cannot start a node: ", std::strerror(fork_errno)));
  }
  std::unique_ptr<NodeProcess> node(new NodeProcess(child, output[0], log));
  absl::Status ready = node->AwaitBanner(stop);
  if (!ready.ok()) return ready;
  return node;
}

absl::Status NodeProcess::AwaitBanner(const std::atomic<bool>& stop) {
  const absl::Time deadline = absl::Now() + kStartTimeout;
  std::string banner;
  while (!stop) {
    if (absl::Now() > deadline) return Problem("the node does not serve after 60 s");
    pollfd wait = {.fd = output_, .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, /*milliseconds=*/200) <= 0) continue;
    char bytes[1024];
    const ssize_t count = read(output_, bytes, sizeof bytes);
    if (count == 0) return Problem("the node ended before it served");
    if (count > 0) banner.append(bytes, static_cast<size_t>(count));
    if (std::optional<std::string> address = AddressIn(banner); address.has_value()) {
      address_ = *std::move(address);
      return absl::OkStatus();
    }
  }
  return absl::CancelledError("interrupted");
}

absl::Status NodeProcess::CheckRuns() {
  return Ended() ? Problem("the node ended while it was measured") : absl::OkStatus();
}

bool NodeProcess::Ended() {
  if (!ended_) ended_ = waitpid(pid_, &wait_status_, WNOHANG) == pid_;
  return ended_;
}

absl::Status NodeProcess::Problem(const std::string& what) {
  std::string how;
  if (Ended() && WIFSIGNALED(wait_status_)) how = absl::StrCat(" (signal ", WTERMSIG(wait_status_), ")");
  if (Ended() && WIFEXITED(wait_status_)) how = absl::StrCat(" (exit code ", WEXITSTATUS(wait_status_), ")");
  const std::string log = EndOf(log_);
  return absl::UnavailableError(
      absl::StrCat(what, how, log.empty() ? "; its log is empty" : absl::StrCat("; the end of its log:\n", log)));
}

NodeProcess::~NodeProcess() {
  close(output_);
  if (!Ended()) kill(pid_, SIGTERM);
  const absl::Time deadline = absl::Now() + kStopTimeout;
  while (!Ended()) {
    if (absl::Now() > deadline) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      return;
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
}

std::string ProgramBesideThis(const std::string& name) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return self.parent_path() / name;
}

}  // namespace troupe
