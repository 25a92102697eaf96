#include "actor/timer_wheel.h"

#include <glog/logging.h>

#include <algorithm>
#include <bit>

namespace troupe {

TimerWheel::TimerWheel(Instant start, Duration granularity)
    : start_(start), granularity_(absl::ToInt64Nanoseconds(granularity)) {
  CHECK_GE(granularity_, 1);
}

TimerWheel::TimerId TimerWheel::Insert(Instant deadline, uint64_t value) {
  uint32_t index = first_free_;
  if (index == kNone) {
    CHECK_LT(timers_.size(), kNone) << "more timers than there are ids";
    index = static_cast<uint32_t>(timers_.size());
    timers_.emplace_back();
  } else {
    first_free_ = timers_[index].next;
  }
  Timer& timer = timers_[index];
  // A deadline that has passed goes to the present tick, which has been searched, but is searched again.
  const uint64_t nanos = NanosSinceStart(deadline);
  timer.tick = std::max(nanos / granularity_ + (nanos % granularity_ != 0 ? 1 : 0), now_);
  timer.value = value;
  ++timer.generation;
  Link(index);
  ++size_;
  return uint64_t{timer.generation} << 32 | index;
}

bool TimerWheel::Cancel(TimerId id) {
  const uint32_t index = static_cast<uint32_t>(id);
  const uint32_t generation = static_cast<uint32_t>(id >> 32);
  if (index >= timers_.size() || timers_[index].generation != generation || generation % 2 == 0) return false;
  Unlink(index);
  Free(index);
  return true;
}

bool TimerWheel::Advance(Instant now, size_t limit, std::vector<uint64_t>& due) {
  const uint64_t target = NanosSinceStart(now) / granularity_;
  int slot = 0;
  uint64_t begin = 0;
  while (FirstSlot(slot, begin) && begin <= target) {
    now_ = std::max(now_, begin);
    const bool lowest = slot < kSlots;
    if (lowest && limit == 0) return true;
    for (uint32_t index = slots_[slot].first; index != kNone; index = slots_[slot].first) {
      Unlink(index);
      if (!lowest) {
        // All of them, before any fires: a slot left half full would be overtaken by the wheels below it. They keep
        // their order, that of their insertion.
        Link(index);
        continue;
      }
      due.push_back(timers_[index].value);
      Free(index);
      if (--limit == 0) break;
    }
  }
  now_ = std::max(now_, target);
  return false;
}

Instant TimerWheel::NextDeadline() const {
  int slot = 0;
  uint64_t begin = 0;
  if (!FirstSlot(slot, begin)) return Instant::Never();
  return InstantOf(std::max(begin, now_));
}

uint64_t TimerWheel::NanosSinceStart(Instant instant) const {
  if (instant <= start_) return 0;
  // Instants are 64 bits with a sign, so the distance of two fits into 64 bits without one.
  return static_cast<uint64_t>(instant.nanos()) - static_cast<uint64_t>(start_.nanos());
}

Instant TimerWheel::InstantOf(uint64_t tick) const {
  const unsigned __int128 nanos = static_cast<unsigned __int128>(tick) * granularity_;
  const unsigned __int128 room =
      static_cast<uint64_t>(Instant::Never().nanos()) - static_cast<uint64_t>(start_.nanos());
  if (nanos >= room) return Instant::Never();
  return Instant::FromNanos(static_cast<int64_t>(static_cast<uint64_t>(start_.nanos()) + static_cast<uint64_t>(nanos)));
}

void TimerWheel::Link(uint32_t index) {
  Timer& timer = timers_[index];
  const uint64_t differing = timer.tick ^ now_;
  const int wheel = differing == 0 ? 0 : (std::bit_width(differing) - 1) / kDigitBits;
  const int digit = static_cast<int>(timer.tick >> (wheel * kDigitBits)) & (kSlots - 1);
  timer.slot = static_cast<uint16_t>(wheel * kSlots + digit);
  Slot& slot = slots_[timer.slot];
  timer.previous = slot.last;
  timer.next = kNone;
  (slot.last == kNone ? slot.first : timers_[slot.last].next) = index;
  slot.last = index;
  occupied_[wheel] |= uint64_t{1} << digit;
}

void TimerWheel::Unlink(uint32_t index) {
  Timer& timer = timers_[index];
  Slot& slot = slots_[timer.slot];
  (timer.previous == kNone ? slot.first : timers_[timer.previous].next) = timer.next;
  (timer.next == kNone ? slot.last : timers_[timer.next].previous) = timer.previous;
  if (slot.first == kNone) occupied_[timer.slot / kSlots] &= ~(uint64_t{1} << (timer.slot % kSlots));
}

void TimerWheel::Free(uint32_t index) {
  ++timers_[index].generation;
  timers_[index].next = first_free_;
  first_free_ = index;
  --size_;
}

bool TimerWheel::FirstSlot(int& slot, uint64_t& begin) const {
  for (int wheel = 0; wheel < kWheels; ++wheel) {
    if (occupied_[wheel] == 0) continue;
    const int digit = std::countr_zero(occupied_[wheel]);
    slot = wheel * kSlots + digit;
    // The digits above are the present's, the ones below are zero.
    const int above = (wheel + 1) * kDigitBits;
    begin = (above >= 64 ? 0 : now_ >> above << above) | static_cast<uint64_t>(digit) << (wheel * kDigitBits);
    return true;
  }
  return false;
}

}  // namespace troupe
