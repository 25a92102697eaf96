// What an actor watches, who watches it, and its timers.
#include <glog/logging.h>

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
    HandleEnvelope(maker(Terminated{who, reason}));
  });
}

void LocalCell::Watch(const std::shared_ptr<Cell>& other, TerminatedMaker maker) {
  if (!relations().watching.emplace(other->id(), Watched{other, maker}).second) return;
  other->AddWatcher(self_);
}

void LocalCell::Unwatch(const std::shared_ptr<Cell>& other) {
  if (relations().watching.erase(other->id()) > 0) other->RemoveWatcher(id_);
}

TimerId LocalCell::StartTimer(Duration delay, Duration period, EnvelopeMaker maker) {
  CHECK(period >= absl::ZeroDuration());
  TimerId id = relations().next_timer++;
  ActorTimer& timer = relations().timers[id];
  timer.period = period;
  timer.maker = std::move(maker);
  ArmTimer(id, timer, delay);
  return id;
}

void LocalCell::ArmTimer(TimerId id, ActorTimer& timer, Duration delay) {
  timer.executor_id = executor_.RunAt(
      executor_.Now() + delay, [weak = std::weak_ptr<LocalCell>(self_), incarnation = incarnation_, id] {
        std::shared_ptr<LocalCell> cell = weak.lock();
        if (cell == nullptr) return;
        cell->Post([self = cell.get(), incarnation, id] { self->FireTimer(incarnation, id); });
      });
}

bool LocalCell::CancelTimer(TimerId id) {
  auto& timers = relations().timers;
  auto timer = timers.find(id);
  if (timer == timers.end()) return false;
  executor_.CancelTimer(timer->second.executor_id);
  timers.erase(timer);
  return true;
}

void LocalCell::FireTimer(uint64_t incarnation, TimerId id) {
  auto& timers = relations().timers;
  auto timer = timers.find(id);
  if (incarnation != incarnation_ || !running() || timer == timers.end()) return;
  std::unique_ptr<Envelope> envelope = timer->second.maker();
  if (timer->second.period > absl::ZeroDuration()) {
    ArmTimer(id, timer->second, timer->second.period);
  } else {
    timers.erase(timer);
  }
  HandleEnvelope(std::move(envelope));
}

}  // namespace troupe
