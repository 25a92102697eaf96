// The names that an actor has, and those that it follows.
#include <algorithm>
#include <utility>

#include "actor/actor_kind.h"
#include "actor/actor_system.h"
#include "actor/local_cell.h"

namespace troupe {

bool LocalCell::AddName(const std::string& name) {
  std::lock_guard lock(mutex());
  if (names_taken_back_) return false;
  if (particulars_ == nullptr) particulars_ = std::make_unique<Particulars>();
  particulars_->names.push_back(name);
  ShowUnderFirstName();
  return true;
}

void LocalCell::RemoveName(const std::string& name) {
  std::lock_guard lock(mutex());
  if (particulars_ == nullptr) return;
  std::erase(particulars_->names, name);
  ShowUnderFirstName();
}

// What was done under another name stays in the sums of the type.
void LocalCell::ShowUnderFirstName() {
  std::unique_ptr<internal::ActorKind>& kind = particulars_->kind;
  if (kind != nullptr && (particulars_->names.empty() || kind->name() != particulars_->names.front())) {
    type_kind().Absorb(*kind);
    kind.reset();
  }
  if (kind == nullptr && !particulars_->names.empty()) {
    kind = std::make_unique<internal::ActorKind>(particulars_->names.front());
  }
}

void LocalCell::FollowName(std::shared_ptr<NameFollower> follower) {
  for (const std::shared_ptr<NameFollower>& other : relations().following) {
    if (other->name == follower->name && *other->type == *follower->type) return;
  }
  follower->cell = self_;
  relations().following.push_back(follower);
  system_.names().Follow(std::move(follower));
}

void LocalCell::UnfollowName(std::string_view name, const std::type_info& type) {
  std::erase_if(relations().following, [&](const std::shared_ptr<NameFollower>& follower) {
    if (follower->name != name || *follower->type != type) return false;
    follower->ended = true;
    system_.names().Unfollow(*follower);
    return true;
  });
}

void LocalCell::UnfollowAllNames() {
  for (const std::shared_ptr<NameFollower>& follower : relations_->following) {
    follower->ended = true;
    system_.names().Unfollow(*follower);
  }
  relations_->following.clear();
}

void LocalCell::NotifyNameChanged(std::shared_ptr<NameFollower> follower, std::shared_ptr<Cell> holder) {
  Post([this, follower = std::move(follower), holder = std::move(holder)]() mutable {
    if (follower->ended || !running()) return;
    HandleEnvelope(follower->make(follower->name, std::move(holder)));
  });
}

}  // namespace troupe
