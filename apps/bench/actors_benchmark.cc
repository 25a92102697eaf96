#include "apps/bench/actors_benchmark.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "actor/actor.h"
#include "actor/thread_executor.h"
#include "apps/bench/machine.h"

namespace troupe {
namespace {

constexpr int kWorkers = 2;
// Between two looks at the clock.
constexpr int kChunk = 100'000;

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

using Done = std::promise<void>;

// Repeats `chunk`, which does this many operations, for so long, and gives the seconds of one operation.
template <typename F>
double TimeEach(double seconds, int operations, F chunk) {
  chunk();  // warms up
  const double begin = Seconds();
  uint64_t count = 0;
  double took = 0;
  while (took < seconds) {
    chunk();
    count += static_cast<uint64_t>(operations);
    took = Seconds() - begin;
  }
  return took / static_cast<double>(count);
}

// Starts something that sets the promise at its end, and waits for that.
template <typename F>
void Await(F start) {
  Done done;
  std::future<void> ended = done.get_future();
  start(&done);
  ended.wait();
}

struct System {
  explicit System(int workers = kWorkers) : executor({.workers = workers}), system(executor) {}
  ThreadExecutor executor;
  ActorSystem system;
};

// A ball that goes around as often as it says: ping-pong with two players, a ring with more.

class Player;
struct Next {
  Address<Player> player;
};
struct Ball {
  int64_t hops;
  Done* done;
};
class Player : public Actor<Player> {
 public:
  void Handle(Next next, Context&) { next_ = std::move(next.player); }
  void Handle(Ball ball, Context&) {
    if (--ball.hops == 0) return ball.done->set_value();
    next_.Tell(ball);
  }

 private:
  Address<Player> next_;
};

double SecondsPerHop(int players, double seconds) {
  System s;
  std::vector<Address<Player>> ring;
  for (int i = 0; i < players; ++i) ring.push_back(s.system.Spawn<Player>());
  for (size_t i = 0; i < ring.size(); ++i) ring[i].Tell(Next{ring[(i + 1) % ring.size()]});
  return TimeEach(seconds, kChunk, [&] { Await([&](Done* done) { ring[0].Tell(Ball{kChunk, done}); }); });
}

// Senders that count up a counter.

class Sender;
struct Count {};
struct CountAndTell {
  Sender* teller;  // knows whom to tell
};
struct Total {
  using Result = int64_t;
};
class Counter : public Actor<Counter> {
 public:
  void Handle(Count, Context&) { ++total_; }
  void Handle(CountAndTell count, Context&);
  int64_t Handle(Total, Context&) { return total_; }

 private:
  int64_t total_ = 0;
};

struct Send {
  int64_t messages;
  std::atomic<int>* senders_left;
  Done* done;
};
struct Counted {};
class Sender : public Actor<Sender> {
 public:
  Sender(Address<Counter> counter, int64_t batch) : counter_(std::move(counter)), batch_(batch) {}
  void Started(Context& context) { self_ = context.self(); }
  void Handle(Send send, Context&) {
    job_ = send;
    SendBatch();
  }
  void Handle(Counted, Context&) {
    if (job_.messages > 0) return SendBatch();
    if (job_.senders_left->fetch_sub(1) == 1) job_.done->set_value();
  }
  const Address<Sender>& self() const { return self_; }

 private:
  void SendBatch() {
    const int64_t now = std::min(batch_, job_.messages);
    job_.messages -= now;
    for (int64_t i = 1; i < now; ++i) counter_.Tell(Count{});
    counter_.Tell(CountAndTell{this});
  }

  Address<Counter> counter_;
  const int64_t batch_;
  Address<Sender> self_;
  Send job_ = {};
};

void Counter::Handle(CountAndTell count, Context&) {
  ++total_;
  count.teller->self().Tell(Counted{});
}

absl::StatusOr<double> SecondsPerCount(int senders, double seconds) {
  System s;
  Address<Counter> counter = s.system.Spawn<Counter>();
  std::vector<Address<Sender>> all;
  // Together they never fill the mailbox.
  for (int i = 0; i < senders; ++i) all.push_back(s.system.Spawn<Sender>(counter, int64_t{800} / senders));
  int64_t sent = 0;
  const double each = TimeEach(seconds, kChunk, [&] {
    std::atomic<int> left = senders;
    Await([&](Done* done) {
      for (auto& sender : all) sender.Tell(Send{kChunk / senders, &left, done});
    });
    sent += kChunk;
  });
  if (counter.Ask(Total{}).Wait().value_or(-1) != sent) return absl::InternalError("messages were lost");
  return each;
}

// Actors that live for one message.

struct Die {
  std::atomic<int64_t>* ended;
};
class Mayfly : public Actor<Mayfly> {
 public:
  void Handle(Die die, Context& context) {
    die.ended->fetch_add(1, std::memory_order_relaxed);
    context.Stop();
  }
};
struct Breed {
  int64_t actors;
  Done* done;
};
class Breeder : public Actor<Breeder> {
 public:
  void Handle(Breed breed, Context& context) {
    constexpr int64_t kAtOnce = 10;
    constexpr int64_t kMostAlive = 1000;
    const int64_t alive = spawned_ - ended_.load(std::memory_order_relaxed);
    if (breed.actors == 0 && alive == 0) return breed.done->set_value();
    for (int64_t i = 0; i < kAtOnce && breed.actors > 0 && alive < kMostAlive; ++i) {
      context.system().Spawn<Mayfly>().Tell(Die{&ended_});
      ++spawned_;
      --breed.actors;
    }
    context.self().Tell(breed);
  }

 private:
  int64_t spawned_ = 0;
  std::atomic<int64_t> ended_{0};
};

double SecondsPerLife(double seconds) {
  System s;
  Address<Breeder> breeder = s.system.Spawn<Breeder>();
  return TimeEach(seconds, kChunk, [&] { Await([&](Done* done) { breeder.Tell(Breed{kChunk, done}); }); });
}

// Actors that wait.

struct Wake {
  std::atomic<int64_t>* woken;
};
class Sleeper : public Actor<Sleeper> {
 public:
  void Handle(Wake wake, Context&) { number_ = wake.woken->fetch_add(1) + 1; }

 private:
  int64_t number_ = 0;
};

// All have handled a message when this returns.
std::vector<Address<Sleeper>> SpawnSleepers(ActorSystem& system, int64_t count) {
  std::vector<Address<Sleeper>> sleepers;
  sleepers.reserve(static_cast<size_t>(count));
  std::atomic<int64_t> woken{0};
  for (int64_t i = 0; i < count; ++i) {
    sleepers.push_back(system.Spawn<Sleeper>());
    sleepers.back().Tell(Wake{&woken});
    // As many as one round of asks would be, so that what is measured are the actors and not their messages.
    while (i - woken.load() > 1000) std::this_thread::yield();
  }
  while (woken.load() < count) std::this_thread::yield();
  return sleepers;
}

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double IdleBytes() {
  constexpr int64_t kActors = 1'000'000;
  System s;
  SpawnSleepers(s.system, 1000);
  malloc_trim(0);
  const double before = ResidentBytes();
  auto sleepers = SpawnSleepers(s.system, kActors);
  const double own = static_cast<double>(sizeof(sleepers[0]) + sizeof(int64_t));
  return (ResidentBytes() - before) / kActors - own;
}

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Questions.

struct Question {
  using Result = int64_t;
  int64_t number;
};
class Oracle : public Actor<Oracle> {
 public:
  int64_t Handle(Question question, Context&) { return question.number; }
};
struct Interview {
  int64_t questions;
  Done* done;
};
class Asker : public Actor<Asker> {
 public:
  explicit Asker(Address<Oracle> oracle) : oracle_(std::move(oracle)) {}
  void Handle(Interview interview, Context& context) {
    left_ = interview.questions;
    done_ = interview.done;
    AskOne(context);
  }

 private:
  void AskOne(Context context) {
    context.Then(oracle_.Ask(Question{left_}), [this, context](absl::StatusOr<int64_t> answer) {
      if (!answer.ok() || *answer != left_) std::abort();
      if (--left_ == 0) return done_->set_value();
      AskOne(context);
    });
  }

  Address<Oracle> oracle_;
  int64_t left_ = 0;
  Done* done_ = nullptr;
};

double SecondsPerAsk(double seconds) {
  System s;
  Address<Asker> asker = s.system.Spawn<Asker>(s.system.Spawn<Oracle>());
  return TimeEach(seconds, kChunk, [&] { Await([&](Done* done) { asker.Tell(Interview{kChunk, done}); }); });
}

double SecondsPerAskOutside(double seconds) {
  System s;
  Address<Oracle> oracle = s.system.Spawn<Oracle>();
  return TimeEach(seconds, 100, [&] {
    for (int64_t i = 0; i < 100; ++i) {
      if (!oracle.Ask(Question{i}).Wait().ok()) std::abort();
    }
  });
}

double MedianSparseAsk(double seconds) {
  System s;
  Address<Oracle> oracle = s.system.Spawn<Oracle>();
  std::vector<double> each;
  const double end = Seconds() + seconds;
  while (each.empty() || Seconds() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const double begin = Seconds();
    if (!oracle.Ask(Question{1}).Wait().ok()) std::abort();
    each.push_back(Seconds() - begin);
  }
  return SpreadOf(each).median;
}

// Work.

uint64_t Compute(int64_t rounds) {
  uint64_t x = 1;
  for (int64_t i = 0; i < rounds; ++i) x = x * 6364136223846793005 + 1442695040888963407;
  return x;
}

int64_t RoundsIn(double seconds) {
  constexpr int64_t kRounds = 10'000'000;
  const double begin = Seconds();
  volatile uint64_t sink = Compute(kRounds);
  (void)sink;
  return static_cast<int64_t>(seconds / (Seconds() - begin) * kRounds);
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

double SecondsPerWork(int workers, int64_t rounds, double seconds) {
  constexpr int kActors = 64;
  constexpr int kEach = 50;
  System s(workers);
  std::vector<Address<Laborer>> laborers;
  for (int i = 0; i < kActors; ++i) laborers.push_back(s.system.Spawn<Laborer>());
  return TimeEach(seconds, kActors * kEach, [&] {
    std::atomic<int> left = kActors;
    Await([&](Done* done) {
      for (auto& laborer : laborers) laborer.Tell(Work{kEach, rounds, &left, done});
    });
  });
}

double SpeedUp(double seconds) {
  const int64_t rounds = RoundsIn(5e-6);
  const double one = SecondsPerWork(1, rounds, seconds / 2);
  return one / SecondsPerWork(2, rounds, seconds / 2);
}

double IdleCpuPercent(double seconds) {
  System s;
  auto sleepers = SpawnSleepers(s.system, 100'000);
  // What is left to do after the last message, such as looking for more for a moment, ends here.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const double cpu = CpuSeconds();
  const double begin = Seconds();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  return 100 * (CpuSeconds() - cpu) / (Seconds() - begin);
}

}  // namespace

absl::StatusOr<Report> RunActorsBenchmark(const BenchConfig& config, const std::atomic<bool>& stop) {
  const double seconds = absl::ToDoubleSeconds(config.seconds);
  std::vector<double> ping_pong, ring, counting_1, counting_8, spawn, ask, outside, sparse, speedup, idle_cpu;
  // First, while the process holds no memory that they could use.
  const double bytes = IdleBytes();
  for (int run = 0; run < config.runs; ++run) {
    if (stop) return absl::CancelledError("interrupted");
    ping_pong.push_back(SecondsPerHop(2, seconds) * 1e9);
    ring.push_back(SecondsPerHop(100, seconds) * 1e9);
    for (auto [senders, figures] : {std::pair(1, &counting_1), std::pair(8, &counting_8)}) {
      absl::StatusOr<double> count = SecondsPerCount(senders, seconds);
      if (!count.ok()) return count.status();
      figures->push_back(1 / *count);
    }
    spawn.push_back(1 / SecondsPerLife(seconds));
    ask.push_back(SecondsPerAsk(seconds) * 1e6);
    outside.push_back(SecondsPerAskOutside(seconds) * 1e6);
    sparse.push_back(MedianSparseAsk(seconds) * 1e6);
    speedup.push_back(SpeedUp(seconds));
    idle_cpu.push_back(IdleCpuPercent(seconds));
  }
  Report report{.machine = DescribeMachine(), .runs = config.runs, .seconds = config.seconds};
  report.figures = {{"actors.ping_pong.ns", SpreadOf(ping_pong), "ns"},
                    {"actors.ring.ns", SpreadOf(ring), "ns"},
                    {"actors.counting_1.per_s", SpreadOf(counting_1), "1/s"},
                    {"actors.counting_8.per_s", SpreadOf(counting_8), "1/s"},
                    {"actors.spawn_stop.per_s", SpreadOf(spawn), "1/s"},
                    {"actors.idle.bytes", SpreadOf({bytes}), "bytes"},
                    {"actors.ask.us", SpreadOf(ask), "us"},
                    {"actors.ask_outside.us", SpreadOf(outside), "us"},
                    {"actors.ask_outside_sparse.us", SpreadOf(sparse), "us"},
                    {"actors.speedup.ratio", SpreadOf(speedup), "ratio"},
                    {"actors.idle_cpu.percent", SpreadOf(idle_cpu), "%"}};
  return report;
}

}  // namespace troupe
