#include "apps/bench/actors_harness.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <fstream>

namespace troupe::bench {

double NowInSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

absl::StatusOr<double> RunProgram(const Program& program, const Setting& setting) {
  if (!program.own_process) return program.run(setting);
  int ends[2];
  if (pipe(ends) != 0) return absl::InternalError("no pipe to a process of its own");
  const pid_t child = fork();
  if (child == 0) {
    const double figure = program.run(setting).value_or(NAN);
    const bool written = write(ends[1], &figure, sizeof(figure)) == sizeof(figure);
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  double figure = NAN;
  const bool read_all = child > 0 && read(ends[0], &figure, sizeof(figure)) == sizeof(figure);
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  if (!read_all || std::isnan(figure)) return absl::InternalError("failed in a process of its own");
  return figure;
}

namespace {

uint64_t Compute(int64_t rounds) {
  uint64_t x = 1;
  for (int64_t i = 0; i < rounds; ++i) x = x * 6364136223846793005 + 1442695040888963407;
  return x;
}

// Of Compute.
int64_t RoundsIn(double seconds) {
  constexpr int64_t kRounds = 10'000'000;
  const double begin = NowInSeconds();
  volatile uint64_t sink = Compute(kRounds);
  (void)sink;
  return static_cast<int64_t>(seconds / (NowInSeconds() - begin) * kRounds);
}

struct Work {
  int64_t messages;
  int64_t rounds;
  std::atomic<int>* left;
  Done* done;
};
class Laborer : public Actor<Laborer> {
 public:
  void Handle(Work work, Context& context) {
    sum_ += Compute(work.rounds);
    if (--work.messages > 0) {
      context.self().Tell(work);
    } else if (work.left->fetch_sub(1) == 1) {
      work.done->set_value();
    }
  }

 private:
  uint64_t sum_ = 0;
};

double SecondsPerWork(int workers, int64_t rounds, int each, double seconds) {
  constexpr int kActors = 64;
  System s(workers);
  std::vector<Address<Laborer>> laborers;
  for (int i = 0; i < kActors; ++i) laborers.push_back(s.system.Spawn<Laborer>());
  return TimeEach(seconds, kActors * each, [&] {
    std::atomic<int> left = kActors;
    Await([&](Done* done) {
      for (auto& laborer : laborers) laborer.Tell(Work{each, rounds, &left, done});
    });
  });
}

}  // namespace

double SpeedUp(double seconds_each, double seconds) {
  const int64_t rounds = RoundsIn(seconds_each);
  // Some 250 us of each actor's at a time, but at least a few messages.
  const int each = std::max(10, static_cast<int>(250e-6 / seconds_each));
  const double one = SecondsPerWork(1, rounds, each, seconds / 2);
  return one / SecondsPerWork(2, rounds, each, seconds / 2);
}

}  // namespace troupe::bench
