#include "actor/deadline_wheel.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace troupe {

DeadlineWheel::Shard& DeadlineWheel::OfThisThread() {
  static std::atomic<size_t> next{0};
  static thread_local const size_t shard = next.fetch_add(1) % kShards;
  return shards_[shard];
}

bool DeadlineWheel::Arm(Deadline& deadline, Instant when) {
  Shard& shard = OfThisThread();
  std::lock_guard lock(shard.mutex);
  if (shard.stopped) return false;
  Deadline** head = &shard.never;
  if (when != Instant::Never()) {
    if (shard.slots == nullptr) shard.slots = std::make_unique<Slots>();
    // The tick after it, so that it is never early.
    deadline.tick_ = std::max((when.nanos() >> kTickShift) + 1, shard.last_tick + 1);
    const size_t slot = static_cast<size_t>(deadline.tick_) % kSlots;
    shard.slots->maybe[slot / 64] |= uint64_t{1} << slot % 64;
    head = &shard.slots->first[slot];
  }
  deadline.next_ = std::exchange(*head, &deadline);
  if (deadline.next_ != nullptr) deadline.next_->link_ = &deadline.next_;
  deadline.link_ = head;
  deadline.wheel_mutex_.store(&shard.mutex, std::memory_order_release);
  return true;
}

void DeadlineWheel::Disarm(Deadline& deadline) {
  std::mutex* mutex = deadline.wheel_mutex_.load(std::memory_order_acquire);
  if (mutex == nullptr) return;
  std::lock_guard lock(*mutex);
  if (deadline.link_ != nullptr) Unlink(deadline);
}

void DeadlineWheel::Unlink(Deadline& deadline) {
  *deadline.link_ = deadline.next_;
  if (deadline.next_ != nullptr) deadline.next_->link_ = deadline.link_;
  deadline.link_ = nullptr;
  deadline.wheel_mutex_.store(nullptr, std::memory_order_release);
}

void DeadlineWheel::MoveTo(Unlinked& unlinked, Deadline& deadline) {
  // Before it counts as disarmed, after which its last owner may end it without another look.
  const bool alive = deadline.TryRef();
  Unlink(deadline);
  if (alive) deadline.next_ = std::exchange(unlinked.first, &deadline);
}

void DeadlineWheel::Unlinked::Expire(const absl::Status& status) {
  while (first != nullptr) {
    Deadline* deadline = std::exchange(first, first->next_);
    deadline->Expire(status);
    deadline->Unref();
  }
}

Instant DeadlineWheel::Earliest() {
  int64_t earliest = Instant::Never().nanos() >> kTickShift;
  const int64_t never = earliest;
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    if (shard.slots == nullptr) continue;
    // Slots in the order in which their time comes, 64 at a look.
    const auto begin = static_cast<size_t>(shard.last_tick + 1);
    for (size_t passed = 0; passed < kSlots;) {
      const size_t slot = (begin + passed) % kSlots;
      const uint64_t maybe = shard.slots->maybe[slot / 64] >> slot % 64;
      if (maybe == 0) {
        passed += 64 - slot % 64;
        continue;
      }
      passed += static_cast<size_t>(std::countr_zero(maybe));
      const size_t found = (begin + passed) % kSlots;
      if (shard.slots->first[found] != nullptr) {
        earliest = std::min(earliest, static_cast<int64_t>(begin + passed));
        break;
      }
      shard.slots->maybe[found / 64] &= ~(uint64_t{1} << found % 64);
    }
  }
  return earliest == never ? Instant::Never() : Instant::FromNanos(earliest << kTickShift);
}

void DeadlineWheel::ExpireDue(Instant now) {
  Unlinked due;
  const int64_t tick = now.nanos() >> kTickShift;
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    const int64_t begin = std::max(shard.last_tick + 1, tick - static_cast<int64_t>(kSlots) + 1);
    shard.last_tick = std::max(shard.last_tick, tick);
    if (shard.slots == nullptr) continue;
    for (int64_t passed = begin; passed <= tick; ++passed) {
      Deadline* deadline = shard.slots->first[static_cast<size_t>(passed) % kSlots];
      while (deadline != nullptr) {
        Deadline* next = deadline->next_;
        // Else it is for a later round of the wheel.
        if (deadline->tick_ <= tick) MoveTo(due, *deadline);
        deadline = next;
      }
    }
  }
  due.Expire(absl::DeadlineExceededError("no answer before the deadline"));
}

void DeadlineWheel::Stop() {
  Unlinked all;
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    shard.stopped = true;
    while (shard.never != nullptr) MoveTo(all, *shard.never);
    if (shard.slots == nullptr) continue;
    for (Deadline*& first : shard.slots->first) {
      while (first != nullptr) MoveTo(all, *first);
    }
  }
  all.Expire(Deadline::ExecutorEnded());
}

}  // namespace troupe
