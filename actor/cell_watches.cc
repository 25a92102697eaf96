// What an actor watches, and who watches it.
#include <utility>

#include "actor/actor_system.h"
#include "actor/local_cell.h"

namespace troupe {

void LocalCell::AddWatcher(std::shared_ptr<Cell> watcher) {
  if (Post([this, watcher] { relations().watchers.emplace(watcher->id(), watcher); })) return;
  absl::Status reason;
  {
    std::lock_guard lock(mutex());
    if (particulars_ != nullptr) reason = particulars_->termination_reason;
  }
  watcher->NotifyTerminated(id_, std::move(reason));
}

void LocalCell::RemoveWatcher(ActorId watcher) {
  Post([this, watcher] { relations().watchers.erase(watcher); });
}

void LocalCell::NotifyTerminated(ActorId who, absl::Status reason) {
  Post([this, who, reason = std::move(reason)] {
    auto& watching = relations().watching;
    auto watched = watching.find(who);
    if (watched == watching.end()) return;  // unwatched meanwhile, or by an incarnation that is gone
    TerminatedMaker maker = watched->second.maker;
    watching.erase(watched);
    // The incarnation that watched is on its way out, and the next one did not ask.
    if (!running()) return;
    // Nor is the end of a child that drains with it a reason to spawn another.
    if (who <= relations_->last_drained && relations_->children.contains(who)) return;
    HandleEnvelope(maker(Terminated{who, reason}));
  });
}

void LocalCell::Watch(const std::shared_ptr<Cell>& other, TerminatedMaker maker) {
  if (!relations().watching.emplace(other->id(), internal::CellWatch{other, maker}).second) return;
  other->AddWatcher(self_);
}

void LocalCell::Unwatch(const std::shared_ptr<Cell>& other) {
  if (relations().watching.erase(other->id()) > 0) other->RemoveWatcher(id_);
}

}  // namespace troupe
