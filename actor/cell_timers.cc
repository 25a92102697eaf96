// An actor's timers.
#include <glog/logging.h>

#include <utility>

#include "actor/actor_system.h"
#include "actor/local_cell.h"

namespace troupe {

TimerId TimerTable::Add(ActorTimerRef timer) {
  if (first_free_ == 0) {
    CHECK_LT(places_.size(), UINT32_MAX);
    places_.emplace_back();
    first_free_ = static_cast<uint32_t>(places_.size());
  }
  const uint32_t number = first_free_;
  Place& place = places_[number - 1];
  first_free_ = std::exchange(place.next_free, 0);
  place.timer = std::move(timer);
  return uint64_t{place.generation} << 32 | number;
}

ActorTimer* TimerTable::Find(TimerId id) const {
  const size_t index = static_cast<uint32_t>(id) - size_t{1};
  if (index >= places_.size() || places_[index].generation != id >> 32) return nullptr;
  return places_[index].timer.get();
}

ActorTimerRef TimerTable::Remove(TimerId id) {
  if (Find(id) == nullptr) return nullptr;
  const auto number = static_cast<uint32_t>(id);
  Place& place = places_[number - 1];
  ++place.generation;
  place.next_free = std::exchange(first_free_, number);
  return std::move(place.timer);
}

void TimerTable::Clear(Executor& executor) {
  for (size_t i = 0; i < places_.size(); ++i) {
    Place& place = places_[i];
    if (place.timer == nullptr) continue;
    executor.Disarm(*place.timer);
    Remove(uint64_t{place.generation} << 32 | (i + 1));
  }
}

void ActorTimer::Expire(const absl::Status& status) {
  if (!absl::IsDeadlineExceeded(status)) return;  // taken back, or the executor has ended
  std::shared_ptr<LocalCell> cell = cell_.lock();
  if (cell == nullptr) return;
  cell->Post([self = cell.get(), id = id_] { self->FireTimer(id); });
}

TimerId LocalCell::StartTimer(Duration delay, ActorTimerRef timer) {
  ActorTimer& started = *timer;
  CHECK(started.period_ >= absl::ZeroDuration());
  started.cell_ = self_;
  started.id_ = relations().timers.Add(std::move(timer));
  executor_.Arm(started, executor_.Now() + delay);
  return started.id_;
}

TimerId LocalCell::StartCronTimer(ActorTimerRef timer) {
  const Duration delay = timer->cron_->Wait(executor_.WallTime());
  return StartTimer(delay, std::move(timer));
}

bool LocalCell::CancelTimer(TimerId id) {
  ActorTimerRef timer = relations().timers.Remove(id);
  if (timer == nullptr) return false;
  executor_.Disarm(*timer);
  return true;
}

void LocalCell::FireTimer(TimerId id) {
  ActorTimer* timer = relations().timers.Find(id);
  // Else it was cancelled, maybe with its incarnation.
  if (!running() || timer == nullptr) return;
  bool tick = true;
  Duration next = timer->period_;
  if (timer->cron_ != nullptr) {
    const absl::Time now = executor_.WallTime();
    tick = timer->cron_->Tick(now);
    next = timer->cron_->Wait(now);
  }
  const bool last = timer->cron_ == nullptr && timer->period_ == absl::ZeroDuration();
  std::unique_ptr<Envelope> envelope;
  // A copy of the user's message, which may throw.
  const bool made = RunGuarded([&] {
    if (tick) envelope = timer->MakeEnvelope(last);
  });
  absl::Status failure = TakeFailure();
  if (last) {
    relations().timers.Remove(id);
  } else {
    executor_.Arm(*timer, executor_.Now() + next);
  }
  if (!made) {
    HandleFailure(std::move(failure));
    return StopIfRequested();
  }
  if (tick) HandleEnvelope(std::move(envelope));
}

}  // namespace troupe
