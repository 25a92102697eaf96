#include "actor/supervision_world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace troupe::testing {
namespace {

using Verdict = NodeRecord::Verdict;

constexpr int kMaxNodes = 40;
constexpr int kMaxDepth = 4;
constexpr const char* kOverLimit = "(more than ";
constexpr const char* kWithSibling = "restarted with sibling ";

// What stands in a reason as <f12>; 0 when it is none of ours.
uint64_t FailureIn(absl::string_view message) {
  const size_t at = message.find("<f");
  return at == absl::string_view::npos ? 0 : std::strtoull(std::string(message.substr(at + 2)).c_str(), nullptr, 10);
}

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

void World::Expect(bool rule, const char* broken, int number) {
  if (rule || !broken_.empty()) return;
  broken_ =
      absl::StrCat("node ", number, ": ", broken, ", at ", absl::FormatDuration(test_.simulator.Now() - Instant()));
  Say(broken, number);
}

void World::Say(const char* what, int number, uint64_t detail) {
  test_.simulator.Note(/*node=*/1, static_cast<uint64_t>(number) << 32 ^ detail);
  if (!talks_) return;
  std::fprintf(stderr, "%12lld  node %d  %s %llu\n", static_cast<long long>(test_.simulator.Now().nanos()), number,
               what, static_cast<unsigned long long>(detail));
}

// What happens to nodes, and whether it may.

void World::Constructing(int number) {
  NodeRecord& node = records_[number];
  ++node.attempts;
  Say("begins incarnation", number, static_cast<uint64_t>(node.attempts));
  Expect(!node.live, "began before its last incarnation had ended", number);
  Expect(node.terminated == 0, "began after it had terminated", number);
  Expect(test_.simulator.Now() >= node.not_before, "began before its backoff was over", number);
  Expect(node.verdict != Verdict::kEnds && node.verdict != Verdict::kEscalates, "began though it had to end", number);
  for (int child : node.children) {
    Expect(records_[child].terminated == 1, "began before the children of its last incarnation had ended", number);
  }
  if (node.parent >= 0) {
    const NodeRecord& parent = records_[node.parent];
    const bool parents = node.spawned_in == parent.attempts;
    Expect(parents && (node.spawned_in_hook || (parent.live && !parent.hook_ran)),
           "began outside of the incarnation of its parent that spawned it", number);
    const RestartLimit& limit = parent.options.children_limit;
    Expect(!InGroup(node) || limit.within < absl::Hours(1) || node.attempts <= limit.max_restarts + 1,
           "its group restarted more often than it may", number);
  }
  if (node.verdict == Verdict::kRestarts && InGroup(node)) {
    ++group_restarts_;
    for (const NodeRecord::Sibling& then : snapshots_[node.fault].second) {
      const NodeRecord& sibling = records_[then.number];
      Expect(sibling.terminated > 0 || !sibling.live || sibling.attempts > then.incarnation,
             "began before a sibling had ended that restarts with it", number);
      Expect(then.number > number || sibling.terminated > 0 || sibling.attempts > then.incarnation,
             "began before a sibling that was spawned earlier", number);
    }
  }
  node.verdict = Verdict::kNone;
  node.may_give_up = node.started = node.hook_ran = node.stop_asked = false;
  node.failing = 0;
  node.escalated.clear();
}

void World::Constructed(int number) { records_[number].live = true; }

void World::Destroyed(int number) {
  if (torn_down_) return;
  NodeRecord& node = records_[number];
  if (!node.live) return;  // its constructor failed
  Say("is destroyed, incarnation", number, static_cast<uint64_t>(node.attempts));
  Expect(node.started, "was destroyed without having started", number);
  Expect(node.hook_ran, "was destroyed without its last hook", number);
  node.live = false;
  node.watches.clear();
  node.timers.clear();
}

void World::Begins(int number) {
  NodeRecord& node = records_[number];
  Expect(node.live && !node.started, "started twice, or without having been constructed", number);
  node.started = true;
}

void World::Callback(int number, const char* what) {
  NodeRecord& node = records_[number];
  Say(what, number);
  Expect(node.live && node.started && !node.hook_ran, "ran a callback outside of its incarnation", number);
  Expect(!node.Doomed(), "ran a callback after a failure that ends its incarnation", number);
  Expect(!node.stop_asked, "ran a callback after it had asked for its end", number);
}

void World::Ends(int number, const absl::Status* failure) {
  NodeRecord& node = records_[number];
  Say(failure == nullptr ? "Stopping" : "Restarting", number, failure == nullptr ? 0 : FailureIn(failure->message()));
  Expect(node.live && node.started && !node.hook_ran, "ran a last hook twice, or before it had started", number);
  node.hook_ran = true;
  for (int child : node.children) {
    Expect(records_[child].terminated == 1, "ended before its children had", number);
  }
  if (failure == nullptr) {
    Expect(node.verdict == Verdict::kEnds || node.verdict == Verdict::kEscalates || node.may_give_up || MayStop(node),
           "ends without a reason", number);
    return;
  }
  const uint64_t fault = FailureIn(failure->message());
  if (!absl::StartsWith(failure->message(), kWithSibling)) {
    Expect(node.verdict == Verdict::kRestarts && node.fault == fault, "restarts for no failure of its own", number);
    return;
  }
  const auto snapshot = snapshots_.find(fault);
  if (snapshot == snapshots_.end()) return Expect(false, "restarts for a failure that was none", number);
  const auto& [culprit, siblings] = snapshot->second;
  const bool concerned = InGroup(node) && records_[culprit].parent == node.parent &&
                         (records_[node.parent].options.children == Strategy::kOneForAll || number > culprit);
  Expect(concerned && !node.Doomed(), "restarts for a failure that does not concern it", number);
  for (const NodeRecord::Sibling& then : siblings) {
    const NodeRecord& later = records_[then.number];
    Expect(then.number <= number || !later.live || later.attempts > then.incarnation,
           "ended before a sibling that was spawned later", number);
  }
}

void World::Arrived(int number, int sender, bool control, uint64_t message) {
  Callback(number, control ? "is nudged" : "is poked");
  ++handled_;
  uint64_t& last = records_[number].last_from[{sender, control}];
  Expect(message > last, "got a message twice or out of its sender's order", number);
  last = message;
}

void World::Ticked(int number, uint64_t key) {
  Callback(number, "ticks");
  auto& timers = records_[number].timers;
  auto timer = timers.find(key);
  Expect(timer != timers.end(), "heard a timer that was cancelled or not its incarnation's", number);
  if (timer != timers.end() && !timer->second.second) timers.erase(timer);
}

void World::Noticed(int number, const Terminated& terminated) {
  Callback(number, "is told of an end");
  const int other = by_id_.at(terminated.id);
  Expect(records_[number].watches.erase(other) == 1, "was told twice, or of an end that it does not watch", number);
  Expect(!records_[other].address.alive(), "was told of an end that has not come", number);
}

void World::CalledBack(int number, int incarnation) {
  Callback(number, "is called back");
  Expect(records_[number].attempts == incarnation, "was called back for another incarnation", number);
}

OnFailure World::Decided(int number, const Failure& failure) {
  NodeRecord& node = records_[number];
  const uint64_t fault = FailureIn(failure.status().message());
  Say("decides on failure", number, fault);
  Expect(!node.Doomed(), "decides again though its incarnation ends", number);
  if (node.failing == fault) {
    node.failing = 0;
  } else {
    Expect(node.escalated.erase(fault) == 1, "fails for something that did not happen", number);
  }
  // The model of the decision: the dumb one.
  node.fault = fault;
  OnFailure decision = node.usual_decision;
  if (random_.PerMille(300)) decision = static_cast<OnFailure>(random_.Below(4));
  const bool undecided = random_.PerMille(100);
  if (undecided) decision = node.options.on_failure;
  const Instant now = test_.simulator.Now();
  switch (decision) {
    case OnFailure::kResume:
      node.verdict = node.live ? Verdict::kGoesOn : Verdict::kEnds;
      break;
    case OnFailure::kStop:
      node.verdict = Verdict::kEnds;
      break;
    case OnFailure::kEscalate:
      node.verdict = Verdict::kEscalates;
      break;
    case OnFailure::kRestart: {
      node.verdict = Verdict::kRestarts;
      node.not_before = now + node.options.restart_backoff.initial * 0.8;
      if (InGroup(node)) {
        node.may_give_up = true;
        std::vector<NodeRecord::Sibling> siblings;
        const NodeRecord& parent = records_[node.parent];
        for (int sibling : parent.children) {
          const NodeRecord& other = records_[sibling];
          if (sibling == number || other.terminated > 0 || other.spawned_in != parent.attempts) continue;
          if (parent.options.children == Strategy::kRestForOne && sibling < number) continue;
          // Whoever has not begun yet has nothing to end.
          if (other.attempts > 0) siblings.push_back({sibling, other.attempts});
        }
        snapshots_[fault] = {number, std::move(siblings)};
        ++records_[node.parent].failures_in_a_group;
        break;
      }
      const RestartLimit& limit = node.options.restart_limit;
      std::erase_if(node.restarts, [&](Instant then) { return now - then >= limit.within; });
      if (static_cast<int>(node.restarts.size()) >= limit.max_restarts) {
        node.verdict = Verdict::kEscalates;
      } else {
        node.restarts.push_back(now);
      }
      break;
    }
  }
  if (undecided) {
    ++failures_[static_cast<size_t>(Where::kDecide)];
    throw std::runtime_error("cannot decide");
  }
  return decision;
}

void World::HasTerminated(ActorId id, const absl::Status& reason) {
  const int number = by_id_.at(id);
  NodeRecord& node = records_[number];
  Say("has terminated", number, FailureIn(reason.message()));
  Expect(++node.terminated == 1, "told of its end twice", number);
  Expect(!node.live && !node.address.alive(), "told of its end before it", number);
  for (int child : node.children) Expect(records_[child].terminated == 1, "ended before its children", number);
  const bool ends = node.verdict == Verdict::kEnds || node.verdict == Verdict::kEscalates;
  if (reason.ok()) {
    Expect(MayStop(node) && !ends, "terminated without a reason", number);
    return;
  }
  const bool over = absl::StrContains(reason.message(), kOverLimit);
  const bool given_up = InGroup(node) && node.verdict == Verdict::kRestarts && over;
  if (given_up && records_[node.parent].options.children_limit.max_restarts > 0) {
    Expect(records_[node.parent].failures_in_a_group > records_[node.parent].options.children_limit.max_restarts,
           "was given up before its group was over its limit", number);
  }
  Expect((ends || given_up) && FailureIn(reason.message()) == node.fault, "terminated with a wrong reason", number);
  if (node.parent >= 0 && (node.verdict == Verdict::kEscalates || given_up)) {
    records_[node.parent].escalated.insert(node.fault);
  }
}

bool World::InGroup(const NodeRecord& record) const {
  return record.parent >= 0 && records_[record.parent].options.children != Strategy::kOneForOne;
}

// Whether somebody has told it to stop: itself, another, its parent on the way out, or the system.
bool World::MayStop(const NodeRecord& record) const {
  if (record.told_to_stop || shutting_down_) return true;
  if (record.parent < 0) return false;
  const NodeRecord& parent = records_[record.parent];
  const bool parent_restarts_with_siblings = InGroup(parent) && records_[parent.parent].failures_in_a_group > 0;
  return parent.Doomed() || !parent.live || parent.hook_ran || parent_restarts_with_siblings || MayStop(parent);
}

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
  const Duration delay = absl::Milliseconds(random_.Below(500));
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
      test_.simulator.RunFor(absl::Milliseconds(random_.Below(200)));
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

// When nothing can happen without time passing.
void World::CheckSettled() {
  for (size_t i = 0; i < records_.size(); ++i) {
    const NodeRecord& node = records_[i];
    const int number = static_cast<int>(i);
    if (node.terminated > 0) continue;
    Expect(!shutting_down_, "is there though the system shuts down", number);
    Expect(!node.told_to_stop, "was told to stop and is still there", number);
    Expect(node.verdict != Verdict::kEnds && node.verdict != Verdict::kEscalates, "failed for good, is there", number);
    if (!node.live) continue;
    Expect(!node.Doomed() && !node.hook_ran, "failed, and its incarnation goes on", number);
    Expect(node.escalated.empty(), "does not know what a child has escalated", number);
    for (const auto& [other, one] : node.watches) {
      Expect(records_[other].terminated == 0, "was not told of an end that it watches", number);
    }
  }
}

// When all backoffs are over and nobody does anything any more.
void World::CheckQuiet() {
  for (size_t i = 0; i < records_.size(); ++i) {
    Expect(records_[i].terminated > 0 || records_[i].live, "neither lives nor has terminated", static_cast<int>(i));
  }
  Expect(asked_ == answered_, "an ask did not end", -1);
}

void World::CheckOver() {
  CheckSettled();
  const ActorSystemStats stats = test_.system.stats();
  Expect(test_.system.terminated() && stats.alive == 0, "the system has not terminated", -1);
  for (size_t i = 0; i < records_.size(); ++i) {
    Expect(records_[i].terminated == 1 && !records_[i].live, "is not gone after shutdown", static_cast<int>(i));
  }
  Expect(asked_ == answered_, "an ask did not end", -1);
  Expect(messages_ == handled_ + stats.dead_letters, "a message was neither handled nor a dead letter", -1);
}

}  // namespace troupe::testing
