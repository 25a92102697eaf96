#include "actor/sibling_restart.h"

namespace troupe {

bool SiblingRestart::Ends(ActorId child) const {
  auto member = members_.find(child);
  return member != members_.end() && (member->second == State::kToEnd || member->second == State::kEnding);
}

void SiblingRestart::Failed(ActorId child, std::span<const ActorId> siblings) {
  members_[child] = State::kReady;
  for (ActorId sibling : siblings) {
    auto [member, added] = members_.try_emplace(sibling, State::kToEnd);
    if (member->second == State::kBeginning) member->second = State::kToEnd;
  }
}

void SiblingRestart::EndedAndWaits(ActorId child) {
  auto member = members_.find(child);
  if (member != members_.end()) member->second = State::kWaits;
}

void SiblingRestart::Ready(ActorId child) {
  auto member = members_.find(child);
  if (member != members_.end()) member->second = State::kReady;
}

void SiblingRestart::Runs(ActorId child) {
  auto member = members_.find(child);
  // Else it has to end again, and what it says of its beginning is old.
  if (member != members_.end() && member->second == State::kBeginning) members_.erase(member);
}

SiblingRestart::Step SiblingRestart::Next() {
  for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
    if (member->second == State::kEnding) return {};
    if (member->second == State::kToEnd) {
      member->second = State::kEnding;
      return {Action::kEnd, member->first};
    }
  }
  for (const auto& [child, state] : members_) {
    if (state == State::kWaits || state == State::kBeginning) return {};
  }
  if (members_.empty()) return {};
  members_.begin()->second = State::kBeginning;
  return {Action::kBegin, members_.begin()->first};
}

}  // namespace troupe
