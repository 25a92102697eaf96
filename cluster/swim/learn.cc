// What is heard of members, this one too, and what follows from it.
#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/swim/swim.h"

namespace troupe::swim {
namespace {

std::string Describe(const Node& node) {
  return absl::StrCat(node.name, " (id ", node.id, ", generation ", node.generation, ") at ", node.address);
}

}  // namespace

void Swim::Learn(Turn turn, const Update& heard) {
  if (refused_) return;
  if (heard.node.name == self_.name) {
    LearnOfSelf(turn, heard);
    return;
  }
  const Record* record = table_.Find(heard.node.name);
  const Member* held = record == nullptr ? nullptr : &record->member;
  if (held != nullptr && !IsWithinReach(heard, held->node, held->incarnation)) {
    ++counters_.dropped;
    return;
  }
  switch (Judge(held, heard)) {
    case Ruling::kTake:
      if (heard.state == State::kSuspect) ++counters_.suspicions;
      Take(turn, heard, /*is_news=*/true);
      break;
    case Ruling::kRemember:
      Take(turn, heard, /*is_news=*/false);
      break;
    case Ruling::kConfirm:
      if (table_.Confirm(heard.node.name, heard.from)) queue_.Put(heard, GossipQueue::Urgency::kUrgent);
      break;
    case Ruling::kIgnore:
      if (held != nullptr && held->state == State::kAlive && heard.state == State::kAlive &&
          held->node.generation == heard.node.generation && held->node.id != heard.node.id) {
        TellConflict(turn, *held, heard.node);
      }
      break;
  }
}

void Swim::LearnTable(Turn turn, const std::vector<Update>& table) {
  for (const Update& row : table) {
    Update heard = row;
    const Record* held = table_.Find(row.node.name);
    // A death at second hand is only suspicion: it may be as old as the partition that has just healed.
    if ((row.state == State::kDead || row.state == State::kSuspect) && held != nullptr &&
        IsActive(held->member.state)) {
      heard.state = State::kSuspect;
      heard.from = self_.name;
    }
    Learn(turn, heard);
  }
}

void Swim::LearnOfSelf(Turn turn, const Update& heard) {
  if (!IsWithinReach(heard, self_, incarnation_)) {
    ++counters_.dropped;
    return;
  }
  if (heard.node.id != self_.id) {
    LearnOfNamesake(turn, heard);
    return;
  }
  if (heard.node.generation < self_.generation) return;
  if (heard.node.generation > self_.generation) {
    if (joining_ || turn.now <= join_answers_until_) {
      // Just started: perhaps on a disk that was restored from a backup. The seeds find out whether that later run
      // lives, and refuse this one or say which generation is free.
      if (!joining_) StartJoin(turn);
      joining_->needs_grant = true;
    } else if (IsActive(heard.state)) {
      Refuse(turn, absl::StrCat("a later run of this node exists: ", Describe(heard.node)));
    } else {
      RaiseGeneration(turn, heard.node.generation + 1);
    }
    return;
  }
  if (leaving_ || heard.incarnation < incarnation_) return;
  if (heard.state != State::kAlive) {
    AddHealth(1);
    Refute(heard.incarnation);
  } else if (heard.incarnation > incarnation_ || heard.node.address != self_.address) {
    Refute(heard.incarnation);
  }
}

// Two nodes under one name: one of them goes, the same for every order in which they hear of each other.
void Swim::LearnOfNamesake(Turn turn, const Update& heard) {
  const bool outranks = CompareRuns(heard.node, self_) > 0;
  if (!outranks) {
    // It, or who believes it, hears that the name is taken.
    if (IsActive(heard.state) && heard.node.generation == self_.generation) {
      queue_.Put(SelfFact(), GossipQueue::Urgency::kUrgent);
    }
    return;
  }
  // The later generation was let in because this node did not answer: it has taken this one's place.
  if (IsActive(heard.state)) {
    Refuse(turn, absl::StrCat("the name is held by another node: ", Describe(heard.node)));
  } else {
    RaiseGeneration(turn, heard.node.generation + 1);
  }
}

void Swim::Refute(uint64_t incarnation) {
  incarnation_ = std::min(std::max(incarnation_, incarnation) + 1, kMaxCount);
  ++counters_.refutations;
  queue_.Put(SelfFact(), GossipQueue::Urgency::kUrgent);
}

void Swim::RaiseGeneration(Turn turn, uint64_t generation) {
  generation = std::min(generation, kMaxCount);
  if (generation <= self_.generation) return;
  self_.generation = generation;
  turn.effects.generation = generation;
  queue_.Put(SelfFact(), GossipQueue::Urgency::kUrgent);
}

void Swim::Take(Turn turn, const Update& heard, bool is_news) {
  const std::string& name = heard.node.name;
  std::optional<Member> before;
  if (const Record* record = table_.Find(name)) before = record->member;
  if (!before && table_.size() >= config_.max_members) {
    ++counters_.dropped;
    return;
  }
  Member after{.node = heard.node, .incarnation = heard.incarnation, .state = heard.state, .since = turn.now};
  if (before && before->state == after.state && CompareRuns(before->node, after.node) == 0) after.since = before->since;
  std::optional<Suspicion> suspicion;
  if (after.state == State::kSuspect) suspicion.emplace(turn.now, heard.from, config_, ActiveWithSelf());

  const bool was_active = before && IsActive(before->state);
  if (!was_active && IsActive(after.state)) round_.Add(name, random_);
  if (was_active && !IsActive(after.state)) round_.Remove(name);
  table_.Put(after, std::move(suspicion));
  if (!is_news) return;
  bool urgent = heard.state != State::kAlive || heard.incarnation > 0;
  queue_.Put(heard, urgent ? GossipQueue::Urgency::kUrgent : GossipQueue::Urgency::kOrdinary);
  TellOfChange(turn, before, after);
}

void Swim::TellOfChange(Turn turn, const std::optional<Member>& before, const Member& after) {
  using Kind = Event::Kind;
  const bool same_run = before && CompareRuns(before->node, after.node) == 0;
  const bool was_active = same_run && IsActive(before->state);
  if (IsActive(after.state) && !was_active) {
    Member joined = after;
    joined.state = State::kAlive;
    Tell(turn, Kind::kJoined, joined);
  }
  switch (after.state) {
    case State::kAlive:
      if (was_active && before->node.address != after.node.address) Tell(turn, Kind::kUpdated, after);
      if (was_active && before->state == State::kSuspect) Tell(turn, Kind::kRefuted, after);
      break;
    case State::kSuspect:
      if (!was_active || before->state == State::kAlive) Tell(turn, Kind::kSuspected, after);
      break;
    case State::kDead:
      Tell(turn, Kind::kDied, after);
      break;
    case State::kLeft:
      Tell(turn, Kind::kLeft, after);
      break;
  }
}

void Swim::TellConflict(Turn turn, const Member& held, const Node& claimant) {
  std::erase_if(conflicts_, [&](const auto& told) { return turn.now >= told.second; });
  std::tuple claim(claimant.name, claimant.id, claimant.address);
  if (conflicts_.size() >= config_.max_conflicts || conflicts_.count(claim) > 0) return;
  Tell(turn, Event::Kind::kConflict, held, absl::StrCat("the same name is claimed by ", Describe(claimant)));
  conflicts_.emplace(std::move(claim), turn.now + config_.conflict_again);
}

void Swim::ExpireSuspicions(Turn turn) {
  while (table_.FirstDeadline() <= turn.now) {
    Update death = FactOf(table_.Find(table_.FirstSuspect())->member, self_.name);
    death.state = State::kDead;
    Take(turn, death, /*is_news=*/true);
  }
}

Update Swim::SelfFact() const { return FactOf(*Find(self_.name), leaving_ ? self_.name : ""); }

void Swim::AddHealth(int delta) { health_ = std::clamp(health_ + delta, 0, config_.max_health); }

}  // namespace troupe::swim
