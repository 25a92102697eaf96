// Programs of the Savina suite (Imam and Sarkar, Savina: an actor benchmark suite, AGERE 2014) in their own sizes, and
// skynet. Where a program names a cost of work ("compute"), it is Savina's: a sine squared.
#include <array>
#include <cmath>
#include <memory>
#include <unordered_map>

#include "actor/random.h"
#include "apps/bench/actors_harness.h"

namespace troupe::bench {
namespace {

double Compute(double theta) {
  const double sine = std::sin(theta);
  return sine * sine;
}

// Fork-join: actors that are made, work once, and end.

struct WorkOnce {
  double theta;
  std::atomic<int64_t>* left;
  Done* done;
};
class Once : public Actor<Once> {
 public:
  void Handle(WorkOnce work, Context& context) {
    result_ = Compute(work.theta);
    context.Stop();
    if (work.left->fetch_sub(1, std::memory_order_acq_rel) == 1) work.done->set_value();
  }

 private:
  double result_ = 0;
};
struct Fork {
  int64_t actors;
  std::atomic<int64_t>* left;
  Done* done;
};
class Forker : public Actor<Forker> {
 public:
  void Handle(Fork fork, Context& context) {
    for (int64_t i = 0; i < fork.actors; ++i) {
      context.system().Spawn<Once>().Tell(WorkOnce{37.2, fork.left, fork.done});
    }
  }
};

absl::StatusOr<double> ForkJoinCreate(const Setting& setting) {
  constexpr int64_t kActors = 40'000;
  System s(setting);
  Address<Forker> forker = s.system.Spawn<Forker>();
  return 1 / TimeEach(setting.seconds, kActors, [&] {
           std::atomic<int64_t> left = kActors;
           Await([&](Done* done) { forker.Tell(Fork{kActors, &left, done}); });
         });
}

// Fork-join, throughput: one sends to sixty that work.

struct Job {};
class Worker : public Actor<Worker> {
 public:
  void Handle(Job, Context&) {
    result_ += Compute(37.2);
    ++handled_;
  }
  void Handle(Handled handled, Context&) { handled.reply(absl::OkStatus()); }
  int64_t Handle(Total, Context&) { return handled_; }

 private:
  double result_ = 0;
  int64_t handled_ = 0;
};

absl::StatusOr<double> ForkJoinThroughput(const Setting& setting) {
  constexpr int64_t kWorkers = 60;
  constexpr int64_t kEach = 10'000;
  System s(setting);
  std::vector<Address<Worker>> workers;
  for (int64_t i = 0; i < kWorkers; ++i) workers.push_back(s.system.Spawn<Worker>());
  std::vector senders = {s.system.Spawn<Sender<Worker, Job>>(workers)};
  int64_t rounds = 0;
  const double each = TimeEach(setting.seconds, kWorkers * kEach, [&] {
    SendAll(senders, kWorkers * kEach);
    ++rounds;
  });
  for (const Address<Worker>& worker : workers) {
    if (absl::Status counted = CheckTotal(worker, rounds * kEach); !counted.ok()) return counted;
  }
  return 1 / each;
}

// Big: each of many plays with any other, one ball at a time.

class BigPlayer;
using BigPlayers = std::shared_ptr<std::vector<Address<BigPlayer>>>;
struct Meet {
  BigPlayers players;
  uint32_t number;
};
struct Ping {
  uint32_t from;
};
struct Pong {};
struct Play {
  int64_t pings;
  std::atomic<int>* left;
  Done* done;
};
class BigPlayer : public Actor<BigPlayer> {
 public:
  void Handle(Meet meet, Context&) {
    players_ = std::move(meet.players);
    number_ = meet.number;
    random_ = Random(number_);
  }
  void Handle(Play play, Context&) {
    play_ = play;
    PlayOne();
  }
  void Handle(Ping ping, Context&) {
    ++handled_;
    (*players_)[ping.from].Tell(Pong{});
  }
  void Handle(Pong, Context&) {
    ++handled_;
    if (--play_.pings > 0) return PlayOne();
    if (play_.left->fetch_sub(1) == 1) play_.done->set_value();
  }
  int64_t Handle(Total, Context&) { return handled_; }

 private:
  void PlayOne() { (*players_)[random_.Next() % players_->size()].Tell(Ping{number_}); }

  BigPlayers players_;
  uint32_t number_ = 0;
  Random random_{0};
  Play play_ = {};
  int64_t handled_ = 0;
};

absl::StatusOr<double> Big(const Setting& setting) {
  constexpr int64_t kPlayers = 120;
  const int64_t pings = setting.quick ? 100 : 2'000;  // of 20,000: so many at a time
  System s(setting);
  auto players = std::make_shared<std::vector<Address<BigPlayer>>>();
  for (int64_t i = 0; i < kPlayers; ++i) players->push_back(s.system.Spawn<BigPlayer>());
  for (uint32_t i = 0; i < kPlayers; ++i) (*players)[i].Tell(Meet{players, i});
  int64_t rounds = 0;
  const double each = TimeEach(setting.seconds, 2 * kPlayers * pings, [&] {
    std::atomic<int> left = kPlayers;
    Await([&](Done* done) {
      for (const auto& player : *players) player.Tell(Play{pings, &left, done});
    });
    ++rounds;
  });
  int64_t total = 0;
  for (const auto& player : *players) total += player.Ask(Total{}).Wait().value_or(0);
  if (total != rounds * 2 * kPlayers * pings) return absl::InternalError("big: messages were lost");
  return 1 / each;
}

// Chameneos: creatures of three colours meet in pairs at a mall, and both change to the third colour.

enum class Color { kBlue, kRed, kYellow };
Color Complement(Color a, Color b) {
  return a == b ? a : static_cast<Color>(3 - static_cast<int>(a) - static_cast<int>(b));
}

class Mall;
class Creature;
struct Begin {
  Address<Mall> mall;
};
struct MeetOther {
  Color color;
  Address<Creature> other;
};
struct Change {
  Color color;
};
struct Leave {};
class Creature : public Actor<Creature> {
 public:
  explicit Creature(Color color) : color_(color) {}
  void Handle(Begin begin, Context& context);
  void Handle(MeetOther meet, Context& context);
  void Handle(Change change, Context& context);
  void Handle(Leave, Context&);

 private:
  void GoToMall(Context& context);

  Color color_;
  int64_t meetings_ = 0;
  Address<Mall> mall_;
};
struct Open {
  int64_t meetings;
  std::vector<Address<Creature>> creatures;
  Done* done;
};
struct Left {
  int64_t meetings;
};
struct Met {
  using Result = int64_t;
};
class Mall : public Actor<Mall> {
 public:
  void Handle(Open open, Context& context) {
    open_ = std::move(open);
    left_ = static_cast<int64_t>(open_.creatures.size());
    for (const auto& creature : open_.creatures) creature.Tell(Begin{context.self()});
  }
  void Handle(MeetOther meet, Context&) {
    if (open_.meetings == 0) {
      meet.other.Tell(Leave{});
    } else if (!waits_) {
      waits_ = std::move(meet.other);
    } else {
      --open_.meetings;
      waits_.Tell(std::move(meet));
      waits_ = Address<Creature>();
    }
  }
  void Handle(Left left, Context&) {
    met_ += left.meetings;
    if (--left_ == 0) open_.done->set_value();
  }
  // How often creatures have met, each counted.
  int64_t Handle(Met, Context&) { return met_; }

 private:
  Open open_ = {};
  int64_t left_ = 0;
  int64_t met_ = 0;
  Address<Creature> waits_;
};
void Creature::GoToMall(Context& context) { mall_.Tell(MeetOther{color_, context.self()}); }
void Creature::Handle(Begin begin, Context& context) {
  mall_ = std::move(begin.mall);
  GoToMall(context);
}
void Creature::Handle(MeetOther meet, Context& context) {
  ++meetings_;
  color_ = Complement(color_, meet.color);
  meet.other.Tell(Change{color_});
  GoToMall(context);
}
void Creature::Handle(Change change, Context& context) {
  ++meetings_;
  color_ = change.color;
  GoToMall(context);
}
void Creature::Handle(Leave, Context&) { mall_.Tell(Left{std::exchange(meetings_, 0)}); }

absl::StatusOr<double> Chameneos(const Setting& setting) {
  const int64_t meetings = setting.quick ? 2'000 : 20'000;  // of 200,000: so many at a time
  System s(setting);
  Address<Mall> mall = s.system.Spawn<Mall>();
  std::vector<Address<Creature>> creatures;
  for (int i = 0; i < 100; ++i) creatures.push_back(s.system.Spawn<Creature>(static_cast<Color>(i % 3)));
  int64_t rounds = 0;
  const double each = TimeEach(setting.seconds, meetings, [&] {
    Await([&](Done* done) { mall.Tell(Open{meetings, creatures, done}); });
    ++rounds;
  });
  if (mall.Ask(Met{}).Wait().value_or(0) != 2 * meetings * rounds)
    return absl::InternalError("chameneos: a meeting was lost");
  return 1 / each;
}

// Concurrent dictionary: one actor holds it, twenty read and write.

class Client;
struct Write {
  int64_t key;
  int64_t value;
  Address<Client> client;
};
struct Read {
  int64_t key;
  Address<Client> client;
};
struct Value {
  int64_t value;
};
struct Use {
  int64_t operations;
  std::atomic<int>* left;
  Done* done;
};
class Dictionary : public Actor<Dictionary> {
 public:
  void Handle(Write write, Context&);
  void Handle(Read read, Context&);
  int64_t Handle(Total, Context&) { return handled_; }

 private:
  std::unordered_map<int64_t, int64_t> values_;
  int64_t handled_ = 0;
};
class Client : public Actor<Client> {
 public:
  Client(Address<Dictionary> dictionary, uint64_t seed) : dictionary_(std::move(dictionary)), random_(seed) {}
  void Handle(Use use, Context& context) {
    use_ = use;
    UseOnce(context);
  }
  void Handle(Value, Context& context) {
    if (--use_.operations > 0) return UseOnce(context);
    if (use_.left->fetch_sub(1) == 1) use_.done->set_value();
  }

 private:
  void UseOnce(Context& context) {
    constexpr uint64_t kKeys = 65'536;
    const auto key = static_cast<int64_t>(random_.Next() % kKeys);
    if (random_.Next() % 10 == 0) {
      dictionary_.Tell(Write{key, use_.operations, context.self()});
    } else {
      dictionary_.Tell(Read{key, context.self()});
    }
  }

  const Address<Dictionary> dictionary_;
  Random random_;
  Use use_ = {};
};
void Dictionary::Handle(Write write, Context&) {
  ++handled_;
  values_[write.key] = write.value;
  write.client.Tell(Value{write.value});
}
void Dictionary::Handle(Read read, Context&) {
  ++handled_;
  auto found = values_.find(read.key);
  read.client.Tell(Value{found == values_.end() ? 0 : found->second});
}

absl::StatusOr<double> ConcurrentDictionary(const Setting& setting) {
  constexpr int64_t kClients = 20;
  const int64_t operations = setting.quick ? 100 : 1'000;  // of 10,000: so many at a time
  System s(setting);
  Address<Dictionary> dictionary = s.system.Spawn<Dictionary>();
  std::vector<Address<Client>> clients;
  for (uint64_t i = 0; i < kClients; ++i) clients.push_back(s.system.Spawn<Client>(dictionary, i));
  int64_t rounds = 0;
  const double each = TimeEach(setting.seconds, kClients * operations, [&] {
    std::atomic<int> left = kClients;
    Await([&](Done* done) {
      for (const auto& client : clients) client.Tell(Use{operations, &left, done});
    });
    ++rounds;
  });
  if (absl::Status counted = CheckTotal(dictionary, rounds * kClients * operations); !counted.ok()) return counted;
  return 1 / each;
}

// Skynet: each actor makes ten, six levels deep; the leaves send up their numbers, whose sum is known.

class Node;
struct Grow {
  Address<Node> parent;  // none: the root
  int64_t number;
  int64_t leaves;
};
struct Sum {
  int64_t sum;
};
class Node : public Actor<Node> {
 public:
  Node(int64_t* sum, Done* done) : sum_out_(sum), done_(done) {}
  void Handle(Grow grow, Context& context) {
    if (grow.leaves == 1) {
      grow.parent.Tell(Sum{grow.number});
      return context.Stop();
    }
    parent_ = std::move(grow.parent);
    const int64_t leaves = grow.leaves / kBranches;
    for (int64_t i = 0; i < kBranches; ++i) {
      context.system().Spawn<Node>(sum_out_, done_).Tell(Grow{context.self(), grow.number + i * leaves, leaves});
    }
  }
  void Handle(Sum sum, Context& context) {
    sum_ += sum.sum;
    if (--waits_ > 0) return;
    context.Stop();
    if (parent_) {
      parent_.Tell(Sum{sum_});
      return;
    }
    *sum_out_ = sum_;
    done_->set_value();
  }

 private:
  static constexpr int64_t kBranches = 10;
  Address<Node> parent_;
  int64_t sum_ = 0;
  int64_t waits_ = kBranches;
  int64_t* const sum_out_;
  Done* const done_;
};

absl::StatusOr<double> Skynet(const Setting& setting) {
  const int64_t leaves = setting.quick ? 1'000 : 1'000'000;
  System s(setting);
  int64_t sum = 0;
  const double begin = NowInSeconds();
  Await([&](Done* done) { s.system.Spawn<Node>(&sum, done).Tell(Grow{{}, 0, leaves}); });
  const double took = NowInSeconds() - begin;
  if (sum != leaves * (leaves - 1) / 2) return absl::InternalError("skynet: the sum is wrong");
  return took * 1e3;
}

// One to a thousand and back.

class Hub;
struct Spoke {
  Address<Hub> hub;
};
struct Back {};
struct Go {
  int64_t rounds;
  Done* done;
};
class Leaf : public Actor<Leaf> {
 public:
  void Handle(Spoke spoke, Context&);
};
class Hub : public Actor<Hub> {
 public:
  explicit Hub(std::vector<Address<Leaf>> leaves) : leaves_(std::move(leaves)) {}
  void Handle(Go spread, Context& context) {
    spread_ = spread;
    FanOut(context);
  }
  void Handle(Back, Context& context) {
    ++back_;
    if (--waits_ > 0) return;
    if (--spread_.rounds > 0) return FanOut(context);
    spread_.done->set_value();
  }
  int64_t Handle(Total, Context&) { return back_; }

 private:
  void FanOut(Context& context) {
    waits_ = static_cast<int64_t>(leaves_.size());
    for (const auto& leaf : leaves_) leaf.Tell(Spoke{context.self()});
  }

  const std::vector<Address<Leaf>> leaves_;
  Go spread_ = {};
  int64_t waits_ = 0;
  int64_t back_ = 0;
};
void Leaf::Handle(Spoke spoke, Context&) { spoke.hub.Tell(Back{}); }

absl::StatusOr<double> FanOutFanIn(const Setting& setting) {
  constexpr int64_t kLeaves = 1000;
  constexpr int64_t kRounds = 50;
  System s(setting);
  std::vector<Address<Leaf>> leaves;
  for (int64_t i = 0; i < kLeaves; ++i) leaves.push_back(s.system.Spawn<Leaf>());
  Address<Hub> hub = s.system.Spawn<Hub>(leaves);
  int64_t rounds = 0;
  const double each = TimeEach(setting.seconds, 2 * kLeaves * kRounds, [&] {
    Await([&](Done* done) { hub.Tell(Go{kRounds, done}); });
    rounds += kRounds;
  });
  if (absl::Status counted = CheckTotal(hub, rounds * kLeaves); !counted.ok()) return counted;
  return 1 / each;
}

}  // namespace

std::vector<Program> SavinaPrograms() {
  return {
      {.name = "actors.fork_join_create.per_s", .unit = "1/s", .run = ForkJoinCreate, .less_is_better = false},
      {.name = "actors.fork_join_throughput.per_s", .unit = "1/s", .run = ForkJoinThroughput, .less_is_better = false},
      {.name = "actors.big.per_s", .unit = "1/s", .run = Big, .less_is_better = false},
      {.name = "actors.chameneos.meetings_per_s", .unit = "1/s", .run = Chameneos, .less_is_better = false},
      {.name = "actors.dictionary.per_s", .unit = "1/s", .run = ConcurrentDictionary, .less_is_better = false},
      {.name = "actors.skynet.ms", .unit = "ms", .run = Skynet},
      {.name = "actors.fan_out_in.per_s", .unit = "1/s", .run = FanOutFanIn, .less_is_better = false},
  };
}

}  // namespace troupe::bench
