// The same programs in CAF 0.17, for `troupe-bench actors`: caf_peer WORKERS SECONDS PROGRAM...
// Prints one line "PROGRAM VALUE" for each; the units are those of the figures of the same names.
//
// Compiled at bench time against libcaf-dev: nothing else of Troupe needs it. Written as one writes for speed there:
// event-based actors, messages of integers and atoms, lazy_init so that a short life is scheduled once.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <caf/all.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace caf;  // NOLINT: its programs are written so

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

using next_atom = atom_constant<atom("next")>;
using count_atom = atom_constant<atom("count")>;
using total_atom = atom_constant<atom("total")>;
using send_atom = atom_constant<atom("send")>;
using die_atom = atom_constant<atom("die")>;
using breed_atom = atom_constant<atom("breed")>;
using wake_atom = atom_constant<atom("wake")>;

// What a program's last actor sets; one at a time.
std::promise<void>* done = nullptr;

template <typename F>
void Await(F start) {
  std::promise<void> promise;
  done = &promise;
  start();
  promise.get_future().wait();
}

template <typename F>
double TimeEach(double seconds, int64_t operations, F chunk) {
  chunk();
  const double begin = Seconds();
  int64_t count = 0;
  double took = 0;
  while (took < seconds) {
    chunk();
    count += operations;
    took = Seconds() - begin;
  }
  return took / static_cast<double>(count);
}

behavior Player(stateful_actor<actor>* self) {
  return {[=](next_atom, const actor& next) { self->state = next; },
          [=](int64_t hops) {
            if (hops == 1) {
              done->set_value();
            } else {
              self->send(self->state, hops - 1);
            }
          }};
}

double SecondsPerHop(actor_system& system, int players, double seconds) {
  std::vector<actor> ring;
  for (int i = 0; i < players; ++i) ring.push_back(system.spawn(Player));
  for (size_t i = 0; i < ring.size(); ++i) anon_send(ring[i], next_atom::value, ring[(i + 1) % ring.size()]);
  constexpr int64_t kHops = 100'000;
  const double each = TimeEach(seconds, kHops, [&] { Await([&] { anon_send(ring[0], kHops); }); });
  for (const actor& player : ring) anon_send_exit(player, exit_reason::kill);
  return each;
}

struct CounterState {
  int64_t total = 0;
};
behavior Counter(stateful_actor<CounterState>* self) {
  return {[=](count_atom) { ++self->state.total; }, [=](total_atom) { return self->state.total; }};
}
std::atomic<int> senders_left{0};
behavior Sender(event_based_actor* self, const actor& counter) {
  return {[=](send_atom, int64_t messages) {
    for (int64_t i = 0; i < messages; ++i) self->send(counter, count_atom::value);
    if (--senders_left == 0) done->set_value();
  }};
}

double SecondsPerCount(actor_system& system, int senders, double seconds) {
  actor counter = system.spawn(Counter);
  std::vector<actor> all;
  for (int i = 0; i < senders; ++i) all.push_back(system.spawn(Sender, counter));
  constexpr int64_t kMessages = 400'000;
  int64_t sent = 0;
  scoped_actor self{system};
  const double each = TimeEach(seconds, kMessages, [&] {
    senders_left = senders;
    Await([&] {
      for (const actor& sender : all) anon_send(sender, send_atom::value, kMessages / senders);
    });
    sent += kMessages;
    int64_t counted = -1;
    self->request(counter, infinite, total_atom::value)
        .receive([&](int64_t total) { counted = total; }, [](const error&) {});
    if (counted != sent) std::abort();
  });
  for (const actor& sender : all) anon_send_exit(sender, exit_reason::kill);
  anon_send_exit(counter, exit_reason::kill);
  return each;
}

// In batches, of which the last to end tells the breeder: one that sends to itself would keep its worker for ever.
constexpr int64_t kBatch = 1000;
std::atomic<int64_t> batch_left{0};
behavior Mayfly(event_based_actor* self, const actor& breeder) {
  return {[=](die_atom) {
    if (batch_left.fetch_sub(1, std::memory_order_relaxed) == 1) self->send(breeder, breed_atom::value);
    self->quit();
  }};
}
behavior Breeder(stateful_actor<int64_t>* self) {
  auto breed = [=] {
    if (self->state == 0) {
      done->set_value();
      return;
    }
    self->state -= kBatch;
    batch_left = kBatch;
    for (int64_t i = 0; i < kBatch; ++i) {
      self->send(self->spawn<lazy_init>(Mayfly, actor_cast<actor>(self)), die_atom::value);
    }
  };
  return {[=](breed_atom) { breed(); },
          [=](int64_t lives) {
            self->state = lives;
            breed();
          }};
}

double SecondsPerLife(actor_system& system, double seconds) {
  actor breeder = system.spawn(Breeder);
  constexpr int64_t kLives = 100'000;
  const double each = TimeEach(seconds, kLives, [&] { Await([&] { anon_send(breeder, kLives); }); });
  anon_send_exit(breeder, exit_reason::kill);
  return each;
}

behavior Oracle(event_based_actor*) {
  return {[](int64_t x) { return x; }};
}
// The clock only where there is a deadline to keep, which makes it quicker.
void AskOne(stateful_actor<int64_t>* self, const actor& oracle) {
  self->request(oracle, infinite, self->state).then([=](int64_t) {
    if (--self->state == 0) {
      done->set_value();
    } else {
      AskOne(self, oracle);
    }
  });
}
behavior Asker(stateful_actor<int64_t>* self, const actor& oracle) {
  return {[=](int64_t asks) {
    self->state = asks;
    AskOne(self, oracle);
  }};
}

double SecondsPerAsk(actor_system& system, double seconds) {
  actor oracle = system.spawn(Oracle);
  actor asker = system.spawn(Asker, oracle);
  constexpr int64_t kAsks = 20'000;
  const double each = TimeEach(seconds, kAsks, [&] { Await([&] { anon_send(asker, kAsks); }); });
  anon_send_exit(asker, exit_reason::kill);
  anon_send_exit(oracle, exit_reason::kill);
  return each;
}

void AskOutside(scoped_actor& self, const actor& oracle) {
  self->request(oracle, infinite, int64_t{1}).receive([](int64_t) {}, [](const error&) { std::abort(); });
}

double SecondsPerAskOutside(actor_system& system, double seconds) {
  actor oracle = system.spawn(Oracle);
  scoped_actor self{system};
  const double each = TimeEach(seconds, 100, [&] {
    for (int i = 0; i < 100; ++i) AskOutside(self, oracle);
  });
  anon_send_exit(oracle, exit_reason::kill);
  return each;
}

double MedianSparseAsk(actor_system& system, double seconds) {
  actor oracle = system.spawn(Oracle);
  scoped_actor self{system};
  std::vector<double> each;
  const double end = Seconds() + seconds;
  while (each.empty() || Seconds() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const double begin = Seconds();
    AskOutside(self, oracle);
    each.push_back(Seconds() - begin);
  }
  std::nth_element(each.begin(), each.begin() + static_cast<std::ptrdiff_t>(each.size() / 2), each.end());
  anon_send_exit(oracle, exit_reason::kill);
  return each[each.size() / 2];
}

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::atomic<int64_t> woken{0};
behavior Sleeper(event_based_actor*) {
  return {[](wake_atom) { woken.fetch_add(1); }};
}
double IdleBytes(actor_system& system, int64_t count) {
  const double before = ResidentBytes();
  std::vector<actor> sleepers;
  sleepers.reserve(static_cast<size_t>(count));
  woken = 0;
  for (int64_t i = 0; i < count; ++i) {
    sleepers.push_back(system.spawn(Sleeper));
    anon_send(sleepers.back(), wake_atom::value);
    while (i - woken.load() > 1000) std::this_thread::yield();
  }
  while (woken.load() < count) std::this_thread::yield();
  const double bytes = (ResidentBytes() - before) / static_cast<double>(count) - sizeof(actor);
  for (const actor& sleeper : sleepers) anon_send_exit(sleeper, exit_reason::kill);
  return bytes;
}

double Run(actor_system& system, const std::string& program, double seconds) {
  if (program == "ping_pong") return SecondsPerHop(system, 2, seconds) * 1e9;
  if (program == "ring") return SecondsPerHop(system, 100, seconds) * 1e9;
  if (program == "counting_1") return 1 / SecondsPerCount(system, 1, seconds);
  if (program == "counting_8") return 1 / SecondsPerCount(system, 8, seconds);
  if (program == "spawn_stop") return 1 / SecondsPerLife(system, seconds);
  if (program == "ask") return SecondsPerAsk(system, seconds) * 1e6;
  if (program == "ask_outside") return SecondsPerAskOutside(system, seconds) * 1e6;
  if (program == "ask_outside_sparse") return MedianSparseAsk(system, seconds) * 1e6;
  if (program == "idle") return IdleBytes(system, 100'000);
  std::fprintf(stderr, "no such program: %s\n", program.c_str());
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  actor_system_config config;
  config.set("scheduler.max-threads", static_cast<size_t>(std::atoi(argv[1])));
  actor_system system{config};
  for (int i = 3; i < argc; ++i) std::printf("%s %.6f\n", argv[i], Run(system, argv[i], std::atof(argv[2])));
}
