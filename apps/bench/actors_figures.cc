// The programs whose figures the core must reach.
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "apps/bench/actors_harness.h"
#include "apps/bench/report.h"

namespace troupe::bench {
namespace {

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
    ++handled_;
    if (--ball.hops == 0) return ball.done->set_value();
    next_.Tell(ball);
  }
  int64_t Handle(Total, Context&) { return handled_; }

 private:
  Address<Player> next_;
  int64_t handled_ = 0;
};

absl::StatusOr<double> NanosPerHop(int64_t players, const Setting& setting) {
  System s(setting);
  std::vector<Address<Player>> ring;
  for (int64_t i = 0; i < players; ++i) ring.push_back(s.system.Spawn<Player>());
  for (size_t i = 0; i < ring.size(); ++i) ring[i].Tell(Next{ring[(i + 1) % ring.size()]});
  int64_t rounds = 0;
  const double each = TimeEach(setting.seconds, kChunk, [&] {
    Await([&](Done* done) { ring[0].Tell(Ball{kChunk, done}); });
    ++rounds;
  });
  for (const Address<Player>& player : ring) {
    if (absl::Status counted = CheckTotal(player, rounds * kChunk / players); !counted.ok()) return counted;
  }
  return each * 1e9;
}
absl::StatusOr<double> PingPong(const Setting& setting) { return NanosPerHop(2, setting); }
absl::StatusOr<double> Ring(const Setting& setting) { return NanosPerHop(100, setting); }

absl::StatusOr<double> CountsPerSecond(int64_t senders, const Setting& setting) {
  System s(setting);
  Address<Counter> counter = s.system.Spawn<Counter>();
  std::vector<Address<Sender<Counter, Count>>> all;
  for (int64_t i = 0; i < senders; ++i) all.push_back(s.system.Spawn<Sender<Counter, Count>>(std::vector{counter}));
  int64_t sent = 0;
  const double each = TimeEach(setting.seconds, kChunk, [&] {
    SendAll(all, kChunk);
    sent += kChunk;
  });
  if (absl::Status counted = CheckTotal(counter, sent); !counted.ok()) return counted;
  return 1 / each;
}
absl::StatusOr<double> Counting1(const Setting& setting) { return CountsPerSecond(1, setting); }
absl::StatusOr<double> Counting8(const Setting& setting) { return CountsPerSecond(8, setting); }

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

// A chunk ends when as many have handled their message as were spawned.
absl::StatusOr<double> LivesPerSecond(const Setting& setting) {
  System s(setting);
  Address<Breeder> breeder = s.system.Spawn<Breeder>();
  return 1 / TimeEach(setting.seconds, kChunk, [&] { Await([&](Done* done) { breeder.Tell(Breed{kChunk, done}); }); });
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

absl::StatusOr<double> IdleBytes(const Setting& setting) {
  const int64_t actors = setting.quick ? 50'000 : 1'000'000;
  System s(setting);
  SpawnSleepers(s.system, 1000);
  malloc_trim(0);
  const double before = ResidentBytes();
  auto sleepers = SpawnSleepers(s.system, actors);
  const double own = static_cast<double>(sizeof(sleepers[0]) + sizeof(int64_t));
  return (ResidentBytes() - before) / static_cast<double>(actors) - own;
}

absl::StatusOr<double> IdleCpuPercent(const Setting& setting) {
  System s(setting);
  auto sleepers = SpawnSleepers(s.system, 100'000);
  std::this_thread::sleep_for(std::chrono::duration<double>(setting.quick ? 0.05 : 1));
  const double cpu = CpuSeconds();
  const double begin = NowInSeconds();
  std::this_thread::sleep_for(std::chrono::duration<double>(setting.quick ? 0.05 : 5));
  return 100 * (CpuSeconds() - cpu) / (NowInSeconds() - begin);
}

// Questions.

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

absl::StatusOr<double> AskMicros(const Setting& setting) {
  System s(setting);
  Address<Asker> asker = s.system.Spawn<Asker>(s.system.Spawn<Oracle>());
  return 1e6 * TimeEach(setting.seconds, kChunk, [&] {
           Await([&](Done* done) { asker.Tell(Interview{kChunk, done}); });
         });
}

absl::StatusOr<double> AskOutsideMicros(const Setting& setting) {
  System s(setting);
  Address<Oracle> oracle = s.system.Spawn<Oracle>();
  return 1e6 * TimeEach(setting.seconds, 100, [&] {
           for (int64_t i = 0; i < 100; ++i) {
             if (oracle.Ask(Question{i}).Wait().value_or(-1) != i) std::abort();
           }
         });
}

absl::StatusOr<double> SparseAskMicros(const Setting& setting) {
  System s(setting);
  Address<Oracle> oracle = s.system.Spawn<Oracle>();
  std::vector<double> each;
  const double end = NowInSeconds() + setting.seconds;
  while (each.empty() || NowInSeconds() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const double begin = NowInSeconds();
    if (!oracle.Ask(Question{1}).Wait().ok()) std::abort();
    each.push_back(NowInSeconds() - begin);
  }
  return SpreadOf(each).median * 1e6;
}

absl::StatusOr<double> SpeedUpOf5Micros(const Setting& setting) { return SpeedUp(5e-6, setting.seconds); }

}  // namespace

std::vector<Program> FigurePrograms() {
  return {
      {.name = "actors.idle.bytes",
       .unit = "bytes",
       .run = IdleBytes,
       .own_process = true,
       .must = 300,
       .peers_name = "idle"},
      {.name = "actors.ping_pong.ns",
       .unit = "ns",
       .run = PingPong,
       .must = 50,
       .must_ratio = 7,
       .peers_name = "ping_pong"},
      {.name = "actors.ring.ns", .unit = "ns", .run = Ring, .must = 50, .must_ratio = 7, .peers_name = "ring"},
      {.name = "actors.counting_1.per_s",
       .unit = "1/s",
       .run = Counting1,
       .less_is_better = false,
       .must = 30e6,
       .must_ratio = 2.9,
       .peers_name = "counting_1"},
      {.name = "actors.counting_8.per_s",
       .unit = "1/s",
       .run = Counting8,
       .less_is_better = false,
       .must = 25e6,
       .must_ratio = 3.8,
       .peers_name = "counting_8"},
      {.name = "actors.spawn_stop.per_s",
       .unit = "1/s",
       .run = LivesPerSecond,
       .less_is_better = false,
       .must = 5e6,
       .must_ratio = 4.8,
       .peers_name = "spawn_stop"},
      {.name = "actors.ask.us", .unit = "us", .run = AskMicros, .must = 0.15, .must_ratio = 5, .peers_name = "ask"},
      {.name = "actors.ask_outside.us",
       .unit = "us",
       .run = AskOutsideMicros,
       .must = 3,
       .must_ratio = 8,
       .peers_name = "ask_outside"},
      {.name = "actors.ask_outside_sparse.us",
       .unit = "us",
       .run = SparseAskMicros,
       .must = 12,
       .must_ratio = 8,
       .peers_name = "ask_outside_sparse"},
      {.name = "actors.speedup.ratio",
       .unit = "ratio",
       .run = SpeedUpOf5Micros,
       .less_is_better = false,
       .one_worker = false,
       .must = 1.7},
      {.name = "actors.idle_cpu.percent", .unit = "%", .run = IdleCpuPercent, .must = 0.1},
  };
}

}  // namespace troupe::bench
