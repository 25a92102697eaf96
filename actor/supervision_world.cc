#include "actor/supervision_world.h"

#include <limits>
#include <stdexcept>

#include "absl/strings/str_cat.h"

namespace troupe::testing {
namespace {

constexpr int kMaxNodes = 40;
constexpr int kMaxDepth = 4;

struct Derived : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace

// The nodes.

Node::Node(World* world, int number) : world_(*world), number_(number) {
  world_.Constructing(number_);
  world_.MayFail(number_, Where::kConstructor, nullptr);
  world_.Constructed(number_);
}
Node::~Node() { world_.Destroyed(number_); }

void Node::Started(Context& context) {
  world_.Begins(number_);
  world_.Act(number_, context, /*last_words=*/false);
  world_.MayFail(number_, Where::kStarted, &context);
}

void Node::Stopping(Context& context) {
  world_.Ends(number_, nullptr);
  world_.Act(number_, context, /*last_words=*/true);
  world_.MayFail(number_, Where::kStopping, &context);
}

void Node::Restarting(const absl::Status& failure, Context& context) {
  world_.Ends(number_, &failure);
  world_.Act(number_, context, /*last_words=*/true);
  world_.MayFail(number_, Where::kRestarting, &context);
}

int Node::Handle(Poke poke, Context& context) {
  world_.Arrived(number_, poke.sender, /*control=*/false, poke.number);
  world_.Act(number_, context, /*last_words=*/false);
  world_.MayFail(number_, Where::kHandler, &context);
  return number_;
}

void Node::Handle(Nudge nudge, Context& context) {
  world_.Arrived(number_, nudge.sender, /*control=*/true, nudge.number);
  world_.MayFail(number_, Where::kControl, &context);
}

void Node::Handle(Owe owe, Reply<int> reply, Context& context) {
  world_.Arrived(number_, owe.sender, /*control=*/false, owe.number);
  if (!owed_.empty() && world_.random().PerMille(500)) {
    owed_.back()(number_);
    owed_.pop_back();
  }
  owed_.push_back(std::move(reply));
  world_.MayFail(number_, Where::kHandler, &context);
}

void Node::Handle(Tick tick, Context& context) {
  world_.Ticked(number_, tick.key);
  world_.Act(number_, context, /*last_words=*/false);
  world_.MayFail(number_, Where::kTimer, &context);
}

void Node::Handle(Terminated terminated, Context& context) {
  world_.Noticed(number_, terminated);
  world_.MayFail(number_, Where::kNotice, &context);
}

// Hears of the end of every node, from outside of the system.
class World::Spy : public Cell {
 public:
  explicit Spy(World& world) : world_(world) {}
  bool Deliver(std::unique_ptr<Envelope>) override { return false; }
  void Stop() override {}
  void AddWatcher(std::shared_ptr<Cell>) override {}
  void RemoveWatcher(ActorId) override {}
  void NotifyTerminated(ActorId who, absl::Status reason) override { world_.HasTerminated(who, reason); }
  ActorId id() const override { return {std::numeric_limits<uint64_t>::max()}; }
  bool alive() const override { return true; }
  std::string label() const override { return "spy"; }
  Executor& executor() override { return world_.test_.executor; }

 private:
  World& world_;
};

World::World(uint64_t seed, bool talks)
    : test_(seed), talks_(talks), random_(test_.simulator.StreamFor("world")), spy_(std::make_shared<Spy>(*this)) {}

World::~World() { torn_down_ = true; }

// Failing.

void World::MayFail(int number, Where where, Node::Context* context) {
  if (energy_ <= 0 || !random_.PerMille(crash_per_mille_)) return;
  NodeRecord& node = records_[number];
  const bool counts = where != Where::kStopping && where != Where::kRestarting && !node.stop_asked;
  const uint64_t failure = next_failure_++;
  const std::string message = absl::StrCat("<f", failure, ">");
  ++failures_[static_cast<size_t>(where)];
  if (counts) node.failing = failure;
  Say(kPlaces[static_cast<size_t>(where)].data(), number, failure);
  if (context != nullptr && random_.PerMille(400)) return context->Fail(absl::AbortedError(message));
  if (random_.PerMille(200)) throw Derived(message);
  throw std::runtime_error(message);
}

// Doing.

SpawnOptions World::DrawOptions(int number) {
  static constexpr Overflow kOverflows[] = {Overflow::kReject, Overflow::kDropOldest};
  SpawnOptions options;
  options.mailbox_capacity = 1 + random_.Below(8);
  options.overflow = kOverflows[random_.Below(2)];
  options.on_failure = static_cast<OnFailure>(random_.Below(4));
  options.restart_limit = {.max_restarts = static_cast<int>(random_.Below(5)),
                           .within = absl::Milliseconds(100 + random_.Below(2000))};
  if (random_.PerMille(300)) {
    options.restart_backoff = {.initial = absl::Milliseconds(1 + random_.Below(300)), .max = absl::Seconds(1)};
  }
  options.children = static_cast<Strategy>(random_.Below(3));
  options.children_limit = {
      .max_restarts = static_cast<int>(random_.Below(5)),
      .within = random_.PerMille(500) ? absl::Hours(2) : absl::Milliseconds(100 + random_.Below(2000))};
  options.decide = [this, number](const Failure& failure) { return Decided(number, failure); };
  return options;
}

// The record of a node that is about to be spawned. -1: there are enough.
int World::Prepare(int parent) {
  const int depth = parent < 0 ? 1 : records_[parent].depth + 1;
  if (records_.size() >= kMaxNodes || depth > kMaxDepth) return -1;
  const int number = static_cast<int>(records_.size());
  NodeRecord& node = records_.emplace_back();
  node.parent = parent;
  node.depth = depth;
  node.options = DrawOptions(number);
  node.usual_decision = random_.PerMille(600) ? OnFailure::kRestart : static_cast<OnFailure>(random_.Below(4));
  if (parent >= 0) {
    node.spawned_in = records_[parent].attempts;
    node.spawned_in_hook = records_[parent].hook_ran;
    records_[parent].children.push_back(number);
  }
  return number;
}

void World::Adopt(int number, Address<Node> address) {
  NodeRecord& node = records_[number];
  node.address = address;
  node.id = address.id();
  by_id_[node.id] = number;
  address.cell()->AddWatcher(spy_);
}

void World::Act(int number, Node::Context& context, bool last_words) {
  for (uint64_t times = random_.Below(3); times > 0 && energy_ > 0; --times) {
    --energy_;
    ActOnce(number, context, last_words);
  }
}

void World::ActOnce(int number, Node::Context& context, bool last_words) {
  NodeRecord& node = records_[number];
  const int target = AnyNode();
  // Whatever actors learn to do besides has its place here.
  switch (random_.Below(16)) {
    case 0:
    case 1:
    case 2:
      if (const int child = Prepare(number); child >= 0) {
        Adopt(child, context.Spawn<Node>(records_[child].options, this, child));
      }
      return;
    case 3:
    case 4:
    case 5:
      return Send(number, target);
    case 6:
      return AskPlainly(number, target);
    case 7:
      return AskAndCallBack(number, target, context);
    case 8:
    case 9:
      if (target == number) return;
      context.Watch(records_[target].address);
      node.watches[target] = 1;
      return;
    case 10:
      context.Unwatch(records_[target].address);
      node.watches.erase(target);
      return;
    case 11:
    case 12:
      return ArmTimer(number, context);
    case 13: {
      const int incarnation = node.attempts;
      context.RunBlocking([] { return absl::OkStatus(); },
                          [this, number, incarnation, context](absl::Status) mutable {
                            CalledBack(number, incarnation);
                            MayFail(number, Where::kBlocking, &context);
                          });
      return;
    }
    case 14:
      return Stop(target);
    case 15:
      if (!random_.PerMille(200)) return;
      Say("asks for its end", number);
      context.Stop();
      node.told_to_stop = true;
      // In its last words it changes at most how it ends.
      node.stop_asked = !last_words;
      return;
  }
}

void World::ArmTimer(int number, Node::Context& context) {
  auto& timers = records_[number].timers;
  if (!timers.empty() && random_.PerMille(300)) {
    context.Cancel(timers.begin()->second.first);
    timers.erase(timers.begin());
    return;
  }
  const uint64_t key = next_timer_++;
  // Coarse, so that some come at the same instant as others, and some at once.
  const Duration delay = absl::Milliseconds(50 * random_.Below(8));
  const bool repeats = random_.PerMille(200);
  const TimerId timer =
      repeats ? context.Every(absl::Milliseconds(500) + delay, Tick{key}) : context.After(delay, Tick{key});
  timers[key] = {timer, repeats};
}

void World::Send(int sender, int target) {
  const bool control = random_.PerMille(300);
  const uint64_t number = ++sent_[{sender, target, control}];
  ++messages_;
  if (control) {
    records_[target].address.Tell(Nudge{sender, number});
  } else {
    records_[target].address.Tell(Poke{sender, number});
  }
}

void World::AskPlainly(int sender, int target) {
  const uint64_t number = ++sent_[{sender, target, false}];
  const Duration timeout = absl::Milliseconds(1 + random_.Below(2000));
  ++messages_;
  ++asked_;
  auto ended = [this, target, ended = false](absl::StatusOr<int> answer) mutable {
    Expect(!std::exchange(ended, true), "answered twice", target);
    Expect(!answer.ok() || *answer == target, "did not give the answer itself", target);
    ++answered_;
  };
  const Address<Node>& address = records_[target].address;
  if (random_.PerMille(500)) {
    address.Ask(Owe{sender, number}, timeout).Then(std::move(ended));
  } else {
    address.Ask(Poke{sender, number}, timeout).Then(std::move(ended));
  }
}

void World::AskAndCallBack(int number, int target, Node::Context& context) {
  const uint64_t message = ++sent_[{number, target, false}];
  ++messages_;
  context.Then(records_[target].address.Ask(Poke{number, message}, absl::Milliseconds(1 + random_.Below(2000))),
               [this, number, incarnation = records_[number].attempts, context](absl::StatusOr<int>) mutable {
                 CalledBack(number, incarnation);
                 MayFail(number, Where::kContinuation, &context);
               });
}

void World::Stop(int target) {
  // Now and then, else nobody lives long.
  if (!random_.PerMille(300)) return;
  Say("is told to stop", target);
  records_[target].told_to_stop = true;
  records_[target].address.Stop();
}

void World::SpawnOutside() {
  if (const int node = Prepare(-1); node >= 0) {
    Adopt(node, test_.system.Spawn<Node>(records_[node].options, this, node));
  }
}

void World::ActOutside() {
  const int target = AnyNode();
  switch (random_.Below(8)) {
    case 0:
      return SpawnOutside();
    case 1:
      return Stop(target);
    case 2:
    case 3:
      return AskPlainly(-1, target);
    default:
      return Send(-1, target);
  }
}

// The run.

std::string World::Run() {
  energy_ = 50 + static_cast<int>(random_.Below(250));
  crash_per_mille_ = random_.Below(300);
  for (uint64_t tops = 1 + random_.Below(3); tops > 0; --tops) SpawnOutside();
  const uint64_t events = 20 + random_.Below(60);
  const uint64_t end = random_.PerMille(700) ? random_.Below(events) : events;
  for (uint64_t event = 0; event < events && broken_.empty(); ++event) {
    if (event == end) {
      Say("shutdown", -1);
      shutting_down_ = true;
      test_.system.BeginShutdown();
    }
    ActOutside();
    if (random_.PerMille(300)) {
      for (uint64_t steps = random_.Below(30); steps > 0; --steps) test_.simulator.Step();
    } else if (random_.PerMille(400)) {
      test_.simulator.RunFor(absl::Milliseconds(10 * random_.Below(20)));
      CheckSettled();
    }
  }
  if (!shutting_down_) {
    energy_ = 0;
    test_.simulator.RunFor(absl::Seconds(10));
    CheckSettled();
    CheckQuiet();
    shutting_down_ = true;
    test_.system.BeginShutdown();
  }
  test_.simulator.RunFor(absl::Seconds(10));
  CheckOver();
  return broken_;
}

}  // namespace troupe::testing
