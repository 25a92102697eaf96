// What the programs of the actor benchmark share: how long they run, the systems that they run in, and how they wait.
#ifndef TROUPE_APPS_BENCH_ACTORS_HARNESS_H_
#define TROUPE_APPS_BENCH_ACTORS_HARNESS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "actor/actor.h"
#include "actor/thread_executor.h"

namespace troupe::bench {

struct Setting {
  int workers = 0;  // 0: one for each core
  double seconds = 0.4;
  bool quick = false;  // small, to see that it works
};

// One program and the figure that it gives.
struct Program {
  std::string name;  // "actors.ping_pong.ns"
  std::string unit;
  // Its figure in `unit`. An error when a message was lost or a result is wrong.
  absl::StatusOr<double> (*run)(const Setting&);
  bool less_is_better = true;
  // Whether one worker alone makes sense.
  bool one_worker = true;
  // Each run is a process of its own, since memory that others have used and freed would count as free of cost. All of
  // them come before the other programs. The peers' figure is that of one run, since it takes long.
  bool own_process = false;
  // What must be reached: the figure itself, or in its place so many times as good as the better peer. 0: none.
  double must = 0;
  double must_ratio = 0;
  // The peers' program of the same kind; empty: they have none.
  std::string peers_name = "";
};

// The program's figure, if it wants so from a child of this process. That must have no other thread yet.
absl::StatusOr<double> RunProgram(const Program& program, const Setting& setting);

// In the order in which they run.
std::vector<Program> FigurePrograms();   // those with something to reach
std::vector<Program> SavinaPrograms();   // Imam and Sarkar, Savina, AGERE 2014; and skynet
std::vector<Program> ServicePrograms();  // what else the runtime does: timers, topics, full mailboxes, loads

// A system with threads of its own.
struct System {
  explicit System(const Setting& setting) : System(setting.workers) {}
  explicit System(int workers) : executor({.workers = workers}), system(executor) {}
  ThreadExecutor executor;
  ActorSystem system;
};

using Done = std::promise<void>;

// Starts something that sets the promise at its end, and waits for that.
template <typename F>
void Await(F start) {
  Done done;
  std::future<void> ended = done.get_future();
  start(&done);
  ended.wait();
}

double NowInSeconds();
// Of this process, all threads.
double CpuSeconds();
double ResidentBytes();

// Between two looks at the clock.
inline constexpr int64_t kChunk = 100'000;

// Repeats `chunk`, which does this many operations, for so long, and gives the seconds of one operation. The first
// chunk warms up.
template <typename F>
double TimeEach(double seconds, int64_t operations, F chunk) {
  chunk();
  const double begin = NowInSeconds();
  int64_t count = 0;
  double took = 0;
  while (took < seconds) {
    chunk();
    count += operations;
    took = NowInSeconds() - begin;
  }
  return took / static_cast<double>(count);
}

struct Send {
  int64_t messages;
  std::atomic<int>* senders_left;
  Done* done;
};
struct Total {
  using Result = int64_t;
};
// The last of what a sender sends: answered when all before it are handled.
struct Handled {
  Reply<void> reply;
};

// Floods others: sends an M to each receiver in turn, and waits where there is no room. Done when all are handled.
template <typename Receiver, typename M>
class Sender : public Actor<Sender<Receiver, M>> {
 public:
  using Context = ActorContext<Sender>;

  explicit Sender(std::vector<Address<Receiver>> receivers) : receivers_(std::move(receivers)) {}
  Task<> Handle(Send send, Context&) {
    absl::Status told;  // not OK: a receiver is gone, and the totals show it
    for (int64_t left = send.messages; told.ok() && left > 0;) {
      for (const Address<Receiver>& receiver : receivers_) {
        told = co_await receiver.template TellWait<M>();
        --left;
      }
    }
    for (const Address<Receiver>& receiver : receivers_) {
      auto [handled, reply] = MakeFuture<void>();
      told = co_await receiver.template TellWait<Handled>(std::move(reply));
      if (!told.ok()) break;
      told = co_await std::move(handled);
    }
    if (send.senders_left->fetch_sub(1) == 1) send.done->set_value();
  }

 private:
  const std::vector<Address<Receiver>> receivers_;
};

// Lets all senders send their part of so many messages, and waits until all are handled.
template <typename S>
void SendAll(const std::vector<Address<S>>& senders, int64_t messages) {
  std::atomic<int> left = static_cast<int>(senders.size());
  Await([&](Done* done) {
    for (const Address<S>& sender : senders) {
      sender.Tell(Send{messages / static_cast<int64_t>(senders.size()), &left, done});
    }
  });
}

// Counts what it gets.
struct Count {};
class Counter : public Actor<Counter> {
 public:
  void Handle(Count, Context&) { ++total_; }
  void Handle(Handled handled, Context&) { handled.reply(absl::OkStatus()); }
  int64_t Handle(Total, Context&) { return total_; }

 private:
  int64_t total_ = 0;
};

// OK when the actor has counted so many.
template <typename A>
absl::Status CheckTotal(const Address<A>& counter, int64_t expected) {
  const absl::StatusOr<int64_t> total = counter.Ask(Total{}).Wait();
  if (!total.ok()) return total.status();
  if (*total != expected) return absl::InternalError("messages were lost");
  return absl::OkStatus();
}

// A question and who answers it.
struct Question {
  using Result = int64_t;
  int64_t number;
};
class Oracle : public Actor<Oracle> {
 public:
  int64_t Handle(Question question, Context&) { return question.number; }
};

// How much faster two workers than one do work of `seconds_each` a message.
double SpeedUp(double seconds_each, double seconds);

}  // namespace troupe::bench

#endif  // TROUPE_APPS_BENCH_ACTORS_HARNESS_H_
