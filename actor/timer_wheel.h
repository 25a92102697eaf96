// Many timers: a hierarchical timing wheel (Varghese, Lauck: Hashed and Hierarchical Timing Wheels, 1987, scheme 7).
// Pure: it fires nothing by itself, but says which timers are due when it is told the time.
//
// Eleven wheels of 64 slots each. Time is counted in ticks; a timer lies on the wheel of the highest digit, in base 64,
// in which its tick differs from the present one, so that all timers of a lower wheel come before all of a higher one.
// When the present enters the slot of a higher wheel, its timers move down. Insert and Cancel take constant time, and
// a timer moves ten times in its life at most.
//
// Not thread-safe.
#ifndef TROUPE_ACTOR_TIMER_WHEEL_H_
#define TROUPE_ACTOR_TIMER_WHEEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "actor/time.h"

namespace troupe {

class TimerWheel {
 public:
  using TimerId = uint64_t;  // never 0; not reused before 2^32 timers have taken the same place

  // Nothing fires before `start`. A timer fires at the first whole `granularity` since `start` that is not before its
  // deadline, so up to one granularity late and never early. It must be at least a nanosecond (checked).
  explicit TimerWheel(Instant start, Duration granularity = absl::Milliseconds(1));

  // `value` is the caller's: what Advance gives back. A deadline that has passed is due at the next Advance; Never is
  // allowed and never comes.
  TimerId Insert(Instant deadline, uint64_t value);
  // False: it has fired, was cancelled, or never was.
  bool Cancel(TimerId id);

  // Appends the values of up to `limit` timers that are due at `now`, by tick and within one tick in the order of
  // their insertion. True: there may be more; call again. A `now` before the last one counts as the last one.
  bool Advance(Instant now, size_t limit, std::vector<uint64_t>& due);

  // When Advance next has something to do: no later than the first timer is due, but maybe earlier, when that is far
  // away and Advance will only move it down. Never: there is no timer.
  Instant NextDeadline() const;

  size_t size() const { return size_; }

 private:
  static constexpr int kDigitBits = 6;
  static constexpr int kSlots = 1 << kDigitBits;
  static constexpr int kWheels = 11;  // 66 bits, enough for every tick
  static constexpr uint32_t kNone = UINT32_MAX;

  // A node of one slot's ring, or of the free list. 32 bytes: a million timers take 32 MB.
  struct Timer {
    uint64_t tick = 0;
    uint64_t value = 0;
    uint32_t generation = 0;  // odd while armed; part of the id
    uint32_t previous = kNone;
    uint32_t next = kNone;
    uint16_t slot = 0;  // of all slots of all wheels
  };
  struct Slot {
    uint32_t first = kNone;
    uint32_t last = kNone;
  };

  uint64_t NanosSinceStart(Instant instant) const;  // zero before it
  Instant InstantOf(uint64_t tick) const;
  void Link(uint32_t index);
  void Unlink(uint32_t index);
  void Free(uint32_t index);
  // The first occupied slot, of the lowest wheel that has one, and the tick at which it begins. False: no timers.
  bool FirstSlot(int& slot, uint64_t& begin) const;

  // Fixed at construction.
  const Instant start_;
  const int64_t granularity_;  // nanoseconds

  uint64_t now_ = 0;  // in ticks
  size_t size_ = 0;
  std::vector<Timer> timers_;
  uint32_t first_free_ = kNone;
  std::array<Slot, kWheels * kSlots> slots_;
  std::array<uint64_t, kWheels> occupied_{};  // a bit for each slot that has timers
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_TIMER_WHEEL_H_
