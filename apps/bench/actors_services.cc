// Programs for what the runtime does beside messages: timers, topics, full mailboxes, latency under load.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>

#include "actor/topic_bus.h"
#include "apps/bench/actors_harness.h"

namespace troupe::bench {
namespace {

// Timers, armed and cancelled.

struct Ring {};
struct Arm {
  Done* done;
};
class Sleepless : public Actor<Sleepless> {
 public:
  static constexpr int64_t kTimers = 1000;
  void Handle(Arm arm, Context& context) {
    std::vector<TimerId> timers;
    for (int64_t i = 0; i < kTimers; ++i) {
      timers.push_back(context.After(absl::Hours(1) + absl::Milliseconds(i), Ring{}));
    }
    for (TimerId timer : timers) cancelled_ += context.Cancel(timer) ? 1 : 0;
    arm.done->set_value();
  }
  void Handle(Ring, Context&) { std::abort(); }
  int64_t Handle(Total, Context&) { return cancelled_; }

 private:
  int64_t cancelled_ = 0;
};

absl::StatusOr<double> Timers(const Setting& setting) {
  System s(setting);
  Address<Sleepless> sleepless = s.system.Spawn<Sleepless>();
  int64_t rounds = 0;
  const double each = TimeEach(setting.seconds, Sleepless::kTimers, [&] {
    Await([&](Done* done) { sleepless.Tell(Arm{done}); });
    ++rounds;
  });
  if (absl::Status counted = CheckTotal(sleepless, rounds * Sleepless::kTimers); !counted.ok()) return counted;
  return 1 / each;
}

// Topics: publishers and subscribers of one topic each way round.

// Shared by all messages of one publisher's batch; who handles the last of them tells it.
class Publisher;
struct AllRead {};
struct Edition {
  std::atomic<int64_t> unread{0};
  Address<Publisher> publisher;
};
struct News {
  Edition* edition;
};
using Bus = TopicBus<News>;
class Publisher : public Actor<Publisher> {
 public:
  Publisher(Address<Bus> bus, int64_t batch, int64_t subscribers)
      : bus_(std::move(bus)), batch_(batch), subscribers_(subscribers) {}
  void Started(Context& context) { edition_.publisher = context.self(); }
  void Handle(Send job, Context&) {
    job_ = job;
    PublishBatch();
  }
  void Handle(AllRead, Context&) {
    if (job_.messages > 0) return PublishBatch();
    if (job_.senders_left->fetch_sub(1) == 1) job_.done->set_value();
  }

 private:
  void PublishBatch() {
    const int64_t now = std::min(batch_, job_.messages);
    job_.messages -= now;
    edition_.unread.store(now * subscribers_);
    for (int64_t i = 0; i < now; ++i) bus_.Tell(Bus::Publish{"news.eu", News{&edition_}});
  }

  const Address<Bus> bus_;
  const int64_t batch_;
  const int64_t subscribers_;
  Send job_ = {};
  Edition edition_;
};
class Subscriber : public Actor<Subscriber> {
 public:
  void Handle(Published<News> published, Context&) {
    ++heard_;
    Edition& edition = *published.message->edition;
    if (edition.unread.fetch_sub(1, std::memory_order_acq_rel) == 1) edition.publisher.Tell(AllRead{});
  }
  int64_t Handle(Total, Context&) { return heard_; }

 private:
  int64_t heard_ = 0;
};

// Deliveries a second.
absl::StatusOr<double> Topics(int64_t publishers, int64_t subscribers, const Setting& setting) {
  const int64_t messages = 12'800 / subscribers;
  System s(setting);
  Address<Bus> bus = s.system.Spawn<Bus>();
  std::vector<Address<Subscriber>> all;
  for (int64_t i = 0; i < subscribers; ++i) {
    all.push_back(s.system.Spawn<Subscriber>());
    if (absl::Status done = bus.Ask(Bus::Subscribe("news.*", all.back())).Wait(); !done.ok()) return done;
  }
  std::vector<Address<Publisher>> from;
  for (int64_t i = 0; i < publishers; ++i) {
    from.push_back(s.system.Spawn<Publisher>(bus, int64_t{200} / publishers, subscribers));
  }
  int64_t published = 0;
  const double each = TimeEach(setting.seconds, messages * subscribers, [&] {
    SendAll(from, messages);
    published += messages;
  });
  for (const auto& subscriber : all) {
    if (absl::Status counted = CheckTotal(subscriber, published); !counted.ok()) return counted;
  }
  return 1 / each;
}
absl::StatusOr<double> Topics1To1(const Setting& setting) { return Topics(1, 1, setting); }
absl::StatusOr<double> Topics1To32(const Setting& setting) { return Topics(1, 32, setting); }
absl::StatusOr<double> Topics8To1(const Setting& setting) { return Topics(8, 1, setting); }
absl::StatusOr<double> Topics8To32(const Setting& setting) { return Topics(8, 32, setting); }

// Eight senders and a mailbox of 64 places, which is full nearly all the time.
absl::StatusOr<double> BackPressure(const Setting& setting) {
  constexpr int64_t kSenders = 8;
  constexpr int64_t kPlaces = 64;
  System s(setting);
  Address<Counter> counter = s.system.Spawn<Counter>(SpawnOptions{.mailbox_capacity = kPlaces});
  std::vector<Address<Sender<Counter, Count>>> senders;
  for (int64_t i = 0; i < kSenders; ++i)
    senders.push_back(s.system.Spawn<Sender<Counter, Count>>(std::vector{counter}));
  int64_t sent = 0;
  const double each = TimeEach(setting.seconds, kChunk, [&] {
    SendAll(senders, kChunk);
    sent += kChunk;
  });
  if (absl::Status counted = CheckTotal(counter, sent); !counted.ok()) return counted;
  return 1 / each;
}

// Ping-pong of two systems, each with one worker: every message changes cores.

class Across;
struct Meet {
  Address<Across> other;
};
struct Ball {
  int64_t hops;
  Done* done;
};
class Across : public Actor<Across> {
 public:
  void Handle(Meet meet, Context&) { other_ = std::move(meet.other); }
  void Handle(Ball ball, Context&) {
    ++handled_;
    if (--ball.hops == 0) return ball.done->set_value();
    other_.Tell(ball);
  }
  int64_t Handle(Total, Context&) { return handled_; }

 private:
  Address<Across> other_;
  int64_t handled_ = 0;
};

absl::StatusOr<double> PingPongAcross(const Setting& setting) {
  constexpr int64_t kHops = 2'000;
  System one(1), two(1);
  Address<Across> here = one.system.Spawn<Across>();
  Address<Across> there = two.system.Spawn<Across>();
  here.Tell(Meet{there});
  there.Tell(Meet{here});
  int64_t rounds = 0;
  const double each = TimeEach(setting.seconds, kHops, [&] {
    Await([&](Done* done) { here.Tell(Ball{kHops, done}); });
    ++rounds;
  });
  for (const auto& player : {here, there}) {
    if (absl::Status counted = CheckTotal(player, rounds * kHops / 2); !counted.ok()) return counted;
  }
  return each * 1e9;
}

// Asks between actors while eight senders keep the workers busy.

struct Watch {
  double seconds;
  std::vector<double>* micros;
  Done* done;
};
class Timekeeper : public Actor<Timekeeper> {
 public:
  explicit Timekeeper(Address<Oracle> oracle) : oracle_(std::move(oracle)) {}
  void Handle(Watch watch, Context& context) {
    watch_ = watch;
    end_ = NowInSeconds() + watch.seconds;
    AskOne(context);
  }

 private:
  void AskOne(Context context) {
    const double begin = NowInSeconds();
    context.Then(oracle_.Ask(Question{1}), [this, begin, context](absl::StatusOr<int64_t> answer) {
      if (!answer.ok()) std::abort();
      const double now = NowInSeconds();
      watch_.micros->push_back((now - begin) * 1e6);
      if (now > end_) return watch_.done->set_value();
      AskOne(context);
    });
  }

  Address<Oracle> oracle_;
  Watch watch_ = {};
  double end_ = 0;
};

absl::StatusOr<double> AskUnderLoad(const Setting& setting) {
  constexpr int64_t kSenders = 8;
  std::atomic<int> left = kSenders + 1;
  Done never;
  System s(setting);
  Address<Counter> counter = s.system.Spawn<Counter>();
  std::vector<Address<Sender<Counter, Count>>> senders;
  for (int64_t i = 0; i < kSenders; ++i)
    senders.push_back(s.system.Spawn<Sender<Counter, Count>>(std::vector{counter}));
  // More than they can send meanwhile: all end with the system.
  for (const auto& sender : senders) sender.Tell(Send{int64_t{1} << 40, &left, &never});
  Address<Timekeeper> timekeeper = s.system.Spawn<Timekeeper>(s.system.Spawn<Oracle>());
  std::vector<double> micros;
  micros.reserve(1 << 20);
  Await([&](Done* done) { timekeeper.Tell(Watch{setting.seconds, &micros, done}); });
  const auto rank = static_cast<std::ptrdiff_t>(micros.size() * 999 / 1000);
  std::nth_element(micros.begin(), micros.begin() + rank, micros.end());
  return micros[static_cast<size_t>(rank)];
}

absl::StatusOr<double> SpeedUpOfHalfAMicro(const Setting& setting) { return SpeedUp(0.5e-6, setting.seconds); }
absl::StatusOr<double> SpeedUpOf50Micros(const Setting& setting) { return SpeedUp(50e-6, setting.seconds); }

}  // namespace

std::vector<Program> ServicePrograms() {
  return {
      {.name = "actors.timers.per_s", .unit = "1/s", .run = Timers, .less_is_better = false},
      {.name = "actors.topic_1_1.per_s", .unit = "1/s", .run = Topics1To1, .less_is_better = false},
      {.name = "actors.topic_1_32.per_s", .unit = "1/s", .run = Topics1To32, .less_is_better = false},
      {.name = "actors.topic_8_1.per_s", .unit = "1/s", .run = Topics8To1, .less_is_better = false},
      {.name = "actors.topic_8_32.per_s", .unit = "1/s", .run = Topics8To32, .less_is_better = false},
      {.name = "actors.back_pressure.per_s", .unit = "1/s", .run = BackPressure, .less_is_better = false},
      {.name = "actors.ping_pong_across.ns", .unit = "ns", .run = PingPongAcross, .one_worker = false},
      {.name = "actors.ask_under_load.p999_us", .unit = "us", .run = AskUnderLoad},
      {.name = "actors.speedup_half_us.ratio",
       .unit = "ratio",
       .run = SpeedUpOfHalfAMicro,
       .less_is_better = false,
       .one_worker = false},
      {.name = "actors.speedup_50us.ratio",
       .unit = "ratio",
       .run = SpeedUpOf50Micros,
       .less_is_better = false,
       .one_worker = false},
  };
}

}  // namespace troupe::bench
