#include "apps/cli/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace troupe {
namespace {

constexpr size_t kMaxOutput = 64 << 10;

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { Close(); }

  int number() const { return number_; }
  void Close() {
    if (number_ >= 0) close(number_);
    number_ = -1;
  }

 private:
  int number_;
};

// What a program writes. The reading end does not block.
struct Pipe {
  Descriptor from, to;

  bool Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    from = Descriptor(ends[0]);
    to = Descriptor(ends[1]);
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
  }

  // Takes what is there. What is above the limit is read too, else the program would wait for us.
  void Drain(std::string& text) {
    char buffer[4096];
    while (from.number() >= 0) {
      const ssize_t size = read(from.number(), buffer, sizeof(buffer));
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno == EAGAIN) return;
      if (size <= 0) {
        from.Close();
        return;
      }
      text.append(buffer, std::min(static_cast<size_t>(size), kMaxOutput - text.size()));
    }
  }
};

// Its process id, or minus an errno.
pid_t Spawn(const std::vector<std::string>& words, const Pipe& out, const Pipe& err) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, out.to.number(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, err.to.number(), STDERR_FILENO);
  // This program blocks SIGINT, which the other would inherit.
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);

  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, arguments[0], &files, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error == 0 ? pid : -error;
}

int ExitCodeOf(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Reads what it says until it has ended. False, when it has not by `deadline`.
bool AwaitEnd(const Descriptor& process, absl::Time deadline, Pipe& out, Pipe& err, ProgramResult& result) {
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1)));
    if (left <= 0) return false;
    pollfd waits[] = {{process.number(), POLLIN, 0}, {out.from.number(), POLLIN, 0}, {err.from.number(), POLLIN, 0}};
    poll(waits, 3, static_cast<int>(std::min<int64_t>(left, 60'000)));
    // Looked at first: what it wrote before it ended is in the pipes then.
    const bool ended = (waits[0].revents & POLLIN) != 0;
    out.Drain(result.out);
    err.Drain(result.err);
    if (ended) return true;
  }
}

}  // namespace

absl::StatusOr<ProgramResult> RunProgram(const std::vector<std::string>& words, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  Pipe out, err;
  if (!out.Open() || !err.Open()) return absl::NotFoundError(absl::StrCat("no pipe: ", std::strerror(errno)));
  const pid_t pid = Spawn(words, out, err);
  if (pid < 0) return absl::NotFoundError(absl::StrCat("cannot run ", words[0], ": ", std::strerror(-pid)));
  out.to.Close();
  err.to.Close();

  ProgramResult result;
  // Not by <sys/pidfd.h>: glibc 2.36 declares that as C++.
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (process.number() < 0 || !AwaitEnd(process, deadline, out, err, result)) {
    kill(-pid, SIGKILL);
    ExitCodeOf(pid);
    return absl::DeadlineExceededError(absl::StrCat(words[0], " did not end within ", absl::FormatDuration(timeout)));
  }
  result.exit_code = ExitCodeOf(pid);
  return result;
}

}  // namespace troupe
