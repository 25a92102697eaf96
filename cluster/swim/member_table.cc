#include "cluster/swim/member_table.h"

#include "cluster/swim/config.h"
#include "glog/logging.h"

namespace troupe::swim {

std::strong_ordering CompareRuns(const Node& a, const Node& b) {
  if (auto order = a.generation <=> b.generation; order != 0) return order;
  return b.id.compare(a.id) <=> 0;
}

std::strong_ordering CompareFacts(const Update& heard, const Member& held) {
  if (auto order = CompareRuns(heard.node, held.node); order != 0) return order;
  return heard.incarnation <=> held.incarnation;
}

bool IsWithinReach(const Update& heard, const Node& held, uint64_t held_incarnation) {
  if (heard.node.generation > held.generation + kMaxLead) return false;
  const uint64_t base = CompareRuns(heard.node, held) == 0 ? held_incarnation : 0;
  return heard.incarnation <= base + kMaxLead;
}

Ruling Judge(const Member* held, const Update& heard) {
  if (held == nullptr) return heard.state == State::kAlive ? Ruling::kTake : Ruling::kIgnore;
  auto order = CompareFacts(heard, *held);
  if (heard.state == State::kAlive) return order > 0 ? Ruling::kTake : Ruling::kIgnore;
  if (IsActive(held->state)) {
    if (order < 0) return Ruling::kIgnore;
    bool confirms = order == 0 && heard.state == State::kSuspect && held->state == State::kSuspect;
    return confirms ? Ruling::kConfirm : Ruling::kTake;
  }
  if (heard.state == State::kSuspect) return Ruling::kIgnore;
  bool left_after_all = held->state == State::kDead && heard.state == State::kLeft && order >= 0;
  return left_after_all || CompareRuns(heard.node, held->node) > 0 ? Ruling::kRemember : Ruling::kIgnore;
}

Update FactOf(const Member& member, std::string from) {
  return Update{.node = member.node, .incarnation = member.incarnation, .state = member.state, .from = std::move(from)};
}

const Record* MemberTable::Find(const std::string& name) const {
  auto found = records_.find(name);
  return found == records_.end() ? nullptr : &found->second;
}

void MemberTable::Put(Member member, std::optional<Suspicion> suspicion) {
  CHECK_EQ(suspicion.has_value(), member.state == State::kSuspect) << member.node.name;
  Erase(member.node.name);
  if (suspicion) deadlines_.emplace(suspicion->Deadline(), member.node.name);
  if (IsActive(member.state)) ++active_;
  std::string name = member.node.name;
  records_.emplace(std::move(name), Record{std::move(member), std::move(suspicion)});
}

void MemberTable::Erase(const std::string& name) {
  auto found = records_.find(name);
  if (found == records_.end()) return;
  const Record& record = found->second;
  if (record.suspicion) deadlines_.erase({record.suspicion->Deadline(), name});
  if (IsActive(record.member.state)) --active_;
  records_.erase(found);
}

bool MemberTable::Confirm(const std::string& name, const std::string& accuser) {
  auto found = records_.find(name);
  CHECK(found != records_.end() && found->second.suspicion) << name;
  Suspicion& suspicion = *found->second.suspicion;
  deadlines_.erase({suspicion.Deadline(), name});
  bool is_new = suspicion.Confirm(accuser);
  deadlines_.emplace(suspicion.Deadline(), name);
  return is_new;
}

void MemberTable::PostponeSuspicions(Instant deadline) {
  while (FirstDeadline() < deadline) {
    std::string name = FirstSuspect();
    deadlines_.erase(deadlines_.begin());
    Suspicion& suspicion = *records_.find(name)->second.suspicion;
    suspicion.Postpone(deadline);
    deadlines_.emplace(suspicion.Deadline(), name);
  }
}

}  // namespace troupe::swim
