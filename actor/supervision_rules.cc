// The rules: what may happen to a node, and what must have happened when nothing moves any more.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "actor/supervision_world.h"

namespace troupe::testing {
namespace {

using Verdict = NodeRecord::Verdict;

constexpr const char* kOverLimit = "(more than ";
constexpr const char* kWithSibling = "restarted with sibling ";

// What stands in a reason as <f12>; 0 when it is none of ours.
uint64_t FailureIn(absl::string_view message) {
  const size_t at = message.find("<f");
  return at == absl::string_view::npos ? 0 : std::strtoull(std::string(message.substr(at + 2)).c_str(), nullptr, 10);
}

}  // namespace

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
      Expect(sibling.terminated > 0 || !sibling.live || (then.number < number && sibling.attempts > then.incarnation),
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
