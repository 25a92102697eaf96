// Many timers, of which few come: a hierarchical timing wheel (Varghese and Lauck, Hashed and Hierarchical Timing
// Wheels, SOSP 1987, scheme 7). Pure: time is a count of ticks, and nothing fires by itself; timers.h puts threads and
// a clock to it.
//
// Eight wheels of 64 slots. A timer lies on the wheel of the highest digit, in base 64, in which its tick differs from
// the present one, so that all timers of a lower wheel come before all of a higher one. When the present enters the
// slot of a higher wheel, its timers move down. Insert and Remove take constant time and no memory: the links are in
// the timers. One moves seven times in its life at most.
//
// Not thread-safe.
#ifndef TROUPE_ACTOR_TIMER_WHEEL_H_
#define TROUPE_ACTOR_TIMER_WHEEL_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"

namespace troupe {

class TimerWheel {
 public:
  // What lies on a wheel. It must stay where it is until it has been removed or has come.
  class Entry {
   public:
    uint64_t tick() const { return tick_; }

   private:
    friend class TimerWheel;
    Entry* next_ = nullptr;
    Entry** link_ = nullptr;  // what points here
    uint64_t tick_ = 0;
    uint16_t slot_ = 0;
  };

  // No timer has this tick: it is past the end of time.
  static constexpr uint64_t kNever = uint64_t{1} << 48;  // 64^8

  explicit TimerWheel(uint64_t now = 0) : now_(now) {}
  TimerWheel(const TimerWheel&) = delete;

  // At most kNever, which never comes. A tick that has passed is due at the next Advance. Not while it lies here.
  void Insert(Entry& entry, uint64_t tick) {
    // One that has passed goes to the present tick, which has been searched, but is searched again.
    entry.tick_ = std::max(std::min(tick, kNever), now_);
    Link(entry);
  }
  // Must lie here.
  void Remove(Entry& entry) {
    Slot& slot = slots_[entry.slot_];
    *entry.link_ = entry.next_;
    (entry.next_ != nullptr ? entry.next_->link_ : slot.end) = entry.link_;
    if (slot.first == nullptr) occupied_[entry.slot_ / kSlots] &= ~(uint64_t{1} << entry.slot_ % kSlots);
  }

  // Removes the timers that are due at `now` and gives them to `due`, by tick, and within one tick in the order of
  // their insertion, unless a limit ended the last call. Stops after `limit` steps: a timer that is due is one, and one
  // that moves down is one. True: it stopped early; call again. A `now` before the last one counts as the last one.
  // `due` must not touch the wheel.
  bool Advance(uint64_t now, size_t limit, absl::FunctionRef<void(Entry&)> due);
  // Gives all, due or not.
  void Clear(absl::FunctionRef<void(Entry&)> removed);

  // When Advance next has something to do: no later than the first timer is due, but maybe earlier, when that is far
  // away and Advance will only move it down. kNever: there is none that comes.
  uint64_t NextTick() const;

 private:
  static constexpr uint32_t kDigitBits = 6;
  static constexpr uint32_t kSlots = 1 << kDigitBits;
  static constexpr uint32_t kWheels = 8;
  // The slot of kNever: digit 1 of a wheel more, of which there is nothing else.
  static constexpr uint32_t kEndOfTime = kWheels * kSlots + 1;

  struct Slot {
    Entry* first = nullptr;
    Entry** end = nullptr;  // where the next one is linked; when not empty
  };

  void Link(Entry& entry) {
    const uint64_t differing = entry.tick_ ^ now_;
    const uint32_t wheel = differing == 0 ? 0 : static_cast<uint32_t>(std::bit_width(differing) - 1) / kDigitBits;
    const uint32_t digit = (entry.tick_ >> (wheel * kDigitBits)) % kSlots;
    const uint32_t index = wheel * kSlots + digit;
    Slot& slot = slots_[index];
    if (slot.first == nullptr) slot.end = &slot.first;
    entry.slot_ = static_cast<uint16_t>(index);
    entry.next_ = nullptr;
    entry.link_ = slot.end;
    *slot.end = &entry;
    slot.end = &entry.next_;
    occupied_[index / kSlots] |= uint64_t{1} << index % kSlots;
  }
  // The first slot that holds something, of the lowest wheel that has one, and the tick at which it begins.
  bool FirstSlot(uint32_t& slot, uint64_t& begin) const;

  uint64_t now_;
  std::array<uint64_t, kWheels + 1> occupied_{};  // a bit for each slot that holds something
  // The slot of a higher wheel that the present has entered and that is being moved down; its bit is not set, and
  // nothing new comes there. kEndOfTime: none is.
  uint32_t moving_ = kEndOfTime;
  std::array<Slot, kEndOfTime + 1> slots_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_TIMER_WHEEL_H_
