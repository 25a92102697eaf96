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
  // Measured once and not for each run, since it takes long.
  bool once = false;
  // What must be reached: the figure itself, or in its place so many times as good as the better peer. 0: none.
  double must = 0;
  double must_ratio = 0;
  // The peers' program of the same kind; empty: they have none.
  std::string peers_name = "";
};

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

// Senders that flood others. A sender keeps within what the mailboxes hold by the word of each receiver after a batch;
// this is the one place that says what a sender does about a full mailbox.
struct Room {};
class Waiting {
 public:
  virtual ~Waiting() = default;
  // From a receiver's turn.
  virtual void TellRoom() = 0;
};
// In what is sent: null, but in the last of a batch, whose receiver calls back once it has handled it.
struct Ticket {
  Waiting* sender = nullptr;
  void Handled() const {
    if (sender != nullptr) sender->TellRoom();
  }
};

struct Send {
  int64_t messages;
  std::atomic<int>* senders_left;
  Done* done;
};

// Sends M{ticket} to each receiver in turn, `batch` of them to each at a time. What is sent must go evenly into the
// receivers.
template <typename Receiver, typename M>
class Sender : public Actor<Sender<Receiver, M>>, private Waiting {
 public:
  using Context = ActorContext<Sender>;

  Sender(std::vector<Address<Receiver>> receivers, int64_t batch) : receivers_(std::move(receivers)), batch_(batch) {}
  void Started(Context& context) { self_ = context.self(); }
  void Handle(Send send, Context&) {
    job_ = send;
    SendBatch();
  }
  void Handle(Room, Context&) {
    if (--outstanding_ > 0) return;
    if (job_.messages > 0) return SendBatch();
    if (job_.senders_left->fetch_sub(1) == 1) job_.done->set_value();
  }

 private:
  void TellRoom() override { self_.Tell(Room{}); }
  void SendBatch() {
    const auto receivers = static_cast<int64_t>(receivers_.size());
    const int64_t each = std::min(batch_, job_.messages / receivers);
    job_.messages -= each * receivers;
    outstanding_ = receivers;
    for (int64_t i = 1; i <= each; ++i) {
      for (const Address<Receiver>& receiver : receivers_) receiver.Tell(M{Ticket{i == each ? this : nullptr}});
    }
  }

  const std::vector<Address<Receiver>> receivers_;
  const int64_t batch_;
  Address<Sender> self_;
  Send job_ = {};
  int64_t outstanding_ = 0;
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
struct Count {
  Ticket ticket;
};
struct Total {
  using Result = int64_t;
};
class Counter : public Actor<Counter> {
 public:
  void Handle(Count count, Context&) {
    ++total_;
    count.ticket.Handled();
  }
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
